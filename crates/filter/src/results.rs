//! The Authentication-Results field: written by us, and taken out when somebody else wrote it in our name. RFC 8601.
//! Never trusts a field that came with a message.

use std::borrow::Cow;

use yubin_formats::mail::{RawField, fields, unfold};

use crate::{Identity, Outcome, limits, spf::SpfIdentity};

/// Writes the field, CRLF included; at most [`limits::RESULTS_OCTETS`]. One result on each line.
pub(crate) fn write(identity: &Identity, authserv_id: &str) -> Vec<u8> {
    let mut results: Vec<String> = vec![iprev(identity), spf(identity)];
    results.extend(identity.helo_spf.as_ref().map(spf_of));
    results.push(dmarc(identity));
    results.extend(dkim(identity));
    if identity.arc.outcome != Outcome::None {
        results.push(arc(identity));
    }
    let mut field = format!("Authentication-Results: {authserv_id}");
    for result in results {
        if field.len() + result.len() + 8 > limits::RESULTS_OCTETS {
            break;
        }
        field.push_str(";\r\n\t");
        field.push_str(&result);
    }
    field.push_str("\r\n");
    field.into_bytes()
}

fn iprev(identity: &Identity) -> String {
    let result = &identity.iprev;
    let name = result.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
    format!("iprev={}{name} policy.iprev={}", result.outcome, value(&result.address.to_string()))
}

fn spf(identity: &Identity) -> String {
    spf_of(&identity.spf)
}

fn spf_of(result: &crate::spf::SpfResult) -> String {
    let property = match result.identity {
        SpfIdentity::MailFrom => "smtp.mailfrom",
        SpfIdentity::Helo => "smtp.helo",
    };
    format!("spf={}{} {property}={}", result.outcome, comment(result.reason), value(&result.domain))
}

fn dkim(identity: &Identity) -> Vec<String> {
    if identity.dkim.is_empty() {
        return vec!["dkim=none".to_owned()];
    }
    let one = |result: &crate::dkim::DkimResult| {
        let mut text = format!("dkim={}{}", result.outcome, comment(result.reason));
        for (name, property) in [
            ("header.d", result.domain.as_deref()),
            ("header.s", result.selector.as_deref()),
            ("header.a", result.algorithm.map(crate::dkim::Algorithm::name)),
            ("header.b", Some(result.b.as_str()).filter(|b| !b.is_empty())),
        ] {
            if let Some(property) = property {
                text.push_str(&format!(" {name}={}", value(property)));
            }
        }
        text
    };
    identity.dkim.iter().map(one).collect()
}

fn dmarc(identity: &Identity) -> String {
    match (&identity.author, &identity.dmarc) {
        (Ok(author), Some(result)) => {
            let asked = result.published.map(|policy| format!(" (p={policy})")).unwrap_or_default();
            format!("dmarc={}{asked} header.from={}", result.outcome, value(&author.domain))
        }
        (Err(error), _) => format!("dmarc=permerror ({})", error.text()),
        (Ok(author), None) => format!("dmarc=none header.from={}", value(&author.domain)),
    }
}

fn arc(identity: &Identity) -> String {
    let sealer =
        identity.arc.sealers.last().map(|name| format!(" arc.sealer={}", value(name))).unwrap_or_default();
    format!("arc={}{}{sealer}", identity.arc.outcome, comment(identity.arc.reason))
}

/// Words of ours, which need no quoting.
fn comment(reason: Option<&str>) -> String {
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}

/// A `pvalue`: as it is when it may be, otherwise a quoted string, with everything left out that could end it. RFC 8601 §2.2.
fn value(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-./^_`{|}~@".contains(c);
    if !text.is_empty() && text.len() <= 255 && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut quoted = String::from("\"");
    for c in text.chars().filter(|c| !c.is_control()).take(255) {
        if c == '"' || c == '\\' {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

/// The header section without what only we may write: Authentication-Results in our name (or in one that cannot be read), and
/// fields of our own kinds (`X-Yubin-…`). RFC 8601 §5. All else stays octet by octet.
pub fn without_forged<'a>(block: &'a [u8], authserv_id: &str) -> Cow<'a, [u8]> {
    let forged: Vec<_> =
        fields(block).filter(|field| is_forged(field, authserv_id)).map(|f| f.range).collect();
    if forged.is_empty() {
        return Cow::Borrowed(block);
    }
    let mut out = Vec::with_capacity(block.len());
    let mut from = 0;
    for range in forged {
        out.extend_from_slice(block.get(from..range.start).unwrap_or_default());
        from = range.end;
    }
    out.extend_from_slice(block.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

fn is_forged(field: &RawField<'_>, authserv_id: &str) -> bool {
    let ours = field.name.get(..8).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"X-Yubin-"));
    ours || field.is(b"Authentication-Results")
        && authserv_id_of(field.value).is_none_or(|id| id.eq_ignore_ascii_case(authserv_id))
}

/// `[CFWS] authserv-id [ CFWS version ] ";"` — the id; nothing when it is no word or the field has no results.
fn authserv_id_of(value: &[u8]) -> Option<String> {
    let value = unfold(value);
    let text = String::from_utf8_lossy(&value);
    let text = skip_comments(&text)?;
    if let Some(quoted) = text.strip_prefix('"') {
        let mut id = String::new();
        let mut chars = quoted.chars();
        loop {
            match chars.next()? {
                '"' => return Some(id),
                '\\' => id.push(chars.next()?),
                c => id.push(c),
            }
        }
    }
    let end = text.find(|c: char| c.is_ascii_whitespace() || c == ';' || c == '(').unwrap_or(text.len());
    let id = text.get(..end)?;
    let word = |c: char| c.is_alphanumeric() || "!#$%&'*+-./^_`{|}~:".contains(c);
    (!id.is_empty() && id.chars().all(word)).then(|| id.trim_end_matches('.').to_owned())
}

/// What follows white space and comments; nothing when a comment never ends.
fn skip_comments(text: &str) -> Option<&str> {
    let mut rest = text.trim_start();
    while rest.starts_with('(') {
        let mut depth = 0_u32;
        let mut escaped = false;
        let end = rest.char_indices().find(|(_, c)| {
            match c {
                _ if std::mem::take(&mut escaped) => {}
                '\\' => escaped = true,
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        rest = rest.get(end?.0 + 1..)?.trim_start();
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_break_out() {
        assert_eq!(value("a.b@c.test"), "a.b@c.test");
        assert_eq!(value("a;b"), "\"a;b\"");
        assert_eq!(value("a\"\r\nX: y; dmarc=pass"), "\"a\\\"X: y; dmarc=pass\"");
        assert_eq!(value(""), "\"\"");
        assert_eq!(value(&"x".repeat(1_000)).len(), 257);
    }

    #[test]
    fn forged_results_go_and_others_stay() {
        let check = |value: &str, goes: bool| {
            let block = format!("A: 1\r\nAuthentication-Results:{value}\r\nB: 2\r\n");
            let left = without_forged(block.as_bytes(), "mail.example.test");
            assert_eq!(left.len() < block.len(), goes, "{value}");
            if goes {
                assert_eq!(&*left, b"A: 1\r\nB: 2\r\n");
            }
        };
        check(" mail.example.test; dmarc=pass", true);
        check(" MAIL.example.TEST 1; dmarc=pass", true);
        check("mail.example.test", true);
        check(" mail.example.test.; spf=pass", true);
        check(" (a (b) \\( c) mail.example.test (x) 1; spf=pass", true);
        check(" \"mail.exa\\mple.test\"; spf=pass", true);
        check("\r\n\tmail.example.test;\r\n\tspf=pass", true);
        check(" (never ends mail.other.test; spf=pass", true);
        check(" ;spf=pass", true);
        check(" mail.other.test; dmarc=pass", false);
        check(" \"mail.other.test\"; spf=pass", false);
        let block = b"X-Yubin-Verdict: fine\r\nx-yubin-: a\r\n b\r\nX-Other: y\r\n";
        assert_eq!(&*without_forged(block, "x"), b"X-Other: y\r\n");
    }
}
