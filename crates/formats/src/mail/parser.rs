//! The streaming structure parser. Takes octets in any chunking, looks at lines, keeps header blocks and forgets bodies.
//! Never fails, never looks back, and costs time linear in the message whatever it holds. RFC 5322, RFC 2046 §5.
//!
//! A line ends with LF; a CR before it belongs to the line end. A CR elsewhere is content: were it a line end too, two
//! readers of one message could see two structures.

use std::sync::LazyLock;

use memchr::{memchr, memchr_iter, memmem};

use super::{
    ContentType, Defect, DefectKind, Mail, Part, PartKind, TransferEncoding, fields, header::field_name,
    unfold,
};
use crate::limits::{
    BOUNDARY_LINE_OCTETS, BOUNDARY_OCTETS, DEFECTS, HEADER_FIELDS, HEADER_OCTETS, HEADER_OCTETS_TOTAL,
    PART_DEPTH, PARTS,
};

/// A body is looked through in pieces that stay in the nearest cache for the second look.
const SCAN_OCTETS: usize = 16 * 1024;

/// What a delimiter begins with, and the end of the line before.
static NEXT_LINE: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"\n--"));

/// Reads the structure of one message.
#[derive(Clone, Debug)]
pub struct Parser {
    /// Where the next thing to decide begins: the current line in `Head` and `LineStart`, else the next octet.
    offset: u64,
    /// The LFs before `offset`.
    line_ends: u64,
    /// The length of the line end right before `offset`, when `offset` is at the start of a line.
    last_break: u64,
    /// Whether the octet before `offset` is a CR.
    after_cr: bool,
    state: State,
    /// The start of a line whose end is not here yet, as far as it may matter.
    line: Vec<u8>,
    /// How long that line is up to now.
    line_octets: u64,
    /// Whether its last octet is a CR.
    line_cr: bool,
    /// The header block being read.
    head: Vec<u8>,
    head_fields: usize,
    head_overflow: bool,
    /// How many lines of it end with CRLF and with LF alone.
    head_line_ends: (usize, usize),
    /// Where in it the first of the Content- fields begins.
    content_at: Option<usize>,
    /// The parts under way, outermost first.
    open: Vec<Open>,
    /// How many of them wait for delimiter lines.
    delimited: usize,
    parts: usize,
    kept_octets: usize,
    defects: Vec<Defect>,
    work: u64,
    root: Option<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a header, at or in a line.
    Head,
    /// In a body with delimiters, at or in a line that may be one.
    LineStart,
    /// In a body with delimiters, in a line that is none.
    MidLine,
    /// In a body that nothing but the end of the message ends.
    Rest,
}

/// A part under way.
#[derive(Clone, Debug)]
struct Open {
    part: Part,
    /// The boundary, while the multipart waits for delimiter lines.
    boundary: Option<Vec<u8>>,
    /// The LFs before the body.
    lines_before: u64,
    /// Whether it is a part of a multipart/digest (RFC 2046 §5.1.5).
    default_is_message: bool,
}

/// What a header line is.
enum HeadLine {
    Empty,
    Field,
    /// No field, but to be passed over.
    Stray,
    /// No field: the body begins here.
    Body,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// A parser at the start of a message.
    pub fn new() -> Self {
        let root = Open { part: Part::at(0), boundary: None, lines_before: 0, default_is_message: false };
        Self {
            offset: 0,
            line_ends: 0,
            last_break: 0,
            after_cr: false,
            state: State::Head,
            line: Vec::new(),
            line_octets: 0,
            line_cr: false,
            head: Vec::new(),
            head_fields: 0,
            head_overflow: false,
            head_line_ends: (0, 0),
            content_at: None,
            open: vec![root],
            delimited: 0,
            parts: 1,
            kept_octets: 0,
            defects: Vec::new(),
            work: 0,
            root: None,
        }
    }

    /// Takes the next octets of the message, as many or few as there are.
    pub fn push(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() {
            let used = match self.state {
                State::Head => self.push_line(octets),
                State::LineStart => self.push_line_start(octets),
                State::MidLine => self.push_mid_line(octets),
                State::Rest => self.pass_over(octets),
            };
            octets = octets.get(used..).unwrap_or_default();
        }
    }

    /// How many octets were looked at, those looked at twice counted twice. For tests that the work is linear.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// The message has ended.
    pub fn finish(mut self) -> Mail {
        if self.line_octets > 0 {
            self.end_kept_line();
        }
        while self.state == State::Head {
            self.end_head();
        }
        let (end, lines) = (self.offset, self.line_ends);
        self.close_down_to(0, end, lines);
        let root = self.root.unwrap_or_else(|| Part::at(0));
        Mail { root, octets: self.offset, defects: self.defects }
    }

    /// Takes one line, or as much of it as there is. Returns how many octets that were.
    fn push_line(&mut self, octets: &[u8]) -> usize {
        let Some(end) = memchr(b'\n', octets) else {
            self.keep_line(octets);
            return octets.len();
        };
        let (line, _) = octets.split_at_checked(end + 1).unwrap_or((octets, &[]));
        if self.line_octets == 0 {
            self.take_line(line, line.len() as u64, true);
        } else {
            self.keep_line(line);
            self.end_kept_line();
        }
        line.len()
    }

    /// At the start of a line of a body: decides by two octets whether it may be a delimiter.
    fn push_line_start(&mut self, octets: &[u8]) -> usize {
        let dashes = self.line.iter().chain(octets).take(2);
        if dashes.clone().any(|&c| c != b'-') {
            // One dash may have been kept from the last chunk.
            self.offset += self.line_octets;
            if self.line_octets > 0 {
                self.after_cr = false;
            }
            self.forget_line();
            self.state = State::MidLine;
            return 0;
        }
        let used = self.push_line(octets);
        if self.line_octets > BOUNDARY_LINE_OCTETS as u64 {
            self.offset += self.line_octets;
            self.after_cr = octets.last() == Some(&b'\r');
            self.forget_line();
            self.state = State::MidLine;
        }
        used
    }

    /// In a line that is no delimiter: goes on to the next that may be one.
    fn push_mid_line(&mut self, octets: &[u8]) -> usize {
        let octets = octets.get(..SCAN_OCTETS).unwrap_or(octets);
        let end = match NEXT_LINE.find(octets) {
            Some(at) => at + 1,
            None if octets.ends_with(b"\n") => octets.len(),
            None if octets.ends_with(b"\n-") => octets.len() - 1,
            None => return self.pass_over(octets),
        };
        let (passed, _) = octets.split_at_checked(end).unwrap_or((octets, &[]));
        let cr = match passed.len() {
            1 => self.after_cr,
            _ => passed.ends_with(b"\r\n"),
        };
        self.pass_over(passed);
        self.last_break = 1 + u64::from(cr);
        self.state = State::LineStart;
        passed.len()
    }

    /// Counts octets and line ends, and looks at nothing else.
    fn pass_over(&mut self, octets: &[u8]) -> usize {
        self.work += octets.len() as u64;
        self.line_ends += memchr_iter(b'\n', octets).count() as u64;
        self.offset += octets.len() as u64;
        self.after_cr = octets.last() == Some(&b'\r');
        octets.len()
    }

    /// Keeps the start of a line, as far as it may matter: a header line within the budget, or a delimiter.
    fn keep_line(&mut self, octets: &[u8]) {
        self.line_octets += octets.len() as u64;
        let most = if self.state == State::Head { HEADER_OCTETS } else { 0 } + BOUNDARY_LINE_OCTETS;
        let (text, line_end): (&[u8], &[u8]) = match octets.strip_suffix(b"\n") {
            None => (octets, b""),
            Some(text) if text.last().map_or(self.line_cr, |&c| c == b'\r') => (text, b"\r\n"),
            Some(text) => (text, b"\n"),
        };
        self.line_cr = text.last().map_or(self.line_cr, |&c| c == b'\r');
        let room = most.saturating_sub(self.line.len());
        self.line.extend_from_slice(text.get(..room.min(text.len())).unwrap_or_default());
        // The line end is kept of lines of any length.
        let line_end = if self.line.ends_with(b"\r") {
            line_end.strip_prefix(b"\r").unwrap_or(line_end)
        } else {
            line_end
        };
        self.line.extend_from_slice(line_end);
    }

    fn end_kept_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let octets = std::mem::take(&mut self.line_octets);
        let ended = line.ends_with(b"\n");
        self.take_line(&line, octets, ended);
        self.line = line;
        self.forget_line();
    }

    fn forget_line(&mut self) {
        self.line.clear();
        self.line_octets = 0;
        self.line_cr = false;
    }

    /// Decides about one whole line of `octets` octets, of which `line` is the start.
    fn take_line(&mut self, line: &[u8], octets: u64, ended: bool) {
        // The first line of a body may be the first of the header of the message inside, and so on down: bounded by PART_DEPTH.
        loop {
            self.work += octets;
            if let Some((index, closing)) = self.delimiter(line, octets) {
                if self.state == State::Head {
                    self.defect(DefectKind::NoBlankLine);
                    self.end_head_before_delimiter();
                }
                self.step_over(line, octets, ended, |parser| parser.take_delimiter(index, closing, octets));
                return;
            }
            if self.state != State::Head {
                self.step_over(line, octets, ended, |_| ());
                return;
            }
            match self.head_line(line) {
                HeadLine::Empty => {
                    self.add_to_head(line, octets);
                    self.step_over(line, octets, ended, |_| ());
                    self.end_head();
                    return;
                }
                HeadLine::Field | HeadLine::Stray => {
                    self.add_to_head(line, octets);
                    self.step_over(line, octets, ended, |_| ());
                    return;
                }
                HeadLine::Body => {
                    self.defect(DefectKind::NoBlankLine);
                    self.end_head();
                }
            }
        }
    }

    /// Moves on behind a line. `decide` runs while `offset` still is the line's start.
    fn step_over(&mut self, line: &[u8], octets: u64, ended: bool, decide: impl FnOnce(&mut Self)) {
        decide(self);
        self.offset += octets;
        self.line_ends += u64::from(ended);
        self.after_cr = line.last() == Some(&b'\r');
        self.last_break = match ended {
            true => 1 + u64::from(line.ends_with(b"\r\n")),
            false => 0,
        };
    }

    /// Whether the line delimits one of the open multiparts: which, and whether it closes it. RFC 2046 §5.1.1.
    fn delimiter(&mut self, line: &[u8], octets: u64) -> Option<(usize, bool)> {
        if self.delimited == 0 || octets > BOUNDARY_LINE_OCTETS as u64 {
            return None;
        }
        let text = line.strip_prefix(b"--")?.trim_ascii_end();
        let closing = text.strip_suffix(b"--");
        self.work += self.open.len() as u64;
        self.open.iter().enumerate().rev().find_map(|(index, open)| {
            let boundary = open.boundary.as_deref()?;
            if boundary == text {
                Some((index, false))
            } else {
                (closing == Some(boundary)).then_some((index, true))
            }
        })
    }

    /// Acts on a delimiter line of `octets` octets that begins at `offset`.
    fn take_delimiter(&mut self, index: usize, closing: bool, octets: u64) {
        let (end, lines) = (self.offset - self.last_break.min(self.offset), self.line_ends.saturating_sub(1));
        self.close_down_to(index + 1, end, lines);
        if closing {
            self.end_boundary(index);
            self.state = if self.delimited > 0 { State::LineStart } else { State::Rest };
            return;
        }
        let digest = self.open.last().is_some_and(|open| open.part.content_type.is("multipart", "digest"));
        self.open_part(self.offset + octets, digest);
    }

    fn open_part(&mut self, offset: u64, default_is_message: bool) {
        self.parts += 1;
        self.open.push(Open { part: Part::at(offset), boundary: None, lines_before: 0, default_is_message });
        self.head_fields = 0;
        self.head_overflow = false;
        self.head_line_ends = (0, 0);
        self.content_at = None;
        self.state = State::Head;
        if self.parts > PARTS {
            self.defect(DefectKind::TooManyParts);
            for index in 0..self.open.len() {
                self.end_boundary(index);
            }
        }
    }

    fn end_boundary(&mut self, index: usize) {
        if let Some(open) = self.open.get_mut(index)
            && open.boundary.take().is_some()
        {
            self.delimited -= 1;
        }
    }

    /// Closes all open parts but the outer `count`.
    fn close_down_to(&mut self, count: usize, mut end: u64, mut lines: u64) {
        while self.open.len() > count {
            if self.open.last().is_some_and(|open| open.boundary.is_some()) {
                self.defect(DefectKind::NotClosed);
                self.end_boundary(self.open.len() - 1);
            }
            let Some(Open { mut part, lines_before, .. }) = self.open.pop() else { return };
            if part.body_start > end {
                // The line end before the delimiter is the header's; so it is inside the parts around, too.
                (end, lines) = (part.body_start, lines_before);
            }
            part.body_end = end;
            part.lines = lines.saturating_sub(lines_before);
            if part.kind == PartKind::Multipart && part.children.is_empty() {
                self.defect(DefectKind::NoParts);
                part.kind = PartKind::Leaf;
                part.content_type = ContentType::text_plain();
            }
            match self.open.last_mut() {
                Some(parent) => parent.part.children.push(part),
                None => self.root = Some(part),
            }
        }
    }

    fn head_line(&mut self, line: &[u8]) -> HeadLine {
        if matches!(line, b"\r\n" | b"\n") {
            return HeadLine::Empty;
        }
        if let Some(b' ' | b'\t') = line.first() {
            if self.head.is_empty() {
                self.defect(DefectKind::StrayLine);
            }
            return HeadLine::Field;
        }
        if field_name(line).is_some() {
            self.head_fields += 1;
            return HeadLine::Field;
        }
        // The line that mailbox files put before a message.
        if self.head.is_empty() && (line.starts_with(b"From ") || line.starts_with(b">From ")) {
            self.defect(DefectKind::StrayLine);
            return HeadLine::Stray;
        }
        HeadLine::Body
    }

    fn add_to_head(&mut self, line: &[u8], octets: u64) {
        let fits = octets <= HEADER_OCTETS.saturating_sub(self.head.len()) as u64;
        if !fits || self.head_fields > HEADER_FIELDS {
            // All that follows is left out too, so that no field is kept without its continuation, or a continuation without its field.
            if !self.head_overflow {
                self.head_overflow = true;
                self.defect(DefectKind::HeaderTooLong);
            }
        }
        if self.head_overflow {
            return;
        }
        if self.content_at.is_none()
            && line.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"Content-"))
        {
            self.content_at = Some(self.head.len());
        }
        if line.ends_with(b"\r\n") {
            self.head_line_ends.0 += 1;
        } else if line.ends_with(b"\n") {
            self.head_line_ends.1 += 1;
        }
        self.head.extend_from_slice(line);
    }

    /// The header ended because a delimiter came: the part has no body, and nothing inside it can begin.
    fn end_head_before_delimiter(&mut self) {
        while self.state == State::Head {
            self.end_head();
        }
    }

    /// The header of the innermost open part ends at `offset`: decides what the part is and what its body holds.
    fn end_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        self.work += head.len() as u64;
        self.note_defects_of(&head);
        let opaque = self.parts > PARTS;
        let depth = self.open.len();
        let (offset, lines_before) = (self.offset, self.line_ends);
        let mut defects = Vec::new();
        let Some(open) = self.open.last_mut() else {
            self.state = State::Rest;
            return;
        };
        open.lines_before = lines_before;
        let part = &mut open.part;
        part.body_start = offset;
        part.body_end = offset;
        part.content_type = if open.default_is_message {
            ContentType::new("MESSAGE", "RFC822")
        } else {
            ContentType::text_plain()
        };
        if let Some(fields) = self.content_at.and_then(|at| head.get(at..)) {
            read_content_fields(part, fields, &mut defects);
        }
        let mut inner = None;
        let composite = part.content_type.is_main("multipart") || part.content_type.is_message();
        if composite && (opaque || depth >= PART_DEPTH) {
            defects.push(DefectKind::TooDeep);
            part.content_type = ContentType::new("APPLICATION", "OCTET-STREAM");
        } else if part.content_type.is_main("multipart") {
            match boundary_of(&part.content_type) {
                Some(boundary) => {
                    part.kind = PartKind::Multipart;
                    open.boundary = Some(boundary);
                    self.delimited += 1;
                }
                None => {
                    defects.push(DefectKind::NoBoundary);
                    part.content_type = ContentType::text_plain();
                }
            }
            if !part.encoding.is_identity() {
                defects.push(DefectKind::EncodedComposite);
                part.encoding = TransferEncoding::SevenBit;
            }
        } else if part.content_type.is_message() {
            part.kind = PartKind::Message;
            inner = Some(part.encoding.is_identity());
        }
        if head.len() <= HEADER_OCTETS_TOTAL.saturating_sub(self.kept_octets) {
            self.kept_octets += head.len();
            part.header = head;
        } else {
            defects.push(DefectKind::HeaderNotKept);
        }
        for kind in defects {
            self.defect(kind);
        }
        self.state = if self.delimited > 0 { State::LineStart } else { State::Rest };
        if let Some(readable) = inner {
            self.open_part(offset, false);
            if !readable {
                // The message inside is encoded and cannot be read in place: all of it is the body of a message without header.
                self.defect(DefectKind::EncodedComposite);
                self.end_head();
            }
        }
    }

    fn note_defects_of(&mut self, head: &[u8]) {
        if self.defects.len() >= DEFECTS {
            return;
        }
        if memchr(0, head).is_some() {
            self.defect(DefectKind::Nul);
        }
        let (pairs, bare) = self.head_line_ends;
        if memchr_iter(b'\r', head).count() > pairs {
            self.defect(DefectKind::BareCr);
        }
        if bare > 0 {
            self.defect(DefectKind::BareLf);
        }
    }

    fn defect(&mut self, kind: DefectKind) {
        if self.defects.len() < DEFECTS
            && self.defects.last().is_none_or(|last| last.kind != kind || last.offset != self.offset)
        {
            self.defects.push(Defect { kind, offset: self.offset });
        }
    }
}

/// Reads what decides about a part: its type and its transfer encoding.
fn read_content_fields(part: &mut Part, head: &[u8], defects: &mut Vec<DefectKind>) {
    let (mut content_type, mut encoding) = (None, None);
    for field in fields(head) {
        if content_type.is_none() && field.is(b"Content-Type") {
            content_type = Some(field.value);
        } else if encoding.is_none() && field.is(b"Content-Transfer-Encoding") {
            encoding = Some(field.value);
        }
    }
    if let Some(value) = content_type {
        part.content_type = ContentType::parse(value).unwrap_or_else(|| {
            defects.push(DefectKind::BadContentType);
            ContentType::text_plain()
        });
    }
    if let Some(value) = encoding {
        part.encoding = TransferEncoding::parse(value);
        if part.encoding == TransferEncoding::Unknown {
            defects.push(DefectKind::UnknownEncoding);
            part.unknown_encoding = Some(unfold(value).iter().copied().take(100).collect());
        }
    }
}

/// The boundary of a multipart, if it is one that can be looked for.
fn boundary_of(content_type: &ContentType) -> Option<Vec<u8>> {
    let boundary = match content_type.parameters.get(b"boundary") {
        Some(boundary) => boundary.to_vec(),
        None => content_type.parameters.decoded(b"boundary")?.into_bytes(),
    };
    let boundary = boundary.trim_ascii_end();
    (!boundary.is_empty() && boundary.len() <= BOUNDARY_OCTETS).then(|| boundary.to_vec())
}
