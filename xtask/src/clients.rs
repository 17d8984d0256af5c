//! `cargo x clients`: the mail clients and servers that the tests talk to. Installs what is missing when run as root;
//! otherwise names the command that would. Quick when all is there. Never starts a service.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::workspace::{run as run_command, tools, which};

#[derive(clap::Args)]
pub struct Options {
    /// Also what only the benchmark needs
    #[arg(long)]
    bench: bool,
}

/// A Debian package and what shows that it is there.
struct Package {
    name: &'static str,
    shown_by: ShownBy,
}

enum ShownBy {
    Program(&'static str),
    /// A library or a plugin: only the package list knows.
    PackageList,
}

impl Package {
    fn is_there(&self) -> bool {
        match self.shown_by {
            ShownBy::Program(program) => which(program).is_some(),
            ShownBy::PackageList => {
                let mut asks = Command::new("dpkg-query");
                asks.args(["--show", "--showformat", "${db:Status-Status}", self.name]).stderr(Stdio::null());
                asks.output().is_ok_and(|output| output.stdout == b"installed")
            }
        }
    }
}

const fn package(name: &'static str, program: &'static str) -> Package {
    Package { name, shown_by: ShownBy::Program(program) }
}

const fn library(name: &'static str) -> Package {
    Package { name, shown_by: ShownBy::PackageList }
}

/// What the interoperability tests use.
const FOR_TESTS: &[Package] = &[
    package("ca-certificates", "update-ca-certificates"),
    package("curl", "curl"),
    package("fetchmail", "fetchmail"),
    package("getmail6", "getmail"),
    package("isync", "mbsync"),
    library("libnet-ssleay-perl"), // TLS in swaks
    library("libsasl2-modules"),   // SASL in mutt and mbsync
    package("msmtp", "msmtp"),
    package("mutt", "mutt"),
    package("offlineimap3", "offlineimap"),
    package("opendkim", "opendkim"),
    package("openssl", "openssl"),
    package("postfix", "postfix"),
    package("swaks", "swaks"),
    package("tmux", "tmux"),
];

/// What the benchmark uses beside that.
const FOR_BENCH: &[Package] =
    &[package("dovecot-imapd", "imap"), package("dovecot-lmtpd", "lmtp"), package("dovecot-pop3d", "pop3")];

/// From PyPI, into a virtual environment below the target folder.
const PYTHON: &[&str] = &["IMAPClient==3.1.0", "dkimpy==1.1.8", "PyNaCl==1.6.2", "sievelib==1.6.0"];

/// While this file stands and says 101, Debian's packages do not start their services.
const POLICY: &str = "/usr/sbin/policy-rc.d";

pub fn run(options: &Options) -> Result<()> {
    ensure(options.bench)?;
    println!("clients: all there");
    Ok(())
}

/// Sees to it that the clients are there.
pub fn ensure(bench: bool) -> Result<()> {
    let mut missing: Vec<&str> = FOR_TESTS
        .iter()
        .chain(if bench { FOR_BENCH } else { &[] })
        .filter(|package| !package.is_there())
        .map(|package| package.name)
        .collect();
    if !system_python_has_venv() {
        missing.extend(["python3", "python3-venv"]);
    }
    if !missing.is_empty() {
        install(&missing)?;
    }
    ensure_python()
}

/// The Python of our virtual environment.
pub fn python() -> PathBuf {
    tools().join("venv/bin/python")
}

fn install(packages: &[&str]) -> Result<()> {
    let by_hand = format!("apt-get update && apt-get install --no-install-recommends {}", packages.join(" "));
    if !rustix::process::geteuid().is_root() {
        bail!("some mail clients are missing; as root:\n    {by_hand}");
    }
    if which("apt-get").is_none() {
        bail!("some mail clients are missing, and this is no Debian; install: {}", packages.join(" "));
    }
    println!("clients: {by_hand}");
    let _quiet = NoServices::begin()?;
    run_command(apt().args(["update", "-qq"]))?;
    if packages.contains(&"postfix") {
        preseed("postfix postfix/main_mailer_type select No configuration\n")?;
    }
    run_command(apt().args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages))
        .with_context(|| format!("by hand: {by_hand}"))
}

fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.args(["-o", "DPkg::Lock::Timeout=300"]).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    apt
}

fn preseed(line: &str) -> Result<()> {
    use std::io::Write as _;
    let mut child = Command::new("debconf-set-selections").stdin(Stdio::piped()).spawn()?;
    child.stdin.take().context("debconf-set-selections has no input")?.write_all(line.as_bytes())?;
    if !child.wait()?.success() {
        bail!("debconf-set-selections refused {line:?}");
    }
    Ok(())
}

/// Keeps installed services from starting, for as long as it lives.
struct NoServices {
    /// What stood there before.
    before: Option<Vec<u8>>,
}

impl NoServices {
    fn begin() -> Result<NoServices> {
        use std::os::unix::fs::PermissionsExt as _;
        let before = std::fs::read(POLICY).ok();
        std::fs::write(POLICY, "#!/bin/sh\nexit 101\n").with_context(|| format!("write {POLICY}"))?;
        std::fs::set_permissions(POLICY, std::fs::Permissions::from_mode(0o755))?;
        Ok(NoServices { before })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        let restored = match &self.before {
            Some(before) => std::fs::write(POLICY, before),
            None => std::fs::remove_file(POLICY),
        };
        if let Err(error) = restored {
            eprintln!("clients: cannot restore {POLICY}: {error}");
        }
    }
}

/// Debian's own Python where there is one: its `venv` works once `python3-venv` is there.
fn system_python() -> PathBuf {
    let debian = Path::new("/usr/bin/python3");
    if debian.exists() { debian.to_path_buf() } else { PathBuf::from("python3") }
}

fn system_python_has_venv() -> bool {
    let mut asks = Command::new(system_python());
    asks.args(["-c", "import ensurepip, venv"]).stdout(Stdio::null()).stderr(Stdio::null());
    asks.status().is_ok_and(|status| status.success())
}

/// Makes the virtual environment, and again when the list of packages has changed.
fn ensure_python() -> Result<()> {
    let wanted = PYTHON.join("\n");
    let mark = tools().join("venv/yubin-packages");
    if python().exists() && std::fs::read_to_string(&mark).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    std::fs::create_dir_all(tools())?;
    let venv = tools().join("venv");
    run_command(Command::new(system_python()).args(["-m", "venv", "--clear"]).arg(&venv))
        .context("by hand: apt-get install python3-venv")?;
    run_command(
        Command::new(python())
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(PYTHON),
    )
    .context("pip could not install the Python clients")?;
    std::fs::write(mark, wanted)?;
    Ok(())
}
