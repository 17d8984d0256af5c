//! An IMAP client for load: it sends whole commands and hands each response, with its literals, to the caller.

use anyhow::{Context as _, Result, bail};

use super::wire::{Security, Wire};

/// One response of the server, its literals in place.
#[derive(Debug, Default)]
pub struct Response {
    pub octets: Vec<u8>,
    /// Where each literal begins and how long it is.
    literals: Vec<(usize, usize)>,
}

impl Response {
    /// The literals, in order.
    pub fn literals(&self) -> impl Iterator<Item = &[u8]> {
        self.literals.iter().filter_map(|(at, octets)| self.octets.get(*at..at + octets))
    }

    /// `* 23 EXISTS`: the number before this word.
    pub fn number_before(&self, word: &str) -> Option<u64> {
        let text = self.octets.strip_prefix(b"* ")?;
        let (number, rest) = split_number(text)?;
        let rest = rest.strip_prefix(b" ")?;
        rest.starts_with(word.as_bytes()).then_some(number)
    }

    /// `UID 17` anywhere: the number after this word.
    pub fn number_after(&self, word: &str) -> Option<u64> {
        let at = find(&self.octets, word.as_bytes())? + word.len();
        let rest = self.octets.get(at..)?;
        split_number(rest.strip_prefix(b" ").unwrap_or(rest)).map(|(number, _)| number)
    }

    pub fn has(&self, word: &str) -> bool {
        find(&self.octets, word.as_bytes()).is_some()
    }

    /// The start of it, for messages.
    pub fn shown(&self) -> String {
        let head = self.octets.get(..self.octets.len().min(200)).unwrap_or_default();
        String::from_utf8_lossy(head).trim_end().to_owned()
    }
}

pub struct Imap {
    wire: Wire,
    tag: u32,
    response: Response,
    capabilities: String,
}

impl Imap {
    pub fn login(host: &str, port: u16, security: &Security, name: &str, password: &str) -> Result<Imap> {
        Imap::begin(Wire::connect(host, port, security)?, name, password)
    }

    /// Logs in from an address of our own: one address has too few ports for ten thousand connections.
    pub fn login_from(
        from: &str,
        host: &str,
        port: u16,
        security: &Security,
        name: &str,
        password: &str,
    ) -> Result<Imap> {
        Imap::begin(Wire::connect_from(from, host, port, security)?, name, password)
    }

    fn begin(wire: Wire, name: &str, password: &str) -> Result<Imap> {
        let mut imap = Imap { wire, tag: 0, response: Response::default(), capabilities: String::new() };
        imap.read()?;
        if !imap.response.octets.starts_with(b"* OK") {
            bail!("greeted with {}", imap.response.shown());
        }
        imap.run(&format!("LOGIN \"{name}\" \"{password}\""))?;
        let mut capabilities = String::new();
        imap.each("CAPABILITY", |response| {
            if response.octets.starts_with(b"* CAPABILITY") {
                let list = String::from_utf8_lossy(&response.octets).trim_end().to_ascii_uppercase();
                capabilities = format!(" {list} ");
            }
        })?;
        imap.capabilities = capabilities;
        Ok(imap)
    }

    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.contains(&format!(" {capability} "))
    }

    /// Runs a command and expects OK; the text of that line.
    pub fn run(&mut self, command: &str) -> Result<String> {
        self.each(command, |_| ())
    }

    /// Runs a command, hands each untagged response to `see`, and expects OK; the text of that line.
    pub fn each(&mut self, command: &str, see: impl FnMut(&Response)) -> Result<String> {
        let tag = self.next_tag();
        self.wire.send(format!("{tag} {command}\r\n").as_bytes())?;
        self.finish(&tag, command, see)
    }

    /// Appends a message. The text of the OK line holds `APPENDUID`.
    pub fn append(&mut self, mailbox: &str, flags: &str, message: &[u8]) -> Result<String> {
        let tag = self.next_tag();
        let plus = self.has("LITERAL+") || (self.has("LITERAL-") && message.len() <= 4096);
        let mut out = format!(
            "{tag} APPEND \"{mailbox}\" ({flags}) {{{}{}}}\r\n",
            message.len(),
            if plus { "+" } else { "" }
        )
        .into_bytes();
        if !plus {
            self.wire.send(&out)?;
            out.clear();
            self.read()?;
            while self.response.octets.starts_with(b"* ") {
                self.read()?;
            }
            if !self.response.octets.starts_with(b"+") {
                bail!("APPEND answered with {}", self.response.shown());
            }
        }
        out.extend_from_slice(message);
        out.extend_from_slice(b"\r\n");
        self.wire.send(&out)?;
        self.finish(&tag, "APPEND", |_| ())
    }

    /// Appends many messages at once (RFC 3502), for filling mailboxes quickly.
    pub fn append_many<'a>(&mut self, mailbox: &str, messages: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        if !self.has("MULTIAPPEND") || !self.has("LITERAL+") {
            bail!("filling a mailbox needs MULTIAPPEND and LITERAL+");
        }
        let tag = self.next_tag();
        let mut out = format!("{tag} APPEND \"{mailbox}\"").into_bytes();
        for message in messages {
            out.extend_from_slice(format!(" {{{}+}}\r\n", message.len()).as_bytes());
            out.extend_from_slice(message);
        }
        out.extend_from_slice(b"\r\n");
        self.wire.send(&out)?;
        self.finish(&tag, "APPEND", |_| ()).map(drop)
    }

    /// Selects a mailbox: how many messages there are, and UIDVALIDITY.
    pub fn select(&mut self, mailbox: &str, verb: &str) -> Result<Selected> {
        let mut selected = Selected::default();
        self.each(&format!("{verb} \"{mailbox}\""), |response| {
            if let Some(exists) = response.number_before("EXISTS") {
                selected.exists = exists;
            }
            if let Some(validity) = response.number_after("UIDVALIDITY") {
                selected.uid_validity = validity;
            }
            if let Some(next) = response.number_after("UIDNEXT") {
                selected.uid_next = next;
            }
        })?;
        Ok(selected)
    }

    /// Begins to wait (RFC 9051 §6.3.13).
    pub fn idle(&mut self) -> Result<()> {
        let tag = self.next_tag();
        self.wire.send(format!("{tag} IDLE\r\n").as_bytes())?;
        self.read()?;
        if !self.response.octets.starts_with(b"+") {
            bail!("IDLE answered with {}", self.response.shown());
        }
        Ok(())
    }

    /// Waits for a response with this word, while in IDLE. RECENT, which may follow EXISTS, is passed over.
    pub fn hears(&mut self, word: &str) -> Result<bool> {
        loop {
            self.read()?;
            if !self.response.has("RECENT") {
                return Ok(self.response.has(word));
            }
        }
    }

    /// How many messages a mailbox has, without selecting it.
    pub fn count(&mut self, mailbox: &str) -> Result<u64> {
        let mut messages = None;
        self.each(&format!("STATUS \"{mailbox}\" (MESSAGES)"), |response| {
            messages = response.number_after("MESSAGES").or(messages);
        })?;
        messages.context("STATUS told no number")
    }

    /// Empties a mailbox.
    pub fn empty(&mut self, mailbox: &str) -> Result<()> {
        if self.select(mailbox, "SELECT")?.exists > 0 {
            self.run("STORE 1:* +FLAGS.SILENT (\\Deleted)")?;
        }
        self.run("CLOSE").map(drop)
    }

    fn next_tag(&mut self) -> String {
        self.tag += 1;
        format!("t{}", self.tag)
    }

    fn finish(&mut self, tag: &str, command: &str, mut see: impl FnMut(&Response)) -> Result<String> {
        loop {
            self.read()?;
            let after_tag =
                self.response.octets.strip_prefix(tag.as_bytes()).and_then(|rest| rest.strip_prefix(b" "));
            match after_tag {
                None => see(&self.response),
                Some(text) if text.starts_with(b"OK") => {
                    return Ok(String::from_utf8_lossy(text).trim_end().to_owned());
                }
                Some(_) => {
                    let head: String = command.chars().take(60).collect();
                    bail!("{head} answered with {}", self.response.shown());
                }
            }
        }
    }

    /// One response with its literals.
    fn read(&mut self) -> Result<()> {
        self.response.octets.clear();
        self.response.literals.clear();
        loop {
            let line_start = self.response.octets.len();
            self.wire.line(&mut self.response.octets)?;
            let line = self.response.octets.get(line_start..).unwrap_or_default();
            let Some(octets) = literal_announced(line) else { return Ok(()) };
            self.response.literals.push((self.response.octets.len(), octets));
            self.wire.exactly(octets, &mut self.response.octets)?;
        }
    }
}

/// What SELECT tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selected {
    pub exists: u64,
    pub uid_validity: u64,
    pub uid_next: u64,
}

/// `[APPENDUID 38505 3955]` or `[COPYUID 38505 304 3956]` in an OK line: UIDVALIDITY and the UIDs after it.
pub fn response_code<'a>(line: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let (_, rest) = line.split_once(&format!("[{name} "))?;
    let (inside, _) = rest.split_once(']')?;
    Some(inside.split(' ').collect())
}

/// `{123}` at the end of a line.
pub fn literal_announced(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}\r\n")?;
    let at = line.iter().rposition(|octet| *octet == b'{')?;
    std::str::from_utf8(line.get(at + 1..)?).ok()?.parse().ok()
}

fn split_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let (number, rest) = text.split_at_checked(digits)?;
    Some((std::str::from_utf8(number).ok()?.parse().ok()?, rest))
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(text: &str) -> Response {
        Response { octets: text.as_bytes().to_vec(), literals: Vec::new() }
    }

    #[test]
    fn numbers_are_found() {
        assert_eq!(response("* 23 EXISTS\r\n").number_before("EXISTS"), Some(23));
        assert_eq!(response("* 23 RECENT\r\n").number_before("EXISTS"), None);
        assert_eq!(response("* OK [UIDVALIDITY 7] ok\r\n").number_after("UIDVALIDITY"), Some(7));
        assert_eq!(response("* STATUS x (MESSAGES 4)\r\n").number_after("MESSAGES"), Some(4));
    }

    #[test]
    fn literals_and_codes_are_found() {
        assert_eq!(literal_announced(b"* 1 FETCH (BODY[] {12}\r\n"), Some(12));
        assert_eq!(literal_announced(b"* 1 FETCH (FLAGS ())\r\n"), None);
        assert_eq!(response_code("OK [APPENDUID 7 12] done", "APPENDUID"), Some(vec!["7", "12"]));
        assert_eq!(response_code("OK done", "APPENDUID"), None);
    }
}
