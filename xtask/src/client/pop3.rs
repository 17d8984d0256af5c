//! A POP3 client that reads messages (RFC 1939).

use anyhow::{Result, bail};

use super::wire::{Security, Wire};

pub struct Pop3 {
    wire: Wire,
    line: Vec<u8>,
    message: Vec<u8>,
}

impl Pop3 {
    pub fn login(host: &str, port: u16, name: &str, password: &str) -> Result<Pop3> {
        let wire = Wire::connect(host, port, &Security::Plain)?;
        let mut pop3 = Pop3 { wire, line: Vec::new(), message: Vec::new() };
        pop3.expect_ok()?;
        pop3.say(&format!("USER {name}"))?;
        pop3.say(&format!("PASS {password}"))?;
        Ok(pop3)
    }

    /// RETR: the message without its stuffing.
    pub fn retrieve(&mut self, number: usize) -> Result<&[u8]> {
        self.say(&format!("RETR {number}"))?;
        self.message.clear();
        loop {
            let start = self.message.len();
            self.wire.line(&mut self.message)?;
            let line = self.message.get(start..).unwrap_or_default();
            if line == b".\r\n" {
                self.message.truncate(start);
                return Ok(&self.message);
            }
            if line.starts_with(b".") {
                self.message.remove(start);
            }
        }
    }

    pub fn quit(mut self) -> Result<()> {
        self.say("QUIT")
    }

    fn say(&mut self, command: &str) -> Result<()> {
        self.wire.send(format!("{command}\r\n").as_bytes())?;
        self.expect_ok()
    }

    fn expect_ok(&mut self) -> Result<()> {
        self.line.clear();
        self.wire.line(&mut self.line)?;
        if !self.line.starts_with(b"+OK") {
            bail!("{:?} where +OK was due", String::from_utf8_lossy(&self.line).trim_end());
        }
        Ok(())
    }
}
