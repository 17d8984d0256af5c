//! The events of this crate. Texts that a client chose pass through [`crate::server::shown`] first.

yubin_base::events! {
    /// A session ended; with what it did.
    SESSION_ENDED = Debug "smtp.session_ended";
    /// The client did not speak SMTP (a web request, binary data) and was dropped at its first line.
    NOT_SMTP = Warn "smtp.not_smtp";
    /// The client talked before the greeting or pipelined where it must wait.
    SPOKE_EARLY = Warn "smtp.spoke_early";
    /// A command was answered with an error.
    COMMAND_REFUSED = Info "smtp.command_refused";
    /// A sender was refused.
    SENDER_REFUSED = Info "smtp.sender_refused";
    /// A recipient was refused.
    RECIPIENT_REFUSED = Info "smtp.recipient_refused";
    /// A message was refused after its body, with the reason.
    MESSAGE_REFUSED = Info "smtp.message_refused";
    /// A message was accepted and is durable.
    MESSAGE_ACCEPTED = Info "smtp.message_accepted";
    /// A body with bare CR or LF was refused: broken software, or an attempt at smuggling.
    BARE_NEWLINE_REFUSED = Warn "smtp.bare_newline_refused";
    /// A client logged in.
    LOGGED_IN = Info "smtp.logged_in";
    /// A login failed.
    LOGIN_FAILED = Info "smtp.login_failed";
    /// The session was ended because of too many errors.
    TOO_MANY_ERRORS = Warn "smtp.too_many_errors";
}
