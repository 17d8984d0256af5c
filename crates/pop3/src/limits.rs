//! The limits of this crate.

yubin_base::limits! {
    /// RFC 2449 §4 says 255; we are kinder to long user names and passwords.
    COMMAND_LINE_OCTETS: usize = 1_024, "octets";
    /// RFC 5034 §4: a response decodes to at most 12,288 octets; this is its base64 with CRLF, and room for `AUTH` and a mechanism.
    AUTH_LINE_OCTETS: usize = 16_448, "octets";
    /// RFC 5034 §4: what one response may decode to.
    AUTH_RESPONSE_OCTETS: usize = 12_288, "octets";
    /// Errors after which each further one is answered late.
    SOFT_ERRORS: u32 = 10, "errors";
    /// Errors after which the session ends.
    HARD_ERRORS: u32 = 20, "errors";
    /// How late an answer comes after too many errors.
    ERROR_DELAY_MS: u32 = 1_000, "milliseconds";
    /// Failed logins after which the session ends.
    AUTH_FAILURES: u32 = 3, "failures";
    /// How long we wait for a stranger's command; the ten minutes of RFC 1939 §3 belong to an open maildrop.
    STRANGER_PATIENCE_S: u32 = 180, "seconds";
    /// RFC 1939 §3: at least ten minutes.
    IDLE_PATIENCE_S: u32 = 600, "seconds";
    /// How long a session that has made too many errors is kept for its last word.
    DOOMED_PATIENCE_S: u32 = 5, "seconds";
    /// How much of a message is read and sent at a time.
    PIECE_OCTETS: usize = 65_536, "octets";
    /// How many lines of a listing are sent at a time.
    PIECE_LINES: u32 = 1_000, "lines";
    /// Accounts whose last login is remembered for LOGIN-DELAY.
    LOGIN_DELAY_ACCOUNTS: usize = 100_000, "accounts";
    /// What a log line shows of a text that a client chose.
    LOGGED_TEXT_OCTETS: usize = 256, "octets";
}
