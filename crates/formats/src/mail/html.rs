//! The text in HTML, as a stream: tags, comments, styles and scripts left out, character references decoded. For search and
//! previews, never for showing. The same text in any chunking.

/// Finds the text in one HTML document.
#[derive(Debug, Default)]
pub struct HtmlText {
    within: Within,
    /// The beginning of something that the next piece decides about.
    held: String,
}

/// What the next octet stands in.
#[derive(Clone, Copy, Debug, Default)]
enum Within {
    #[default]
    Text,
    /// A tag, up to its `>`; then perhaps an element whose content is no text.
    Tag(Option<&'static str>),
    Comment,
    /// An element whose content is no text, up to its end tag.
    Raw(&'static str),
}

/// Elements whose content is not shown as text.
const RAW: [&str; 3] = ["script", "style", "title"];
/// A longer name is none that makes a difference.
const NAME_OCTETS: usize = 16;
/// A longer character reference is none.
const REFERENCE_OCTETS: usize = 12;

/// The text in HTML that is in memory already.
pub fn html_to_text(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let mut text = HtmlText::default();
    text.push(html, &mut out);
    text.finish(&mut out);
    out
}

impl HtmlText {
    /// Takes the next piece and adds its text to `out`.
    pub fn push(&mut self, html: &str, out: &mut String) {
        if self.held.is_empty() {
            let rest = self.read(html, false, out);
            self.held.push_str(rest);
            return;
        }
        let mut joined = std::mem::take(&mut self.held);
        joined.push_str(html);
        let rest = self.read(&joined, false, out);
        self.held.push_str(rest);
    }

    /// The document has ended.
    pub fn finish(mut self, out: &mut String) {
        let held = std::mem::take(&mut self.held);
        self.read(&held, true, out);
    }

    /// Reads as far as can be decided; gives back the rest, which is short.
    fn read<'a>(&mut self, html: &'a str, last: bool, out: &mut String) -> &'a str {
        let mut rest = html;
        loop {
            let next = match self.within {
                Within::Text => self.text(rest, last, out),
                Within::Tag(raw) => match rest.find('>') {
                    Some(at) => {
                        self.within = raw.map_or(Within::Text, Within::Raw);
                        Ok(rest.get(at + 1..).unwrap_or_default())
                    }
                    None => Err(""),
                },
                Within::Comment => match rest.find("-->") {
                    Some(at) => {
                        self.within = Within::Text;
                        Ok(rest.get(at + 3..).unwrap_or_default())
                    }
                    // What may be the beginning of the end.
                    None => Err(rest
                        .get(rest.trim_end_matches('-').len()..)
                        .filter(|t| t.len() < 2)
                        .unwrap_or(if rest.ends_with("--") { "--" } else { "" })),
                },
                Within::Raw(name) => self.raw(rest, name),
            };
            match next {
                Ok("") => return "",
                Ok(next) => rest = next,
                Err(held) => return if last { "" } else { held },
            }
        }
    }

    /// Passes text on up to the next tag or reference, and enters it. The error is what cannot be decided yet.
    fn text<'a>(&mut self, html: &'a str, last: bool, out: &mut String) -> Result<&'a str, &'a str> {
        let at = memchr::memchr2(b'<', b'&', html.as_bytes()).unwrap_or(html.len());
        let (before, found) = html.split_at_checked(at).unwrap_or((html, ""));
        out.push_str(before);
        if found.starts_with('&') {
            let short = found.len() <= REFERENCE_OCTETS && !found.contains(';');
            return if short && !last { Err(found) } else { Ok(push_reference(found, out)) };
        }
        let Some(tag) = found.strip_prefix('<') else { return Ok("") };
        let name_end = tag.find(|c: char| !c.is_ascii_alphanumeric() && c != '/');
        let open = (name_end.is_none() && tag.len() < NAME_OCTETS) || "!--".starts_with(tag);
        if open && !last {
            return Err(found);
        }
        if tag.starts_with("!--") {
            self.within = Within::Comment;
            // `<!-->` is a whole one.
            return Ok(tag.get(1..).unwrap_or_default());
        }
        let name = tag.get(..name_end.unwrap_or(tag.len()).min(NAME_OCTETS)).unwrap_or_default();
        if name.is_empty() && !tag.starts_with(['!', '?']) {
            out.push('<');
            return Ok(tag);
        }
        let name = name.to_ascii_lowercase();
        let raw = RAW.into_iter().find(|raw| *raw == name);
        self.within = Within::Tag(raw);
        if raw.is_none() {
            out.extend(instead_of(&name));
        }
        Ok(tag)
    }

    fn raw<'a>(&mut self, html: &'a str, name: &str) -> Result<&'a str, &'a str> {
        let close = format!("</{name}");
        let octets = html.as_bytes();
        for at in memchr::memchr_iter(b'<', octets) {
            let here = octets.get(at..).unwrap_or_default();
            let compared = here.len().min(close.len());
            let same = here
                .get(..compared)
                .is_some_and(|h| close.as_bytes().get(..compared).is_some_and(|c| h.eq_ignore_ascii_case(c)));
            if same {
                let found = html.get(at..).unwrap_or_default();
                if compared < close.len() {
                    return Err(found);
                }
                self.within = Within::Text;
                return Ok(found);
            }
        }
        Err("")
    }
}

/// What stands in the text where a tag was: inline elements do not part words.
fn instead_of(name: &str) -> Option<char> {
    match name {
        "a" | "/a" | "b" | "/b" | "i" | "/i" | "u" | "/u" | "em" | "/em" | "strong" | "/strong" | "span"
        | "/span" | "font" | "/font" | "wbr" | "sub" | "/sub" | "sup" | "/sup" | "mark" | "/mark" => None,
        "td" | "/td" | "th" | "/th" | "img" => Some(' '),
        _ => Some('\n'),
    }
}

/// Decodes the character reference at the front, or passes its `&` on.
fn push_reference<'a>(text: &'a str, out: &mut String) -> &'a str {
    let inner = text.get(1..).unwrap_or_default();
    let end = inner.as_bytes().iter().take(REFERENCE_OCTETS).position(|&c| c == b';');
    let Some((name, rest)) = end.and_then(|end| Some((inner.get(..end)?, inner.get(end + 1..)?))) else {
        out.push('&');
        return inner;
    };
    let number = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        },
        None => NAMED.iter().find(|(known, _)| *known == name).map(|(_, c)| u32::from(*c)),
    };
    match number.and_then(char::from_u32) {
        Some(c) => {
            out.push(if c == '\0' { '\u{fffd}' } else { c });
            rest
        }
        None => {
            out.push('&');
            inner
        }
    }
}

/// The references mail really uses.
const NAMED: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("copy", '©'),
    ("reg", '®'),
    ("trade", '™'),
    ("yen", '¥'),
    ("euro", '€'),
    ("hellip", '…'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bull", '•'),
    ("middot", '·'),
    ("zwnj", '\u{200c}'),
    ("shy", '\u{ad}'),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("szlig", 'ß'),
    ("eacute", 'é'),
    ("egrave", 'è'),
    ("agrave", 'à'),
    ("ccedil", 'ç'),
    ("ntilde", 'ñ'),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn html_is_read_for_its_text() {
        for (html, text) in [
            ("a<b>b</b>c", "abc"),
            ("<p>a</p><p>b</p>", "\na\n\nb\n"),
            ("a &lt; b &amp;&nbsp;c &#12354;&#x3042; &bogus; &", "a < b & c ああ &bogus; &"),
            ("<style>p{}</style>x<script>if(a<b)</script>y", "\nx\ny"),
            ("a<!-- <b> -->b", "ab"),
            ("1 < 2", "1 < 2"),
            ("unclosed <p", "unclosed \n"),
        ] {
            assert_eq!(html_to_text(html).replace("\n\n\n", "\n\n"), text.to_owned(), "{html:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            words in proptest::collection::vec(
                prop_oneof![
                    "[<&;!a-zé> /-]{0,5}",
                    Just("<!--".to_owned()), Just("-->".to_owned()), Just("<p class=x>".to_owned()),
                    Just("<Style>".to_owned()), Just("</styLe >".to_owned()), Just("&amp;".to_owned()),
                    Just("&#12354;".to_owned()), Just("</script>".to_owned()), Just("<script>".to_owned()),
                    Just("<verylongnameofatag/>".to_owned()),
                ],
                0..12,
            ),
            size in 1usize..7,
        ) {
            let html = words.concat();
            let (mut text, mut out) = (HtmlText::default(), String::new());
            let chars: Vec<char> = html.chars().collect();
            for piece in chars.chunks(size) {
                text.push(&piece.iter().collect::<String>(), &mut out);
            }
            text.finish(&mut out);
            prop_assert_eq!(out, html_to_text(&html));
        }
    }
}
