//! The server's events.

yubin_base::events! {
    /// The server is ready; lists its listeners.
    READY = Info "server.ready";
    /// The server begins to stop.
    STOPPING = Info "server.stopping";
    /// The server has stopped; nothing is under way any more.
    STOPPED = Info "server.stopped";
    /// A connection came in.
    CONNECTED = Debug "server.connected";
    /// A connection ended; says why.
    DISCONNECTED = Debug "server.disconnected";
    /// A connection was refused: too many, in all or from this address.
    TOO_BUSY = Warn "server.too_busy";
    /// A connection could not be accepted, most likely for want of file descriptors. Raise the limit (LimitNOFILE).
    ACCEPT_FAILED = Error "server.accept_failed";
    /// A session panicked. Only this connection ended. Please report it.
    SESSION_PANICKED = Error "server.session_panicked";
    /// A TLS handshake failed; the peer's fault as a rule.
    TLS_FAILED = Info "server.tls_failed";
    /// A peer's compressed octets could not be decompressed, or grew beyond the budget. Its connection was closed.
    INFLATE_REFUSED = Warn "server.inflate_refused";
    /// The certificate files changed and are in use now.
    CERTIFICATE_LOADED = Info "server.certificate_loaded";
    /// The certificate files changed but cannot be used; the old certificate stays. Look at the files.
    CERTIFICATE_REFUSED = Error "server.certificate_refused";
    /// The system names no resolver, and neither does `dns.servers`: mail for other hosts waits. Set one, and restart.
    NO_RESOLVER = Error "server.no_resolver";
    /// A name server leaves DNSSEC signatures out of its answers. `lookups = "unproven"`: they go on without proof, and DANE is not used. `lookups = "fail"`: signatures came earlier since the start, so this may be an attack, and mail waits; if it is none, restart. Set `dns.servers` to name servers that do DNSSEC, best one on this machine, or `dns.dnssec = false`.
    DNSSEC_STRIPPED = Warn "server.dnssec_stripped";
    /// The name servers pass DNSSEC signatures on again: lookups are verified.
    DNSSEC_BACK = Info "server.dnssec_back";
    /// Tidying up behind expunged messages failed; it is tried again later.
    TIDY_FAILED = Warn "server.tidy_failed";
    /// The search index of an account could not be brought up to date; it is tried again after the next message. Searches find everything meanwhile, only slower.
    INDEX_FAILED = Warn "server.index_failed";
    /// A user changed a Sieve script, or chose another one to run.
    SCRIPT = Info "server.script";
    /// Sieve scripts could not be read or written.
    SCRIPTS_FAILED = Warn "server.scripts_failed";
    /// Space was given back.
    SPACE_FREED = Info "server.space_freed";
    /// An administrator's request was carried out.
    ADMIN = Info "server.admin";
}
