//! Texts that a client chose, made fit for a log line (S22).

use std::fmt::Write;

use crate::limits::LOGGED_TEXT_OCTETS;

/// The text with everything escaped that could leave its line, move a terminal's cursor or reorder its neighbours; cut to
/// [`LOGGED_TEXT_OCTETS`].
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(LOGGED_TEXT_OCTETS));
    for c in text.chars() {
        if shown.len() >= LOGGED_TEXT_OCTETS {
            shown.push('…');
            break;
        }
        if c == '\\' || is_harmful(c) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Controls, line and paragraph separators, bidirectional and invisible format characters.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_break_a_log_line_is_escaped() {
        let check = |text: &str, expected: &str| assert_eq!(shown(text), expected);
        check("ann@example.test", "ann@example.test");
        check("a\r\nb", "a\\r\\nb");
        check("\u{1b}[2J", "\\u{1b}[2J");
        check("\u{202e}cod", "\\u{202e}cod");
        check("山", "山");
        check("a\\nb", "a\\\\nb");
        assert!(shown(&"a".repeat(1_000_000)).len() <= LOGGED_TEXT_OCTETS + 3);
    }
}
