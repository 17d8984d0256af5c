//! Cuts folded text into terms. A term is always a piece of the text as it stands, so a text has what its terms have; and whatever
//! a text has that is not all separators left terms behind. Pure.
//!
//! - A **word**: letters and digits between separators, if it looks like one that comes again.
//! - A **gram**: of other runs of letters and digits (Message-IDs, keys, numbers, very long words) every three characters.
//! - A **pair**: of scripts without spaces, and of symbols, every two characters; of a single one, itself.

/// How a term came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Word = 0,
    Gram = 1,
    Pair = 2,
}

/// Characters of a gram.
pub(crate) const GRAM: usize = 3;
/// A longer run is no word.
const WORD_CHARS: usize = 20;
/// A longer run of digits, or of digits and letters, is no word: there is no end of them.
const DIGITS: usize = 8;
const MIXED: usize = 6;
/// A run so long is cut into grams before it ends.
const RUN_OCTETS: usize = 256;

/// What a character is to the cutter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Separator,
    Letter,
    Lone,
}

fn class(c: char) -> Class {
    match c {
        'a'..='z' | '0'..='9' => Class::Letter,
        '\0'..='\x7f' => Class::Separator,
        // Spaces, and punctuation that is everywhere.
        '\u{80}'..='\u{a0}'
        | '\u{2000}'..='\u{2027}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{3000}'..='\u{3003}'
        | '\u{fffd}' => Class::Separator,
        // Scripts without spaces between words: Thai to Khmer, kana, Han, Hangul.
        '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1100}'..='\u{11ff}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}' => Class::Lone,
        _ if c.is_alphanumeric() => Class::Letter,
        _ => Class::Lone,
    }
}

/// A run of characters of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) text: String,
    pub(crate) lone: bool,
}

/// The runs of a text that is in memory, and whether it begins and ends with a separator.
pub(crate) fn runs(text: &str) -> (Vec<Run>, bool, bool) {
    let mut runs: Vec<Run> = Vec::new();
    let (mut before, mut first) = (Class::Separator, None);
    for c in text.chars() {
        let class = class(c);
        first.get_or_insert(class);
        if class != Class::Separator {
            match runs.last_mut().filter(|_| class == before) {
                Some(run) => run.text.push(c),
                None => runs.push(Run { text: c.into(), lone: class == Class::Lone }),
            }
        }
        before = class;
    }
    (runs, first == Some(Class::Separator), before == Class::Separator)
}

/// Whether a run of letters and digits is a word.
pub(crate) fn is_word(run: &str) -> bool {
    let (mut chars, mut digits) = (0usize, 0usize);
    for c in run.chars() {
        chars += 1;
        digits += usize::from(c.is_numeric());
        if chars > WORD_CHARS {
            return false;
        }
    }
    chars < GRAM
        || match digits {
            0 => true,
            _ if digits == chars => chars <= DIGITS,
            _ => chars <= MIXED,
        }
}

/// Every `size` characters that stand side by side.
pub(crate) fn grams(run: &str, size: usize) -> impl Iterator<Item = &str> {
    let ends = run.char_indices().map(|(at, c)| at + c.len_utf8()).skip(size - 1);
    run.char_indices().map(|(at, _)| at).zip(ends).filter_map(|(from, to)| run.get(from..to))
}

/// Cuts a text that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    run: String,
    lone: bool,
    /// The beginning of the run has been cut off as grams.
    cut: bool,
}

impl Cutter {
    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: &str, term: &mut dyn FnMut(Kind, &str)) {
        for c in piece.chars() {
            match class(c) {
                Class::Separator => self.end(term),
                class => {
                    let lone = class == Class::Lone;
                    if lone != self.lone {
                        self.end(term);
                        self.lone = lone;
                    }
                    self.run.push(c);
                    if self.run.len() > RUN_OCTETS {
                        self.shorten(term);
                    }
                }
            }
        }
    }

    /// The text has ended.
    pub(crate) fn end(&mut self, term: &mut dyn FnMut(Kind, &str)) {
        if self.run.is_empty() {
            return;
        }
        if self.lone {
            let mut pairs = grams(&self.run, 2).peekable();
            if pairs.peek().is_none() && !self.cut {
                term(Kind::Pair, &self.run);
            }
            pairs.for_each(|pair| term(Kind::Pair, pair));
        } else if !self.cut && is_word(&self.run) {
            term(Kind::Word, &self.run);
        } else {
            grams(&self.run, GRAM).for_each(|gram| term(Kind::Gram, gram));
        }
        self.run.clear();
        self.cut = false;
    }

    /// Gives the terms of a very long run so far, and keeps what the next ones begin with.
    fn shorten(&mut self, term: &mut dyn FnMut(Kind, &str)) {
        let (size, kind) = if self.lone { (2, Kind::Pair) } else { (GRAM, Kind::Gram) };
        grams(&self.run, size).for_each(|gram| term(kind, gram));
        let keep = self.run.char_indices().rev().nth(size - 2).map_or(0, |(at, _)| at);
        self.run.drain(..keep);
        self.cut = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Vec<(Kind, String)> {
        let (mut cutter, mut found) = (Cutter::default(), Vec::new());
        let mut take = |kind, term: &str| found.push((kind, term.to_owned()));
        for c in text.chars() {
            cutter.push(c.encode_utf8(&mut [0; 4]), &mut take);
        }
        cutter.end(&mut take);
        found
    }

    #[test]
    fn text_is_cut_by_what_stands_in_it() {
        let check = |text, expected: &[(Kind, &str)]| {
            let expected: Vec<_> = expected.iter().map(|(k, t)| (*k, (*t).to_owned())).collect();
            assert_eq!(terms(text), expected, "{text}");
        };
        use Kind::{Gram, Pair, Word};
        check("a fine day, 2024", &[(Word, "a"), (Word, "fine"), (Word, "day"), (Word, "2024")]);
        check("東京都x1、山", &[(Pair, "東京"), (Pair, "京都"), (Word, "x1"), (Pair, "山")]);
        check("a1b2c3d", &[(Gram, "a1b"), (Gram, "1b2"), (Gram, "b2c"), (Gram, "2c3"), (Gram, "c3d")]);
        check("★", &[(Pair, "★")]);
        check("привет", &[(Word, "привет")]);
        assert_eq!(terms(&"x".repeat(1_000)).len(), 998);
        assert_eq!(terms(&"山".repeat(1_000)).len(), 999);
    }

    #[test]
    fn runs_say_where_they_are_open() {
        let (found, first, last) = runs("foo bar株 ");
        let texts: Vec<_> = found.iter().map(|r| (r.text.as_str(), r.lone)).collect();
        assert_eq!(texts, [("foo", false), ("bar", false), ("株", true)]);
        assert_eq!((first, last), (false, true));
    }
}
