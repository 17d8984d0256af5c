//! LANG (RFC 6856 §3): the language of reply texts. There is one, English, which also serves as `i-default`.

use crate::{
    codec::reply::{self, Reply},
    session::Outcome,
};

pub(crate) fn lang(range: Option<&str>, out: &mut Vec<u8>) -> Outcome {
    let Some(range) = range else {
        Reply::LANGUAGES.write(out);
        out.extend_from_slice(b"en English\r\ni-default Default language\r\n.\r\n");
        return Outcome::Done;
    };
    match spoken(range) {
        Some(tag) => {
            reply::language(tag, out);
            Outcome::Done
        }
        None => Reply::NO_SUCH_LANGUAGE.into(),
    }
}

/// RFC 4647 §3.4, lookup: a range is shortened from its end until a language fits.
fn spoken(range: &str) -> Option<&'static str> {
    if range == "*" || range.eq_ignore_ascii_case("i-default") {
        return Some("i-default");
    }
    let primary = range.split('-').next()?;
    primary.eq_ignore_ascii_case("en").then_some("en")
}
