//! What an operator may set. Arrives as a value.

/// Settings of the POP3 service.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name the greeting says.
    pub host_name: String,
    /// Whether STLS can be offered: there is a certificate, and the port is not TLS from the start.
    pub tls_available: bool,
    /// Whether passwords may be sent without TLS (loopback in `yubin dev`).
    pub plaintext_allowed: bool,
    /// Whether a message that was sent whole (RETR) gets `\Seen`, so that other clients show it as read.
    pub retr_sets_seen: bool,
    /// The least seconds between two logins of one account; announced in LOGIN-DELAY (RFC 2449 §6.5). None: no such rule.
    pub login_delay_s: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host_name: "localhost".to_owned(),
            tls_available: false,
            plaintext_allowed: false,
            retr_sets_seen: true,
            login_delay_s: None,
        }
    }
}
