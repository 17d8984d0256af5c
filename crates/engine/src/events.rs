//! The engine's events.

yubin_base::events! {
    /// The store is open and ready.
    OPENED = Info "engine.opened";
    /// A flush failed: nothing more is acknowledged until a restart. Check the disk, then restart.
    READ_ONLY = Error "engine.read_only";
    /// Less free disk space than the reserve: new mail is refused until space is made.
    DISK_FULL = Error "engine.disk_full";
    /// A stored octet string did not match its checksum.
    CORRUPT = Error "engine.corrupt";
}
