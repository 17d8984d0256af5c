//! The texts that SEARCH looks at, decoded and folded: header fields, and the body of a part as a stream. RFC 9051 §6.4.4.
//! Never decides whether a message matches.

use super::{HtmlText, StructurePart, TextReader, decode_header, fields};
use crate::{SearchFolder, charset, fold_for_search};

/// One field of a header as it is searched. All of it is folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchField {
    /// The name; empty for a line that belongs to no field.
    pub name: String,
    /// The value, unfolded and decoded.
    pub value: String,
    /// The value without the backslashes of its quoted pairs, if it has any: a name as ENVELOPE has it.
    pub unquoted: Option<String>,
}

impl SearchField {
    /// The whole field, as TEXT sees it.
    pub fn line(&self) -> String {
        if self.name.is_empty() { self.value.clone() } else { format!("{}: {}", self.name, self.value) }
    }
}

/// The fields of a header block that are called one of `names` (lower case), or all of them and the lines that belong to none.
pub fn search_fields(block: &[u8], names: Option<&[String]>) -> Vec<SearchField> {
    let wanted =
        |name: &[u8]| names.is_none_or(|names| names.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(name)));
    let (mut found, mut end) = (Vec::new(), 0);
    for field in fields(block) {
        if names.is_none() {
            stray(block.get(end..field.range.start).unwrap_or_default(), &mut found);
        }
        end = field.range.end;
        if wanted(field.name) {
            let value = decode_header(field.value);
            found.push(SearchField {
                name: String::from_utf8_lossy(field.name).to_ascii_lowercase(),
                unquoted: value.contains('\\').then(|| fold_for_search(&without_backslashes(&value))),
                value: fold_for_search(&value),
            });
        }
    }
    if names.is_none() {
        stray(block.get(end..).unwrap_or_default(), &mut found);
    }
    found
}

/// Lines that belong to no field.
fn stray(lines: &[u8], found: &mut Vec<SearchField>) {
    if !lines.trim_ascii().is_empty() {
        let value = fold_for_search(charset::decode_undeclared(lines).trim());
        found.push(SearchField { name: String::new(), value, unquoted: None });
    }
}

fn without_backslashes(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

/// Reads the body of one part for search, in any chunking.
#[derive(Debug)]
pub struct SearchTextReader {
    reader: TextReader,
    decoded: String,
    source: SearchFolder,
    html: Option<Html>,
}

#[derive(Debug, Default)]
struct Html {
    text: HtmlText,
    shown: String,
    folder: SearchFolder,
}

impl SearchTextReader {
    /// A reader for a part.
    pub fn new(part: &StructurePart) -> Self {
        Self {
            reader: TextReader::new(part, usize::MAX),
            decoded: String::new(),
            source: SearchFolder::default(),
            html: part.is_html().then(Html::default),
        }
    }

    /// Takes the next octets of the body. Adds their text to `source`, and for HTML to `shown` what a person sees of it.
    pub fn push(&mut self, body: &[u8], source: &mut String, shown: &mut String) {
        self.decoded.clear();
        self.reader.push(body, &mut self.decoded);
        self.go_on(source, shown);
    }

    fn go_on(&mut self, source: &mut String, shown: &mut String) {
        self.source.push(&self.decoded, source);
        if let Some(html) = &mut self.html {
            html.shown.clear();
            html.text.push(&self.decoded, &mut html.shown);
            html.folder.push(&html.shown, shown);
        }
    }

    /// The body has ended.
    pub fn finish(mut self, source: &mut String, shown: &mut String) {
        self.decoded.clear();
        let reader = std::mem::replace(&mut self.reader, TextReader::ended());
        reader.finish(&mut self.decoded);
        self.go_on(source, shown);
        self.source.finish(source);
        if let Some(mut html) = self.html {
            html.shown.clear();
            html.text.finish(&mut html.shown);
            html.folder.push(&html.shown, shown);
            html.folder.finish(shown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_folded_and_stray_lines_kept() {
        let block =
            b"From x Mon\r\nSubject: =?utf-8?b?44Kr?=\r\n Two\r\nFrom: \"O\\\"B\" <o@B>\r\nstray\r\n\r\n";
        let all = search_fields(block, None);
        let lines: Vec<String> = all.iter().map(SearchField::line).collect();
        assert_eq!(lines, ["from x mon", "subject: か two", "from: \"o\\\"b\" <o@b>", "stray"]);
        assert_eq!(all[2].unquoted.as_deref(), Some("\"o\"b\" <o@b>"));
        assert_eq!(search_fields(block, Some(&["subject".into()])).len(), 1);
    }
}
