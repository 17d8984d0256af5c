//! Tag lists: the syntax that DKIM-Signature, key records, DMARC records and ARC fields share. Never interprets a value.
//! RFC 6376 §3.2.
//!
//! ```abnf
//! tag-list  =  tag-spec *( ";" tag-spec ) [ ";" ]
//! tag-spec  =  [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
//! tag-name  =  ALPHA *ALNUMPUNC
//! tag-value =  [ tval *( 1*(WSP / FWS) tval ) ]
//! ```

use crate::limits;

/// A list whose names are unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tags<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Tags<'a> {
    /// Reads a list. Nothing when it breaks the syntax or names a tag twice (both make the whole list invalid).
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut tags: Vec<(&str, &str)> = Vec::new();
        let mut specs = text.split(';').peekable();
        while let Some(spec) = specs.next() {
            let spec = spec.trim_matches(is_fws);
            if spec.is_empty() && specs.peek().is_none() && !tags.is_empty() {
                break;
            }
            let (name, value) = spec.split_once('=')?;
            let (name, value) = (name.trim_end_matches(is_fws), value.trim_start_matches(is_fws));
            let mut letters = name.chars();
            let named = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
                && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
            let printable = value.chars().all(|c| !c.is_control() || is_fws(c));
            if !named
                || !printable
                || tags.len() >= limits::TAGS
                || tags.iter().any(|(known, _)| *known == name)
            {
                return None;
            }
            tags.push((name, value));
        }
        Some(Self(tags))
    }

    /// Reads what can be read, as RFC 7489 §6.3 and RFC 9989 ask for DMARC: of a tag that comes twice the first counts, and what is no tag is skipped.
    pub fn parse_lenient(text: &'a str) -> Self {
        let mut tags: Vec<(&str, &str)> = Vec::new();
        for spec in text.split(';').take(limits::TAGS) {
            if let Some((name, value)) = spec.split_once('=') {
                let name = name.trim_matches(is_fws);
                if !tags.iter().any(|(known, _)| *known == name) {
                    tags.push((name, value.trim_matches(is_fws)));
                }
            }
        }
        Self(tags)
    }

    /// The value of a tag, white space at its ends removed.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// Whether the list begins with this tag.
    pub fn begins_with(&self, name: &str) -> bool {
        self.0.first().is_some_and(|(known, _)| *known == name)
    }

    /// The value with all white space taken out: for base64, and lists with colons.
    pub fn compact(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.chars().filter(|c| !is_fws(*c)).collect())
    }
}

pub(crate) fn is_fws(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_broken_ones_are_not() {
        let tags = Tags::parse(" v=1 ; a = x y;\r\n\tb=AB\r\n\t CD==; c=;").unwrap();
        assert_eq!(tags.get("v"), Some("1"));
        assert_eq!(tags.get("a"), Some("x y"));
        assert_eq!(tags.compact("b").as_deref(), Some("ABCD=="));
        assert_eq!(tags.get("c"), Some(""));
        assert_eq!(tags.get("d"), None);
        assert!(tags.begins_with("v"));
        for broken in ["", ";", "a", "a=1;;b=2", "a=1;a=2", "1a=2", "=x", "a=\0", "a b=c"] {
            assert_eq!(Tags::parse(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn dmarc_forgives() {
        let tags = Tags::parse_lenient("v=DMARC1; p=reject; p=none; junk; ; sp=none;;");
        assert_eq!(tags.get("p"), Some("reject"));
        assert_eq!(tags.get("sp"), Some("none"));
    }
}
