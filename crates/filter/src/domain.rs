//! Domain names as records and fields write them, in the one form that is compared and asked for.

/// A name in A-label form, lower case, without the dot at the end. Nothing for what DNS cannot have: empty or long labels, odd characters.
/// Underscores are allowed: selectors and services have them. RFC 1035 §2.3.4, RFC 5890.
pub(crate) fn normal(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() || text.len() > 1_024 {
        return None;
    }
    let name = if text.is_ascii() { text.to_ascii_lowercase() } else { idna::domain_to_ascii(text).ok()? };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
    };
    (name.len() <= 253 && name.split('.').all(label)).then_some(name)
}

/// Whether `name` is `parent` or below it. Both in normal form.
pub(crate) fn is_within(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        assert_eq!(normal("Example.TEST.").as_deref(), Some("example.test"));
        assert_eq!(normal("bücher.example").as_deref(), Some("xn--bcher-kva.example"));
        assert_eq!(normal("_dmarc.a-b.c").as_deref(), Some("_dmarc.a-b.c"));
        for wrong in ["", ".", "a..b", "a b", "a\0b.c", "a;b.c", &"x".repeat(64), &"abcdefg.".repeat(40)] {
            assert_eq!(normal(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn within_means_whole_labels() {
        assert!(is_within("a.b.c", "b.c") && is_within("b.c", "b.c"));
        assert!(!is_within("ab.c", "b.c") && !is_within("c", "b.c"));
    }
}
