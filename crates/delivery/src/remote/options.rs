//! Settings of sending. Arrive as values.

/// Settings of sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendOptions {
    /// Where mail goes, before DNS is asked; the first that matches counts.
    pub routes: Vec<RouteRule>,
    /// When a message is tried again.
    pub retry: RetrySchedule,
    /// Connections to one destination at a time.
    pub connections_per_destination: usize,
    /// Whether IPv6 addresses are tried.
    pub ipv6: bool,
    /// Whether DANE is used (RFC 7672). Needs a resolver that validates.
    pub dane: bool,
    /// Whether MTA-STS is used (RFC 8461).
    pub mta_sts: bool,
    /// Whether failures are reported to senders who have not logged in. They may be forged.
    pub report_to_strangers: bool,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            retry: RetrySchedule::default(),
            connections_per_destination: 10,
            ipv6: true,
            dane: true,
            mta_sts: true,
            report_to_strangers: false,
        }
    }
}

/// Where the mail of some domains goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRule {
    /// `example.org`, `.example.org` for everything below it, or `*`.
    pub domain: String,
    /// Only mail from senders of this domain; none for all.
    pub sender_domain: Option<String>,
    /// Goes to these hosts, in order, instead of where DNS says. Empty: as DNS says.
    pub hosts: Vec<String>,
    /// The port.
    pub port: u16,
    /// TLS.
    pub tls: RouteTls,
    /// User and password.
    pub login: Option<(String, String)>,
}

/// TLS of a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouteTls {
    /// When it is offered; DANE and MTA-STS where the domain has them.
    #[default]
    Opportunistic,
    /// Always, with a certificate for the host's name.
    Verified,
    /// From the first octet, with a certificate for the host's name (RFC 8314).
    Implicit,
    /// Never.
    Never,
}

/// When a message is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySchedule {
    /// Pauses after the first, second, ... attempt, in seconds; the last one repeats.
    pub pauses_s: Vec<u64>,
    /// How long a message lives, RFC 5321 §4.5.4.1.
    pub lifetime_s: u64,
    /// After how long its sender is told that it waits; none: never.
    pub warn_after_s: Option<u64>,
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self {
            // Greylisting ends after five minutes as a rule; then it is a matter of hours.
            pauses_s: vec![60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800],
            lifetime_s: 5 * 24 * 3_600,
            warn_after_s: Some(4 * 3_600),
        }
    }
}

impl RetrySchedule {
    /// The pause after so many attempts.
    pub fn pause_s(&self, attempts: u32) -> u64 {
        let at = (attempts.saturating_sub(1) as usize).min(self.pauses_s.len().saturating_sub(1));
        self.pauses_s.get(at).copied().unwrap_or(3_600).max(1)
    }
}

impl SendOptions {
    /// The rule for mail from a sender's domain to a domain.
    pub fn rule(&self, sender_domain: &str, domain: &str) -> Option<&RouteRule> {
        self.routes.iter().find(|rule| rule.matches(sender_domain, domain))
    }
}

impl RouteRule {
    fn matches(&self, sender_domain: &str, domain: &str) -> bool {
        let sender =
            self.sender_domain.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(sender_domain));
        let wanted = self.domain.to_ascii_lowercase();
        let domain = domain.to_ascii_lowercase();
        sender && (wanted == "*" || wanted == domain || wanted.starts_with('.') && domain.ends_with(&wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_the_last_repeats() {
        let schedule = RetrySchedule::default();
        let pauses: Vec<u64> = [0, 1, 2, 6, 8, 50].map(|n| schedule.pause_s(n)).to_vec();
        assert_eq!(pauses, [60, 60, 300, 3_600, 10_800, 10_800]);
        let total: u64 = (1..=8).map(|n| schedule.pause_s(n)).sum();
        assert!(total < schedule.lifetime_s);
    }

    #[test]
    fn the_first_rule_that_matches_counts() {
        let rule = |domain: &str, sender: Option<&str>, port| RouteRule {
            domain: domain.into(),
            sender_domain: sender.map(str::to_owned),
            hosts: Vec::new(),
            port,
            tls: RouteTls::default(),
            login: None,
        };
        let options = SendOptions {
            routes: vec![
                rule("far.test", Some("b.test"), 1),
                rule("far.test", None, 2),
                rule(".near.test", None, 3),
                rule("*", None, 4),
            ],
            ..SendOptions::default()
        };
        let port = |sender, domain| options.rule(sender, domain).map(|rule| rule.port);
        assert_eq!(port("B.test", "far.test"), Some(1));
        assert_eq!(port("a.test", "FAR.test"), Some(2));
        assert_eq!(port("a.test", "x.near.test"), Some(3));
        assert_eq!(port("a.test", "near.test"), Some(4));
        assert_eq!(SendOptions::default().rule("a", "b"), None);
    }
}
