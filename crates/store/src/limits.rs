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
    /// rows that are copied when one of them changes
    PAGE_ROWS: usize = 256, "messages";
}
