//! The server's limits. Those that an operator may change have an option of the same name in `yubin.toml`.

yubin_base::limits! {
    /// a peer that reads its answers more slowly than this is gone
    WRITE_S: u64 = 300, "seconds";
    /// a TLS handshake takes two round trips
    HANDSHAKE_S: u64 = 30, "seconds";
    /// closing politely must not hold a task
    CLOSE_S: u64 = 5, "seconds";
    /// answers to pipelined commands leave together up to here
    OUTPUT_OCTETS: usize = 65_536, "octets";
    /// an idle session keeps no large buffer
    OUTPUT_OCTETS_KEPT: usize = 4_096, "octets";
    /// one read of a session that sends commands
    INPUT_OCTETS: usize = 2_048, "octets";
    /// one read of a session that sends a message
    INPUT_OCTETS_BULK: usize = 65_536, "octets";
    /// what a peer's compressed octets may grow to before the ratio counts: more than one message of the default size limit
    INFLATE_OCTETS_FREE: u64 = 67_108_864, "octets";
    /// what each compressed octet of a peer may grow to beyond that; DEFLATE reaches 1,032, mail hardly ever 20
    INFLATE_RATIO: u64 = 100, "octets for each octet";
    /// how hard answers are compressed: fast, and a third of text as a rule
    DEFLATE_LEVEL: u32 = 3, "level";
    /// a connection that is silent for this long gives back its encoder (256 KiB); the next answer begins a new one
    DEFLATE_KEPT_S: u64 = 2, "seconds";
    /// how long a stop waits for commands under way
    STOP_S: u64 = 20, "seconds";
    /// after an accept that failed for want of descriptors
    ACCEPT_BACKOFF_MS: u64 = 100, "milliseconds";
    /// the listen queue of the kernel
    LISTEN_BACKLOG: u32 = 1_024, "connections";
    /// one request on the admin socket
    ADMIN_REQUEST_OCTETS: u64 = 1_048_576, "octets";
    /// how often certificate files are looked at
    CERTIFICATE_CHECK_S: u64 = 60, "seconds";
    /// password hashes computed at a time; each takes 19 MiB
    HASH_THREADS: usize = 2, "threads";
    /// logins waiting for a password hash; more are told to come back
    HASH_WAITING: usize = 256, "logins";
    /// one question to one resolver
    DNS_TIMEOUT_S: u64 = 5, "seconds";
    /// how often a question is asked again
    DNS_ATTEMPTS: usize = 2, "attempts";
    /// answers of DNS that are kept
    DNS_CACHED_ANSWERS: u64 = 10_000, "answers";
    /// name servers listen here
    DNS_PORT: u16 = 53, "port";
    /// how often name servers that left signatures out, or may have begun to, are asked again whether they pass them on
    DNS_SIGNATURES_CHECK_S: u64 = 600, "seconds";
    /// what such a question takes back over UDP: fits every network undivided; more comes over TCP
    DNS_UDP_OCTETS: usize = 1_232, "octets";
    /// RFC 8461 §3.3: how long the fetching of an MTA-STS policy may take
    POLICY_FETCH_S: u64 = 60, "seconds";
    /// one read from, or write to, another server
    ANSWER_PIECE_OCTETS: usize = 16_384, "octets";
}
