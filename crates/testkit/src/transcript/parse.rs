//! Reads a transcript into steps. The format stands in the module above.

use yubin_base::Farewell;

/// One line of a transcript that does something.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// From 1.
    pub line: usize,
    pub what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Given(String),
    Send(usize, Text),
    Connect(usize, String),
    ClientClose(usize),
    Farewell(usize, Farewell),
    Expect(usize, Expected),
    Clock(u64),
    Crash,
}

/// What a client sends.
#[derive(Clone, Debug)]
pub(super) enum Text {
    /// With captures to put in, and CRLF to add.
    Line(String),
    /// As it is.
    Raw(Vec<u8>),
}

/// What is expected of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Line(String),
    Mark(Mark),
}

/// What a server does besides talking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Close,
    StartTls,
    Compress,
    Uncompress,
    Delay(u32),
}

impl Mark {
    pub fn written(self) -> String {
        match self {
            Self::Close => "close".into(),
            Self::StartTls => "starttls".into(),
            Self::Compress => "compress".into(),
            Self::Uncompress => "uncompress".into(),
            Self::Delay(ms) => format!("delay {ms}"),
        }
    }
}

/// A whole file.
pub(super) struct Script {
    pub steps: Vec<Step>,
    /// The modes named by `only`; empty for all.
    pub only: Vec<String>,
}

/// Reads the text. The error names the line.
pub(super) fn parse(text: &str) -> Result<Script, (usize, String)> {
    let mut script = Script { steps: Vec::new(), only: Vec::new() };
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = strip_comment(line);
        if line.trim().is_empty() {
            continue;
        }
        if let Some(modes) = line.strip_prefix("only ") {
            script.only.extend(modes.split_whitespace().map(str::to_owned));
            continue;
        }
        let what = parse_line(line).map_err(|why| (number, why))?;
        script.steps.push(Step { line: number, what });
    }
    Ok(script)
}

fn strip_comment(line: &str) -> &str {
    if line.starts_with('#') {
        return "";
    }
    line.split_once("  # ").map_or(line, |(before, _)| before.trim_end())
}

fn parse_line(line: &str) -> Result<What, String> {
    if let Some(given) = line.strip_prefix("given ") {
        return Ok(What::Given(given.to_owned()));
    }
    if line == "crash" {
        return Ok(What::Crash);
    }
    if let Some(by) = line.strip_prefix("@ +") {
        return parse_duration(by).map(What::Clock).ok_or_else(|| format!("no duration: {by}"));
    }
    let side_at = line.find(['C', 'S']).ok_or("neither C nor S nor anything else known")?;
    let (number, rest) = line.split_at(side_at);
    let session: usize = if number.is_empty() {
        1
    } else {
        number.parse().map_err(|_| format!("no session number: {number}"))?
    };
    let (head, text) = rest.split_at_checked(2).ok_or("nothing behind the side")?;
    let text = text.strip_prefix(' ').unwrap_or(text);
    match head {
        "C:" => Ok(What::Send(session, Text::Line(text.to_owned()))),
        "C~" => unescape(text)
            .map(|raw| What::Send(session, Text::Raw(raw)))
            .ok_or_else(|| format!("bad escape: {text}")),
        "C!" => parse_client_act(session, text),
        "S:" => Ok(What::Expect(session, Expected::Line(text.to_owned()))),
        "S!" => parse_mark(text).map(|mark| What::Expect(session, Expected::Mark(mark))),
        _ => Err(format!("unknown line: {line}")),
    }
}

fn parse_client_act(session: usize, text: &str) -> Result<What, String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match (word, rest) {
        ("connect", listener) => Ok(What::Connect(session, listener.to_owned())),
        ("close", "") => Ok(What::ClientClose(session)),
        ("farewell", "timeout") => Ok(What::Farewell(session, Farewell::Timeout)),
        ("farewell", "shutdown") => Ok(What::Farewell(session, Farewell::Shutdown)),
        ("farewell", "too-long") => Ok(What::Farewell(session, Farewell::InputTooLong)),
        ("farewell", "too-busy") => Ok(What::Farewell(session, Farewell::TooBusy)),
        ("farewell", "inflate") => Ok(What::Farewell(session, Farewell::Inflate)),
        ("farewell", "internal") => Ok(What::Farewell(session, Farewell::Internal)),
        _ => Err(format!("unknown act: {text}")),
    }
}

fn parse_mark(text: &str) -> Result<Mark, String> {
    match text.split_once(' ').unwrap_or((text, "")) {
        ("close", "") => Ok(Mark::Close),
        ("starttls", "") => Ok(Mark::StartTls),
        ("compress", "") => Ok(Mark::Compress),
        ("uncompress", "") => Ok(Mark::Uncompress),
        ("delay", ms) => ms.parse().map(Mark::Delay).map_err(|_| format!("no milliseconds: {ms}")),
        _ => Err(format!("unknown mark: {text}")),
    }
}

fn parse_duration(text: &str) -> Option<u64> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(at);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    count.parse::<u64>().ok()?.checked_mul(unit_ms)
}

/// Resolves the escapes of `C~`.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let Some(escape) = rest.strip_prefix('\\') else {
            octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            rest = rest.get(c.len_utf8()..)?;
            continue;
        };
        if let Some(repetition) = escape.strip_prefix("*{") {
            let (count, after) = repetition.split_once("}{")?;
            let (unit, after) = after.split_once('}')?;
            octets.extend_from_slice(&unescape(unit)?.repeat(count.parse().ok()?));
            rest = after;
            continue;
        }
        let (octet, used) = match escape.chars().next()? {
            'r' => (b'\r', 1),
            'n' => (b'\n', 1),
            't' => (b'\t', 1),
            '0' => (0, 1),
            '\\' => (b'\\', 1),
            'x' => (u8::from_str_radix(escape.get(1..3)?, 16).ok()?, 3),
            _ => return None,
        };
        octets.push(octet);
        rest = escape.get(used..)?;
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_octets() {
        assert_eq!(unescape("a\\r\\n\\x00\\\\山"), Some("a\r\n\0\\山".as_bytes().to_vec()));
        assert_eq!(unescape("\\*{3}{a\\n}b"), Some(b"a\na\na\nb".to_vec()));
        assert_eq!(unescape("\\q"), None);
        assert_eq!(unescape("\\x4"), None);
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("29m"), Some(1_740_000));
        assert_eq!(parse_duration("5ms"), Some(5));
        assert_eq!(parse_duration("5"), None);
        assert_eq!(parse_duration("m"), None);
    }

    #[test]
    fn lines_that_mean_nothing_are_told() {
        let wrong = |text: &str| parse(text).err().map(|(line, _)| line);
        assert_eq!(wrong("C: a\n\nX: b"), Some(3));
        assert_eq!(wrong("S! explode"), Some(1));
        assert_eq!(wrong("@ +1y"), Some(1));
        assert_eq!(wrong("C: a  # why\n# b\n2S: …\ngiven x\nonly lines\ncrash"), None);
    }
}
