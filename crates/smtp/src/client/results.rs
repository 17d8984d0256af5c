//! What came of a session and of each recipient. Never retries anything.

use crate::{
    codec::{reply::Enhanced, response::Response},
    limits,
};

/// What a recipient's result means for the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The other server took the message: it is theirs now.
    Delivered,
    /// Not now; trying again may help.
    Later,
    /// Never: a notification is due.
    Never,
}

/// Where in a session something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before the greeting was read.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// STARTTLS and the handshake.
    Tls,
    /// AUTH.
    Login,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA or BDAT, and the body.
    Data,
    /// After the whole body was sent.
    Dot,
}

impl Stage {
    /// How logs and reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Hello => "EHLO",
            Self::Tls => "STARTTLS",
            Self::Login => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Dot => "end of message",
        }
    }
}

/// Whether the message may have arrived all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambiguity {
    /// The result is what happened.
    None,
    /// The whole body was sent and no answer came: the other server may have taken it (RFC 1047). Trying again may make a second copy.
    InDoubt,
}

/// What came of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientResult {
    /// What it means.
    pub class: Class,
    /// Where it was decided.
    pub stage: Stage,
    /// The server's code; zero when the words are ours.
    pub code: u16,
    /// The enhanced code, the server's or ours.
    pub enhanced: Option<Enhanced>,
    /// The server's words, or ours.
    pub text: String,
    /// Whether it may have arrived.
    pub ambiguity: Ambiguity,
    /// The server had too many recipients in this message: another transaction may be tried at once (RFC 5321 §4.5.3.1.10).
    pub another_transaction: bool,
}

/// Why a session cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFailure {
    /// Later or never; never `Delivered`.
    pub class: Class,
    /// Where.
    pub stage: Stage,
    /// The server's code; zero when the words are ours.
    pub code: u16,
    /// The enhanced code.
    pub enhanced: Option<Enhanced>,
    /// The server's words, or ours.
    pub text: String,
}

impl RecipientResult {
    /// By a reply.
    pub(super) fn said(class: Class, stage: Stage, response: &Response) -> Self {
        Self {
            class,
            stage,
            code: response.code,
            enhanced: response.enhanced,
            text: kept(response.text()),
            ambiguity: Ambiguity::None,
            another_transaction: false,
        }
    }

    /// In our own words.
    pub(super) fn ours(class: Class, stage: Stage, enhanced: Enhanced, text: &str) -> Self {
        Self {
            class,
            stage,
            code: 0,
            enhanced: Some(enhanced),
            text: kept(text.to_owned()),
            ambiguity: Ambiguity::None,
            another_transaction: false,
        }
    }

    /// What a failed session means for a recipient of it.
    pub fn of_session(failure: &SessionFailure) -> Self {
        Self {
            class: failure.class,
            stage: failure.stage,
            code: failure.code,
            enhanced: failure.enhanced,
            text: failure.text.clone(),
            ambiguity: Ambiguity::None,
            another_transaction: false,
        }
    }

    /// The reply as RFC 3464 §2.3.6 wants it: code, enhanced code, words.
    pub fn diagnostic(&self) -> String {
        let enhanced = self.enhanced.map(|e| format!("{e} ")).unwrap_or_default();
        match self.code {
            0 => format!("{enhanced}{}", self.text),
            code => format!("{code} {enhanced}{}", self.text),
        }
    }
}

impl SessionFailure {
    pub(super) fn said(class: Class, stage: Stage, response: &Response) -> Self {
        Self { class, stage, code: response.code, enhanced: response.enhanced, text: kept(response.text()) }
    }

    pub(super) fn ours(class: Class, stage: Stage, enhanced: Enhanced, text: &str) -> Self {
        Self { class, stage, code: 0, enhanced: Some(enhanced), text: kept(text.to_owned()) }
    }
}

fn kept(mut text: String) -> String {
    if text.len() > limits::KEPT_TEXT_OCTETS {
        let end = (0..=limits::KEPT_TEXT_OCTETS).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}
