//! Reads what an IMAP server says: just enough of RFC 9051 §9 for a client that remembers what it was told.

use std::collections::BTreeSet;

use crate::model::FlagNames;

/// One response, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    Exists(u32),
    Expunge(u32),
    Fetch(u32, Fetched),
    Search(Vec<u32>),
    /// Name and numbers.
    Status(Vec<(String, u64)>),
    List(String),
    UidValidity(u32),
    HighestModSeq(u64),
    /// RFC 7162 §3.2.10.
    Vanished {
        earlier: bool,
        uids: BTreeSet<u32>,
    },
    /// Tagged; status word, and the text with its code.
    Tagged(String, String),
    Bye,
    Continue,
    /// Anything else: `* OK …`, `* FLAGS …`, `* CAPABILITY …`.
    Other,
}

/// What a FETCH response told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fetched {
    pub(crate) uid: Option<u32>,
    pub(crate) flags: Option<FlagNames>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
}

/// Splits and parses everything a server said. An error is a finding: no client could read it.
pub(crate) fn responses(mut octets: &[u8], tag: &str) -> Result<Vec<Response>, String> {
    let mut out = Vec::new();
    while !octets.is_empty() {
        let (tokens, rest) = tokens(octets)?;
        out.push(response(&tokens, tag)?);
        octets = rest;
    }
    Ok(out)
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Atom(String),
    Text(Vec<u8>),
    Open,
    Close,
}

/// The tokens of one response, and what follows it.
fn tokens(octets: &[u8]) -> Result<(Vec<Token>, &[u8]), String> {
    let broken =
        |what: &str| format!("{what} in {:?}", String::from_utf8_lossy(octets.get(..200).unwrap_or(octets)));
    let mut out = Vec::new();
    let mut rest = octets;
    loop {
        rest = match rest {
            [] => return Err(broken("no CRLF")),
            [b'\r', b'\n', rest @ ..] => return Ok((out, rest)),
            [b' ', rest @ ..] => rest,
            [b'(', rest @ ..] => {
                out.push(Token::Open);
                rest
            }
            [b')', rest @ ..] => {
                out.push(Token::Close);
                rest
            }
            [b'"', rest @ ..] => {
                let (text, rest) = quoted(rest).ok_or_else(|| broken("an open quote"))?;
                out.push(Token::Text(text));
                rest
            }
            [b'{', rest @ ..] => {
                let (text, rest) = literal(rest).ok_or_else(|| broken("a bad literal"))?;
                out.push(Token::Text(text));
                rest
            }
            rest => {
                let (atom, rest) = atom(rest).ok_or_else(|| broken("a bad atom"))?;
                out.push(Token::Atom(atom));
                rest
            }
        };
    }
}

fn quoted(octets: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut text = Vec::new();
    let mut rest = octets;
    loop {
        match rest {
            [b'"', rest @ ..] => return Some((text, rest)),
            [b'\\', c, tail @ ..] => {
                text.push(*c);
                rest = tail;
            }
            [b'\r' | b'\n', ..] | [] => return None,
            [c, tail @ ..] => {
                text.push(*c);
                rest = tail;
            }
        }
    }
}

fn literal(octets: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let end = octets.windows(3).position(|w| w == b"}\r\n")?;
    let length: usize = std::str::from_utf8(octets.get(..end)?).ok()?.parse().ok()?;
    let (text, rest) = octets.get(end + 3..)?.split_at_checked(length)?;
    Some((text.to_vec(), rest))
}

/// Up to a space or parenthesis; what stands in brackets belongs to it whole: `BODY[HEADER.FIELDS (To)]`, `[COPYUID 1 2 3]`.
fn atom(octets: &[u8]) -> Option<(String, &[u8])> {
    let mut depth = 0_usize;
    let end = octets.iter().position(|c| {
        match c {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b'\r' | b'\n' => return true,
            b' ' | b'(' | b')' => return depth == 0,
            _ => {}
        }
        false
    })?;
    let (atom, rest) = octets.split_at_checked(end)?;
    (end > 0).then(|| (String::from_utf8_lossy(atom).into_owned(), rest))
}

fn response(tokens: &[Token], tag: &str) -> Result<Response, String> {
    let word = |n: usize| match tokens.get(n) {
        Some(Token::Atom(word)) => word.as_str(),
        _ => "",
    };
    let number = word(1).parse::<u32>().ok();
    Ok(match (word(0), word(1).to_ascii_uppercase().as_str()) {
        ("+", _) => Response::Continue,
        ("*", "BYE") => Response::Bye,
        ("*", "SEARCH") => Response::Search((2..tokens.len()).filter_map(|n| word(n).parse().ok()).collect()),
        ("*", "VANISHED") => {
            let earlier = tokens.get(2) == Some(&Token::Open);
            Response::Vanished { earlier, uids: numbers(word(if earlier { 5 } else { 2 }))? }
        }
        ("*", "STATUS") => Response::Status(status(tokens.get(3..).unwrap_or_default())),
        ("*", "LIST") => Response::List(text(tokens.last())),
        ("*", _) => match (number, word(2).to_ascii_uppercase().as_str()) {
            (Some(n), "EXISTS") => Response::Exists(n),
            (Some(n), "EXPUNGE") => Response::Expunge(n),
            (Some(n), "FETCH") => Response::Fetch(n, fetched(tokens.get(3..).unwrap_or_default())?),
            _ => coded(word(2))?,
        },
        (word, status) if word == tag => {
            let rest: Vec<String> = tokens.iter().skip(2).map(|token| text(Some(token))).collect();
            Response::Tagged(status.to_owned(), rest.join(" "))
        }
        (_, _) => return Err(format!("no response: {tokens:?}")),
    })
}

/// `* OK` with a response code that the client remembers.
fn coded(code: &str) -> Result<Response, String> {
    let number_of = |name: &str| code.strip_prefix(name).and_then(|rest| rest.strip_suffix(']'));
    let bad = || format!("a bad response code: {code}");
    if let Some(n) = number_of("[UIDVALIDITY ") {
        return Ok(Response::UidValidity(n.parse().map_err(|_| bad())?));
    }
    if let Some(n) = number_of("[HIGHESTMODSEQ ") {
        return Ok(Response::HighestModSeq(n.parse().map_err(|_| bad())?));
    }
    Ok(Response::Other)
}

/// A set of numbers.
fn numbers(set: &str) -> Result<BTreeSet<u32>, String> {
    let mut out = BTreeSet::new();
    for range in set.split(',') {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        let number = |text: &str| text.parse::<u32>().map_err(|_| format!("a bad set: {set}"));
        out.extend(number(from)?..=number(to)?);
    }
    Ok(out)
}

fn text(token: Option<&Token>) -> String {
    match token {
        Some(Token::Atom(text)) => text.clone(),
        Some(Token::Text(text)) => String::from_utf8_lossy(text).into_owned(),
        Some(Token::Open) => "(".to_owned(),
        Some(Token::Close) => ")".to_owned(),
        None => String::new(),
    }
}

fn status(tokens: &[Token]) -> Vec<(String, u64)> {
    let words: Vec<String> =
        tokens.iter().filter(|t| matches!(t, Token::Atom(_))).map(|t| text(Some(t))).collect();
    words
        .chunks(2)
        .filter_map(|pair| Some((pair.first()?.to_ascii_uppercase(), pair.get(1)?.parse().ok()?)))
        .collect()
}

fn fetched(tokens: &[Token]) -> Result<Fetched, String> {
    let bad = || format!("a bad FETCH response: {tokens:?}");
    let mut out = Fetched::default();
    let mut rest = match tokens {
        [Token::Open, rest @ .., Token::Close] => rest.iter(),
        _ => return Err(bad()),
    };
    while let Some(item) = rest.next() {
        let name = text(Some(item)).to_ascii_uppercase();
        match name.as_str() {
            "UID" => out.uid = Some(text(rest.next()).parse().map_err(|_| bad())?),
            "RFC822.SIZE" => out.size = Some(text(rest.next()).parse().map_err(|_| bad())?),
            "FLAGS" => {
                if rest.next() != Some(&Token::Open) {
                    return Err(bad());
                }
                let flags = rest
                    .by_ref()
                    .take_while(|token| **token != Token::Close)
                    .map(|t| text(Some(t)).to_ascii_lowercase());
                out.flags = Some(flags.filter(|flag| flag != "\\recent").collect());
            }
            "MODSEQ" => {
                let _ = rest.by_ref().take_while(|token| **token != Token::Close).count();
            }
            "BODY[]" => match rest.next() {
                Some(Token::Text(body)) => out.body = Some(body.clone()),
                _ => return Err(bad()),
            },
            _ => return Err(bad()),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_told_apart() {
        let said = b"* 3 EXISTS\r\n* 2 FETCH (FLAGS (\\Seen \\Recent a) UID 7 BODY[] {4}\r\na)\r\n)\r\n* LIST () \"/\" \"m 1\"\r\n\
            * STATUS INBOX (MESSAGES 2 UIDNEXT 9)\r\n+ go\r\na1 OK [COPYUID 1 2 3] done (x)\r\n";
        let flags = FlagNames::from(["\\seen".to_owned(), "a".to_owned()]);
        let fetched =
            Fetched { uid: Some(7), flags: Some(flags), body: Some(b"a)\r\n".to_vec()), size: None };
        let expected = vec![
            Response::Exists(3),
            Response::Fetch(2, fetched),
            Response::List("m 1".to_owned()),
            Response::Status(vec![("MESSAGES".to_owned(), 2), ("UIDNEXT".to_owned(), 9)]),
            Response::Continue,
            Response::Tagged("OK".to_owned(), "[COPYUID 1 2 3] done ( x )".to_owned()),
        ];
        assert_eq!(responses(said, "a1"), Ok(expected));
        assert!(responses(b"* 1 FETCH (FLAGS", "a").is_err());
    }
}
