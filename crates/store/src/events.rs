//! The store's events.

yubin_base::events! {
    /// Stored data of an account did not decode; the text says what. Run `yubin fsck`.
    DAMAGED = Error "store.damaged";
    /// The tables of an account do not agree with each other; the report says where. `yubin fsck --repair` puts right what it can.
    INCONSISTENT = Error "store.inconsistent";
    /// The search index took messages in.
    INDEXED = Debug "store.indexed";
    /// The search index of an account was damaged. It was dropped and is built anew; searches find everything meanwhile, only slower.
    INDEX_DROPPED = Warn "store.index_dropped";
}
