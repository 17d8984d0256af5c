//! Our server as it would run in production, on loopback, with the accounts of the benchmark.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::measure::Subject;
use super::{ACCOUNTS, DOMAIN, PASSWORD, account};

pub struct Yubin {
    child: Child,
    binary: PathBuf,
    dir: PathBuf,
    smtp: u16,
    imap: u16,
    imaps: u16,
    pop3: u16,
}

impl Yubin {
    pub fn start(binary: &Path, dir: &Path) -> Result<Yubin> {
        std::fs::create_dir_all(dir)?;
        let (smtp, imap, imaps, pop3) = (free_port()?, free_port()?, free_port()?, free_port()?);
        make_certificate(dir)?;
        let configuration = dir.join("yubin.toml");
        std::fs::write(
            &configuration,
            format!(
                "[server]\nhostname = \"mx.{DOMAIN}\"\ndata = {data:?}\n\n[log]\nlevel = \"warn\"\n\n\
                 [limits]\nconnections_per_address = 5000\n\n[mail]\nplaintext_passwords = true\n\n[identity]\ncheck = false\n\n\
                 [[listener]]\nprotocol = \"smtp\"\naddress = \"127.0.0.1:{smtp}\"\n\n\
                 [[listener]]\nprotocol = \"imap\"\naddress = \"127.0.0.1:{imap}\"\n\n\
                 [[listener]]\nprotocol = \"imaps\"\naddress = \"127.0.0.1:{imaps}\"\n\n\
                 [[listener]]\nprotocol = \"pop3\"\naddress = \"127.0.0.1:{pop3}\"\n\n\
                 [tls]\ncertificate = {certificate:?}\nkey = {key:?}\n",
                data = dir.join("data"),
                certificate = dir.join("certificate.pem"),
                key = dir.join("key.pem"),
            ),
        )?;
        let child = serve(binary, dir)?;
        let mut yubin =
            Yubin { child, binary: binary.to_path_buf(), dir: dir.to_path_buf(), smtp, imap, imaps, pop3 };
        yubin.wait()?;
        yubin.admin(&["domain", "add", DOMAIN])?;
        for number in 0..ACCOUNTS {
            yubin.admin(&["account", "add", &account(number), "--password", PASSWORD])?;
        }
        Ok(yubin)
    }

    pub fn subject(&self) -> Subject {
        let data = vec![self.dir.join("data")];
        Subject {
            name: "Yubin",
            smtp: self.smtp,
            imap: self.imap,
            pop3: self.pop3,
            imaps: Some((self.imaps, self.dir.join("certificate.pem"))),
            pids: vec![self.child.id()],
            data,
        }
    }

    /// Ends it and starts it again, on the same data and the same ports.
    pub fn restart(&mut self) -> Result<()> {
        crate::process::terminate(self.child.id())?;
        self.child.wait()?;
        let _ = std::fs::remove_file(self.dir.join("data/admin.sock"));
        self.child = serve(&self.binary, &self.dir)?;
        self.wait()
    }

    pub fn stop(mut self) -> Result<()> {
        crate::process::terminate(self.child.id())?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        let patience = Instant::now() + Duration::from_secs(30);
        let admin = self.dir.join("data/admin.sock");
        while !admin.exists() || std::net::TcpStream::connect(("127.0.0.1", self.imap)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}; see {}", self.dir.join("server.log").display());
            }
            if Instant::now() > patience {
                bail!("the server did not get ready");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn admin(&self, words: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.binary);
        command.args(words).arg("--json").arg("--config").arg(self.dir.join("yubin.toml"));
        let output = command.stdin(Stdio::null()).output().context("start yubin")?;
        if !output.status.success() {
            bail!(
                "yubin {}: {}{}",
                words.join(" "),
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }
}

impl Drop for Yubin {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn serve(binary: &Path, dir: &Path) -> Result<Child> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("server.log"))?;
    let mut serve = Command::new(binary);
    serve.arg("serve").arg("--config").arg(dir.join("yubin.toml"));
    Ok(serve.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?)
}

/// A certificate for this run.
fn make_certificate(dir: &Path) -> Result<()> {
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout"])
        .arg(dir.join("key.pem"))
        .arg("-out")
        .arg(dir.join("certificate.pem"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    crate::workspace::run(&mut openssl)
}

/// A port that nobody had a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
