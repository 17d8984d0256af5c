//! What each key of `yubin.toml` means, for `yubin config explain` and the reference page.

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct OptionHelp {
    /// `section.key`.
    pub key: &'static str,
    /// What may be written.
    pub value: &'static str,
    /// What applies when nothing is written.
    pub default: &'static str,
    /// What it does, and who would set it to what.
    pub help: &'static str,
}

const fn option(
    key: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
) -> OptionHelp {
    OptionHelp { key, value, default, help }
}

/// Every key, in the order of the reference page.
pub const OPTIONS: &[OptionHelp] = &[
    option(
        "server.hostname",
        "host name",
        "none: must be set",
        "The name of this machine on the Internet. Stands in greetings and Received fields; other servers compare it with DNS.",
    ),
    option(
        "server.data",
        "folder",
        "/var/lib/yubin",
        "Where everything is kept. A local file system; one server at a time.",
    ),
    option(
        "server.admin_socket",
        "file",
        "admin.sock in the data folder",
        "The socket that the command line talks to. Whoever can open it administers the server.",
    ),
    option("log.format", "human, json", "human", "How log lines are written to standard error."),
    option(
        "log.level",
        "error, warn, info, debug",
        "info",
        "From which level on. Error means somebody must act; info tells the story of each message.",
    ),
    option(
        "tls.certificate",
        "PEM file",
        "none",
        "The certificate with its chain. Read again when the file changes, and on SIGHUP.",
    ),
    option("tls.key", "PEM file", "none", "The certificate's private key."),
    option(
        "limits.connections",
        "1 and up",
        "20000",
        "Connections in all. Each idle one costs some kilobytes and one file descriptor.",
    ),
    option(
        "limits.connections_per_address",
        "1 and up",
        "200",
        "Connections from one IPv4 address or one IPv6 /64. Raise it for users behind one large NAT.",
    ),
    option(
        "limits.message_octets",
        "65536 to 2147483648",
        "52428800 (50 MiB)",
        "The largest message that is taken, over every protocol. Announced in SIZE.",
    ),
    option(
        "limits.cache_octets",
        "octets",
        "268435456 (256 MiB)",
        "Memory for the mailbox lists of accounts that nobody is connected to. More makes logins of large accounts faster.",
    ),
    option(
        "limits.disk_reserve_octets",
        "octets",
        "1073741824 (1 GiB), at most 5 % of the disk",
        "Space that mail may not fill: new mail is refused for now (452) below it, while deleting still works.",
    ),
    option(
        "limits.imap_messages_per_command",
        "0, or 1000 and up",
        "0: no limit",
        "How many messages one IMAP command works on (MESSAGELIMIT). Nothing here needs one: clients that do not know of it see only the newest messages of a large mailbox.",
    ),
    option(
        "limits.imap_messages_per_save",
        "0, or 1000 and up",
        "0: no limit",
        "How many messages one IMAP COPY or APPEND takes (SAVELIMIT). Has a meaning where limits.imap_messages_per_command has none.",
    ),
    option(
        "mail.subaddress_separator",
        "one character, or empty",
        "+",
        "ann+lists@example.test reaches ann. Empty switches subaddresses off.",
    ),
    option(
        "mail.plaintext_passwords",
        "true, false",
        "false",
        "Whether passwords may be sent without TLS. Only sensible where every listener is on loopback.",
    ),
    option(
        "mail.expunged_keep_s",
        "seconds",
        "3600",
        "How long the content of an expunged message stays readable for a client that has not heard of the expunge.",
    ),
    option(
        "password.argon2_memory_kib",
        "8192 and up",
        "19456",
        "Memory of one password hash. More makes guessing stolen hashes dearer, and each login too.",
    ),
    option("password.argon2_passes", "1 and up", "2", "Passes of one password hash."),
    option(
        "http.address",
        "address:port",
        "none: off",
        "Where /metrics, /livez and /readyz are served. They need no login: keep it on loopback or a private network.",
    ),
    option(
        "dns.servers",
        "list of address:port",
        "[]: the system's",
        "The resolvers to ask. Best is one on this machine that passes DNSSEC records on.",
    ),
    option(
        "dns.dnssec",
        "true, false",
        "true",
        "Whether signatures are verified here. Where one of the resolvers leaves signatures out of its answers from the start, nothing is proven, DANE is not used, and server.dnssec_stripped is logged; they are asked again every ten minutes. Once signatures came through they are insisted on until the next start. False: nothing is verified, and nobody is asked.",
    ),
    option(
        "dns.trust_anchors",
        "file",
        "none: the root's keys",
        "DNSKEY records of other anchors, for a name space of one's own.",
    ),
    option(
        "identity.check",
        "true, false",
        "true; false in `yubin dev`",
        "Whether mail from outside is asked who it is from: SPF, DKIM, DMARC, ARC. What was found stands in its Authentication-Results field. A message whose From names nobody, or several, is refused.",
    ),
    option(
        "identity.dmarc",
        "reject, quarantine, mark",
        "quarantine",
        "What becomes of mail that the domain in its From field disowns (DMARC). reject does what that domain asks for; quarantine puts it into Junk also where refusal is asked for, because mailing lists break signatures (RFC 9989 §7.4); mark only says so in the header.",
    ),
    option(
        "identity.trusted_sealers",
        "list of domains",
        "[]",
        "Forwarders and mailing lists whose word counts (ARC): mail that passed DMARC when it reached them is not held against its author afterwards.",
    ),
    option(
        "sending.enabled",
        "true, false",
        "true; false in `yubin dev`",
        "Whether mail for other hosts is sent. Otherwise it waits in the queue.",
    ),
    option(
        "sending.connections_per_destination",
        "1 and up",
        "10",
        "Connections to one destination at a time. It begins with two, grows with what is taken and shrinks with what is turned away.",
    ),
    option(
        "sending.ipv6",
        "true, false",
        "true",
        "Whether IPv6 addresses are tried. False where this machine has none that works.",
    ),
    option(
        "sending.dane",
        "true, false",
        "true",
        "Whether TLSA records decide which certificates are good (RFC 7672). Needs dns.dnssec.",
    ),
    option(
        "sending.mta_sts",
        "true, false",
        "true",
        "Whether MTA-STS policies are fetched and followed (RFC 8461).",
    ),
    option(
        "sending.retry_s",
        "list of seconds",
        "[60, 300, 600, 900, 1800, 3600, 7200, 10800]",
        "Pauses after the first, second, ... failed attempt. The last one repeats until the message is too old.",
    ),
    option(
        "sending.lifetime_s",
        "seconds",
        "432000 (5 days)",
        "After so long a message that could not be delivered goes back to its sender.",
    ),
    option(
        "sending.warn_after_s",
        "seconds; 0: never",
        "14400 (4 hours)",
        "After so long the sender is told that the message still waits.",
    ),
    option(
        "sending.report_to_strangers",
        "true, false",
        "false",
        "Whether failures are also reported to senders who have not logged in. Their addresses may be forged, and the report would be spam.",
    ),
    option(
        "sending.trusted_roots",
        "PEM file",
        "none: the system's",
        "The authorities trusted for MTA-STS and for routes that verify.",
    ),
    option(
        "sending.history_s",
        "seconds",
        "1209600 (14 days)",
        "How long `yubin trace` remembers a message.",
    ),
    option(
        "route.domain",
        "example.org, .example.org, *",
        "must be set",
        "The recipients' domain that a [[route]] is for; with a dot in front, all below it. The first route that fits counts.",
    ),
    option("route.sender_domain", "domain", "none: all", "Only mail from senders of this domain."),
    option(
        "route.hosts",
        "list of host or host:port",
        "[]: as DNS says",
        "Where the mail goes, in order. A smart host is a route for * with its name here.",
    ),
    option("route.port", "port", "25", "The port, also where DNS names the hosts."),
    option(
        "route.tls",
        "opportunistic, verified, implicit, never",
        "opportunistic",
        "Verified wants STARTTLS with a certificate for the host; implicit begins with TLS, too (465).",
    ),
    option(
        "route.user",
        "name",
        "none: no login",
        "The user to log in as at the hosts. Needs a verified certificate.",
    ),
    option(
        "route.password_file",
        "file",
        "none",
        "Its first line is the password. Only the server needs to read it.",
    ),
    option(
        "listener.protocol",
        "smtp, submission, submissions, lmtp, imap, imaps, pop3, pop3s, sieve",
        "the standard ports of all but lmtp",
        "What is spoken. Names that end in s begin with TLS; the others offer STARTTLS when there is a certificate.",
    ),
    option("listener.address", "address:port", "[::]:PORT", "Where. [::] takes IPv4 as well."),
];
