//! Log lines: human or JSON, on standard error, one line each, at most 4 KiB, with every control character escaped.
//! Counts each event for the metrics.

use std::{
    fmt::{self, Write as _},
    io::Write as _,
    sync::Arc,
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, filter::LevelFilter, layer::Context, prelude::*};

use crate::{
    clock,
    config::{LogFormat, LogLevel},
    metrics::Metrics,
};

/// The most octets of one line.
const LINE_OCTETS: usize = 4_096;

/// Starts logging. Called once.
pub fn start(format: LogFormat, level: LogLevel, metrics: Arc<Metrics>) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let subscriber = tracing_subscriber::registry().with(Lines { format, level, metrics });
    // A second start in one process (tests) keeps the first.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

struct Lines {
    format: LogFormat,
    level: LevelFilter,
    metrics: Arc<Metrics>,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        // Libraries' own lines are not part of the catalogue.
        metadata.target() == "yubin"
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.metrics.event(&fields.event);
        if *event.metadata().level() > self.level {
            return;
        }
        let mut line = match self.format {
            LogFormat::Human => human(*event.metadata().level(), &fields),
            LogFormat::Json => json(*event.metadata().level(), &fields),
        };
        line.push('\n');
        // Nowhere is left to report that standard error is gone.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

#[derive(Default)]
struct Fields {
    event: String,
    others: Vec<(&'static str, Text)>,
}

/// A field's value.
struct Text {
    text: String,
    /// A number or a truth value: JSON writes it bare.
    bare: bool,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned(), false);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.to_string(), true);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.to_string(), true);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.to_string(), true);
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"), false);
    }
}

impl Fields {
    fn put(&mut self, field: &Field, text: String, bare: bool) {
        match field.name() {
            "event" => self.event = text,
            name => self.others.push((name, Text { text, bare })),
        }
    }
}

fn human(level: Level, fields: &Fields) -> String {
    let mut line = format!("{} {:5} {}", timestamp(), level, fields.event);
    for (name, Text { text: value, .. }) in &fields.others {
        let _ = write!(line, " {name}=");
        let plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '=');
        if plain {
            line.push_str(value);
        } else {
            quoted(&mut line, value);
        }
    }
    shorten(line)
}

fn json(level: Level, fields: &Fields) -> String {
    let mut line = format!(
        "{{\"time\":\"{}\",\"level\":\"{}\",\"event\":",
        timestamp(),
        level.as_str().to_ascii_lowercase()
    );
    quoted(&mut line, &fields.event);
    let room = LINE_OCTETS / (fields.others.len() + 1);
    for (name, Text { text: value, bare }) in &fields.others {
        let _ = write!(line, ",\"{name}\":");
        if *bare {
            line.push_str(value);
            continue;
        }
        // Shortened value by value, so that the line stays JSON.
        let mut short = value.clone();
        if short.len() > room / 6 && line.len() + short.len() > LINE_OCTETS / 2 {
            short.truncate(floor_boundary(&short, room / 6));
        }
        quoted(&mut line, &short);
    }
    line.push('}');
    line
}

/// A quoted string that is JSON, and safe on a terminal: no control, bidirectional or separator characters pass.
fn quoted(line: &mut String, value: &str) {
    line.push('"');
    for c in value.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            c if c.is_control() || is_trickery(c) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
            c => line.push(c),
        }
    }
    line.push('"');
}

fn is_trickery(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn shorten(mut line: String) -> String {
    if line.len() > LINE_OCTETS {
        line.truncate(floor_boundary(&line, LINE_OCTETS - 4));
        line.push_str(" ...");
    }
    line
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    while at > 0 && !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn timestamp() -> String {
    jiff::Timestamp::from_millisecond(clock::now().0 as i64).map(|t| format!("{t:.3}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: &str) -> Fields {
        Fields {
            event: "smtp.rejected".into(),
            others: vec![
                ("helo", Text { text: value.to_owned(), bare: false }),
                ("octets", Text { text: "12".into(), bare: true }),
            ],
        }
    }

    #[test]
    fn nothing_a_peer_says_breaks_a_line_or_a_terminal() {
        let evil = "x\r\n2026 INFO fake\u{1b}[31m\u{202e}\u{2028}\"";
        for text in [human(Level::INFO, &line(evil)), json(Level::INFO, &line(evil))] {
            assert!(text.chars().all(|c| !c.is_control() && !is_trickery(c)), "{text}");
        }
        let parsed: serde_json::Value = serde_json::from_str(&json(Level::INFO, &line(evil))).unwrap();
        assert_eq!(parsed["helo"], evil);
        assert_eq!(parsed["octets"], 12);
    }

    #[test]
    fn lines_are_short() {
        let long = "あ".repeat(100_000);
        assert!(human(Level::WARN, &line(&long)).len() <= LINE_OCTETS);
        let json = json(Level::WARN, &line(&long));
        assert!(json.len() <= LINE_OCTETS, "{}", json.len());
        serde_json::from_str::<serde_json::Value>(&json).expect("still JSON");
    }
}
