//! Charset labels as mail really has them. Never guesses: an unknown label names nothing.

use encoding_rs::Encoding;

use super::Kind;
use crate::limits::CHARSET_LABEL_OCTETS;

/// What the labels of the WHATWG, which encoding_rs knows, lack or see differently. Lower case.
const ALIASES: &[(&str, &str)] = &[
    ("cp932", "shift_jis"),
    ("cp943", "shift_jis"),
    ("cp943c", "shift_jis"),
    ("ibm-943", "shift_jis"),
    ("ms932", "shift_jis"),
    ("mskanji", "shift_jis"),
    ("windows-932", "shift_jis"),
    ("windows-31j", "shift_jis"),
    ("windows31j", "shift_jis"),
    ("cswindows31j", "shift_jis"),
    ("sjis-win", "shift_jis"),
    ("sjis-ms", "shift_jis"),
    ("sjis", "shift_jis"),
    ("s-jis", "shift_jis"),
    ("shiftjis", "shift_jis"),
    ("x-shiftjis", "shift_jis"),
    ("shift_jis-ms", "shift_jis"),
    ("shift_jisx0213", "shift_jis"),
    ("shift_jis-2004", "shift_jis"),
    ("shift-jis-2004", "shift_jis"),
    ("eucjp", "euc-jp"),
    ("euc_jp", "euc-jp"),
    ("eucjp-ms", "euc-jp"),
    ("eucjpms", "euc-jp"),
    ("eucjp-win", "euc-jp"),
    ("euc-jp-ms", "euc-jp"),
    ("euc-jis-2004", "euc-jp"),
    ("euc-jisx0213", "euc-jp"),
    ("cp51932", "euc-jp"),
    ("windows-51932", "euc-jp"),
    ("ujis", "euc-jp"),
    ("big5hkscs", "big5"),
    ("big5-eten", "big5"),
    ("cp950", "big5"),
    ("windows-950", "big5"),
    ("ms950", "big5"),
    ("euc-tw", "big5"),
    ("cp936", "gbk"),
    ("windows-936", "gbk"),
    ("ms936", "gbk"),
    ("euc-cn", "gbk"),
    ("euccn", "gbk"),
    ("eucgb2312-cn", "gbk"),
    ("gb2312-80", "gbk"),
    ("gb18030-2000", "gb18030"),
    ("gb-18030", "gb18030"),
    ("cp54936", "gb18030"),
    ("windows-54936", "gb18030"),
    ("cp949", "euc-kr"),
    ("ms949", "euc-kr"),
    ("uhc", "euc-kr"),
    ("euckr", "euc-kr"),
    ("euc_kr", "euc-kr"),
    ("cp51949", "euc-kr"),
    ("ksc5601-1987", "euc-kr"),
    ("ks_c_5601", "euc-kr"),
    ("ks_x_1001", "euc-kr"),
    ("utf8mb4", "utf-8"),
    ("utf_8", "utf-8"),
    ("utf-8n", "utf-8"),
    ("utf-8-mac", "utf-8"),
    ("utf8-mac", "utf-8"),
    ("unicode-2-0-utf-8", "utf-8"),
    ("cp65001", "utf-8"),
    ("windows-65001", "utf-8"),
    ("latin-1", "windows-1252"),
    ("iso8859_1", "windows-1252"),
    ("latin9", "iso-8859-15"),
    ("latin-9", "iso-8859-15"),
    ("latin2", "iso-8859-2"),
    ("koi8r", "koi8-r"),
    ("koi8u", "koi8-u"),
    ("macroman", "macintosh"),
    ("mac-roman", "macintosh"),
    ("ansi", "windows-1252"),
    ("ansi-1252", "windows-1252"),
    ("tis620", "windows-874"),
    ("cp874", "windows-874"),
    ("iso-8859-8i", "iso-8859-8-i"),
];

const ASCII: &[&str] = &[
    "us-ascii",
    "ascii",
    "usascii",
    "us_ascii",
    "ansi_x3.4-1968",
    "ansi_x3.4-1986",
    "iso646-us",
    "iso-646-us",
    "iso_646.irv:1991",
    "iso-ir-6",
    "646",
    "csascii",
    "ibm367",
    "cp367",
    "us",
    "cp20127",
    "windows-20127",
];

/// UTF-7 is plain ASCII to us.
const UTF_7: &[&str] = &[
    "utf-7",
    "utf7",
    "utf_7",
    "unicode-1-1-utf-7",
    "csunicode11utf7",
    "x-unicode-2-0-utf-7",
    "unicode-2-0-utf-7",
    "utf-7-imap",
    "cp65000",
    "windows-65000",
    "utf-16-utf-7",
];

const ISO_2022_JP: &[&str] = &[
    "iso-2022-jp",
    "iso2022-jp",
    "iso2022jp",
    "iso-2022jp",
    "iso_2022-jp",
    "iso_2022_jp",
    "iso2022_jp",
    "csiso2022jp",
    "iso-2022-jp-1",
    "iso-2022-jp-2",
    "iso-2022-jp-3",
    "iso-2022-jp-2004",
    "iso2022jp-1",
    "iso2022jp-2",
    "iso-2022-jp-ms",
    "iso2022jp-ms",
    "iso-2022-jp-win",
    "cp50220",
    "cp50221",
    "cp50222",
    "cp5022x",
    "windows-50220",
    "windows-50221",
    "windows-50222",
    "csiso2022jp2",
    "jis",
    "jis7",
    "jis8",
    "iso-2022-jp-ext",
    "x-jis",
    "jis_encoding",
    "csjisencoding",
];

/// The kind of charset a label names.
pub(super) fn find(label: &str) -> Option<Kind> {
    let label = label.trim_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | ';' | ','));
    if label.is_empty() || label.len() > CHARSET_LABEL_OCTETS {
        return None;
    }
    let lower = label.to_ascii_lowercase();
    let lower = lower.as_str();
    if ASCII.contains(&lower) || UTF_7.contains(&lower) {
        return Some(Kind::Ascii);
    }
    if ISO_2022_JP.contains(&lower) {
        return Some(Kind::Iso2022Jp);
    }
    match lower {
        "iso-2022-kr" | "csiso2022kr" | "iso2022-kr" => return Some(Kind::Iso2022Kr),
        "hz-gb-2312" | "hz" | "hzgb2312" | "hz-gb2312" => return Some(Kind::Hz),
        "utf-16" | "utf16" | "unicode" | "csunicode" | "ucs-2" | "iso-10646-ucs-2" | "utf_16" => {
            return Some(Kind::Utf16);
        }
        _ => {}
    }
    if let Some((_, name)) = ALIASES.iter().find(|(alias, _)| *alias == lower) {
        return table(name);
    }
    if let Some(kind) = table(lower) {
        return Some(kind);
    }
    // cp1252, cp-1252, win1252, ibm866, x-cp1251, cs-names
    let digits = lower.trim_start_matches(|c: char| !c.is_ascii_digit());
    let prefix = lower.strip_suffix(digits)?.trim_end_matches(['-', '_']);
    match prefix {
        "cp" | "win" | "windows" | "ms" | "x-cp" | "x-windows" | "ibm" if !digits.is_empty() => {
            table(&format!("windows-{digits}")).or_else(|| table(&format!("ibm{digits}"))).or_else(|| {
                ALIASES
                    .iter()
                    .find(|(alias, _)| *alias == format!("cp{digits}"))
                    .and_then(|(_, name)| table(name))
            })
        }
        "iso8859" | "iso_8859" | "iso" | "8859" => {
            table(&format!("iso-8859-{}", digits.trim_start_matches("8859-")))
        }
        _ => lower.strip_prefix("x-").and_then(find),
    }
}

/// What encoding_rs knows, but for its "replacement", which means that it refuses.
fn table(label: &str) -> Option<Kind> {
    let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
    Some(match encoding {
        e if e == encoding_rs::ISO_2022_JP => Kind::Iso2022Jp,
        e if e == encoding_rs::X_USER_DEFINED => return None,
        e => Kind::Table(e),
    })
}

#[cfg(test)]
mod tests {
    use crate::charset::Charset;

    #[test]
    fn labels_are_found_by_all_their_names() {
        for (labels, name) in [
            ("cp932 MS932 csWindows31J sjis x-sjis Shift_JIS shift-jis windows-31j SJIS-win", "Shift_JIS"),
            (
                "iso-2022-jp ISO-2022-JP-MS cp50220 cp50221 CP50222 csISO2022JP iso-2022-jp-1 jis",
                "ISO-2022-JP",
            ),
            ("eucjp-ms cp51932 x-euc-jp EUC-JP eucJP ujis", "EUC-JP"),
            ("gb18030 GB-18030", "gb18030"),
            ("gb2312 GBK cp936 euc-cn x-gbk", "GBK"),
            ("hz-gb-2312 HZ", "HZ-GB-2312"),
            ("big5 Big5-HKSCS cp950", "Big5"),
            ("ks_c_5601-1987 euc-kr cp949", "EUC-KR"),
            ("us-ascii ASCII utf-7 UTF7 unicode-1-1-utf-7 x-unicode-2-0-utf-7 ANSI_X3.4-1968", "US-ASCII"),
            ("utf-8 UTF8 utf8mb4 unicode-1-1-utf-8 \"utf-8\" 'utf-8' cp65001", "UTF-8"),
            (
                "iso-8859-1 latin1 l1 cp1252 windows-1252 win-1252 cp-1252 iso8859-1 x-cp1252 latin-1",
                "windows-1252",
            ),
            ("iso-8859-8-i logical", "ISO-8859-8-I"),
            ("iso-8859-15 latin9", "ISO-8859-15"),
            ("ibm866 cp866", "IBM866"),
            ("koi8-r koi8r", "KOI8-R"),
            ("windows-1251 cp1251 win1251", "windows-1251"),
            ("utf-16", "UTF-16"),
            ("utf-16be", "UTF-16BE"),
        ] {
            for label in labels.split(' ') {
                assert_eq!(Charset::for_label(label).map(Charset::name), Some(name), "{label}");
            }
        }
        for label in [
            "",
            "unknown-8bit",
            "x-unknown",
            "default",
            "8bit",
            "x-user-defined",
            "replacement",
            "no such",
            "cp99999",
            "x-x-x-x",
        ] {
            assert_eq!(Charset::for_label(label), None, "{label}");
        }
    }
}
