//! Order of text: the collation i;unicode-casemap (RFC 5051). Never changes what is stored or shown.

/// Adds the octets that stand for the text when it is compared: two texts are in the order of these octets.
/// Every character takes its title case by the simple mapping, and is then decomposed, compatibility forms included (RFC 5051 §2).
pub fn push_casemap(text: &str, out: &mut Vec<u8>) {
    if text.is_ascii() {
        out.extend(text.bytes().map(|c| c.to_ascii_uppercase()));
        return;
    }
    let mut buffer = [0; 4];
    for c in text.chars().map(title_case) {
        unicode_normalization::char::decompose_compatible(c, |c| {
            out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        });
    }
}

/// See [`push_casemap`].
pub fn casemap(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    push_casemap(text, &mut out);
    out
}

/// The simple title case of UnicodeData.txt: one character for one.
fn title_case(c: char) -> char {
    match c {
        'a'..='z' => c.to_ascii_uppercase(),
        '\0'..='\u{7f}' => c,
        // The letters of two: only the first one is a capital.
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        // Georgian has capitals, and no title case.
        'ა'..='ჿ' => c,
        // Greek with an iota below: the full mapping makes two letters of them, the simple one does not.
        'ᾀ'..='ᾇ' | 'ᾐ'..='ᾗ' | 'ᾠ'..='ᾧ' => shifted(c, 8),
        'ᾳ' | 'ῃ' | 'ῳ' => shifted(c, 9),
        _ => {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        }
    }
}

fn shifted(c: char, by: u32) -> char {
    char::from_u32(c as u32 + by).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, key: &str) {
        assert_eq!(String::from_utf8(casemap(text)).unwrap(), key, "{text:?}");
    }

    #[test]
    fn characters_take_title_case_and_are_decomposed() {
        check("Hello, world", "HELLO, WORLD");
        check("é", "E\u{301}");
        check("straße", "STRAßE");
        check("ﬁ", "fi");
        check("ｱＢｃ", "アBC");
        check("が", "か\u{3099}");
        check("ǆ", "Dz\u{30c}");
        check("ა", "ა");
        check("ᾳ", "Α\u{345}");
        check("①", "1");
    }

    #[test]
    fn order_goes_by_what_is_compared() {
        let mut words = ["zebra", "Äpfel", "apple", "Éclair", "eagle", "山", "川"];
        words.sort_by_key(|word| casemap(word));
        assert_eq!(words, ["apple", "Äpfel", "eagle", "Éclair", "zebra", "山", "川"]);
    }
}
