//! Folding of text for search: the same for what is sought and for where it is sought, so that searching is exact.
//! Never changes what is stored or shown. Unicode UAX #15 (NFKC) and case folding by way of upper case.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// Folds text: case, compatibility forms (full and half width among them), hiragana and katakana are one each, and
/// characters that are not seen are left out. Folding twice changes nothing.
pub fn fold_for_search(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
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

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
            let once = fold_for_search(&text);
            prop_assert_eq!(fold_for_search(&once), once);
        }
    }
}
