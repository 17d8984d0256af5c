//! The store's limits.

yubin_base::limits! {
    /// bits in a row
    KEYWORDS_PER_MAILBOX: usize = 64, "keywords";
    /// keeps names within one key
    MAILBOX_NAME_OCTETS: usize = 400, "octets";
    /// depth of the hierarchy
    MAILBOX_LEVELS: usize = 20, "levels";
    /// one account's list must stay readable at login
    MAILBOXES_PER_ACCOUNT: usize = 20_000, "mailboxes";
    /// what rules remember: senders answered, ids seen
    REMEMBERED_PER_ACCOUNT: usize = 5_000, "ids";
    /// forgotten with one that is new, so that each costs little
    FORGOTTEN_AT_ONCE: usize = 100, "ids";
    /// a user sorts mail with a handful
    SCRIPTS_PER_ACCOUNT: usize = 100, "scripts";
    /// fits into one value of the engine; about 1,500 lines
    SCRIPT_OCTETS: usize = 65_000, "octets";
    /// RFC 5804 §1.6: at least 128 characters
    SCRIPT_NAME_OCTETS: usize = 400, "octets";
    /// names of mailboxes that are gone may stay subscribed, but not without end
    SUBSCRIPTIONS_PER_ACCOUNT: usize = 40_000, "names";
    /// of one mailbox, so that its row fits into one value
    ACL_ENTRIES: usize = 1_000, "entries";
    /// accounts that share something with one account and are looked at when it lists mailboxes
    SHARERS: usize = 2_000, "accounts";
    /// messages that one COPY or MOVE takes to another account, since all of them go in one commit
    COPY_ACROSS: usize = 1_000, "messages";
    /// of one annotation; at least 1,024 by RFC 5464 §4.1
    ANNOTATION_OCTETS: usize = 16_384, "octets";
    /// keeps names within one key
    ANNOTATION_NAME_OCTETS: usize = 255, "octets";
    /// at least 10 by RFC 5464 §4.1
    ANNOTATIONS_PER_MAILBOX: usize = 100, "entries";
    /// all annotations of an account are kept in memory while it is open
    ANNOTATIONS_PER_ACCOUNT_OCTETS: usize = 1_048_576, "octets";
    /// rows that are copied when one of them changes
    PAGE_ROWS: usize = 256, "messages";
    /// trace fields of one copy, authentication results and signatures, put before the content
    PREFIX_OCTETS: usize = 8_192, "octets";
    /// the front of a message that is kept while it is taken in, for the preview
    PREVIEW_FRONT_OCTETS: usize = 65_536, "octets";
    /// what is kept of a message within its value; more of it goes into a blob of its own
    RECORD_OCTETS: usize = 60_000, "octets";
    /// commits that are replayed when an account is opened
    UNFOLDED_COMMITS: usize = 256, "commits";
    /// rows that are replayed when an account is opened
    UNFOLDED_ROWS: usize = 8_192, "messages";
    /// attempts at one change while other writers come first
    COMMIT_TRIES: usize = 8, "attempts";
    /// octets of one commit, below the engine's own limit
    COMMIT_OCTETS: usize = 3_500_000, "octets";
    /// messages that one commit removes; EXPUNGE of more takes several
    EXPUNGED_AT_ONCE: usize = 300_000, "messages";
    /// operations of one commit, below the engine's own limit
    COMMIT_OPS: usize = 9_000, "operations";
    /// octets of messages that waiting deliveries put into one shared commit
    SHARED_COMMIT_OCTETS: usize = 1_000_000, "octets";
    /// operations that waiting deliveries put into one shared commit
    SHARED_COMMIT_OPS: usize = 4_000, "operations";
    /// accounts that are looked at for room when another one is loaded
    EVICTION_LOOKS: usize = 64, "accounts";
    /// Message-IDs of one message that are looked up for its thread
    THREAD_REFERENCES: usize = 16, "Message-IDs";
    /// a longer one is no Message-ID, and tells nothing
    MESSAGE_ID_OCTETS: usize = 998, "octets";
    /// Delivered-To fields that are kept, to find loops
    DELIVERED_TO: usize = 100, "fields";
    /// threads that one Message-ID can lead to, under different subjects
    THREADS_PER_MESSAGE_ID: usize = 8, "threads";
    /// a repeated delivery finds the first one for this long: longer than any queue lives
    IDEM_KEPT_S: u64 = 864_000, "seconds";
    /// changes that can be told to a client that was away
    LOG_KEPT_ENTRIES: u64 = 50_000, "commits";
    /// how long a client may be away and be told all changes
    LOG_KEPT_S: u64 = 2_592_000, "seconds";
    /// pairs of one read while an account is scanned
    SCAN_PAIRS: usize = 512, "pairs";
    /// problems that one check of an account tells
    PROBLEMS: usize = 1_000, "sentences";
    /// UIDLs of a migrated server that one commit keeps
    UIDLS_AT_ONCE: usize = 2_000, "messages";
    /// what sorting and threading need of messages, kept in memory for all accounts; the least recently used go
    DIGEST_CACHE_OCTETS: usize = 268_435_456, "octets";
    /// records that are read at once to make digests of them
    DIGESTS_AT_ONCE: usize = 256, "messages";
    /// of a subject or an address in a digest; longer ones are in the order of their beginnings
    DIGEST_TEXT_OCTETS: usize = 512, "octets";
    /// references of one message in its digest: the first and the nearest
    DIGEST_REFERENCES: usize = 64, "Message-IDs";
    /// the header of a message with many references is read up to here
    DIGEST_HEADER_OCTETS: u64 = 262_144, "octets";
    /// documents whose content goes in one call of purge
    PURGE_DOCS: usize = 2_000, "messages";
    /// the piece in which bodies are read for search: the engine's frame
    SEARCH_PIECE_OCTETS: u64 = 262_144, "octets";
    /// messages that wait before the search index takes them in; until then each search reads them
    INDEX_BATCH: u64 = 256, "messages";
    /// memory of the terms of a segment of the search index while it is gathered
    INDEX_BUILD_OCTETS: usize = 33_554_432, "octets";
    /// what a term takes in memory while it is gathered, beside its own octets
    INDEX_TERM_OVERHEAD: usize = 96, "octets";
    /// terms that one message may add; one with more is read by every search instead
    INDEX_MESSAGE_OCTETS: usize = 8_388_608, "octets";
    /// messages of a segment that every search reads
    INDEX_UNREAD: usize = 1_000, "messages";
    /// terms stored in one value of the search index
    INDEX_BLOCK_OCTETS: usize = 16_384, "octets";
    /// postings stored in one value of the search index
    INDEX_CHUNK_OCTETS: usize = 32_768, "octets";
    /// what one commit of the search index stores, so that deliveries do not wait behind it
    INDEX_COMMIT_OCTETS: usize = 1_048_576, "octets";
    /// blocks of terms read before others have their turn
    INDEX_BLOCKS_AT_ONCE: usize = 32, "values";
    /// segments of the search index that are merged to one
    INDEX_MERGE: usize = 4, "segments";
    /// messages of a segment that is not merged any further
    INDEX_SEGMENT_DOCS: u64 = 1_048_576, "messages";
    /// segments of an account's search index before the smallest are merged, alike or not
    INDEX_SEGMENTS: usize = 24, "segments";
    /// words of a text sought that are looked up in the search index; the longest count
    INDEX_PIECES: usize = 16, "words";
    /// pieces of one long word sought that are looked up in the search index
    INDEX_GRAMS: usize = 32, "pieces";
    /// memory of what the search index answers to one command; texts beyond are looked for in the messages
    INDEX_ANSWER_OCTETS: usize = 8_388_608, "octets";
    /// a header is searched up to here, as far as it is parsed
    SEARCH_HEADER_OCTETS: u64 = 1_048_576, "octets";
}
