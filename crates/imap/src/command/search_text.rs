//! Looks for texts in one message: all of them in one reading, across the pieces it comes in. Reads no more than it must. RFC 9051 §6.4.4.

use memchr::memmem::Finder;
use yubin_formats::mail::SearchField;
use yubin_store::{MessageText, StoreError, TextPlace, TextSink};

/// A text sought, folded.
pub(super) struct Needle {
    pub(super) text: String,
    finder: Finder<'static>,
    /// Whether it is sought in the body, and not only in fields of the header.
    pub(super) in_body: bool,
}

impl Needle {
    pub(super) fn new(text: String) -> Self {
        let finder = Finder::new(text.as_bytes()).into_owned();
        Self { text, finder, in_body: false }
    }
    fn is_in(&self, text: &str) -> bool {
        self.finder.find(text.as_bytes()).is_some()
    }
    /// Whether it is in the value of a field of that name.
    pub(super) fn is_in_field(&self, name: &str, header: &[SearchField]) -> bool {
        header.iter().any(|f| {
            f.name == name && (self.is_in(&f.value) || f.unquoted.as_ref().is_some_and(|u| self.is_in(u)))
        })
    }
    /// Whether it is anywhere in the header, names included.
    pub(super) fn is_in_header(&self, header: &[SearchField]) -> bool {
        // Only such a text can reach from a name into its value.
        let across = self.text.contains(':') || self.text.starts_with(' ');
        header.iter().any(|f| {
            self.is_in(&f.value)
                || self.is_in(&f.name)
                || (across && self.is_in(&f.line()))
                || f.unquoted.as_ref().is_some_and(|u| self.is_in(u))
        })
    }
}

/// Where a needle was found, but for the header of the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) in_body: bool,
    pub(super) in_part_headers: bool,
}

/// Looks for needles outside the header of the message. One answer a needle.
pub(super) async fn find_in_body(
    needles: &[Needle],
    text: &mut MessageText<'_>,
) -> Result<Vec<Found>, StoreError> {
    let mut search = Search::new(needles);
    text.body(&mut search).await?;
    Ok(search.found)
}

struct Search<'a> {
    needles: &'a [Needle],
    found: Vec<Found>,
    /// The end of what was looked at, for each place: a needle may begin in it.
    windows: [String; 3],
    /// Octets of the longest needle.
    longest: usize,
}

impl<'a> Search<'a> {
    fn new(needles: &'a [Needle]) -> Self {
        let longest = needles.iter().map(|n| n.text.len()).max().unwrap_or(0);
        Self { needles, found: vec![Found::default(); needles.len()], windows: Default::default(), longest }
    }
    fn look(&mut self, place: TextPlace, text: &str) {
        for (needle, found) in self.needles.iter().zip(&mut self.found) {
            let seen = match place {
                TextPlace::Body | TextPlace::Shown => &mut found.in_body,
                TextPlace::PartHeader => &mut found.in_part_headers,
            };
            *seen |= needle.in_body && !*seen && needle.is_in(text);
        }
    }
}

impl TextSink for Search<'_> {
    fn text(&mut self, place: TextPlace, piece: &str, last: bool) {
        let at = match place {
            TextPlace::Body => 0,
            TextPlace::Shown => 1,
            TextPlace::PartHeader => 2,
        };
        let Some(window) = self.windows.get_mut(at) else { return };
        let mut window = std::mem::take(window);
        if window.is_empty() && last {
            return self.look(place, piece);
        }
        window.push_str(piece);
        self.look(place, &window);
        if last {
            window.clear();
        } else {
            let cut = window.ceil_char_boundary(window.len().saturating_sub(self.longest.saturating_sub(1)));
            window.drain(..cut);
        }
        if let Some(kept) = self.windows.get_mut(at) {
            *kept = window;
        }
    }
    fn is_done(&self) -> bool {
        self.needles.iter().zip(&self.found).all(|(needle, found)| !needle.in_body || found.in_body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needles_are_found_across_pieces_and_not_across_texts() {
        let check = |pieces: &[(TextPlace, &str, bool)], needle: &str, expected| {
            let mut needle = Needle::new(needle.to_owned());
            needle.in_body = true;
            let needles = [needle];
            let mut search = Search::new(&needles);
            pieces.iter().for_each(|(place, piece, last)| search.text(*place, piece, *last));
            assert_eq!((search.found[0].in_body, search.found[0].in_part_headers), expected, "{pieces:?}");
        };
        use TextPlace::{Body, PartHeader, Shown};
        let split = [(Body, "日", false), (Shown, "x", false), (Body, "本", false), (Body, "語", true)];
        check(&split, "日本語", (true, false));
        check(&split, "本x", (false, false));
        check(&[(Body, "日", true), (Body, "本", true)], "日本", (false, false));
        check(&[(Shown, "日", false), (Shown, "本", true)], "日本", (true, false));
        check(&[(PartHeader, "a", true)], "a", (false, true));
    }
}
