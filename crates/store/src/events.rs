//! The store's events.

yubin_base::events! {
    /// Stored data of an account did not decode; the text says what. Run `yubin fsck`.
    DAMAGED = Error "store.damaged";
}
