//! The limits of this crate. RFC 5228 §10: a script must not be able to make the server work without end.

yubin_base::limits! {
    /// A script as it is uploaded; RFC 5804 §2.7 lets the server refuse longer ones.
    SCRIPT_OCTETS: usize = 1_048_576, "octets";
    /// Blocks and tests within one another. RFC 5228 §2.10.5: at least 15.
    NESTING: usize = 32, "levels";
    /// Commands, tests and arguments of one script.
    NODES: usize = 100_000, "nodes";
    /// Strings in one list.
    LIST_STRINGS: usize = 10_000, "strings";
    /// What one run may do: a step is a command, a test, or a kilobyte of header or text that is looked through.
    STEPS: u64 = 200_000, "steps";
    /// RFC 5229 §3: at least 4,000; a longer value is cut.
    VARIABLE_OCTETS: usize = 32_768, "octets";
    /// RFC 5229 §3: at least 128.
    VARIABLES: usize = 512, "variables";
    /// RFC 5229 §3: at least 32 octets.
    VARIABLE_NAME_OCTETS: usize = 64, "octets";
    /// Actions of one run. RFC 5228 §4.2 lets the server bound redirects more tightly: see REDIRECTS.
    ACTIONS: usize = 32, "actions";
    /// Redirections of one run: a script must not turn the server into an amplifier.
    REDIRECTS: usize = 5, "redirects";
    /// Scripts that include one another. RFC 6609 §3.2: at least 3.
    INCLUDE_DEPTH: usize = 10, "levels";
    /// Scripts that one script may bring in, counted once each.
    INCLUDED_SCRIPTS: usize = 64, "scripts";
    /// Header fields added by one run.
    HEADER_EDITS: usize = 64, "edits";
    /// The text of a message that `body` tests may read, of all parts together.
    BODY_OCTETS: usize = 1_048_576, "octets";
    /// What a compiled regular expression may take.
    REGEX_OCTETS: usize = 262_144, "octets";
    /// How much of a value a regular expression looks at: its time is the value times the expression.
    REGEX_VALUE_OCTETS: usize = 65_536, "octets";
    /// Regular expressions in one script.
    REGEXES: usize = 200, "expressions";
    /// Explanations kept of one run; the rest is counted.
    EXPLAINED_STEPS: usize = 500, "steps";
    /// RFC 5230 §4.1: the shortest time between two replies, without vacation-seconds.
    VACATION_DAYS_MIN: u64 = 1, "days";
    /// The longest time between two replies.
    VACATION_DAYS_MAX: u64 = 365, "days";
    /// The shortest time between two replies under vacation-seconds (RFC 6131 §2: zero is allowed; it would answer each message).
    VACATION_SECONDS_MIN: u64 = 0, "seconds";
    /// The time between two replies when none is given.
    VACATION_DAYS_DEFAULT: u64 = 7, "days";
    /// How long an id is remembered for `duplicate` when nothing is said (RFC 7352 §3: up to the server).
    DUPLICATE_SECONDS_DEFAULT: u64 = 604_800, "seconds";
    /// What ManageSieve takes as one script; what the store takes for sure.
    MANAGED_SCRIPT_OCTETS: usize = 65_000, "octets";
    /// A literal before login: SASL responses are no longer.
    STRANGER_LITERAL_OCTETS: usize = 16_384, "octets";
    /// A literal that is too long is read past up to this size; beyond it the connection ends.
    SKIPPED_LITERAL_OCTETS: u64 = 10_485_760, "octets";
    /// The words and quoted strings of one ManageSieve command.
    MANAGE_LINE_OCTETS: usize = 4_096, "octets";
    /// RFC 4422: what one SASL response decodes to.
    AUTH_RESPONSE_OCTETS: usize = 12_288, "octets";
    /// Wrong commands after which a ManageSieve session ends.
    MANAGE_ERRORS: u32 = 20, "errors";
    /// Failed logins after which a ManageSieve session ends.
    AUTH_FAILURES: u32 = 3, "failures";
    /// RFC 5804 §1.2: at least 30 minutes.
    MANAGE_PATIENCE_S: u32 = 1_800, "seconds";
    /// How long we wait for a stranger's command.
    STRANGER_PATIENCE_S: u32 = 180, "seconds";
    /// How long a session that has failed too often is kept for its last word.
    DOOMED_PATIENCE_S: u32 = 5, "seconds";
    /// The longest an id is remembered for `duplicate`.
    DUPLICATE_SECONDS_MAX: u64 = 31_536_000, "seconds";
}
