//! The parameters of Content-Type and Content-Disposition: raw, rejoined for BODYSTRUCTURE, and decoded.
//! RFC 2045 §5.1, RFC 2231 (continuations, charset and percent encoding); encoded-words and raw 8-bit are understood too.

use super::{encoded_word::decode_header, lex::Lexer};
use crate::{
    charset::{self, Charset},
    limits::PARAMETERS,
};

/// One parameter as written: without quotes, not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The name as written, with the `*` of RFC 2231.
    pub name: Vec<u8>,
    /// The value without quotes and backslashes.
    pub value: Vec<u8>,
}

/// All parameters, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(pub Vec<Parameter>);

/// One section of a parameter that RFC 2231 split: `name*3*=value`.
struct Piece<'a> {
    number: u32,
    extended: bool,
    value: &'a [u8],
}

impl Parameters {
    /// Reads the parameters after a type. A missing semicolon, a value with spaces and without quotes, and 8-bit are forgiven.
    ///
    /// ```abnf
    /// parameter = attribute "=" value   ; RFC 2045 §5.1
    /// value     = token / quoted-string
    /// ```
    pub(super) fn parse(lexer: &mut Lexer) -> Self {
        let mut all = Vec::new();
        while all.len() < PARAMETERS {
            while lexer.skip_cfws(None) || lexer.eat(b';') {}
            if lexer.peek().is_none() {
                break;
            }
            let mut name = Vec::new();
            lexer.atom(b"=;(", &mut name);
            lexer.skip_cfws(None);
            if !lexer.eat(b'=') {
                continue;
            }
            lexer.skip_cfws(None);
            let value = value(lexer);
            if !name.is_empty() {
                all.push(Parameter { name, value });
            }
        }
        Self(all)
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The raw value of the parameter of this name, which RFC 2231 did not split or extend.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|p| p.name.eq_ignore_ascii_case(name)).map(|p| p.value.as_slice())
    }
    /// The parameters as BODYSTRUCTURE has them: sections joined, in the place of their first. A joined parameter with an
    /// extended section is called `name*` and is percent-encoded throughout, so that a client can decode it.
    pub fn rejoined(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut done: Vec<&[u8]> = Vec::new();
        let mut out = Vec::with_capacity(self.0.len());
        for parameter in &self.0 {
            let Some((base, _, _)) = split_name(&parameter.name) else {
                out.push((parameter.name.clone(), parameter.value.clone()));
                continue;
            };
            if done.iter().any(|name| name.eq_ignore_ascii_case(base)) {
                continue;
            }
            done.push(base);
            let pieces = self.pieces(base);
            if pieces.is_empty() {
                out.push((parameter.name.clone(), parameter.value.clone()));
                continue;
            }
            let extended = pieces.iter().any(|piece| piece.extended);
            let mut value = Vec::new();
            if extended && pieces.first().is_some_and(|first| !first.extended) {
                value.extend_from_slice(b"''");
            }
            for piece in &pieces {
                if extended && !piece.extended {
                    percent_encode(piece.value, &mut value);
                } else {
                    value.extend_from_slice(piece.value);
                }
            }
            let mut name = base.to_vec();
            if extended {
                name.push(b'*');
            }
            out.push((name, value));
        }
        out
    }
    /// The value of the parameter of this name as text: by RFC 2231 if it is so written, else by RFC 2047, which many use
    /// where they may not, else by guessing raw 8-bit.
    pub fn decoded(&self, name: &[u8]) -> Option<String> {
        let pieces = self.pieces(name);
        if pieces.is_empty() {
            return self.get(name).map(decode_header);
        }
        if !pieces.iter().any(|piece| piece.extended) {
            let whole: Vec<u8> = pieces.iter().flat_map(|piece| piece.value).copied().collect();
            return Some(decode_header(&whole));
        }
        let mut charset = None;
        let mut octets = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            let mut value = piece.value;
            if index == 0
                && piece.extended
                && let Some((label, text)) = split_charset(value)
            {
                charset = std::str::from_utf8(label).ok().and_then(Charset::for_label);
                value = text;
            }
            if piece.extended {
                percent_decode(value, &mut octets);
            } else {
                octets.extend_from_slice(value);
            }
        }
        Some(match charset {
            Some(charset) => charset.decode(&octets),
            None => charset::decode_undeclared(&octets),
        })
    }
    /// The sections of a parameter in the order of their numbers, up to the first gap; later doubles are ignored.
    fn pieces(&self, base: &[u8]) -> Vec<Piece<'_>> {
        let mut pieces: Vec<Piece> = self
            .0
            .iter()
            .filter_map(|p| {
                let (name, number, extended) = split_name(&p.name)?;
                name.eq_ignore_ascii_case(base).then_some(Piece { number, extended, value: &p.value })
            })
            .collect();
        pieces.sort_by_key(|piece| piece.number);
        pieces.dedup_by_key(|piece| piece.number);
        let whole = pieces.iter().zip(0u32..).take_while(|(piece, number)| piece.number == *number).count();
        pieces.truncate(whole);
        pieces
    }
}

/// Takes a value: a quoted string, or anything up to the next `;`. A space ends it when a further parameter follows it
/// (a semicolon was forgotten), and else belongs to it (quotes were forgotten).
fn value(lexer: &mut Lexer) -> Vec<u8> {
    let mut out = Vec::new();
    if lexer.peek() == Some(b'"') {
        lexer.quoted_string(&mut out);
        return out;
    }
    lexer.atom(b";(", &mut out);
    loop {
        let mut ahead = lexer.clone();
        if !ahead.skip_cfws(None) || matches!(ahead.peek(), None | Some(b';')) {
            return out;
        }
        let mut word = Vec::new();
        ahead.atom(b";=(", &mut word);
        let mut after = ahead.clone();
        after.skip_space();
        if after.peek() == Some(b'=') || word.is_empty() {
            return out;
        }
        out.push(b' ');
        out.append(&mut word);
        *lexer = ahead;
    }
}

/// Splits `name*`, `name*0` and `name*0*` into name, number and whether the value is percent-encoded.
fn split_name(name: &[u8]) -> Option<(&[u8], u32, bool)> {
    let (extended, stem) = match name.strip_suffix(b"*") {
        Some(stem) => (true, stem),
        None => (false, name),
    };
    match stem.iter().position(|&c| c == b'*') {
        None => extended.then_some((stem, 0, true)),
        Some(star) => {
            let (base, number) = (stem.get(..star)?, stem.get(star + 1..)?);
            if number.is_empty() || number.len() > 5 || !number.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let number = number.iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
            Some((base, number, extended))
        }
    }
}

/// Splits `charset'language'text`.
fn split_charset(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = value.splitn(3, |&c| c == b'\'');
    let (label, _language, text) = (parts.next()?, parts.next()?, parts.next()?);
    Some((label, text))
}

fn percent_decode(value: &[u8], out: &mut Vec<u8>) {
    let hex = |c: Option<&u8>| c.and_then(|&c| char::from(c).to_digit(16));
    let mut rest = value;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first == b'%'
            && let (Some(high), Some(low)) = (hex(after.first()), hex(after.get(1)))
        {
            out.push((high * 16 + low) as u8);
            rest = after.get(2..).unwrap_or_default();
        } else {
            out.push(first);
        }
    }
}

fn percent_encode(value: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &octet in value {
        // attribute-char of RFC 2231 §7
        if octet.is_ascii_graphic() && !b"*'%()<>@,;:\\\"/[]?=".contains(&octet) {
            out.push(octet);
        } else {
            let digit = |n: u8| HEX.get(usize::from(n)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'%', digit(octet >> 4), digit(octet & 15)]);
        }
    }
}
