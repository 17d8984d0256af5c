//! The store's events.

yubin_base::events! {
    /// Stored data of an account did not decode; the text says what. Run `yubin fsck`.
    DAMAGED = Error "store.damaged";
    /// The tables of an account do not agree with each other; the report says where. `yubin fsck --repair` puts right what it can.
    INCONSISTENT = Error "store.inconsistent";
}
