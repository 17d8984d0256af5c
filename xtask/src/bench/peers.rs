//! Postfix and Dovecot from Debian, with the settings that their own manuals recommend for speed and the defaults that
//! make mail durable: queue files flushed, Maildir flushed, LMTP between the two. Instances of their own below one folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::measure::Subject;
use super::yubin::free_port;
use super::{ACCOUNTS, DOMAIN, PASSWORD, account};
use crate::workspace::run;

pub struct Peers {
    dir: PathBuf,
    smtp: u16,
    imap: u16,
    pop3: u16,
    postfix: u32,
    dovecot: u32,
}

impl Peers {
    pub fn start(dir: &Path) -> Result<Peers> {
        if !rustix::process::geteuid().is_root() {
            bail!("Postfix and Dovecot start as root only; `--alone` measures our server by itself");
        }
        // Their daemons drop their rights and must still reach their folders.
        let dir = std::env::temp_dir().join(format!(
            "yubin-bench-{}-{}",
            std::process::id(),
            dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
        ));
        let (smtp, imap, lmtp, pop3) = (free_port()?, free_port()?, free_port()?, free_port()?);
        // Owned from here on: whatever fails, what was started is stopped.
        let mut peers = Peers { dir, smtp, imap, pop3, postfix: 0, dovecot: 0 };
        peers.dovecot = start_dovecot(&peers.dir.join("dovecot"), imap, lmtp, pop3, MailFormat::Maildir)?;
        peers.postfix = start_postfix(&peers.dir.join("postfix"), smtp, lmtp)?;
        Ok(peers)
    }

    pub fn subject(&self) -> Subject {
        let data = vec![self.dir.join("dovecot/mail")];
        Subject {
            name: "Postfix + Dovecot",
            smtp: self.smtp,
            imap: self.imap,
            pop3: self.pop3,
            imaps: None,
            pids: vec![self.postfix, self.dovecot],
            data,
        }
    }

    pub fn stop(self) -> Result<()> {
        Ok(()) // by drop
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        end(self.postfix);
        end(self.dovecot);
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// How Dovecot keeps mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailFormat {
    Maildir,
    Sdbox,
}

/// Dovecot by itself.
pub struct Dovecot {
    dir: PathBuf,
    pid: u32,
    pub imap: u16,
}

impl Dovecot {
    pub fn start(format: MailFormat) -> Result<Dovecot> {
        if !rustix::process::geteuid().is_root() {
            bail!("Dovecot starts as root only");
        }
        let dir = std::env::temp_dir().join(format!("yubin-dovecot-{}", std::process::id()));
        let (imap, lmtp, pop3) = (free_port()?, free_port()?, free_port()?);
        let mut dovecot = Dovecot { dir, pid: 0, imap };
        dovecot.pid = start_dovecot(&dovecot.dir, imap, lmtp, pop3, format)?;
        Ok(dovecot)
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        end(self.pid);
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Ends a process of ours, and waits until it has ended.
fn end(pid: u32) {
    if pid <= 1 || crate::process::terminate(pid).is_err() {
        return;
    }
    let patience = Instant::now() + Duration::from_secs(20);
    while Path::new(&format!("/proc/{pid}")).exists() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn start_dovecot(dir: &Path, imap: u16, lmtp: u16, pop3: u16, format: MailFormat) -> Result<u32> {
    for name in ["etc", "run", "state", "mail"] {
        std::fs::create_dir_all(dir.join(name))?;
    }
    let user = "nobody";
    run(Command::new("chown").arg(user).arg(dir.join("mail")))?;
    let users: String =
        (0..ACCOUNTS).map(|number| format!("{}:{{PLAIN}}{PASSWORD}::::::\n", account(number))).collect();
    std::fs::write(dir.join("etc/users"), users)?;
    let d = dir.display();
    let location = match format {
        MailFormat::Maildir => "maildir:~/Maildir",
        MailFormat::Sdbox => "sdbox:~/sdbox",
    };
    let configuration = format!(
        "base_dir = {d}/run\nstate_dir = {d}/state\ninstance_name = bench\nlog_path = {d}/dovecot.log\n\
protocols = imap lmtp pop3\nlisten = 127.0.0.1\nssl = no\ndisable_plaintext_auth = no\nauth_mechanisms = plain login\n\
mail_uid = {user}\nmail_gid = nogroup\nfirst_valid_uid = 1\nfirst_valid_gid = 1\nmail_home = {d}/mail/%u\nmail_location = {location}\n\
mail_fsync = optimized\nmail_max_userip_connections = 0\n\
namespace inbox {{\n  inbox = yes\n  separator = /\n}}\n\
passdb {{\n  driver = passwd-file\n  args = scheme=PLAIN username_format=%u {d}/etc/users\n}}\n\
userdb {{\n  driver = passwd-file\n  args = username_format=%u {d}/etc/users\n}}\n\
default_process_limit = 2000\ndefault_client_limit = 20000\n\
service imap-login {{\n  service_count = 0\n  process_min_avail = 2\n  inet_listener imap {{\n    port = {imap}\n  }}\n  inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
service pop3-login {{\n  service_count = 0\n  inet_listener pop3 {{\n    port = {pop3}\n  }}\n  inet_listener pop3s {{\n    port = 0\n  }}\n}}\n\
service lmtp {{\n  process_min_avail = 2\n  inet_listener lmtp {{\n    port = {lmtp}\n  }}\n}}\n\
service imap {{\n  process_limit = 4000\n}}\nservice stats {{\n  client_limit = 10000\n}}\n\
protocol lmtp {{\n  postmaster_address = postmaster@{DOMAIN}\n  auth_username_format = %Lu\n}}\n\
protocol imap {{\n  mail_max_userip_connections = 0\n}}\n"
    );
    std::fs::write(dir.join("etc/dovecot.conf"), configuration)?;
    daemon(Command::new("/usr/sbin/dovecot").arg("-c").arg(dir.join("etc/dovecot.conf")))?;
    wait_for(imap, &dir.join("dovecot.log"))?;
    wait_for(lmtp, &dir.join("dovecot.log"))?;
    pid_in(&dir.join("run/master.pid"))
}

fn start_postfix(dir: &Path, smtp: u16, lmtp: u16) -> Result<u32> {
    for name in ["etc", "queue", "data", "log"] {
        std::fs::create_dir_all(dir.join(name))?;
    }
    run(Command::new("chown").arg("postfix").arg(dir.join("data")))?;
    let mailboxes: String = (0..ACCOUNTS).map(|number| format!("{} x\n", account(number))).collect();
    std::fs::write(dir.join("etc/mailboxes"), mailboxes)?;
    let d = dir.display();
    std::fs::write(
        dir.join("etc/main.cf"),
        format!(
            "compatibility_level = 3.6\nqueue_directory = {d}/queue\ndata_directory = {d}/data\ncommand_directory = /usr/sbin\n\
daemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\nsetgid_group = postdrop\nmyhostname = mx.{DOMAIN}\nmydestination =\n\
inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmynetworks = 127.0.0.0/8\nvirtual_mailbox_domains = {DOMAIN}\n\
virtual_mailbox_maps = texthash:{d}/etc/mailboxes\nvirtual_transport = lmtp:inet:127.0.0.1:{lmtp}\n\
default_transport = error:nothing leaves the benchmark\nalias_maps =\nalias_database =\nlocal_recipient_maps =\n\
message_size_limit = 104857600\nmailbox_size_limit = 0\nsmtpd_relay_restrictions = reject_unauth_destination\n\
smtpd_peername_lookup = no\ndisable_dns_lookups = yes\nsmtp_tls_security_level = none\nsmtpd_tls_security_level = none\n\
smtpd_client_connection_count_limit = 0\nmaillog_file_prefixes = {d}\nmaillog_file = {d}/log/mail.log\n\
alternate_config_directories =\nimport_environment = MAIL_CONFIG TZ LANG\n"
        ),
    )?;
    std::fs::write(
        dir.join("etc/master.cf"),
        format!(
            "127.0.0.1:{smtp} inet n - n - - smtpd\npostlog unix-dgram n - n - 1 postlogd\npickup unix n - n 60 1 pickup\n\
cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\ntlsmgr unix - - n 1000? 1 tlsmgr\nrewrite unix - - n - - trivial-rewrite\n\
bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\nverify unix - - n - 1 verify\n\
flush unix n - n 1000? 0 flush\nproxymap unix - - n - - proxymap\nsmtp unix - - n - - smtp\nrelay unix - - n - - smtp\n\
showq unix n - n - - showq\nerror unix - - n - - error\nretry unix - - n - - error\ndiscard unix - - n - - discard\n\
virtual unix - n n - - virtual\nlmtp unix - - n - - lmtp\nanvil unix - - n - 1 anvil\nscache unix - - n - 1 scache\n"
        ),
    )?;
    // Postfix looks for its own default files whatever folder it is told.
    for (path, text) in
        [("/etc/postfix/main.cf", "compatibility_level = 3.6\n"), ("/etc/postfix/master.cf", "")]
    {
        if !Path::new(path).exists() {
            std::fs::write(path, text)?;
        }
    }
    daemon(Command::new("/usr/sbin/postfix").arg("-c").arg(dir.join("etc")).arg("start"))?;
    wait_for(smtp, &dir.join("log/mail.log"))?;
    pid_in(&dir.join("queue/pid/master.pid"))
}

fn wait_for(port: u16, log: &Path) -> Result<()> {
    let patience = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > patience {
            bail!(
                "port {port} did not come up; {} says:\n{}",
                log.display(),
                std::fs::read_to_string(log).unwrap_or_default()
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The process that a daemon wrote down; it may do so only after its ports are open.
fn pid_in(file: &Path) -> Result<u32> {
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if let Ok(pid) = text.trim().parse() {
            return Ok(pid);
        }
        if Instant::now() > patience {
            bail!("{} holds {text:?} and no process id", file.display());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Starts a daemon that goes to the background: with no hold on our own output.
fn daemon(command: &mut Command) -> Result<()> {
    run(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
}
