//! The directory's events.

yubin_base::events! {
    /// Somebody logged in.
    AUTH_SUCCEEDED = Info "auth.succeeded";
    /// A login failed; `reason` says why (the client is not told).
    AUTH_FAILED = Info "auth.failed";
    /// A login was turned away unchecked after too many failures.
    AUTH_THROTTLED = Warn "auth.throttled";
    /// A login could not be decided because of our own side.
    AUTH_UNAVAILABLE = Error "auth.unavailable";
    /// A stored password hash is damaged or asks for too much; nobody can log in with it until the password is set anew.
    AUTH_HASH_UNUSABLE = Error "auth.hash_unusable";
    /// A password was stored anew in today's form after a successful login.
    AUTH_UPGRADED = Info "auth.upgraded";
    /// A password could not be stored anew after a successful login; tried again at the next.
    AUTH_UPGRADE_FAILED = Warn "auth.upgrade_failed";
    /// The directory was read.
    DIRECTORY_LOADED = Info "directory.loaded";
    /// The directory was changed by an administrator.
    DIRECTORY_CHANGED = Info "directory.changed";
    /// An alias expands to more addresses than allowed; mail to it is refused.
    ALIAS_TOO_LARGE = Warn "directory.alias_too_large";
    /// An alias leads, among others, to an address that does not exist or is disabled; that one is skipped.
    ALIAS_TARGET_SKIPPED = Warn "directory.alias_target_skipped";
}
