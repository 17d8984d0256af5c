//! The limits of IMAP sessions.

yubin_base::limits! {
    /// before login a connection must stay cheap: everything of one command, literals included
    STRANGER_COMMAND_OCTETS: usize = 8_192, "octets";
    /// everything of one command except the messages of APPEND; long UID sets and searches fit
    COMMAND_OCTETS: usize = 65_536, "octets";
    /// a base64 line of an AUTHENTICATE exchange (12,288 octets decoded)
    AUTH_LINE_OCTETS: usize = 16_386, "octets";
    /// literals of one command before login: user and password need two
    STRANGER_LITERALS: u32 = 8, "literals";
    /// literals of one command after login
    COMMAND_LITERALS: u32 = 1_000, "literals";
    /// of a tag; it is repeated in the answer
    TAG_OCTETS: usize = 128, "octets";
    /// nested parentheses, NOT and OR of a search
    SEARCH_DEPTH: usize = 32, "levels";
    /// keys of one search
    SEARCH_KEYS: usize = 1_000, "keys";
    /// items of one FETCH
    FETCH_ITEMS: usize = 256, "items";
    /// part numbers of one section
    SECTION_LEVELS: usize = 32, "levels";
    /// names of HEADER.FIELDS in one section
    HEADER_FIELDS: usize = 512, "names";
    /// patterns of one LIST
    LIST_PATTERNS: usize = 32, "patterns";
    /// of one LIST pattern, reference included
    LIST_PATTERN_OCTETS: usize = 512, "octets";
    /// wildcards of one LIST pattern
    LIST_WILDCARDS: usize = 32, "wildcards";
    /// messages of one APPEND (MULTIAPPEND)
    APPEND_MESSAGES: usize = 1_000, "messages";
    /// groups of events of one NOTIFY
    NOTIFY_GROUPS: usize = 64, "groups";
    /// mailboxes named in one NOTIFY
    NOTIFY_MAILBOXES: usize = 4_000, "mailboxes";
    /// what NOTIFY tells of other mailboxes at once; beyond it the client is told that it has missed something, and no more
    NOTIFY_RESPONSES: usize = 500, "responses";
    /// changes of its own that a session remembers, so as not to be told of them
    NOTIFY_OWN_CHANGES: usize = 256, "changes";
    /// smallest batch of UIDBATCHES; 500 by RFC 10022 §3.1.3.2
    UID_BATCH_MESSAGES_MIN: u32 = 500, "messages";
    /// ranges of one UIDBATCHES answer
    UID_BATCHES: usize = 20_000, "ranges";
    /// parts of all messages of one APPEND or REPLACE (CATENATE)
    APPEND_PARTS: usize = 1_000, "parts";
    /// of a URL that is sent as a literal
    URL_OCTETS: usize = 4_096, "octets";
    /// entries of one GETMETADATA or SETMETADATA
    METADATA_ENTRIES: usize = 100, "entries";
    /// pairs of one ID
    ID_PAIRS: usize = 30, "pairs";
    /// an answer is sent when it has grown to this
    ANSWER_OCTETS: usize = 65_536, "octets";
    /// the piece in which long bodies are read and sent
    BODY_PIECE_OCTETS: usize = 262_144, "octets";
    /// of a part that are read for a preview
    PREVIEW_OCTETS: u64 = 65_536, "octets";
    /// records read at once
    RECORDS_AT_ONCE: usize = 64, "records";
    /// messages a search looks at before other sessions have their turn
    SEARCH_ROWS_AT_ONCE: usize = 8_192, "messages";
    /// messages whose content a search reads before other sessions have their turn
    SEARCH_BODIES_AT_ONCE: usize = 32, "messages";
    /// places that one ESEARCH names
    SOURCE_MAILBOXES: usize = 1_000, "mailboxes";
    /// sort keys of one SORT
    SORT_CRITERIA: usize = 16, "keys";
    /// messages whose digests SORT and THREAD read before other sessions have their turn
    ORDER_ROWS_AT_ONCE: usize = 2_048, "messages";
    /// messages that SORT sorts before other sessions have their turn
    SORT_RUN_MESSAGES: usize = 8_192, "messages";
    /// messages that SORT merges before other sessions have their turn
    SORT_MERGED_AT_ONCE: usize = 16_384, "messages";
    /// Message-IDs that THREAD puts in order before other sessions have their turn
    THREAD_IDS_AT_ONCE: usize = 65_536, "Message-IDs";
    /// messages that THREAD links before other sessions have their turn
    THREAD_LINKED_AT_ONCE: usize = 16_384, "messages";
    /// steps that one THREAD walks in search of loops, and 8 more for each Message-ID; then a link that may make one is left out
    THREAD_WALK_STEPS: u64 = 1_000_000, "steps";
    /// messages that a search reads without asking the search index
    SEARCH_INDEX_FROM: usize = 32, "messages";
    /// a header is read whole up to here
    HEADER_OCTETS: u64 = 1_048_576, "octets";
    /// of a command that is refused but already under way: read and forgotten, up to here
    SKIP_OCTETS: u64 = 134_217_728, "octets";
    /// how often a client hears how far a long command is
    PROGRESS_EVERY_MS: u64 = 10_000, "milliseconds";
    /// failed logins after which the session ends
    AUTH_FAILURES: u32 = 3, "failures";
    /// commands not understood after which each further one is answered late (before login: the session ends)
    BAD_COMMANDS: u32 = 10, "commands";
    /// commands not understood after which the session ends
    BAD_COMMANDS_MAX: u32 = 100, "commands";
    /// how late
    BAD_DELAY_MS: u32 = 1_000, "milliseconds";
    /// silence before login
    STRANGER_PATIENCE_S: u32 = 60, "seconds";
    /// silence after login; at least 30 minutes by RFC 9051 §5.4
    PATIENCE_S: u32 = 1_860, "seconds";
    /// silence in the middle of an APPEND
    APPEND_PATIENCE_S: u32 = 300, "seconds";
    /// what a log line shows of a text that a client chose
    LOGGED_TEXT_OCTETS: usize = 200, "octets";
}
