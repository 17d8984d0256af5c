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
}

impl Yubin {
    pub fn start(binary: &Path, dir: &Path) -> Result<Yubin> {
        std::fs::create_dir_all(dir)?;
        let (smtp, imap) = (free_port()?, free_port()?);
        let configuration = dir.join("yubin.toml");
        std::fs::write(
            &configuration,
            format!(
                "[server]\nhostname = \"mx.{DOMAIN}\"\ndata = {data:?}\n\n[log]\nlevel = \"warn\"\n\n\
                 [limits]\nconnections_per_address = 5000\n\n[mail]\nplaintext_passwords = true\n\n\
                 [[listener]]\nprotocol = \"smtp\"\naddress = \"127.0.0.1:{smtp}\"\n\n\
                 [[listener]]\nprotocol = \"imap\"\naddress = \"127.0.0.1:{imap}\"\n",
                data = dir.join("data"),
            ),
        )?;
        let log = std::fs::File::create(dir.join("server.log"))?;
        let mut serve = Command::new(binary);
        serve.arg("serve").arg("--config").arg(&configuration);
        let child = serve.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut yubin = Yubin { child, binary: binary.to_path_buf(), dir: dir.to_path_buf(), smtp, imap };
        yubin.wait()?;
        yubin.admin(&["domain", "add", DOMAIN])?;
        for number in 0..ACCOUNTS {
            yubin.admin(&["account", "add", &account(number), "--password", PASSWORD])?;
        }
        Ok(yubin)
    }

    pub fn subject(&self) -> Subject {
        let data = vec![self.dir.join("data")];
        Subject { name: "Yubin", smtp: self.smtp, imap: self.imap, pids: vec![self.child.id()], data }
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

/// A port that nobody had a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
