//! Folding of text for search: the same for what is sought and for where it is sought, so that searching is exact.
//! Never changes what is stored or shown. Unicode UAX #15 (NFKC) and case folding by way of upper case.

use unicode_normalization::{
    IsNormalized, UnicodeNormalization, char::canonical_combining_class, is_nfkc_quick,
};

use crate::limits::FOLD_HELD_OCTETS;

/// Folds text: case, compatibility forms (full and half width among them), hiragana and katakana are one each, and
/// characters that are not seen are left out. Folding twice changes nothing.
pub fn fold_for_search(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold_onto(text, &mut out);
    out
}

/// Folds text that comes in pieces, cut anywhere: what comes out is what [`fold_for_search`] makes of the whole.
/// Holds back only what the next piece may still change: the last character that nothing before it can combine with, and what
/// follows it.
#[derive(Clone, Debug, Default)]
pub struct SearchFolder {
    held: String,
}

impl SearchFolder {
    /// Takes the next piece and adds what is certain to `out`.
    pub fn push(&mut self, text: &str, out: &mut String) {
        // Usually the piece has such a character near its end, and the text before it needs no copy.
        match last_boundary(text) {
            Some(at) => {
                let (before, rest) = text.split_at_checked(at).unwrap_or((text, ""));
                self.held.push_str(if self.held.is_empty() { "" } else { before });
                if self.held.is_empty() {
                    fold_onto(before, out);
                } else {
                    self.finish(out);
                }
                self.held.push_str(rest);
            }
            None => self.held.push_str(text),
        }
        // No writing has that many marks on one character.
        if self.held.len() > FOLD_HELD_OCTETS {
            self.finish(out);
        }
    }

    /// The text has ended. The folder is ready for the next.
    pub fn finish(&mut self, out: &mut String) {
        fold_onto(&self.held, out);
        self.held.clear();
    }
}

/// Where the last character begins that nothing before it can combine with.
fn last_boundary(text: &str) -> Option<usize> {
    text.char_indices().rev().find(|(_, c)| begins_anew(*c)).map(|(at, _)| at)
}

/// Whether folding this character and what follows is the same whatever stands before.
fn begins_anew(c: char) -> bool {
    if simple(c).is_some() {
        return true;
    }
    let starts =
        |c: char| canonical_combining_class(c) == 0 && is_nfkc_quick(std::iter::once(c)) == IsNormalized::Yes;
    starts(c) && fold_slowly(c.encode_utf8(&mut [0; 4])).chars().next().is_some_and(starts)
}

/// What a character folds to that stays as it is beside any other such character.
fn simple(c: char) -> Option<char> {
    let up = |by: u32| char::from_u32((c as u32).wrapping_add(by));
    match c {
        'A'..='Z' => Some(c.to_ascii_lowercase()),
        '\0'..='\x7f' | 'ぁ'..='ゔ' | '一'..='鿿' => Some(c),
        // ァ to ヴ stand 0x60 above their hiragana.
        'ァ'..='ヴ' => up(0u32.wrapping_sub(0x60)),
        '、'..='〃' | '「'..='』' | '【' | '】' | '・' | 'ー' => Some(c),
        'à'..='ö' | 'ø'..='þ' | 'а'..='я' => Some(c),
        'À'..='Ö' | 'Ø'..='Þ' | 'А'..='Я' => up(0x20),
        _ => None,
    }
}

/// Folds to the end of `out`. What folds one by one is taken fast; one other character, and the whole takes the slow way.
fn fold_onto(text: &str, out: &mut String) {
    let before = out.len();
    let mut rest = text;
    while !rest.is_empty() {
        let ascii = rest.bytes().position(|octet| !octet.is_ascii()).unwrap_or(rest.len());
        let (plain, other) = rest.split_at_checked(ascii).unwrap_or((rest, ""));
        let from = out.len();
        out.push_str(plain);
        if let Some(added) = out.get_mut(from..) {
            added.make_ascii_lowercase();
        }
        rest = other;
        while let Some(c) = rest.chars().next().filter(|c| !c.is_ascii()) {
            let Some(folded) = simple(c) else {
                out.truncate(before);
                out.push_str(&fold_slowly(text));
                return;
            };
            out.push(folded);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
}

fn fold_slowly(text: &str) -> String {
    // Some characters fold to others that compose or fold again; a few rounds always settle.
    let mut folded = fold_once(text);
    for _ in 0..4 {
        let again = fold_once(&folded);
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

fn fold_once(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    if is_nfkc_quick(text.chars()) == IsNormalized::Yes {
        text.chars().for_each(|c| push_folded(c, &mut out));
    } else {
        text.nfkc().for_each(|c| push_folded(c, &mut out));
    }
    if is_nfkc_quick(out.chars()) == IsNormalized::Yes { out } else { out.nfkc().collect() }
}

fn push_folded(c: char, out: &mut String) {
    match c {
        'a'..='z' | ' ' | '0'..='9' | 'ぁ'..='ゖ' | '一'..='鿿' => out.push(c),
        'A'..='Z' => out.push(c.to_ascii_lowercase()),
        // ァ to ヶ, ヽ and ヾ stand 0x60 above their hiragana.
        'ァ'..='ヶ' | 'ヽ' | 'ヾ' => out.extend(char::from_u32(c as u32 - 0x60)),
        'ヷ' => out.push_str("わ\u{3099}"),
        'ヸ' => out.push_str("ゐ\u{3099}"),
        'ヹ' => out.push_str("ゑ\u{3099}"),
        'ヺ' => out.push_str("を\u{3099}"),
        // Not seen: soft hyphen, joiners, marks of direction, variation selectors, byte order mark.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e0fff}' => {}
        // By way of upper case ß is ss and the two forms of sigma are one.
        _ => c.to_uppercase().flat_map(char::to_lowercase).for_each(|c| out.push(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(one: &str, other: &str) {
        assert_eq!(fold_for_search(one), fold_for_search(other), "{one:?} {other:?}");
    }

    #[test]
    fn what_looks_alike_is_one() {
        check("Hello", "hELLO");
        check("Straße", "STRASSE");
        check("ΟΔΥΣΣΕΥΣ", "οδυσσευς");
        check("ＡＢＣ１２３", "abc123");
        check("ﾃｽﾄ", "テスト");
        check("ﾊﾟﾝﾀﾞ", "ぱんだ");
        check("カタカナ", "かたかな");
        check("が", "か\u{3099}");
        check("ヷ", "ワ\u{3099}");
        check("①", "1");
        check("㈱", "(株)");
        check("café", "cafe\u{301}");
        check("so\u{ad}ft\u{200b}", "soft");
        check("ﬁ", "fi");
        assert_ne!(fold_for_search("は"), fold_for_search("ば"));
    }

    #[test]
    fn the_fast_way_is_the_slow_way() {
        for c in '\0'..=char::MAX {
            if let Some(folded) = simple(c) {
                assert_eq!(fold_slowly(&c.to_string()), folded.to_string(), "{c:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
            let once = fold_for_search(&text);
            prop_assert_eq!(fold_for_search(&once), once);
        }

        #[test]
        fn pieces_fold_to_what_the_whole_does(
            words in proptest::collection::vec(
                prop_oneof![
                    "\\PC{0,6}",
                    "[a-zA-Zà-þÀ-ÞА-я]{1,5}",
                    "[ぁ-んァ-ヶｦ-ﾟ\u{3099}\u{309a}ーヷ]{1,5}",
                    "[가-힣\u{1100}-\u{11ff}]{1,5}",
                    "[e\u{301}\u{200d}\u{327}\u{ad}\u{345}\u{390}ßſŉǰ]{1,5}",
                ],
                0..8,
            ),
            cuts in proptest::collection::vec(0usize..200, 0..8),
        ) {
            let text = words.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| text.floor_char_boundary(at)).collect();
            cuts.sort_unstable();
            let (mut folder, mut out, mut from) = (SearchFolder::default(), String::new(), 0);
            for cut in cuts.into_iter().chain([text.len()]) {
                folder.push(&text[from..cut], &mut out);
                from = cut;
            }
            folder.finish(&mut out);
            prop_assert_eq!(out, fold_slowly(&text));
        }
    }
}
