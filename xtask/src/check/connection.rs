//! One connection of the checker, with a memory of what was said on it.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Result;

use crate::client::wire::{Security, Wire};

/// Lines that are kept for the report of a violation.
const TRAIL_LINES: usize = 120;
const TRAIL_LINE_OCTETS: usize = 400;

pub struct Connection {
    wire: Wire,
    trail: VecDeque<String>,
}

impl Connection {
    pub fn open(port: u16) -> Result<Connection> {
        let mut connection =
            Connection { wire: Wire::connect("127.0.0.1", port, &Security::Plain)?, trail: VecDeque::new() };
        connection.read()?;
        Ok(connection)
    }

    pub fn send(&mut self, octets: &[u8]) -> Result<()> {
        // Commands, not the messages within them.
        let is_command = |line: &&[u8]| match line {
            [b't', digit, ..] => digit.is_ascii_digit(),
            line => line.starts_with(b"DONE"),
        };
        for line in octets.split(|octet| *octet == b'\n').filter(is_command) {
            self.remember("C: ", line);
        }
        self.wire.send(octets)
    }

    /// One response with its literals.
    pub fn read(&mut self) -> Result<Vec<u8>> {
        let mut octets = Vec::new();
        loop {
            let line_start = octets.len();
            self.wire.line(&mut octets)?;
            let line = octets.get(line_start..).unwrap_or_default();
            let Some(length) = crate::client::imap::literal_announced(line) else { break };
            self.wire.exactly(length, &mut octets)?;
        }
        self.remember("S: ", &octets);
        Ok(octets)
    }

    /// Whether the server says something within this time.
    pub fn ready(&mut self, patience: Duration) -> Result<bool> {
        self.wire.ready(patience)
    }

    pub fn trail(&self) -> String {
        self.trail.iter().map(|line| format!("    {line}\n")).collect()
    }

    fn remember(&mut self, who: &str, octets: &[u8]) {
        if self.trail.len() == TRAIL_LINES {
            self.trail.pop_front();
        }
        let head = octets.get(..octets.len().min(TRAIL_LINE_OCTETS)).unwrap_or_default();
        let more = if octets.len() > TRAIL_LINE_OCTETS { "…" } else { "" };
        self.trail.push_back(format!("{who}{}{more}", String::from_utf8_lossy(head).trim_end()));
    }
}
