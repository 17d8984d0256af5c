//! An SMTP and LMTP client that says nothing but what a sender must.

use anyhow::{Context as _, Result, bail};

use super::wire::{Security, Wire};

/// How the peer is greeted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Smtp,
    Lmtp,
}

pub struct Smtp {
    wire: Wire,
    line: Vec<u8>,
    dialect: Dialect,
}

impl Smtp {
    pub fn connect(host: &str, port: u16, dialect: Dialect) -> Result<Smtp> {
        let mut smtp = Smtp { wire: Wire::connect(host, port, &Security::Plain)?, line: Vec::new(), dialect };
        smtp.expect("220")?;
        let greeting: &[u8] = match dialect {
            Dialect::Smtp => b"EHLO load.example.org\r\n",
            Dialect::Lmtp => b"LHLO load.example.org\r\n",
        };
        smtp.say(greeting, "250")?;
        Ok(smtp)
    }

    /// Says who sends and who receives, up to the point where the message is due.
    pub fn begin(&mut self, reverse_path: &str, forward_paths: &[&str]) -> Result<()> {
        self.say(format!("MAIL FROM:<{reverse_path}>\r\n").as_bytes(), "250")?;
        for forward_path in forward_paths {
            self.say(format!("RCPT TO:<{forward_path}>\r\n").as_bytes(), "250")?;
        }
        self.say(b"DATA\r\n", "354")
    }

    /// Sends the message, already dot-stuffed and closed ([`stuffed`]). `Ok` means that it was acknowledged;
    /// LMTP acknowledges for each recipient (RFC 2033 §4.2), and only all of them are `Ok`.
    pub fn finish(&mut self, recipients: usize, data: &[u8]) -> Result<()> {
        self.say(data, "250")?;
        if self.dialect == Dialect::Lmtp {
            for _ in 1..recipients {
                self.expect("250")?;
            }
        }
        Ok(())
    }

    pub fn quit(mut self) -> Result<()> {
        self.say(b"QUIT\r\n", "221")
    }

    fn say(&mut self, octets: &[u8], code: &str) -> Result<()> {
        self.wire.send(octets)?;
        self.expect(code).with_context(|| {
            let head = octets.get(..octets.len().min(60)).unwrap_or(octets);
            format!("after {:?}", String::from_utf8_lossy(head))
        })
    }

    fn expect(&mut self, code: &str) -> Result<()> {
        loop {
            self.line.clear();
            self.wire.line(&mut self.line)?;
            if self.line.get(3) != Some(&b'-') {
                break;
            }
        }
        if !self.line.starts_with(code.as_bytes()) {
            bail!("{:?} where {code} was due", String::from_utf8_lossy(&self.line).trim_end());
        }
        Ok(())
    }
}

/// A message as DATA carries it: RFC 5321 §4.5.2.
pub fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    let mut at_line_start = true;
    for octet in message {
        if at_line_start && *octet == b'.' {
            out.push(b'.');
        }
        out.push(*octet);
        at_line_start = *octet == b'\n';
    }
    if !at_line_start {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_stuffed_and_the_end_is_marked() {
        for (message, expected) in
            [("a\r\n", "a\r\n.\r\n"), (".a\r\n..\r\n", "..a\r\n...\r\n.\r\n"), ("a", "a\r\n.\r\n")]
        {
            assert_eq!(stuffed(message.as_bytes()), expected.as_bytes(), "{message:?}");
        }
    }
}
