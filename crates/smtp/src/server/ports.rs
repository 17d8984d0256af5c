//! What a session asks of the world: whether a sender and a recipient are welcome, and where the body goes.
//! `delivery` implements it. Decides nothing itself.

use yubin_base::{Peer, TraceId, UnixMs, sasl::Authenticated};

use crate::{
    codec::reply::{Enhanced, Reply},
    envelope::{Envelope, MailFrom, RcptTo},
};

/// Receives mail. One object serves all sessions; what belongs to one message comes in as arguments.
pub trait Reception: Send + Sync + 'static {
    /// Where one message's body goes.
    type Body: BodySink;

    /// Whether this sender may send here (ownership of the address on submission, blocked senders, load). Asked at MAIL, after the
    /// session has checked order, login, declared size and parameters.
    fn sender(
        &self,
        session: &SessionFacts,
        mail: &MailFrom,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Whether mail for this recipient is taken. `accepted` are the recipients of the same message so far.
    fn recipient(
        &self,
        session: &SessionFacts,
        mail: &MailFrom,
        accepted: &[RcptTo],
        recipient: &RcptTo,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Opens the place for the body: asked at DATA or the first BDAT, before 354 is sent. At least one recipient stands in the envelope.
    fn begin(
        &self,
        session: &SessionFacts,
        envelope: &Envelope,
    ) -> impl Future<Output = Result<Self::Body, Refusal>> + Send;
}

/// One message's body on its way in. Dropped without [`BodySink::finish`], it is forgotten: the client went away, sent RSET, or the
/// session refused the body.
pub trait BodySink: Send + 'static {
    /// Takes the next octets: dot-stuffing undone, the end mark left out, line ends CRLF (except in BINARYMIME). Pieces have any size from 1
    /// to [`crate::limits::BODY_STEP_OCTETS`] and end anywhere. After an error the session reads the body to its end, writes nothing more,
    /// and answers the error.
    fn write(&mut self, octets: &[u8]) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// The body is complete. When this says `Ok`, the message is durable: 250 goes out.
    fn finish(self, facts: BodyFacts) -> impl Future<Output = Result<Accepted, Refusal>> + Send;
}

/// What [`BodySink::finish`] says of a message that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Goes into the 250 reply, Received and the logs.
    pub trace_id: TraceId,
    /// For whom.
    pub delivered: Delivered,
}

/// For whom a message was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// For every recipient. The only answer that SMTP knows.
    ToAll,
    /// LMTP only (RFC 2033 §4.2): one result for each recipient of the envelope, in its order. A missing one counts as a temporary failure.
    /// When an SMTP session gets this, one success is 250 (the rest is the backend's to report), none is the first refusal.
    ToEach(Vec<Result<(), Refusal>>),
}

/// What the session saw of the body while it passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyFacts {
    /// Octets handed to [`BodySink::write`].
    pub octets: u64,
    /// A CR without LF stood in it (turned into CRLF on listeners that normalise, as sent in BINARYMIME).
    pub bare_cr: bool,
    /// A LF without CR stood in it (likewise).
    pub bare_lf: bool,
    /// A NUL stood in it.
    pub nul: bool,
    /// An octet above 127 stood in it.
    pub eight_bit: bool,
}

/// What is known of the session when the reception is asked.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// What kind of listener this is.
    pub service: Service,
    /// The addresses and the TLS session.
    pub peer: Peer,
    /// The name given in HELO, EHLO or LHLO: printable US-ASCII without `<>()",;` and backslash or
    /// backtick, at most 255 octets, otherwise unchecked. Empty before.
    pub helo: String,
    /// Whether it was EHLO or LHLO.
    pub extended: bool,
    /// Who logged in.
    pub authenticated: Option<Authenticated>,
    /// Now: when the current command was taken up.
    pub now: UnixMs,
}

impl SessionFacts {
    /// The `with` keyword for the Received field: RFC 3848, RFC 6531 §4.3.
    pub fn with_protocol(&self, smtputf8: bool) -> &'static str {
        let tls = self.peer.tls.is_some();
        let auth = self.authenticated.is_some();
        match (self.service, smtputf8, tls, auth) {
            (Service::Lmtp, false, false, false) => "LMTP",
            (Service::Lmtp, false, false, true) => "LMTPA",
            (Service::Lmtp, false, true, false) => "LMTPS",
            (Service::Lmtp, false, true, true) => "LMTPSA",
            (Service::Lmtp, true, false, false) => "UTF8LMTP",
            (Service::Lmtp, true, false, true) => "UTF8LMTPA",
            (Service::Lmtp, true, true, false) => "UTF8LMTPS",
            (Service::Lmtp, true, true, true) => "UTF8LMTPSA",
            // RFC 3848: the keywords with letters say ESMTP; a client that greets with HELO and uses TLS or AUTH is one all the same.
            (_, false, false, false) if !self.extended => "SMTP",
            (_, false, false, false) => "ESMTP",
            (_, false, false, true) => "ESMTPA",
            (_, false, true, false) => "ESMTPS",
            (_, false, true, true) => "ESMTPSA",
            (_, true, false, false) => "UTF8SMTP",
            (_, true, false, true) => "UTF8SMTPA",
            (_, true, true, false) => "UTF8SMTPS",
            (_, true, true, true) => "UTF8SMTPSA",
        }
    }
}

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Port 25: mail from other hosts for us.
    Mx,
    /// Ports 587 and 465: mail from our users to the world (RFC 6409, RFC 8314).
    Submission,
    /// LMTP (RFC 2033): mail from a trusted transfer agent, one answer per recipient.
    Lmtp,
}

/// A refusal: a reply of class 4 or 5. Made of a row of the table in [`crate::codec::reply`], or of a text that a policy chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Reply);

impl Refusal {
    /// Refuses with a row of the table. A row that is no refusal (a bug) turns into 451.
    pub fn of(reply: Reply) -> Self {
        if matches!(reply.code, 400..=599) { Self(reply) } else { Self(crate::codec::reply::LOCAL_ERROR) }
    }
    /// Refuses with a text of one's own. Nothing when the code is not 4xx or 5xx, the enhanced code is of another class, or the text is not
    /// printable US-ASCII of 1 to 400 octets.
    pub fn custom(code: u16, enhanced: Enhanced, text: &str) -> Option<Self> {
        let printable = text.bytes().all(|b| (b' '..=b'~').contains(&b));
        let classes_agree = u16::from(enhanced.0) == code / 100;
        let sane = matches!(code, 400..=599) && classes_agree && printable && (1..=400).contains(&text.len());
        sane.then(|| Self(Reply { code, enhanced: Some(enhanced), text: text.to_owned().into() }))
    }
    /// Whether trying again may help (4xx).
    pub fn is_temporary(&self) -> bool {
        self.0.code < 500
    }
    /// The reply.
    pub fn reply(&self) -> &Reply {
        &self.0
    }
}

impl From<Reply> for Refusal {
    fn from(reply: Reply) -> Self {
        Self::of(reply)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use yubin_base::{AccountId, TlsInfo};

    use super::*;
    use crate::codec::reply;

    #[test]
    fn the_received_keyword_tells_tls_login_and_utf8() {
        let check = |service, extended, tls: bool, login: bool, utf8, expected: &str| {
            let address = SocketAddr::from(([192, 0, 2, 1], 25));
            let facts = SessionFacts {
                service,
                peer: Peer { remote: address, local: address, tls: tls.then(TlsInfo::default) },
                helo: "client.test".into(),
                extended,
                authenticated: login.then(|| Authenticated { account: AccountId(1), name: "ann".into() }),
                now: UnixMs(0),
            };
            assert_eq!(facts.with_protocol(utf8), expected);
        };
        check(Service::Mx, false, false, false, false, "SMTP");
        check(Service::Mx, true, false, false, false, "ESMTP");
        check(Service::Mx, false, true, false, false, "ESMTPS");
        check(Service::Submission, true, true, true, false, "ESMTPSA");
        check(Service::Submission, true, false, true, false, "ESMTPA");
        check(Service::Submission, true, true, true, true, "UTF8SMTPSA");
        check(Service::Mx, true, false, false, true, "UTF8SMTP");
        check(Service::Lmtp, true, false, false, false, "LMTP");
        check(Service::Lmtp, true, true, false, true, "UTF8LMTPS");
    }

    #[test]
    fn refusals_of_ones_own_are_checked() {
        let custom = |code, class, text: &str| Refusal::custom(code, Enhanced(class, 7, 1), text).is_some();
        assert!(custom(550, 5, "Go away"));
        assert!(custom(450, 4, "Later"));
        assert!(!custom(550, 4, "Classes differ"));
        assert!(!custom(250, 2, "No refusal"));
        assert!(!custom(550, 5, ""));
        assert!(!custom(550, 5, "a\r\n250 b"));
        assert!(!custom(550, 5, "grüße"));
        assert!(!custom(550, 5, &"x".repeat(401)));
        assert_eq!(Refusal::of(reply::OK).reply(), &reply::LOCAL_ERROR);
        assert!(Refusal::of(reply::MAILBOX_FULL).is_temporary());
        assert!(!Refusal::of(reply::MAILBOX_UNKNOWN).is_temporary());
    }
}
