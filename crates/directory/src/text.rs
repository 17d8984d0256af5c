//! What strangers typed, made safe for one log line. Never changes what is compared or stored.

use std::fmt;

/// Shows at most 128 characters, with control, format and other unprintable characters escaped.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        for c in characters.by_ref().take(128) {
            // escape_debug leaves printable characters alone, in every script; bidirectional controls are not printable.
            if c == '\'' {
                f.write_str("'")?;
            } else {
                write!(f, "{}", c.escape_debug())?;
            }
        }
        if characters.next().is_some() { f.write_str("…") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_stay_one_line_of_printable_text() {
        for (typed, shown) in [
            ("ann@example.test", "ann@example.test"),
            ("花子@例え.test", "花子@例え.test"),
            ("a\r\nb", "a\\r\\nb"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("\u{202e}gro", "\\u{202e}gro"),
            ("o'neill", "o'neill"),
        ] {
            assert_eq!(Escaped(typed).to_string(), shown);
        }
        assert_eq!(Escaped(&"x".repeat(1000)).to_string().chars().count(), 129);
    }
}
