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
    /// how long questions about a message's sender may take before it is taken as it is; the peer waits for its answer
    JUDGING_MS: u64 = 10_000, "milliseconds";
    /// how long DNS is left alone once it answered nothing at all; mail waits for it no more often than this
    DNS_SILENCE_MS: u64 = 30_000, "milliseconds";
    /// how often a change to an entry is tried again when another came first
    CONFLICT_TRIES: u32 = 8, "tries";
    /// one stored piece of a parsed message; below the engine's limit for values
    STAGED_PIECE_OCTETS: usize = 49_152, "octets";
    /// recipients of one entry after aliases are expanded
    RECIPIENTS_PER_ENTRY: usize = 4_000, "recipients";
    /// entries that a listing shows at once
    ENTRIES_LISTED: usize = 10_000, "entries";
    /// after a message was sent whole and no answer was written down: long enough for the other server's answer (RFC 5321 §4.5.3.2.6) to be ruled out
    IN_DOUBT_PAUSE_S: u64 = 900, "seconds";
    /// how long a failure that is nobody's to hear of stays in the queue for the operator to see
    UNSETTLED_KEPT_S: u64 = 432_000, "seconds";
    /// MX hosts of one domain that are tried; more is an attack or an error
    MX_HOSTS: usize = 20, "hosts";
    /// addresses of one host that are tried
    ADDRESSES_PER_HOST: usize = 8, "addresses";
    /// connections that one attempt makes before it gives up for now
    CONNECTIONS_PER_ATTEMPT: usize = 10, "connections";
    /// how long a connection may take to come about
    CONNECT_PATIENCE_S: u32 = 30, "seconds";
    /// how long QUIT and its answer may take: nothing hangs on them
    QUIT_PATIENCE_S: u32 = 5, "seconds";
    /// the header that rules see; a longer one is cut
    RULES_HEADER_OCTETS: u64 = 262_144, "octets";
    /// what a rule says to the sender of a message that it refuses
    REJECT_REASON_OCTETS: usize = 400, "octets";
    /// how often rules send one message on, counted by its Delivered-To fields
    REDIRECT_HOPS: usize = 10, "fields";
    /// the subject of an automatic answer
    ANSWER_SUBJECT_OCTETS: usize = 400, "octets";
    /// ids in the References of an automatic answer
    ANSWER_REFERENCES: usize = 20, "ids";
    /// one piece of a body on its way out; the engine's frame
    BODY_PIECE_OCTETS: u64 = 262_144, "octets";
    /// connections to other servers at a time, in all
    SENDERS: usize = 200, "connections";
    /// messages through one connection, so that no destination keeps one for ever
    MESSAGES_PER_CONNECTION: u32 = 100, "messages";
    /// destinations about which something is remembered
    DESTINATIONS_KEPT: usize = 20_000, "destinations";
    /// first pause after a destination could not be reached; doubles up to the last
    DESTINATION_PAUSE_FIRST_S: u64 = 30, "seconds";
    /// longest pause before a destination that could not be reached is tried again
    DESTINATION_PAUSE_LAST_S: u64 = 1_800, "seconds";
    /// how long what DNS said of a domain is kept at most
    ROUTE_KEPT_S: u64 = 600, "seconds";
    /// domains whose MTA-STS policy is kept
    POLICIES_KEPT: usize = 10_000, "policies";
    /// RFC 8461 §3.3: how large a policy may be
    POLICY_OCTETS: usize = 65_536, "octets";
    /// RFC 8461 §3.2: how long a policy may be kept
    POLICY_AGE_S: u64 = 31_557_600, "seconds";
    /// a message is returned whole in a report up to here; beyond it, its header only
    RETURNED_OCTETS: u64 = 1_048_576, "octets";
    /// recipients that the history of a message names at its acceptance
    RECIPIENTS_NOTED: usize = 200, "recipients";
    /// notes that a search of the history looks at
    NOTES_SEARCHED: usize = 2_000_000, "notes";
    /// messages that a search of the history tells of
    TRACES_SHOWN: usize = 100, "messages";
    /// first pause after a local delivery that failed for now; doubles up to the last
    RETRY_FIRST_S: u64 = 60, "seconds";
    /// longest pause between tries of a local delivery
    RETRY_LAST_S: u64 = 3_600, "seconds";
}
