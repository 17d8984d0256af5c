//! `yubin dev`: a server to try, with two accounts and a few messages, on loopback ports. Leaves nothing behind unless told to keep a folder.

mod samples;
mod welcome;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    admin::{self, Request},
    app::App,
    cli::{self, args::DevArgs, exit},
    config::{Config, Listener, ListenerProtocol, LogLevel},
    logging,
    metrics::Metrics,
    start,
    tls::Certificate,
};

/// The domain of the demonstration.
pub(super) const DOMAIN: &str = "example.test";
/// Its accounts: local part, name, password.
pub(super) const ACCOUNTS: [(&str, &str, &str); 2] =
    [("ann", "Ann Example", "ann-likes-post"), ("bob", "Bob Example", "bob-likes-post")];

/// Ports without `--ephemeral`: the standard ones plus 2000; LMTP, which has none, is at the number of its RFC.
const PORTS: [(ListenerProtocol, u16); 9] = [
    (ListenerProtocol::Smtp, 2025),
    (ListenerProtocol::Submission, 2587),
    (ListenerProtocol::Submissions, 2465),
    (ListenerProtocol::Lmtp, 2033),
    (ListenerProtocol::Imap, 2143),
    (ListenerProtocol::Imaps, 2993),
    (ListenerProtocol::Pop3, 2110),
    (ListenerProtocol::Pop3s, 2995),
    (ListenerProtocol::Sieve, 2190),
];
const HTTP_PORT: u16 = 2080;

/// What is told when the server is ready.
pub(super) struct Ready<'a> {
    pub ports: &'a [(&'static str, u16)],
    pub data: &'a Path,
    pub certificate: &'a Path,
    pub socket: &'a Path,
    pub kept: bool,
}

/// Runs it until a signal comes.
pub async fn run(args: DevArgs, common: &cli::args::Common) -> u8 {
    match prepare(&args, common) {
        Ok(prepared) => {
            let code = serve(&prepared, common.json).await;
            if !prepared.kept {
                // Ours alone: made by this process, under a name of its own.
                let _ = std::fs::remove_dir_all(&prepared.data);
            }
            code
        }
        Err(message) => {
            eprintln!("yubin: {message}");
            exit::FAILED
        }
    }
}

struct Prepared {
    config: Config,
    data: PathBuf,
    kept: bool,
}

fn prepare(args: &DevArgs, common: &cli::args::Common) -> Result<Prepared, String> {
    let (data, kept) = match &common.data {
        Some(data) => (data.clone(), true),
        None => (fresh_folder()?, false),
    };
    std::fs::create_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
    let at = |port: u16| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), if args.ephemeral { 0 } else { port });
    let mut config = Config::default();
    config.server.hostname = format!("mail.{DOMAIN}");
    config.server.data = data.clone();
    // Everybody is 127.0.0.1 here.
    config.limits.connections_per_address = config.limits.connections;
    config.mail.plaintext_passwords = true;
    config.password.argon2_memory_kib = 8 * 1024;
    config.password.argon2_passes = 1;
    config.log.level = if args.verbose { LogLevel::Debug } else { LogLevel::Warn };
    // A demonstration sends nothing into the world.
    config.sending.enabled = false;
    // And asks it nothing.
    config.identity.check = false;
    config.http.address = Some(at(HTTP_PORT));
    config.listener =
        PORTS.iter().map(|(protocol, port)| Listener { protocol: *protocol, address: at(*port) }).collect();
    Ok(Prepared { config, data, kept })
}

/// A new folder for the data, in the system's place for such.
fn fresh_folder() -> Result<PathBuf, String> {
    let mut random = [0; 8];
    yubin_base::ports::Random::fill(&crate::clock::SystemRandom, &mut random);
    let name = format!("yubin-dev-{:016x}", u64::from_le_bytes(random));
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder)
}

async fn serve(prepared: &Prepared, json: bool) -> u8 {
    let stopped = start::until_stopped(None);
    let metrics = Metrics::new();
    logging::start(prepared.config.log.format, prepared.config.log.level, metrics.clone());
    let names = ["localhost", DOMAIN, &prepared.config.server.hostname, "127.0.0.1"];
    let (certificate, pem) = match Certificate::self_signed(names.map(str::to_owned).to_vec()) {
        Ok(made) => made,
        Err(error) => return complain(&format!("the certificate: {error}")),
    };
    let certificate_file = prepared.data.join("cert.pem");
    if let Err(error) = std::fs::write(&certificate_file, pem) {
        return complain(&format!("{}: {error}", certificate_file.display()));
    }
    let started = match start::start(Arc::new(prepared.config.clone()), metrics, Some(certificate)).await {
        Ok(started) => started,
        Err(error) => return complain(&format!("{error}\n  `yubin dev --ephemeral` takes any free ports.")),
    };
    if let Err(error) = furnish(&started.app).await {
        return complain(&error);
    }
    let ready = Ready {
        ports: &started.ports,
        data: &prepared.data,
        certificate: &certificate_file,
        socket: &prepared.config.server.admin_socket(),
        kept: prepared.kept,
    };
    if json {
        println!("{}", welcome::json(&ready));
    } else {
        print!("{}", welcome::text(&ready));
    }
    stopped.await;
    started.running.stop().await;
    exit::OK
}

fn complain(message: &str) -> u8 {
    eprintln!("yubin: {message}");
    exit::FAILED
}

/// Makes the domain, the accounts and their first messages, unless they are there.
async fn furnish(app: &App) -> Result<(), String> {
    if app.directory.is_ours(DOMAIN) {
        return Ok(());
    }
    let ask = async |request| admin::execute(app, request).await.map_err(|e| e.message);
    ask(Request::DomainAdd { name: DOMAIN.into(), alias_of: None }).await?;
    for (local, name, password) in ACCOUNTS {
        ask(Request::AccountAdd {
            address: format!("{local}@{DOMAIN}"),
            password: Some(password.into()),
            password_hash: None,
            display_name: Some(name.into()),
            quota_octets: None,
            quota_messages: None,
        })
        .await?;
    }
    samples::deliver(app).await.map_err(|e| e.to_string())
}
