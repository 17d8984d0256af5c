//! `yubin.toml`: what an operator may set, its defaults, and errors that say where and what to do.
//! The only module that reads configuration files.

mod options;

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use options::OPTIONS;

/// The whole configuration. Every key has a default but those that only the operator can know.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who we are and where our data is.
    pub server: Server,
    /// What is logged, and how.
    pub log: Log,
    /// The certificate.
    pub tls: Tls,
    /// Ceilings.
    pub limits: Limits,
    /// Mail itself.
    pub mail: Mail,
    /// Passwords.
    pub password: Password,
    /// Metrics and health over HTTP.
    pub http: Http,
    /// Names.
    pub dns: Dns,
    /// Who really sends us mail.
    pub identity: Identity,
    /// Mail for other hosts.
    pub sending: Sending,
    /// Where the mail of some domains goes.
    pub route: Vec<Route>,
    /// Ports; empty means the standard ones.
    pub listener: Vec<Listener>,
}

/// `[server]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// The name in greetings, Received fields and ids.
    pub hostname: String,
    /// The folder of the store.
    pub data: PathBuf,
    /// The admin socket; empty means `admin.sock` in the data folder.
    pub admin_socket: PathBuf,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `human` or `json`.
    pub format: LogFormat,
    /// `error`, `warn`, `info` or `debug`.
    pub level: LogLevel,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For reading.
    Human,
    /// One JSON object a line.
    Json,
}

/// From which level on.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Somebody must act.
    Error,
    /// Unusual.
    Warn,
    /// The normal story.
    Info,
    /// For finding faults.
    Debug,
}

/// `[tls]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// PEM file: the certificate and its chain.
    pub certificate: PathBuf,
    /// PEM file: the private key.
    pub key: PathBuf,
}

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections in all.
    pub connections: u32,
    /// Connections from one IPv4 address or one IPv6 /64.
    pub connections_per_address: u32,
    /// The largest message, in octets.
    pub message_octets: u64,
    /// Memory for the mailbox lists of accounts without sessions, in octets.
    pub cache_octets: u64,
    /// Disk space that mail may not fill, in octets.
    pub disk_reserve_octets: u64,
    /// The most messages that one IMAP command works on; 0 is no limit.
    pub imap_messages_per_command: u32,
    /// The most messages that one IMAP COPY or APPEND takes; 0 is no limit.
    pub imap_messages_per_save: u32,
}

/// `[mail]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// Between an account's name and what follows it in `ann+lists@example.test`; empty switches it off.
    pub subaddress_separator: String,
    /// Whether passwords may be sent without TLS. Only sensible on loopback.
    pub plaintext_passwords: bool,
    /// How long the content of expunged messages is kept for clients that have not heard of it, in seconds.
    pub expunged_keep_s: u64,
}

/// `[password]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Password {
    /// Memory of one Argon2id hash, in KiB.
    pub argon2_memory_kib: u32,
    /// Passes of Argon2id.
    pub argon2_passes: u32,
}

/// `[http]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where `/metrics`, `/livez` and `/readyz` are served; none switches it off.
    pub address: Option<SocketAddr>,
}

/// `[dns]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// The resolvers to ask; empty means those of the system.
    pub servers: Vec<SocketAddr>,
    /// Whether signatures are verified here.
    pub dnssec: bool,
    /// File with trust anchors other than the root's.
    pub trust_anchors: PathBuf,
}

/// `[identity]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Whether SPF, DKIM, DMARC and ARC of mail from outside are looked at.
    pub check: bool,
    /// What becomes of mail that its author's domain disowns.
    pub dmarc: DmarcAction,
    /// Domains whose ARC seals are believed.
    pub trusted_sealers: Vec<String>,
}

/// What becomes of mail that fails DMARC.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DmarcAction {
    /// What the author's domain asks for.
    Reject,
    /// Junk, also where it asks for refusal.
    Quarantine,
    /// A header says so.
    Mark,
}

/// `[sending]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sending {
    /// Whether mail for other hosts is sent; otherwise it waits in the queue.
    pub enabled: bool,
    /// Connections to one destination at a time.
    pub connections_per_destination: usize,
    /// Whether IPv6 is tried.
    pub ipv6: bool,
    /// Whether DANE is used.
    pub dane: bool,
    /// Whether MTA-STS is used.
    pub mta_sts: bool,
    /// Pauses between attempts, in seconds.
    pub retry_s: Vec<u64>,
    /// How long a message lives, in seconds.
    pub lifetime_s: u64,
    /// After how many seconds the sender is told that a message waits; 0: never.
    pub warn_after_s: u64,
    /// Whether failures are reported to senders who have not logged in.
    pub report_to_strangers: bool,
    /// PEM file of trusted authorities; empty means the system's.
    pub trusted_roots: PathBuf,
    /// How long the history of messages is kept, in seconds.
    pub history_s: u64,
}

/// One `[[route]]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The recipients' domain: `example.org`, `.example.org` for all below it, or `*`.
    pub domain: String,
    /// Only mail from senders of this domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_domain: Option<String>,
    /// Hosts instead of those DNS names, in order.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The port.
    #[serde(default = "smtp_port")]
    pub port: u16,
    /// TLS.
    #[serde(default)]
    pub tls: RouteTls,
    /// The user to log in as.
    #[serde(default)]
    pub user: String,
    /// File whose first line is the password.
    #[serde(default)]
    pub password_file: PathBuf,
}

fn smtp_port() -> u16 {
    25
}

/// TLS of a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteTls {
    /// When it is offered; DANE and MTA-STS where there are.
    #[default]
    Opportunistic,
    /// Always, with a certificate for the host.
    Verified,
    /// From the first octet, with a certificate for the host.
    Implicit,
    /// Never.
    Never,
}

impl Default for Dns {
    fn default() -> Self {
        Self { servers: Vec::new(), dnssec: true, trust_anchors: PathBuf::new() }
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self { check: true, dmarc: DmarcAction::Quarantine, trusted_sealers: Vec::new() }
    }
}

impl Default for Sending {
    fn default() -> Self {
        Self {
            enabled: true,
            connections_per_destination: 10,
            ipv6: true,
            dane: true,
            mta_sts: true,
            retry_s: vec![60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800],
            lifetime_s: 5 * 24 * 3_600,
            warn_after_s: 4 * 3_600,
            report_to_strangers: false,
            trusted_roots: PathBuf::new(),
            history_s: 14 * 24 * 3_600,
        }
    }
}

/// One `[[listener]]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// What is spoken.
    pub protocol: ListenerProtocol,
    /// Address and port.
    pub address: SocketAddr,
}

/// What a listener speaks. A name that ends in `s` begins with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ListenerProtocol {
    /// Mail from other servers (25), with STARTTLS.
    Smtp,
    /// Mail from our users (587), with STARTTLS.
    Submission,
    /// Mail from our users (465).
    Submissions,
    /// Mail from a local transfer agent.
    Lmtp,
    /// Reading mail (143), with STARTTLS.
    Imap,
    /// Reading mail (993).
    Imaps,
    /// Fetching mail (110), with STLS.
    Pop3,
    /// Fetching mail (995).
    Pop3s,
    /// Managing Sieve scripts (4190), with STARTTLS.
    Sieve,
}

impl ListenerProtocol {
    /// The name in configuration, logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Lmtp => "lmtp",
            Self::Imap => "imap",
            Self::Imaps => "imaps",
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
            Self::Sieve => "sieve",
        }
    }
    /// Whether the connection begins with a TLS handshake.
    pub fn implicit_tls(self) -> bool {
        matches!(self, Self::Submissions | Self::Imaps | Self::Pop3s)
    }
}

impl Default for Server {
    fn default() -> Self {
        Self { hostname: String::new(), data: PathBuf::from("/var/lib/yubin"), admin_socket: PathBuf::new() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Human, level: LogLevel::Info }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_address: 200,
            message_octets: 50 * 1024 * 1024,
            cache_octets: 256 * 1024 * 1024,
            disk_reserve_octets: 1024 * 1024 * 1024,
            imap_messages_per_command: 0,
            imap_messages_per_save: 0,
        }
    }
}

impl Default for Mail {
    fn default() -> Self {
        Self { subaddress_separator: "+".into(), plaintext_passwords: false, expunged_keep_s: 3_600 }
    }
}

impl Default for Password {
    fn default() -> Self {
        Self { argon2_memory_kib: 19 * 1024, argon2_passes: 2 }
    }
}

impl Server {
    /// The folder of the store itself; what else is ours stands beside it in the data folder.
    pub fn store(&self) -> PathBuf {
        self.data.join("store")
    }

    /// Where the admin socket is.
    pub fn admin_socket(&self) -> PathBuf {
        if self.admin_socket.as_os_str().is_empty() {
            self.data.join("admin.sock")
        } else {
            self.admin_socket.clone()
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug)]
pub struct ConfigError {
    /// The file, when there is one.
    pub file: Option<PathBuf>,
    /// Line and column, 1 and up.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
        }
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if self.file.is_some() {
            f.write_str(": ")?;
        }
        f.write_str(&self.what)?;
        if let Some(help) = &self.help {
            write!(f, "\n  {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads and checks a file.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| ConfigError {
            file: Some(file.to_owned()),
            place: None,
            what: format!("cannot be read: {error}"),
            help: Some("Name another file with --config FILE, or see `yubin config explain`.".into()),
        })?;
        let located = |mut error: ConfigError| {
            error.file = Some(file.to_owned());
            error
        };
        let config = Self::parse(&text).map_err(located)?;
        config.check().map_err(located)?;
        Ok(config)
    }

    /// Reads the text of a file. Never panics, whatever the text.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let (what, help) = explain_error(error.message());
            ConfigError { file: None, place: error.span().map(|span| place(text, span.start)), what, help }
        })
    }

    fn check_sending(&self) -> Result<(), (String, &'static str)> {
        let Sending { retry_s, lifetime_s, connections_per_destination, .. } = &self.sending;
        if retry_s.is_empty() || retry_s.contains(&0) {
            return Err((
                "sending.retry_s has no pauses, or one of zero".into(),
                "Give at least one, for instance [60, 600, 3600].",
            ));
        }
        if *lifetime_s == 0 || *connections_per_destination == 0 {
            return Err((
                "sending.lifetime_s or sending.connections_per_destination is zero".into(),
                "Set sending.enabled = false to send nothing.",
            ));
        }
        for route in &self.route {
            if route.domain.is_empty() || route.port == 0 {
                return Err((
                    format!("a [[route]] for {:?} has no domain or no port", route.domain),
                    "domain = \"*\" is all of them.",
                ));
            }
            if route.user.is_empty() != route.password_file.as_os_str().is_empty() {
                return Err((
                    format!("the [[route]] for {} has only one of user and password_file", route.domain),
                    "Set both, or neither.",
                ));
            }
            if !route.user.is_empty()
                && (route.hosts.is_empty()
                    || route.tls == RouteTls::Never
                    || route.tls == RouteTls::Opportunistic)
            {
                return Err((
                    format!(
                        "the [[route]] for {} would give its password to a host that has proven nothing",
                        route.domain
                    ),
                    "Name the hosts, and set tls to \"verified\" or \"implicit\".",
                ));
            }
        }
        Ok(())
    }

    /// Checks what no single value shows.
    pub fn check(&self) -> Result<(), ConfigError> {
        let fail = |what: &str, help: &str| {
            Err(ConfigError { file: None, place: None, what: what.into(), help: Some(help.into()) })
        };
        if self.server.hostname.is_empty() {
            return fail(
                "server.hostname is missing",
                "Set it to the name other servers know this machine by, for instance \"mail.example.com\".",
            );
        }
        let sane = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if self.server.hostname.len() > 253 || !self.server.hostname.chars().all(sane) {
            return fail(
                "server.hostname is no host name",
                "Letters, digits, dots and hyphens only; write international names in their xn-- form.",
            );
        }
        let certificate = !self.tls.certificate.as_os_str().is_empty();
        if certificate == self.tls.key.as_os_str().is_empty() {
            return fail("tls.certificate and tls.key go together", "Set both, or neither.");
        }
        if !certificate && self.listeners().iter().any(|l| l.protocol.implicit_tls()) {
            return fail(
                "a listener begins with TLS, and there is no certificate",
                "Set tls.certificate and tls.key, or list [[listener]] entries without submissions, imaps and pop3s.",
            );
        }
        if self.mail.subaddress_separator.chars().count() > 1 {
            return fail(
                "mail.subaddress_separator is longer than one character",
                "Use one, for instance \"+\".",
            );
        }
        let imap = [self.limits.imap_messages_per_command, self.limits.imap_messages_per_save];
        if imap.iter().any(|limit| (1..1000).contains(limit)) {
            // RFC 9738 §3
            return fail(
                "a limit of messages of one IMAP command is below 1000",
                "Give at least 1000, or 0 for no limit.",
            );
        }
        if self.limits.connections == 0 || self.limits.connections_per_address == 0 {
            return fail("a limit of connections is zero", "Nobody could connect; give at least 1.");
        }
        if !(64 * 1024..=2 * 1024 * 1024 * 1024).contains(&self.limits.message_octets) {
            return fail(
                "limits.message_octets is out of range",
                "RFC 5321 asks for 64 KiB at least; we take up to 2 GiB.",
            );
        }
        if self.password.argon2_memory_kib < 8 * 1024 || self.password.argon2_passes == 0 {
            return fail(
                "the password settings are too weak",
                "At least argon2_memory_kib = 8192 and argon2_passes = 1; the defaults are 19456 and 2.",
            );
        }
        self.check_sending().map_err(|(what, help)| ConfigError {
            file: None,
            place: None,
            what,
            help: Some(help.into()),
        })?;
        let mut seen: Vec<SocketAddr> = Vec::new();
        for listener in self.listeners() {
            if listener.address.port() != 0 && seen.contains(&listener.address) {
                return fail(
                    &format!("two listeners share the address {}", listener.address),
                    "Give each its own port.",
                );
            }
            seen.push(listener.address);
        }
        Ok(())
    }

    /// The listeners: those that are listed, or the standard ports on every address (those with TLS only when there is a certificate).
    pub fn listeners(&self) -> Vec<Listener> {
        if !self.listener.is_empty() {
            return self.listener.clone();
        }
        let any = |protocol, port| Listener {
            protocol,
            address: SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), port),
        };
        let mut all = vec![
            any(ListenerProtocol::Smtp, 25),
            any(ListenerProtocol::Submission, 587),
            any(ListenerProtocol::Imap, 143),
            any(ListenerProtocol::Pop3, 110),
            any(ListenerProtocol::Sieve, 4190),
        ];
        if !self.tls.certificate.as_os_str().is_empty() {
            all.push(any(ListenerProtocol::Submissions, 465));
            all.push(any(ListenerProtocol::Imaps, 993));
            all.push(any(ListenerProtocol::Pop3s, 995));
        }
        all
    }

    /// The configuration as TOML, defaults included.
    pub fn show(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_default()
    }
}

/// Line and column of an octet offset, 1 and up; columns count characters.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count();
    (before.matches('\n').count() + 1, column + 1)
}

/// Turns the parser's words into ours: what is wrong, and what the operator may have meant.
fn explain_error(message: &str) -> (String, Option<String>) {
    let mut words = message.split('`').skip(1).step_by(2);
    let is_unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let (true, Some(wrong)) = (is_unknown, words.next()) else {
        return (message.lines().next().unwrap_or("not TOML").to_owned(), None);
    };
    let known: Vec<&str> = words.collect();
    let kind = if message.starts_with("unknown field") { "key" } else { "value" };
    let near = known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(k, wrong), *k))
        .filter(|(distance, k)| *distance <= 1 + k.len() / 3)
        .min();
    let help = match near {
        Some((_, k)) => format!("Did you mean `{k}`?"),
        None if known.is_empty() => "See `yubin config explain`.".to_owned(),
        None => format!("Known here: {}.", known.join(", ")),
    };
    (format!("unknown {kind} `{wrong}`"), Some(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_error(text: &str, expected: &str) {
        let error = Config::parse(text).and_then(|c| c.check().map(|()| c)).expect_err("must be refused");
        assert_eq!(error.to_string().replace("\n  ", " | "), expected.to_owned(), "for {text}");
        let mut with_file = error;
        with_file.file = Some("yubin.toml".into());
        assert!(with_file.to_string().starts_with("yubin.toml"));
    }

    #[test]
    fn mistakes_are_told_with_place_and_suggestion() {
        check_error("[server]\nhostnam = \"x\"", ":2:1unknown key `hostnam` | Did you mean `hostname`?");
        check_error("[serve]\n", ":1:2unknown key `serve` | Did you mean `server`?");
        check_error(
            "[server]\nhostname = \"a\"\n[[listener]]\nprotocol = \"imasp\"\naddress = \"[::]:1\"\n",
            ":4:12unknown value `imasp` | Did you mean `imap`?",
        );
        check_error(
            "",
            "server.hostname is missing | Set it to the name other servers know this machine by, for instance \"mail.example.com\".",
        );
        check_error(
            "[server]\nhostname = \"a\"\n[tls]\nkey = \"k\"\n",
            "tls.certificate and tls.key go together | Set both, or neither.",
        );
    }

    #[test]
    fn the_effective_configuration_is_a_configuration() {
        let mut config = Config::default();
        config.server.hostname = "mail.example.test".into();
        let again = Config::parse(&config.show()).expect("reads its own output");
        assert_eq!(again, config);
        config.check().expect("the defaults with a host name are complete");
    }

    #[test]
    fn every_key_is_explained() {
        let mut config = Config::default();
        config.http.address = Some("127.0.0.1:8080".parse().unwrap());
        config
            .listener
            .push(Listener { protocol: ListenerProtocol::Smtp, address: "127.0.0.1:25".parse().unwrap() });
        config.route.push(Route {
            domain: "example.test".into(),
            sender_domain: Some("example.org".into()),
            hosts: vec!["smart.test".into()],
            port: smtp_port(),
            tls: RouteTls::default(),
            user: "u".into(),
            password_file: "password".into(),
        });
        let shown: toml::Table = config.show().parse().expect("TOML");
        let mut keys = Vec::new();
        for (section, value) in &shown {
            let table = match value {
                toml::Value::Array(list) => list[0].as_table().expect("a table"),
                other => other.as_table().expect("a table"),
            };
            keys.extend(table.keys().map(|key| format!("{section}.{key}")));
        }
        let mut explained: Vec<String> = OPTIONS.iter().map(|o| o.key.to_owned()).collect();
        keys.sort();
        explained.sort();
        assert_eq!(keys, explained);
    }
}
