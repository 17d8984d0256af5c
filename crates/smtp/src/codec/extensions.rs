//! What a server offers in its answer to EHLO. RFC 5321 §4.1.1.1 and the extensions' own RFCs.
//! Never decides what to use.

use super::response::Response;

/// The extensions that a client of ours knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// The name the server gave itself, lower case.
    pub server_name: String,
    /// SIZE (RFC 1870): offered, and the largest message; zero is no limit.
    pub size: Option<u64>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME (RFC 3030).
    pub binary_mime: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// REQUIRETLS (RFC 8689).
    pub require_tls: bool,
    /// AUTH (RFC 4954): the mechanisms, upper case.
    pub auth: Vec<String>,
    /// LIMITS RCPTMAX (RFC 9422).
    pub recipients_max: Option<usize>,
    /// LIMITS MAILMAX (RFC 9422).
    pub messages_max: Option<u32>,
}

impl Extensions {
    /// Reads a 250 answer to EHLO.
    pub fn read(response: &Response) -> Self {
        let mut lines = response.lines.iter();
        let name = lines.next().and_then(|line| line.split_whitespace().next()).unwrap_or_default();
        let mut found = Self { server_name: name.to_ascii_lowercase(), ..Self::default() };
        for line in lines {
            found.keyword(line);
        }
        // RFC 3030 §3: BINARYMIME means nothing without CHUNKING.
        found.binary_mime &= found.chunking;
        found
    }

    /// After HELO: no extension.
    pub fn none(response: &Response) -> Self {
        let first = response.lines.first().and_then(|line| line.split_whitespace().next());
        Self { server_name: first.unwrap_or_default().to_ascii_lowercase(), ..Self::default() }
    }

    fn keyword(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let Some(keyword) = words.next() else { return };
        let keyword = keyword.to_ascii_uppercase();
        match keyword.as_str() {
            "SIZE" => self.size = Some(words.next().and_then(|n| n.parse().ok()).unwrap_or(0)),
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "PIPELINING" => self.pipelining = true,
            "CHUNKING" => self.chunking = true,
            "BINARYMIME" => self.binary_mime = true,
            "DSN" => self.dsn = true,
            "STARTTLS" => self.starttls = true,
            "REQUIRETLS" => self.require_tls = true,
            "AUTH" => self.auth.extend(words.map(str::to_ascii_uppercase)),
            "LIMITS" => words.for_each(|word| self.limit(word)),
            // Servers of old wrote AUTH=LOGIN for clients of old.
            other => {
                if let Some(mechanism) = other.strip_prefix("AUTH=") {
                    self.auth.push(mechanism.to_owned());
                    self.auth.extend(words.map(str::to_ascii_uppercase));
                }
            }
        }
    }

    fn limit(&mut self, word: &str) {
        match word.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("RCPTMAX") => {
                self.recipients_max = value.parse().ok().filter(|max| *max > 0);
            }
            Some((name, value)) if name.eq_ignore_ascii_case("MAILMAX") => {
                self.messages_max = value.parse().ok().filter(|max| *max > 0);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_read_in_any_case_and_unknown_ones_passed_over() {
        let lines = "MX.example.test hello|size 1000|8bitmime|SMTPUTF8|PIPELINING|CHUNKING|BINARYMIME|DSN|STARTTLS|REQUIRETLS\
            |AUTH PLAIN login|AUTH=CRAM-MD5|LIMITS RCPTMAX=5 MAILMAX=7 X=1|VRFY|"
            .split('|');
        let response = Response { code: 250, enhanced: None, lines: lines.map(str::to_owned).collect() };
        let expected = Extensions {
            server_name: "mx.example.test".into(),
            size: Some(1000),
            eight_bit_mime: true,
            smtputf8: true,
            pipelining: true,
            chunking: true,
            binary_mime: true,
            dsn: true,
            starttls: true,
            require_tls: true,
            auth: ["PLAIN", "LOGIN", "CRAM-MD5"].map(str::to_owned).to_vec(),
            recipients_max: Some(5),
            messages_max: Some(7),
        };
        assert_eq!(Extensions::read(&response), expected);
        let response = Response { code: 250, enhanced: None, lines: vec!["mx".into(), "BINARYMIME".into()] };
        assert!(!Extensions::read(&response).binary_mime, "not without CHUNKING");
    }
}
