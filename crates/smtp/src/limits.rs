//! The limits of this crate.

yubin_base::limits! {
    /// At least 512 by RFC 5321 §4.5.3.1.4; extensions add up to some 1,500 for MAIL and RCPT.
    COMMAND_LINE_OCTETS: usize = 2_048, "octets";
    /// RFC 4954 §4.5: responses of an AUTH exchange may be this long.
    AUTH_LINE_OCTETS: usize = 12_288, "octets";
    /// At least 64 by RFC 5321 §4.5.3.1.1; bounce addresses of large senders (VERP) are longer.
    LOCAL_PART_OCTETS: usize = 255, "octets";
    /// RFC 5321 §4.5.3.1.2.
    DOMAIN_OCTETS: usize = 255, "octets";
    /// A DNS label, RFC 1035 §2.3.4.
    LABEL_OCTETS: usize = 63, "octets";
    /// A greeting name longer than this is no name.
    HELO_OCTETS: usize = 255, "octets";
    /// RFC 3461 §4.4: what ENVID may be, before decoding.
    ENVID_OCTETS: usize = 100, "octets";
    /// RFC 3461 §4.2: what ORCPT may be, before decoding.
    ORCPT_OCTETS: usize = 500, "octets";
    /// At least 100 by RFC 5321 §4.5.3.1.8; announced in LIMITS (RFC 9422).
    RECIPIENTS_PER_MESSAGE: usize = 1_000, "recipients";
    /// Recipients that are taken however long they are; the floor of RFC 5321 §4.5.3.1.8.
    RECIPIENTS_OF_ANY_LENGTH: usize = 100, "recipients";
    /// What the paths and parameters of further recipients may take, so that a stranger's envelope stays small.
    RECIPIENT_TEXT_OCTETS: usize = 65_536, "octets";
    /// One session does not go on for ever; announced in LIMITS (RFC 9422).
    MESSAGES_PER_SESSION: u32 = 1_000, "messages";
    /// Commands that lead nowhere (NOOP, RSET, VRFY, EHLO) in a session.
    IDLE_COMMANDS_PER_SESSION: u32 = 1_000, "commands";
    /// Errors after which each further one is answered late.
    SOFT_ERRORS: u32 = 10, "errors";
    /// Errors after which the session ends.
    HARD_ERRORS: u32 = 20, "errors";
    /// How late an answer comes after too many errors.
    ERROR_DELAY_MS: u32 = 1_000, "milliseconds";
    /// Failed logins after which the session ends.
    AUTH_FAILURES: u32 = 3, "failures";
    /// Senders and recipients refused by policy after which the session ends: an address harvest.
    POLICY_REFUSALS: u32 = 100, "refusals";
    /// The default of the largest message, announced in SIZE.
    MESSAGE_OCTETS: u64 = 50 * 1024 * 1024, "octets";
    /// How much of a body one step of the session takes, so that other sessions are served.
    BODY_STEP_OCTETS: usize = 65_536, "octets";
    /// How far past the largest message we go on reading to be able to answer 552.
    OVERRUN_OCTETS: u64 = 1024 * 1024 * 1024, "octets";
    /// What is read and dropped of a line that is too long before the session ends.
    SKIPPED_LINE_OCTETS: usize = 65_536, "octets";
    /// RFC 5321 §4.5.3.2.7: how long we wait for a command.
    COMMAND_PATIENCE_S: u32 = 300, "seconds";
    /// RFC 5321 §4.5.3.2.5: how long we wait for the next piece of a body.
    BODY_PATIENCE_S: u32 = 180, "seconds";
    /// What a log line shows of a text that a client chose.
    LOGGED_TEXT_OCTETS: usize = 256, "octets";
    /// At least 512 by RFC 5321 §4.5.3.1.5; servers explain their refusals at length.
    RESPONSE_LINE_OCTETS: usize = 4_096, "octets";
    /// Lines of one reply of a server.
    RESPONSE_LINES: usize = 200, "lines";
    /// One reply of a server in all.
    RESPONSE_OCTETS: usize = 65_536, "octets";
    /// What is kept of a server's words about a recipient.
    KEPT_TEXT_OCTETS: usize = 1_000, "octets";
    /// One BDAT chunk that we send (RFC 3030), held until it is full.
    CHUNK_OCTETS: usize = 65_536, "octets";
    /// Commands that we send before we read their answers: their answers must fit into the connection's buffers.
    PIPELINED_COMMANDS: usize = 100, "commands";
    /// Iterations that a server may demand in SCRAM; more is an attack on our processor.
    SCRAM_ITERATIONS: u32 = 200_000, "iterations";
    /// RFC 5321 §4.5.3.2.1: how long we wait for a greeting.
    GREETING_PATIENCE_S: u32 = 300, "seconds";
    /// RFC 5321 §4.5.3.2.2 and §4.5.3.2.3: how long we wait for the answer to a command.
    ANSWER_PATIENCE_S: u32 = 300, "seconds";
    /// RFC 5321 §4.5.3.2.4: how long we wait for 354.
    DATA_PATIENCE_S: u32 = 120, "seconds";
    /// RFC 5321 §4.5.3.2.6: how long we wait after the final dot.
    DOT_PATIENCE_S: u32 = 600, "seconds";
    /// How long we wait for the answer to QUIT and RSET, on which nothing hangs.
    QUIT_PATIENCE_S: u32 = 10, "seconds";
    /// What a reply line of ours may be with its CRLF, RFC 5321 §4.5.3.1.5.
    REPLY_LINE_OCTETS: usize = 512, "octets";
}
