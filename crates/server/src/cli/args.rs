//! What may be typed. The texts here are `yubin --help`, the man page and the completions.

use std::{io::BufRead, path::PathBuf};

use clap::{Args, Parser, Subcommand};

/// A complete mail server in one binary.
#[derive(Debug, Parser)]
#[command(
    name = "yubin",
    version,
    about = "Yubin, a complete mail server in one binary",
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong command line or configuration, 3 no such thing, 4 no server answers \
                  or the data folder is in use, 5 fsck found damage."
)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/yubin/yubin.toml")]
    pub config: PathBuf,
    /// The data folder, instead of the configuration's
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The admin socket of a running server
    #[arg(long, global = true, value_name = "FILE")]
    pub socket: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try it: a server on free ports with two accounts and a few messages
    Dev(DevArgs),
    /// Run the server
    Serve,
    /// Domains whose mail is ours
    Domain {
        /// What to do.
        #[command(subcommand)]
        command: DomainCommand,
    },
    /// People with a mailbox
    Account {
        /// What to do.
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// Addresses that lead to others
    Alias {
        /// What to do.
        #[command(subcommand)]
        command: AliasCommand,
    },
    /// Mail on its way
    Queue {
        /// What to do.
        #[command(subcommand)]
        command: QueueCommand,
    },
    /// Tell the life of messages: where they came from, each attempt and what was said
    Trace {
        /// A trace id, a Message-ID in angle brackets, or an address
        what: String,
    },
    /// The mailboxes of an account
    Mailbox {
        /// What to do.
        #[command(subcommand)]
        command: MailboxCommand,
    },
    /// Rules that sort mail: Sieve scripts
    Sieve {
        /// What to do.
        #[command(subcommand)]
        command: SieveCommand,
    },
    /// Check everything that is stored
    Fsck {
        /// One account only
        #[arg(long)]
        account: Option<String>,
        /// Repair what can be derived from the rest
        #[arg(long)]
        repair: bool,
        /// Read every body and compare its checksum, too
        #[arg(long)]
        bodies: bool,
    },
    /// Give disk space back that nothing needs
    CollectGarbage,
    /// The configuration file
    Config {
        /// What to do.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Ask whether the server answers
    Ping,
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// Print the version
    Version,
    /// Print a page of the reference
    #[command(hide = true)]
    Docs {
        /// Which.
        page: DocsPage,
    },
}

/// Generated pages of the reference.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum DocsPage {
    /// Every key of the configuration.
    Options,
    /// Every event.
    Events,
    /// Every limit.
    Limits,
    /// Every command.
    Commands,
}

/// `yubin dev`
#[derive(Clone, Debug, Args)]
pub struct DevArgs {
    /// Take any free ports instead of the usual development ports
    #[arg(long)]
    pub ephemeral: bool,
    /// Log everything, not only what matters
    #[arg(long)]
    pub verbose: bool,
}

/// `yubin domain`
#[derive(Debug, Subcommand)]
pub enum DomainCommand {
    /// Add a domain
    Add {
        /// example.com
        name: String,
        /// The domain that this one is another name of
        #[arg(long, value_name = "DOMAIN")]
        alias_of: Option<String>,
    },
    /// Change a domain
    Set {
        /// example.com
        name: String,
        /// The address that gets mail for names nobody has; an empty one switches it off
        #[arg(long, value_name = "ADDRESS")]
        catch_all: Option<String>,
        /// The characters between a name and its subaddress; empty switches subaddresses off
        #[arg(long, value_name = "CHARACTERS")]
        separators: Option<String>,
    },
    /// Remove a domain
    Remove {
        /// example.com
        name: String,
        /// With its accounts, their mail, and its aliases
        #[arg(long)]
        force: bool,
    },
    /// Keys that sign a domain's mail (DKIM)
    Dkim {
        /// What to do.
        #[command(subcommand)]
        command: DkimCommand,
    },
    /// List the domains
    List,
    /// Show one domain
    Show {
        /// example.com
        name: String,
    },
}

/// `yubin domain dkim`
#[derive(Debug, Subcommand)]
pub enum DkimCommand {
    /// Make a key and print the DNS record; mail is signed with it from now on
    Add {
        /// example.com
        name: String,
        /// The name of the key in DNS; a new one for each new key
        #[arg(long, default_value = "yubin")]
        selector: String,
        /// The kind of the key
        #[arg(long, value_enum, default_value = "rsa")]
        kind: crate::admin::DkimKind,
    },
    /// List a domain's keys with their DNS records
    List {
        /// example.com
        name: String,
    },
    /// Remove a key; leave its DNS record for a week
    Remove {
        /// example.com
        name: String,
        /// The name of the key in DNS
        #[arg(long)]
        selector: String,
    },
}

/// A password, given in one of three ways.
#[derive(Clone, Debug, Args)]
#[group(multiple = false)]
pub struct PasswordArgs {
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// The password; others on this machine may see it while the command runs
    #[arg(long)]
    password: Option<String>,
    /// A hash made by another system: $argon2id$, {SSHA}, {SHA512-CRYPT}, {BLF-CRYPT} and their like
    #[arg(long, value_name = "HASH")]
    password_hash: Option<String>,
}

impl PasswordArgs {
    /// The password and the hash; at most one is given.
    pub fn read(self) -> Result<(Option<String>, Option<String>), String> {
        if !self.password_stdin {
            return Ok((self.password, self.password_hash));
        }
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map_err(|e| format!("standard input: {e}"))?;
        let password = line.trim_end_matches(['\r', '\n']).to_owned();
        Ok((Some(password), None))
    }
}

/// A quota.
#[derive(Clone, Debug, Args)]
pub struct QuotaArgs {
    /// The most octets it may store; not given is unlimited
    #[arg(long, value_name = "OCTETS")]
    pub quota_octets: Option<u64>,
    /// The most messages it may store; not given is unlimited
    #[arg(long, value_name = "MESSAGES")]
    pub quota_messages: Option<u64>,
}

/// `yubin account`
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Add an account
    Add {
        /// ann@example.com
        address: String,
        /// The password.
        #[command(flatten)]
        password: PasswordArgs,
        /// The name people call them
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        /// The quota.
        #[command(flatten)]
        quota: QuotaArgs,
    },
    /// Set the password
    Password {
        /// ann@example.com
        name: String,
        /// The password.
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Let an account log in and take mail again
    Enable {
        /// ann@example.com
        name: String,
    },
    /// Let an account neither log in nor take mail; what it has stays
    Disable {
        /// ann@example.com
        name: String,
    },
    /// Change an account
    Set {
        /// ann@example.com
        name: String,
        /// The name people call them
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        /// The largest message it takes; 0 for the server's limit only
        #[arg(long, value_name = "OCTETS")]
        message_octets_max: Option<u64>,
        /// Whether what its POP3 clients delete goes to Trash
        #[arg(long, value_name = "true|false")]
        pop3_delete_to_trash: Option<bool>,
    },
    /// Set the quota
    Quota {
        /// ann@example.com
        name: String,
        /// The quota.
        #[command(flatten)]
        quota: QuotaArgs,
    },
    /// Let an account stand for nobody: its mailboxes are shown as public ones to those who have rights there
    Public {
        /// team@example.com
        name: String,
        /// Make it an ordinary account again
        #[arg(long)]
        off: bool,
    },
    /// Give an account another address
    Rename {
        /// ann@example.com
        name: String,
        /// The new address
        address: String,
        /// Let the old address lead to it from now on
        #[arg(long)]
        keep_alias: bool,
    },
    /// Remove an account and its mail
    Remove {
        /// ann@example.com
        name: String,
    },
    /// List the accounts
    List,
    /// Show one account
    Show {
        /// ann@example.com
        name: String,
    },
}

/// `yubin alias`
#[derive(Debug, Subcommand)]
pub enum AliasCommand {
    /// Add an alias
    Add {
        /// info@example.com
        address: String,
        /// Where it leads
        #[arg(required = true)]
        targets: Vec<String>,
    },
    /// Remove an alias
    Remove {
        /// info@example.com
        address: String,
    },
    /// List the aliases
    List,
}

/// Which messages of the queue.
#[derive(Clone, Debug, Default, Args)]
pub struct QueueFilterArgs {
    /// Only from senders whose address contains this
    #[arg(long, value_name = "PART")]
    pub from: Option<String>,
    /// Only to recipients whose address contains this
    #[arg(long, value_name = "PART")]
    pub to: Option<String>,
    /// Only with a recipient in this state: deferred, failed, waiting, sending
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// Only held ones
    #[arg(long)]
    pub held: bool,
}

/// Messages of the queue, by id or by what they have in common.
#[derive(Clone, Debug, Args)]
pub struct QueueChoice {
    /// Their ids
    pub ids: Vec<String>,
    /// All of them, or all that fit the other options
    #[arg(long)]
    pub all: bool,
    /// Which.
    #[command(flatten)]
    pub filter: QueueFilterArgs,
}

/// `yubin queue`
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// List the messages
    List {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// Which.
        #[command(flatten)]
        filter: QueueFilterArgs,
    },
    /// Show one message
    Show {
        /// Its id
        id: String,
    },
    /// Try messages again now
    Retry {
        /// Which.
        #[command(flatten)]
        choice: QueueChoice,
    },
    /// Leave messages alone until they are released
    Hold {
        /// Which.
        #[command(flatten)]
        choice: QueueChoice,
    },
    /// Let held messages go on
    Release {
        /// Which.
        #[command(flatten)]
        choice: QueueChoice,
    },
    /// Drop messages; nobody is told
    Drop {
        /// Which.
        #[command(flatten)]
        choice: QueueChoice,
    },
    /// Send messages to another host than DNS says
    Route {
        /// The host, or host:port; `dns` for what DNS says
        host: String,
        /// Which.
        #[command(flatten)]
        choice: QueueChoice,
    },
}

/// `yubin sieve`
#[derive(Debug, Subcommand)]
pub enum SieveCommand {
    /// List an account's scripts
    List {
        /// ann@example.com
        account: String,
    },
    /// Print a script
    Show {
        /// ann@example.com
        account: String,
        /// Its name
        name: String,
    },
    /// Write a script; it is checked first
    Put {
        /// ann@example.com
        account: String,
        /// Its name
        name: String,
        /// The file; - is standard input
        #[arg(default_value = "-")]
        file: PathBuf,
        /// Let it run from now on
        #[arg(long)]
        activate: bool,
    },
    /// Choose the script that runs
    Activate {
        /// ann@example.com
        account: String,
        /// Its name
        name: String,
    },
    /// Let no script run
    Deactivate {
        /// ann@example.com
        account: String,
    },
    /// Remove a script that does not run
    Remove {
        /// ann@example.com
        account: String,
        /// Its name
        name: String,
    },
    /// Say whether a script is valid, without a server
    Check {
        /// The file; - is standard input
        file: PathBuf,
    },
    /// Run a script on a message and tell each step, without a server
    Explain {
        /// The script's file
        script: PathBuf,
        /// The message's file; - is standard input
        message: PathBuf,
        /// The sender in the envelope; empty: the null sender
        #[arg(long, default_value = "sender@example.org")]
        from: String,
        /// The recipient in the envelope
        #[arg(long, default_value = "recipient@example.org")]
        to: String,
    },
}

/// `yubin mailbox`
#[derive(Debug, Subcommand)]
pub enum MailboxCommand {
    /// List the mailboxes
    List {
        /// ann@example.com
        account: String,
    },
    /// Make a mailbox and subscribe to it
    Add {
        /// ann@example.com
        account: String,
        /// Its name, levels separated by /
        mailbox: String,
    },
    /// Build an account's search index anew, in the background
    Reindex {
        /// ann@example.com
        account: String,
    },
    /// Remove a mailbox with its messages
    Remove {
        /// ann@example.com
        account: String,
        /// Its name
        mailbox: String,
    },
    /// Who may do what with a mailbox
    Acl {
        /// What to do.
        #[command(subcommand)]
        command: AclCommand,
    },
}

/// `yubin mailbox acl`
#[derive(Debug, Subcommand)]
pub enum AclCommand {
    /// Show who may do what; the owner may do everything
    Show {
        /// ann@example.com
        account: String,
        /// Its name
        mailbox: String,
    },
    /// Give rights, or take them away
    Set {
        /// ann@example.com
        account: String,
        /// Its name
        mailbox: String,
        /// bob@example.com; anyone (of the same domain); behind - those who must not have the rights
        #[arg(allow_hyphen_values = true)]
        identifier: String,
        /// Letters of RFC 4314, lrswipkxtea: these and no others; +lr also these; -lr not these; "" none
        #[arg(allow_hyphen_values = true)]
        rights: String,
    },
}

/// `yubin config`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the file
    Check,
    /// Show what applies, defaults included
    Show,
    /// Explain a key, a section, or all
    Explain {
        /// server.hostname
        key: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
