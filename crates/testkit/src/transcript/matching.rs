//! Compares what was said with what was expected: wildcards and captures.

use std::collections::BTreeMap;

/// What `$name` stands for.
pub(super) type Captures = BTreeMap<String, String>;

/// Compares lines. On success the captures are the new ones.
pub(super) fn match_lines(expected: &[&str], got: &[String], captures: &Captures) -> Option<Captures> {
    let Some((first, later)) = expected.split_first() else {
        return got.is_empty().then(|| captures.clone());
    };
    if *first == "…" {
        // The fewest lines that make the rest fit.
        return (0..=got.len()).find_map(|skipped| match_lines(later, got.get(skipped..)?, captures));
    }
    let (line, rest) = got.split_first()?;
    let captures = match_line(first, line, captures)?;
    match_lines(later, rest, &captures)
}

/// Compares one line.
pub(super) fn match_line(pattern: &str, text: &str, captures: &Captures) -> Option<Captures> {
    let Some(c) = pattern.chars().next() else {
        return text.is_empty().then(|| captures.clone());
    };
    if let Some(rest) = pattern.strip_prefix('…') {
        let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        return ends.into_iter().find_map(|at| match_line(rest, text.get(at..)?, captures));
    }
    if let Some(rest) = pattern.strip_prefix("$$") {
        return match_line(rest, text.strip_prefix('$')?, captures);
    }
    if let Some((name, rest)) = capture_name(pattern) {
        if let Some(value) = captures.get(name) {
            return match_line(rest, text.strip_prefix(value.as_str())?, captures);
        }
        // A word: the longest run without white space and brackets that makes the rest fit.
        let end = text.find(|c: char| c.is_whitespace() || "()[]<>{}\"".contains(c)).unwrap_or(text.len());
        let mut ends: Vec<usize> =
            text.char_indices().map(|(at, _)| at).filter(|at| *at > 0 && *at < end).collect();
        if end > 0 {
            ends.push(end);
        }
        return ends.into_iter().rev().find_map(|end| {
            let (value, after) = text.split_at_checked(end)?;
            let mut captures = captures.clone();
            captures.insert(name.to_owned(), value.to_owned());
            match_line(rest, after, &captures)
        });
    }
    let rest = text.strip_prefix(c)?;
    match_line(pattern.get(c.len_utf8()..)?, rest, captures)
}

/// `$name` at the front: a small letter first, so that the keywords `$Forwarded` and `$MDNSent` are themselves.
fn capture_name(pattern: &str) -> Option<(&str, &str)> {
    let after = pattern.strip_prefix('$')?;
    if !after.starts_with(|c: char| c.is_ascii_lowercase()) {
        return None;
    }
    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
    Some(after.split_at(end))
}

/// Puts captures into a line that a client sends; names that were not captured stay.
pub(super) fn fill_in(line: &str, captures: &Captures) -> String {
    let mut filled = String::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if let Some((name, after)) = capture_name(rest)
            && let Some(value) = captures.get(name)
        {
            filled.push_str(value);
            rest = after;
            continue;
        }
        filled.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(expected: &[&str], got: &[&str]) -> Option<Captures> {
        let got: Vec<String> = got.iter().map(|line| (*line).to_owned()).collect();
        match_lines(expected, &got, &Captures::new())
    }

    #[test]
    fn wildcards_stand_for_text_and_lines() {
        assert!(fits(&["250 OK"], &["250 OK"]).is_some());
        assert!(fits(&["250 …"], &["250 OK"]).is_some());
        assert!(fits(&["250 …K"], &["250 OK"]).is_some());
        assert!(fits(&["250 …x"], &["250 OK"]).is_none());
        assert!(fits(&["…"], &[]).is_some());
        assert!(fits(&["…", "b"], &["a", "a", "b"]).is_some());
        assert!(fits(&["…", "b"], &["a", "b", "c"]).is_none());
        assert!(fits(&[], &["a"]).is_none());
        assert!(fits(&["a"], &[]).is_none());
    }

    #[test]
    fn captures_are_kept_and_compared() {
        let captures = fits(&["UID $uid]", "again $uid"], &["UID 17]", "again 17"]).expect("fits");
        assert_eq!(captures.get("uid").map(String::as_str), Some("17"));
        assert!(fits(&["UID $uid", "again $uid"], &["UID 17", "again 18"]).is_none());
        assert!(fits(&["$Forwarded $$x"], &["$Forwarded $x"]).is_some());
        assert!(fits(&["a $b c"], &["a  c"]).is_none());
        assert_eq!(fill_in("FETCH $uid $other", &captures), "FETCH 17 $other");
    }
}
