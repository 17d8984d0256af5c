//! The server under test: started with `yubin dev --json --ephemeral`, stopped or killed by process id.
//! Never assumes a port: the server takes free ones and tells them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// What `yubin dev --json` prints when it is ready.
#[derive(Clone, Debug, Deserialize)]
pub struct Ready {
    pub host: String,
    pub ports: Ports,
    pub accounts: Vec<Account>,
    pub certificate: PathBuf,
    pub admin_socket: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Ports {
    pub smtp: u16,
    pub lmtp: u16,
    pub imaps: u16,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Account {
    pub name: String,
    pub password: String,
}

/// A running server. Ends with its owner.
pub struct Server {
    child: Child,
    pub ready: Ready,
    /// From the start of the process to its word that it is ready.
    pub start_took: Duration,
    binary: PathBuf,
}

impl Server {
    /// Starts the binary on a data folder and waits until it is ready. What it logs goes to `log`.
    pub fn start(binary: &Path, data: &Path, log: &Path) -> Result<Server> {
        let log_file = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        let begun = Instant::now();
        let mut child = Command::new(binary)
            .args(["dev", "--json", "--ephemeral", "--data"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        let stdout = child.stdout.take().context("the server has no standard output")?;
        match first_object(stdout, Duration::from_secs(60)) {
            Ok(ready) => {
                Ok(Server { child, ready, start_took: begun.elapsed(), binary: binary.to_path_buf() })
            }
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error.context(format!("the server did not get ready; see {}", log.display())))
            }
        }
    }

    /// The process that we started.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end, and waits.
    pub fn stop(&mut self) -> Result<()> {
        crate::process::terminate(self.pid())?;
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                if !status.success() {
                    bail!("the server ended with {status}");
                }
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill()?;
        bail!("the server did not end within 30 s of SIGTERM")
    }

    /// Runs the admin command line against this server and parses what it prints.
    pub fn admin(&self, words: &[&str]) -> Result<serde_json::Value> {
        let output = Command::new(&self.binary)
            .args(words)
            .arg("--json")
            .arg("--socket")
            .arg(&self.ready.admin_socket)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("start yubin {}", words.join(" ")))?;
        if !output.status.success() {
            bail!(
                "yubin {}: {}: {}{}",
                words.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        if output.stdout.is_empty() {
            return Ok(serde_json::Value::Null);
        }
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("yubin {} --json printed no JSON", words.join(" ")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits for one JSON object, then goes on draining the stream so that the server never blocks on it.
fn first_object(mut stdout: impl Read + Send + 'static, patience: Duration) -> Result<Ready> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let first = serde_json::Deserializer::from_reader(&mut stdout).into_iter::<Ready>().next();
        let _ = tell.send(first);
        let _ = std::io::copy(&mut stdout, &mut std::io::sink());
    });
    match told.recv_timeout(patience) {
        Ok(Some(Ok(ready))) => Ok(ready),
        Ok(Some(Err(error))) => {
            Err(anyhow::Error::new(error).context("its first output is not the promised object"))
        }
        Ok(None) => bail!("it ended without a word"),
        Err(_) => bail!("no word for {} s", patience.as_secs()),
    }
}
