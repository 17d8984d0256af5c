//! The directory's limits.

yubin_base::limits! {
    /// RFC 1035 §2.3.4, without the root's dot
    DOMAIN_OCTETS: usize = 253, "octets";
    /// RFC 5321 §4.5.3.1.1 asks for 64; internationalised names take more octets per letter
    LOCAL_OCTETS: usize = 192, "octets";
    /// a list longer than this belongs into a mailing-list program; keeps the record under the engine's value limit
    ALIAS_TARGETS: usize = 100, "targets";
    /// what one recipient may expand to through nested aliases
    EXPANDED_TARGETS: usize = 1000, "targets";
    /// nesting that a person can still follow
    ALIAS_DEPTH: usize = 10, "levels";
    /// room for a name and a title
    DISPLAY_NAME_OCTETS: usize = 256, "octets";
    /// a few separators are in use: plus, minus, equals, underscore, hash
    SEPARATORS: usize = 4, "characters";
    /// hashing is linear in the length at best; longer than any passphrase
    PASSWORD_OCTETS: usize = 1024, "octets";
    /// an address with both parts at their longest
    LOGIN_NAME_OCTETS: usize = 512, "octets";
    /// the longest stored hash we take in: an Argon2 string with long salt and tag
    HASH_OCTETS: usize = 512, "octets";
    /// what a stored Argon2 hash may ask of memory, so that an imported one cannot exhaust it
    ARGON2_MEMORY_KIB: u32 = 262_144, "KiB";
    /// what a stored Argon2 hash may ask of time
    ARGON2_PASSES: u32 = 16, "passes";
    /// what a stored Argon2 hash may ask of lanes
    ARGON2_LANES: u32 = 16, "lanes";
    /// what a stored SHA-crypt hash may ask: about a second
    SHA_CRYPT_ROUNDS: u32 = 1_000_000, "rounds";
    /// what a stored bcrypt hash may ask: about a second
    BCRYPT_COST: u32 = 14, "log2 rounds";
    /// RFC 7677 §4 asks for at least this
    SCRAM_ITERATIONS_MIN: u32 = 4096, "iterations";
    /// keeps a password change under a few seconds
    SCRAM_ITERATIONS_MAX: u32 = 1_000_000, "iterations";
    /// RFC 5802 names none; clients send 18 to 36 octets
    SCRAM_NONCE_OCTETS: usize = 256, "octets";
    /// base64 lines of 12,288 octets are the protocol's limit; no mechanism here needs as much
    SASL_MESSAGE_OCTETS: usize = 4096, "octets";
    /// how long a successful check is remembered
    RECENT_SUCCESS_S: u64 = 300, "seconds";
    /// remembered successful checks, in each of two generations
    RECENT_SUCCESSES: usize = 10_000, "entries";
    /// failures before an address or a name is told to come back later
    FAILURES: u32 = 10, "failures";
    /// the time in which failures are counted
    FAILURE_WINDOW_S: u64 = 600, "seconds";
    /// the delay of the first failure; doubles with each further one
    FAILURE_DELAY_MIN_MS: u32 = 500, "milliseconds";
    /// the delay of the last failures, and of those told to come back later
    FAILURE_DELAY_MAX_MS: u32 = 8000, "milliseconds";
    /// addresses whose failures are counted, in each of two generations
    THROTTLED_ADDRESSES: usize = 50_000, "entries";
    /// login names whose failures are counted, in each of two generations
    THROTTLED_NAMES: usize = 50_000, "entries";
    /// pairs of address and name that logged in before, in each of two generations
    KNOWN_PAIRS: usize = 50_000, "entries";
    /// how long a pair of address and name that logged in stays known
    KNOWN_PAIR_S: u64 = 2_592_000, "seconds";
    /// how often a change is tried again when others changed the directory meanwhile
    CHANGE_ATTEMPTS: u32 = 20, "attempts";
    /// pairs read from the engine at once
    SCAN_PAIRS: usize = 1000, "pairs";
}
