//! One mail transaction: the envelope while it grows, and the body while it passes.

use crate::{
    codec::{
        body::{BodyDecoder, Framing, Piece},
        reply,
    },
    envelope::{BodyType, Envelope, MailFrom, RcptTo},
    limits::{OVERRUN_OCTETS, RECIPIENT_TEXT_OCTETS, RECIPIENTS_OF_ANY_LENGTH},
    server::{
        options::{BareNewlinePolicy, Options},
        ports::{Accepted, BodyFacts, BodySink, Refusal},
    },
};

/// What began with MAIL and ends with the answer to the body, RSET, a new greeting or the connection.
pub(super) struct Transaction<B> {
    pub envelope: Envelope,
    pub body: Option<Incoming<B>>,
    /// Octets of the recipients' paths and parameters.
    pub recipient_octets: usize,
}

impl<B> Transaction<B> {
    /// Begins with a sender.
    pub fn new(mail: MailFrom) -> Self {
        Self { envelope: Envelope { mail, recipients: Vec::new() }, body: None, recipient_octets: 0 }
    }

    /// Whether no further recipient has a place.
    pub fn is_full(&self, options: &Options) -> bool {
        let recipients = self.envelope.recipients.len();
        let long = self.recipient_octets > RECIPIENT_TEXT_OCTETS;
        recipients >= options.recipients_max || long && recipients >= RECIPIENTS_OF_ANY_LENGTH
    }

    /// Adds a recipient.
    pub fn add(&mut self, rcpt: RcptTo) {
        let orcpt_octets = rcpt.orcpt.as_ref().map_or(0, |orcpt| orcpt.address.len());
        self.recipient_octets += rcpt.original.len() * 2 + orcpt_octets;
        self.envelope.recipients.push(rcpt);
    }
}

/// A body while it passes. After the first thing that is wrong with it, the rest is read and dropped.
pub(super) struct Incoming<B> {
    decoder: BodyDecoder,
    sink: Option<B>,
    refusal: Option<Refusal>,
    octets_max: u64,
    refuse_bare_newlines: bool,
    text: bool,
}

/// What was done with a piece of input.
pub(super) enum Progress {
    /// This many octets were taken; the body goes on.
    Taken(usize),
    /// This many octets were taken, and the body is complete.
    Complete(usize),
    /// The client goes on beyond all measure.
    Overrun,
}

impl<B: BodySink> Incoming<B> {
    pub fn new(framing: Framing, sink: B, envelope: &Envelope, options: &Options) -> Self {
        let text = framing == Framing::Dots || envelope.mail.body != BodyType::BinaryMime;
        // RFC 3030 §3: in BINARYMIME a bare CR or LF is data like any other.
        let policy = options.bare_newlines;
        let newlines = if text { policy.decoding() } else { crate::codec::body::BareNewlines::Keep };
        Self {
            decoder: BodyDecoder::new(framing, newlines),
            sink: Some(sink),
            refusal: None,
            octets_max: options.message_octets_max,
            refuse_bare_newlines: text && policy == BareNewlinePolicy::Refuse,
            text,
        }
    }

    /// Octets of the message so far.
    pub fn octets(&self) -> u64 {
        self.decoder.facts().octets
    }

    /// Why the body will be refused, as far as is known.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// Decodes and hands on all of the input, up to the end mark.
    pub async fn take(&mut self, input: &[u8]) -> Progress {
        let mut taken = 0;
        while let Some(rest) = input.get(taken..).filter(|rest| !rest.is_empty()) {
            let (used, piece) = self.decoder.step(rest);
            taken += used;
            match piece {
                Piece::End => return Progress::Complete(taken),
                Piece::Octets(octets) => write(&mut self.sink, &mut self.refusal, octets).await,
            }
            self.judge();
        }
        if self.octets() > self.octets_max.saturating_add(OVERRUN_OCTETS) {
            return Progress::Overrun;
        }
        Progress::Taken(taken)
    }

    /// Ends the body. The answer that promises durability comes from the backend and from nowhere else.
    /// Also says whether bare newlines stood in it that this listener refuses.
    pub async fn finish(mut self) -> (Result<Accepted, Refusal>, bool) {
        let held = self.decoder.finish(self.text);
        self.judge();
        write(&mut self.sink, &mut self.refusal, held).await;
        let broke_lines = self.broke_lines();
        let result = match (self.refusal, self.sink) {
            (Some(refusal), _) => Err(refusal),
            (None, Some(sink)) => sink.finish(self.decoder.facts()).await,
            (None, None) => Err(reply::LOCAL_ERROR.into()),
        };
        (result, broke_lines)
    }

    /// Looks at what was seen. Bare newlines come before size: they are why a session is ended.
    fn judge(&mut self) {
        let facts = self.decoder.facts();
        if self.has_refused_bare_newlines(facts) {
            self.set_refusal(reply::BARE_NEWLINES.into());
        } else if facts.octets > self.octets_max {
            self.set_refusal(reply::MESSAGE_TOO_BIG.into());
        }
    }

    /// Whether a bare newline stood in it that this listener refuses.
    pub fn broke_lines(&self) -> bool {
        self.has_refused_bare_newlines(self.decoder.facts())
    }

    fn has_refused_bare_newlines(&self, facts: BodyFacts) -> bool {
        self.refuse_bare_newlines && (facts.bare_cr || facts.bare_lf)
    }

    fn set_refusal(&mut self, refusal: Refusal) {
        // What was written so far is of no use any more; its room is given back at once.
        self.sink = None;
        self.refusal.get_or_insert(refusal);
    }
}

async fn write<B: BodySink>(sink: &mut Option<B>, refusal: &mut Option<Refusal>, octets: &[u8]) {
    let Some(open) = sink.as_mut().filter(|_| !octets.is_empty()) else { return };
    if let Err(why) = open.write(octets).await {
        *sink = None;
        refusal.get_or_insert(why);
    }
}
