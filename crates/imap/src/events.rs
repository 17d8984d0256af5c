//! The events of IMAP sessions.

yubin_base::events! {
    /// A client logged in.
    LOGGED_IN = Info "imap.logged_in";
    /// A login failed.
    LOGIN_FAILED = Info "imap.login_failed";
    /// A session ended because of too many failed logins or commands that nobody understands.
    TOO_MANY_ERRORS = Warn "imap.too_many_errors";
    /// The client said what it is (ID).
    CLIENT_ID = Debug "imap.client_id";
    /// A command larger than allowed was refused.
    TOO_BIG = Warn "imap.too_big";
    /// The store could not do what a session asked; the text says why. See `yubin fsck` when it speaks of damage.
    STORE_FAILED = Error "imap.store_failed";
    /// A body could not be read while it was being sent; the session was closed.
    BODY_FAILED = Error "imap.body_failed";
}
