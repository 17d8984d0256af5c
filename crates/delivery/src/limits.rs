//! Limits of receiving and of the queue.

yubin_base::limits! {
    /// RFC 5321 §6.3 asks for at least 100 before a loop is assumed; networks in use stop at 50, and so do we.
    RECEIVED_FIELDS: u32 = 50, "fields";
    /// the part of a submission's header that is looked at for its From field
    HEADER_OCTETS_CHECKED: usize = 65_536, "octets";
    /// a header longer than this is an attack on whoever parses it; real ones stay below 100 KiB
    HEADER_OCTETS: u64 = 1_048_576, "octets";
    /// addresses in From that are checked for ownership; more are refused on submission
    FROM_ADDRESSES: usize = 100, "addresses";
    /// how many entries are worked on at a time
    ENTRIES_AT_ONCE: usize = 32, "entries";
    /// how many entries one round takes from the index
    ENTRIES_PER_ROUND: usize = 1_000, "entries";
    /// fields that were found out at acceptance; with the copy's own trace fields they fit the store's prefix
    FINDINGS_OCTETS: usize = 6_144, "octets";
    /// how often a change to an entry is tried again when another came first
    CONFLICT_TRIES: u32 = 8, "tries";
    /// one stored piece of a parsed message; below the engine's limit for values
    STAGED_PIECE_OCTETS: usize = 49_152, "octets";
    /// recipients of one entry after aliases are expanded
    RECIPIENTS_PER_ENTRY: usize = 4_000, "recipients";
    /// entries that a listing shows at once
    ENTRIES_LISTED: usize = 10_000, "entries";
    /// first pause after a local delivery that failed for now; doubles up to the last
    RETRY_FIRST_S: u64 = 60, "seconds";
    /// longest pause between tries of a local delivery
    RETRY_LAST_S: u64 = 3_600, "seconds";
}
