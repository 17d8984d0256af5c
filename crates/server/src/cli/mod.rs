//! The command line. Every command has `--json`, tables on a terminal, and one of the exit codes below.

pub mod args;
mod docs;
mod show;
mod sieve;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{CommandFactory, Parser};
use serde_json::Value;

use crate::{
    admin::{self, AdminError, AdminErrorClass, QueueFilter, QueueOrder, QuotaSetting, Reply, Request},
    app::App,
    config::{Config, OPTIONS},
    dev, start,
};
use args::{
    AccountCommand, AclCommand, AliasCommand, Cli, Command, ConfigCommand, DkimCommand, DomainCommand,
    MailboxCommand, QueueChoice, QueueCommand, QueueFilterArgs, SieveCommand,
};

/// Exit codes, as `yubin --help` lists them.
pub mod exit {
    /// Done.
    pub const OK: u8 = 0;
    /// It failed; the message says why.
    pub const FAILED: u8 = 1;
    /// The command line or the configuration is wrong.
    pub const USAGE: u8 = 2;
    /// There is no such domain, account, message or mailbox.
    pub const NOT_FOUND: u8 = 3;
    /// No server answers, or another one uses the data folder.
    pub const UNREACHABLE: u8 = 4;
    /// `fsck` found damage.
    pub const DAMAGED: u8 = 5;
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no failure.
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("yubin").build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("yubin: the system gives no threads: {error}");
            return ExitCode::from(exit::FAILED);
        }
    };
    let code = runtime.block_on(run(cli));
    // Whatever still blocks (a reader on standard input) must not hold up the exit.
    runtime.shutdown_background();
    ExitCode::from(code)
}

async fn run(cli: Cli) -> u8 {
    let Cli { command, common } = cli;
    let common = &common;
    match command {
        Command::Dev(args) => dev::run(args, common).await,
        Command::Serve => match config(common) {
            Ok(config) => start::serve(config).await,
            Err(code) => code,
        },
        Command::Config { command } => run_config(command, common),
        Command::Sieve { command: SieveCommand::Check { file } } => sieve::check(&file, common.json),
        Command::Sieve { command: SieveCommand::Explain { script, message, from, to } } => {
            sieve::explain(&script, &message, &from, &to, common.json)
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "yubin", &mut std::io::stdout());
            exit::OK
        }
        Command::Man => match clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout()) {
            Ok(()) => exit::OK,
            Err(_) => exit::FAILED,
        },
        Command::Version => {
            let version = env!("CARGO_PKG_VERSION");
            if common.json {
                println!("{}", serde_json::json!({ "name": "yubin", "version": version }));
            } else {
                println!("yubin {version}");
            }
            exit::OK
        }
        Command::Docs { page } => docs::print(page),
        Command::Fsck { account, repair, bodies } => {
            let reply = ask(common, Request::Fsck { account, repair, bodies }).await;
            let clean = reply.as_ref().map(|v| v.get("clean") == Some(&Value::Bool(true)));
            let damaged = clean == Ok(false);
            match show::print(reply, common.json) {
                exit::OK if damaged => exit::DAMAGED,
                code => code,
            }
        }
        Command::Trace { what } => {
            show::print_histories(ask(common, Request::Trace { what }).await, common.json)
        }
        command => match request(command) {
            Ok(request) => show::print(ask(common, request).await, common.json),
            Err(message) => {
                eprintln!("yubin: {message}");
                exit::USAGE
            }
        },
    }
}

/// The configuration file, or exit code and message.
fn config(common: &args::Common) -> Result<Config, u8> {
    Config::load(&common.config).map_err(|error| {
        eprintln!("yubin: {error}");
        exit::USAGE
    })
}

fn run_config(command: ConfigCommand, common: &args::Common) -> u8 {
    match command {
        ConfigCommand::Check => match config(common) {
            Ok(_) if common.json => {
                println!("{}", serde_json::json!({ "ok": true, "file": common.config }));
                exit::OK
            }
            Ok(_) => {
                println!("{}: fine", common.config.display());
                exit::OK
            }
            Err(code) => code,
        },
        ConfigCommand::Show => match config(common) {
            Ok(config) if common.json => {
                println!("{}", serde_json::to_string_pretty(&config).unwrap_or_default());
                exit::OK
            }
            Ok(config) => {
                print!("{}", config.show());
                exit::OK
            }
            Err(code) => code,
        },
        ConfigCommand::Explain { key } => explain(key.as_deref(), common.json),
    }
}

fn explain(key: Option<&str>, json: bool) -> u8 {
    let found: Vec<_> = OPTIONS
        .iter()
        .filter(|o| key.is_none_or(|k| o.key == k || o.key.starts_with(&format!("{k}."))))
        .collect();
    if found.is_empty() {
        eprintln!(
            "yubin: there is no key {:?}; `yubin config explain` lists them all.",
            key.unwrap_or_default()
        );
        return exit::NOT_FOUND;
    }
    if json {
        let list: Vec<Value> = found
            .iter()
            .map(|o| serde_json::json!({ "key": o.key, "value": o.value, "default": o.default, "help": o.help }))
            .collect();
        println!("{}", Value::Array(list));
        return exit::OK;
    }
    for option in found {
        println!("{} = {}\n  default: {}\n  {}\n", option.key, option.value, option.default, option.help);
    }
    exit::OK
}

/// Asks the running server; without one, opens the store itself.
async fn ask(common: &args::Common, request: Request) -> Reply {
    let unreachable = |message: String| AdminError::new(AdminErrorClass::Unreachable, message);
    if let Some(socket) = &common.socket {
        return admin::socket::ask(socket, &request).await;
    }
    let (config, socket) = match &common.data {
        Some(data) => (offline_config(data.clone()), data.join("admin.sock")),
        None => {
            let config =
                Config::load(&common.config).map_err(|e| AdminError::new(AdminErrorClass::Refused, e))?;
            let socket = config.server.admin_socket();
            (config, socket)
        }
    };
    if socket.exists() {
        match admin::socket::ask(&socket, &request).await {
            Err(error) if error.class == AdminErrorClass::Unreachable => {}
            reply => return reply,
        }
    }
    if !config.server.store().is_dir() {
        return Err(unreachable(format!(
            "No server answers, and {} holds no store.",
            config.server.data.display()
        )));
    }
    // Without a server nothing is sent.
    let config =
        Config { sending: crate::config::Sending { enabled: false, ..config.sending.clone() }, ..config };
    let app = App::open(Arc::new(config)).await.map_err(|e| unreachable(e.to_string()))?;
    let reply = admin::execute(&app, request).await;
    app.engine.close();
    reply
}

fn offline_config(data: PathBuf) -> Config {
    let mut config = Config::default();
    config.server.hostname = "localhost".into();
    config.server.data = data;
    config.sending.enabled = false;
    config
}

/// Turns a command into its request.
fn request(command: Command) -> Result<Request, String> {
    Ok(match command {
        Command::Domain { command } => match command {
            DomainCommand::Add { name, alias_of } => Request::DomainAdd { name, alias_of },
            DomainCommand::Set { name, catch_all, separators } => {
                Request::DomainSet { name, catch_all, separators }
            }
            DomainCommand::Remove { name, force } => Request::DomainRemove { name, force },
            DomainCommand::Dkim { command } => match command {
                DkimCommand::Add { name, selector, kind } => Request::DkimAdd { name, selector, kind },
                DkimCommand::List { name } => Request::DkimList { name },
                DkimCommand::Remove { name, selector } => Request::DkimRemove { name, selector },
            },
            DomainCommand::List => Request::DomainList,
            DomainCommand::Show { name } => Request::DomainShow { name },
        },
        Command::Account { command } => account_request(command)?,
        Command::Alias { command } => match command {
            AliasCommand::Add { address, targets } => Request::AliasAdd { address, targets },
            AliasCommand::Remove { address } => Request::AliasRemove { address },
            AliasCommand::List => Request::AliasList,
        },
        Command::Queue { command } => match command {
            QueueCommand::List { limit, filter } => {
                Request::QueueList { limit, filter: queue_filter(filter) }
            }
            QueueCommand::Show { id } => Request::QueueShow { id },
            QueueCommand::Retry { choice } => order(QueueOrder::Retry, choice, None)?,
            QueueCommand::Hold { choice } => order(QueueOrder::Hold, choice, None)?,
            QueueCommand::Release { choice } => order(QueueOrder::Release, choice, None)?,
            QueueCommand::Drop { choice } => order(QueueOrder::Drop, choice, None)?,
            QueueCommand::Route { host, choice } => {
                order(QueueOrder::Route, choice, (host != "dns").then_some(host))?
            }
        },
        Command::Trace { what } => Request::Trace { what },
        Command::Mailbox { command } => match command {
            MailboxCommand::List { account } => Request::MailboxList { account },
            MailboxCommand::Add { account, mailbox } => Request::MailboxAdd { account, mailbox },
            MailboxCommand::Remove { account, mailbox } => Request::MailboxRemove { account, mailbox },
            MailboxCommand::Reindex { account } => Request::MailboxReindex { account },
            MailboxCommand::Acl { command } => match command {
                AclCommand::Show { account, mailbox } => Request::MailboxAcl { account, mailbox },
                AclCommand::Set { account, mailbox, identifier, rights } => {
                    Request::MailboxAclSet { account, mailbox, identifier, rights }
                }
            },
        },
        Command::Sieve { command } => match command {
            SieveCommand::List { account } => Request::SieveList { account },
            SieveCommand::Show { account, name } => Request::SieveShow { account, name },
            SieveCommand::Put { account, name, file, activate } => {
                Request::SievePut { account, name, text: sieve::read(&file)?, activate }
            }
            SieveCommand::Activate { account, name } => Request::SieveActivate { account, name: Some(name) },
            SieveCommand::Deactivate { account } => Request::SieveActivate { account, name: None },
            SieveCommand::Remove { account, name } => Request::SieveRemove { account, name },
            SieveCommand::Check { .. } | SieveCommand::Explain { .. } => {
                return Err("this command is no request".into());
            }
        },
        Command::CollectGarbage => Request::CollectGarbage,
        Command::Ping => Request::Ping,
        Command::Dev(_)
        | Command::Serve
        | Command::Config { .. }
        | Command::Completions { .. }
        | Command::Man
        | Command::Version
        | Command::Docs { .. }
        | Command::Fsck { .. } => return Err("this command is no request".into()),
    })
}

fn queue_filter(filter: QueueFilterArgs) -> QueueFilter {
    let QueueFilterArgs { from, to, state, held } = filter;
    QueueFilter { from, to, state, held: held.then_some(true) }
}

/// An order for some messages. Without ids it must be said that all are meant.
fn order(order: QueueOrder, choice: QueueChoice, host: Option<String>) -> Result<Request, String> {
    let QueueChoice { ids, all, filter } = choice;
    if ids.is_empty() && !all {
        return Err(
            "name messages by their ids, or say --all (with --from, --to, --state, --held: all that fit)"
                .into(),
        );
    }
    if !ids.is_empty() && all {
        return Err("either ids or --all".into());
    }
    Ok(Request::QueueOrder { order, ids, filter: queue_filter(filter), host })
}

fn account_request(command: AccountCommand) -> Result<Request, String> {
    Ok(match command {
        AccountCommand::Add { address, password, display_name, quota } => {
            let (password, password_hash) = password.read()?;
            Request::AccountAdd {
                address,
                password,
                password_hash,
                display_name,
                quota_octets: quota.quota_octets,
                quota_messages: quota.quota_messages,
            }
        }
        AccountCommand::Password { name, password } => {
            let (password, password_hash) = password.read()?;
            if password.is_none() && password_hash.is_none() {
                return Err("give --password-stdin, --password or --password-hash".into());
            }
            Request::AccountPassword { name, password, password_hash }
        }
        AccountCommand::Enable { name } => set(name, Some(true)),
        AccountCommand::Disable { name } => set(name, Some(false)),
        AccountCommand::Set { name, display_name, message_octets_max, pop3_delete_to_trash } => {
            Request::AccountSet {
                name,
                enabled: None,
                display_name,
                quota: None,
                message_octets_max,
                pop3_delete_to_trash,
            }
        }
        AccountCommand::Quota { name, quota } => Request::AccountSet {
            name,
            enabled: None,
            display_name: None,
            quota: Some(QuotaSetting { octets: quota.quota_octets, messages: quota.quota_messages }),
            message_octets_max: None,
            pop3_delete_to_trash: None,
        },
        AccountCommand::Public { name, off } => Request::AccountPublic { name, public: !off },
        AccountCommand::Rename { name, address, keep_alias } => {
            Request::AccountRename { name, address, keep_alias }
        }
        AccountCommand::Remove { name } => Request::AccountRemove { name },
        AccountCommand::List => Request::AccountList,
        AccountCommand::Show { name } => Request::AccountShow { name },
    })
}

fn set(name: String, enabled: Option<bool>) -> Request {
    Request::AccountSet {
        name,
        enabled,
        display_name: None,
        quota: None,
        message_octets_max: None,
        pop3_delete_to_trash: None,
    }
}
