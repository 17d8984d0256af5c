//! The events of this crate. Texts that a client chose pass through [`crate::codec::shown`] first.

yubin_base::events! {
    /// A session ended; with what it did.
    SESSION_ENDED = Debug "pop3.session_ended";
    /// The client did not speak POP3 (a web request, binary data) and was dropped at its first line.
    NOT_POP3 = Warn "pop3.not_pop3";
    /// A command was answered with an error.
    COMMAND_REFUSED = Debug "pop3.command_refused";
    /// A client logged in and sees its maildrop.
    LOGGED_IN = Info "pop3.logged_in";
    /// A login failed.
    LOGIN_FAILED = Info "pop3.login_failed";
    /// A client came again before its LOGIN-DELAY was over.
    LOGIN_TOO_SOON = Info "pop3.login_too_soon";
    /// A maildrop could not be opened, or a message not be read; the text says why.
    STORE_FAILED = Warn "pop3.store_failed";
    /// The messages marked by DELE are gone.
    DELETED = Info "pop3.deleted";
    /// The messages marked by DELE could not be removed and are all still there.
    DELETE_FAILED = Warn "pop3.delete_failed";
    /// The session was ended because of too many errors.
    TOO_MANY_ERRORS = Warn "pop3.too_many_errors";
}
