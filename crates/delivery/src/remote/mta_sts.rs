//! MTA-STS: the record, the policy, and what it demands of a host. RFC 8461 §3.1, §3.2, §4.1, §5.
//! Parses and remembers; fetching is asked of the connector by [`super::policy`].
//!
//! ```abnf
//! sts-text-record = "v=STSv1" *WSP %x3B *( field-delim ) ; "id=" 1*32(ALPHA / DIGIT)
//! sts-policy      = *( key ":" value term )              ; version, mode, mx, max_age
//! ```

use std::collections::BTreeMap;

use yubin_base::UnixMs;

use crate::limits;

/// What a domain demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How strictly.
    pub mode: Mode,
    /// Host names, `*.` for one label in front.
    pub mx: Vec<String>,
    /// How long it may be kept.
    pub max_age_s: u64,
}

/// How strictly a policy is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is sent against it.
    Enforce,
    /// Breaches are noted.
    Testing,
    /// As if there were none.
    None,
}

/// The id in the TXT records of `_mta-sts.domain`. Nothing unless exactly one record is of MTA-STS (RFC 8461 §3.1).
pub fn record_id(records: &[Vec<u8>]) -> Option<String> {
    let mut ours = records.iter().filter_map(|record| {
        let text = std::str::from_utf8(record).ok()?;
        let (version, rest) = text.split_once(';')?;
        (version.trim_end() == "v=STSv1").then_some(rest)
    });
    let only = ours.next()?;
    if ours.next().is_some() {
        return None;
    }
    let id = only.split(';').find_map(|field| field.trim().strip_prefix("id=").map(str::trim))?;
    let sane = (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    sane.then(|| id.to_owned())
}

/// Reads a policy.
pub fn parse(text: &[u8]) -> Option<Policy> {
    let text = std::str::from_utf8(text).ok()?;
    let (mut version, mut mode, mut max_age, mut mx) = (None, None, None, Vec::new());
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            if line.trim().is_empty() {
                continue;
            }
            return None;
        };
        let value = value.trim();
        // RFC 8461 §3.2: of a key that comes twice the first counts, but for mx.
        match key.trim() {
            "version" => version = version.or(Some(value)),
            "mode" => mode = mode.or(Some(value)),
            "max_age" => max_age = max_age.or(Some(value)),
            "mx" if mx.len() < limits::MX_HOSTS * 10 => mx.push(value.to_ascii_lowercase()),
            _ => {}
        }
    }
    let mode = match mode? {
        "enforce" => Mode::Enforce,
        "testing" => Mode::Testing,
        "none" => Mode::None,
        _ => return None,
    };
    let max_age = max_age?;
    let number = max_age.len() <= 10 && max_age.bytes().all(|b| b.is_ascii_digit());
    let max_age_s =
        if number { max_age.parse::<u64>().ok()?.min(limits::POLICY_AGE_S) } else { return None };
    if version? != "STSv1" || mx.is_empty() && mode != Mode::None {
        return None;
    }
    Some(Policy { mode, mx, max_age_s })
}

impl Policy {
    /// Whether a host may take the domain's mail. RFC 8461 §4.1.
    pub fn allows(&self, host: &str) -> bool {
        self.mx.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => {
                host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent)
            }
            None => pattern == host,
        })
    }
}

/// Policies as they were fetched.
#[derive(Debug, Default)]
pub struct Cache {
    kept: BTreeMap<String, Kept>,
}

#[derive(Clone, Debug)]
struct Kept {
    id: String,
    policy: Policy,
    fetched: UnixMs,
}

impl Cache {
    /// The policy that still holds, and whether it is that of this id. Without an id (no record, no answer) a kept one holds all the
    /// same until its age ends (RFC 8461 §5.1: so that nobody gets rid of it by hiding the record).
    pub fn get(&self, domain: &str, id: Option<&str>, now: UnixMs) -> Option<(&Policy, bool)> {
        let kept = self.kept.get(domain)?;
        let alive = now.since(kept.fetched) <= kept.policy.max_age_s * 1_000;
        alive.then(|| (&kept.policy, id.is_none_or(|id| id == kept.id)))
    }

    /// Keeps a policy.
    pub fn put(&mut self, domain: &str, id: &str, policy: Policy, now: UnixMs) {
        if self.kept.len() >= limits::POLICIES_KEPT && !self.kept.contains_key(domain) {
            let oldest =
                self.kept.iter().min_by_key(|(_, kept)| kept.fetched).map(|(domain, _)| domain.clone());
            oldest.map(|oldest| self.kept.remove(&oldest));
        }
        self.kept.insert(domain.to_owned(), Kept { id: id.to_owned(), policy, fetched: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_record_has_an_id() {
        let id =
            |records: &[&str]| record_id(&records.iter().map(|r| r.as_bytes().to_vec()).collect::<Vec<_>>());
        assert_eq!(id(&["v=STSv1; id=20160831085700Z;"]).as_deref(), Some("20160831085700Z"));
        assert_eq!(id(&["v=spf1 -all", "v=STSv1;id=a"]).as_deref(), Some("a"));
        assert_eq!(id(&["v=STSv1; id=a;", "v=STSv1; id=b;"]), None);
        assert_eq!(id(&["v=STSv1; id=a-b;"]), None);
        assert_eq!(id(&["v=STSv1;"]), None);
        assert_eq!(id(&["v=STSv2; id=a;"]), None);
        assert_eq!(id(&[]), None);
    }

    #[test]
    fn policies_are_read_as_rfc_8461_has_them() {
        let policy = parse(b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmax_age: 604800\r\nother: x\r\n");
        let expected = Policy {
            mode: Mode::Enforce,
            mx: vec!["mail.example.com".into(), "*.example.net".into()],
            max_age_s: 604_800,
        };
        assert_eq!(policy, Some(expected.clone()));
        assert!(expected.allows("mail.example.com") && expected.allows("mx1.example.net"));
        assert!(
            !expected.allows("example.net")
                && !expected.allows("a.b.example.net")
                && !expected.allows("x.mail.example.com")
        );
        assert!(parse(b"version: STSv1\nmode: none\nmax_age: 1\n").is_some());
        for wrong in [
            "",
            "mode: enforce\nmx: a\nmax_age: 1\n",
            "version: STSv2\nmode: enforce\nmx: a\nmax_age: 1\n",
            "version: STSv1\nmode: strict\nmx: a\nmax_age: 1\n",
            "version: STSv1\nmode: enforce\nmax_age: 1\n",
            "version: STSv1\nmode: enforce\nmx: a\n",
            "version: STSv1\nmode: enforce\nmx: a\nmax_age: -1\n",
            "<html>",
        ] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
        let long = parse(b"version: STSv1\nmode: testing\nmx: a\nmax_age: 9999999999\n").unwrap();
        assert_eq!(long.max_age_s, limits::POLICY_AGE_S);
    }

    #[test]
    fn a_kept_policy_outlives_its_record_and_dies_of_age() {
        let mut cache = Cache::default();
        let policy = Policy { mode: Mode::Enforce, mx: vec!["a".into()], max_age_s: 100 };
        cache.put("far.test", "1", policy.clone(), UnixMs(0));
        assert_eq!(cache.get("far.test", Some("1"), UnixMs(100_000)), Some((&policy, true)));
        assert_eq!(cache.get("far.test", Some("2"), UnixMs(0)), Some((&policy, false)));
        assert_eq!(cache.get("far.test", None, UnixMs(0)), Some((&policy, true)));
        assert_eq!(cache.get("far.test", Some("1"), UnixMs(100_001)), None);
        assert_eq!(cache.get("near.test", None, UnixMs(0)), None);
    }
}
