//! The base subject: what is left of a Subject when Re: and the like are taken away. RFC 5256 §2.1.

use crate::limits::BASE_SUBJECT_OCTETS;

/// A base subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseSubject {
    /// The subject without prefixes and trailers, white space single. Compare folded ([`crate::fold_for_search`]).
    pub text: String,
    /// Whether something was taken away that marks a reply or a forward.
    pub is_reply_or_forward: bool,
}

/// Takes the prefixes and trailers off a decoded subject.
///
/// ```abnf
/// subj-refwd   = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
/// subj-blob    = "[" *BLOBCHAR "]" *WSP
/// subj-leader  = (*subj-blob subj-refwd) / WSP
/// subj-trailer = "(fwd)" / WSP
/// subj-fwd-hdr = "[fwd:"    subj-fwd-trl = "]"
/// ```
pub fn base_subject(subject: &str) -> BaseSubject {
    // (1) white space is single
    without_marks(subject.split_ascii_whitespace(), &[':'])
}

/// As [`base_subject`], and takes the full-width colon that Japanese mailers and people write behind `Re`: what conversations go by.
pub fn conversation_subject(subject: &str) -> BaseSubject {
    without_marks(subject.split_whitespace(), &[':', '：'])
}

fn without_marks<'a>(words: impl Iterator<Item = &'a str>, colons: &[char]) -> BaseSubject {
    let mut single = String::new();
    for word in words {
        if single.len() >= BASE_SUBJECT_OCTETS {
            break;
        }
        single.push_str(if single.is_empty() { "" } else { " " });
        single.push_str(word);
    }
    single.truncate(single.floor_char_boundary(BASE_SUBJECT_OCTETS));
    let mut text = single.as_str();
    let mut is_reply_or_forward = false;
    loop {
        // (2) trailers
        while let Some(before) = strip_suffix_ignore_case(text, "(fwd)") {
            text = before.trim_end_matches(' ');
            is_reply_or_forward = true;
        }
        // (3) leaders, (4) blobs before more text, (5) both until nothing changes
        loop {
            text = text.trim_matches(' ');
            if let Some(rest) = strip_leader(text, colons) {
                text = rest;
                is_reply_or_forward = true;
                continue;
            }
            // No leader stands behind the blobs either, or it would have been found: they need one look only.
            while let Some(rest) = strip_blob(text).filter(|rest| !rest.is_empty()) {
                text = rest;
            }
            break;
        }
        // (6) [fwd: … ]
        match strip_prefix_ignore_case(text, "[fwd:").and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) => {
                text = inner.trim_matches(' ');
                is_reply_or_forward = true;
            }
            None => return BaseSubject { text: text.to_owned(), is_reply_or_forward },
        }
    }
}

fn strip_leader<'a>(text: &'a str, colons: &[char]) -> Option<&'a str> {
    let mut rest = text;
    while let Some(after) = strip_blob(rest) {
        rest = after;
    }
    let word = ["re", "fwd", "fw"].iter().find_map(|word| strip_prefix_ignore_case(rest, word))?;
    let word = word.trim_start_matches(' ');
    let word = strip_blob(word).unwrap_or(word);
    word.strip_prefix(colons)
}

fn strip_blob(text: &str) -> Option<&str> {
    let (inside, rest) = text.strip_prefix('[')?.split_once(']')?;
    (!inside.contains('[')).then(|| rest.trim_start_matches(' '))
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn strip_suffix_ignore_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (rest, end) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(subject: &str, text: &str, is_reply_or_forward: bool) {
        assert_eq!(
            base_subject(subject),
            BaseSubject { text: text.to_owned(), is_reply_or_forward },
            "{subject:?}"
        );
    }

    #[test]
    fn base_subjects_are_those_of_rfc_5256() {
        check("", "", false);
        check("plain", "plain", false);
        check("Re: plain", "plain", true);
        check("re  : RE[2]: fw:  Fwd: plain", "plain", true);
        check("[list] Re: [list] plain (fwd) (FWD)", "plain", true);
        check("[list] plain", "plain", false);
        check("[only a blob]", "[only a blob]", false);
        check("Re: [only a blob]", "[only a blob]", true);
        check("[fwd: Re: plain]", "plain", true);
        check("[Fwd: [list] plain]", "plain", true);
        check("  two \t words ", "two words", false);
        check("Re：全角", "Re：全角", false);
        assert_eq!(conversation_subject("Re：全角").text, "全角");
        check("[fwd: one] two", "two", false);
        check("[fwd: one] re: two (fwd)", "two", true);
        check("[a][b] [c]", "[c]", false);
        check("[a] [fwd: [b] c]", "c", true);
        check("(fwd)", "", true);
        check("a (fwd) b", "a (fwd) b", false);
        check("Reply: no", "Reply: no", false);
        check("Re:", "", true);
        check("[[a] b", "[[a] b", false);
    }
}
