//! The envelope: what MAIL and RCPT said. Values only; the wire form is read in [`crate::codec`]. RFC 5321, 3461, 4954, 6531.

use yubin_base::Address;

/// The sender and the recipients of one message, with their parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What MAIL said.
    pub mail: MailFrom,
    /// What each accepted RCPT said, in order. The same recipient may appear twice.
    pub recipients: Vec<RcptTo>,
}

/// What MAIL FROM said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailFrom {
    /// The sender; nothing for the null reverse-path `<>`.
    pub reverse_path: Option<Address>,
    /// SIZE (RFC 1870): what the client thinks the message will take. Not to be relied on.
    pub size: Option<u64>,
    /// BODY (RFC 6152, RFC 3030).
    pub body: BodyType,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// RET (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// ENVID (RFC 3461 §4.4), decoded from xtext; printable US-ASCII only.
    pub envid: Option<String>,
    /// AUTH (RFC 4954 §5), decoded. Believe it only from a peer you trust.
    pub auth: Option<Submitter>,
}

/// BODY of MAIL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyType {
    /// `7BIT`, and when BODY was not said.
    #[default]
    SevenBit,
    /// `8BITMIME`.
    EightBitMime,
    /// `BINARYMIME`: lines mean nothing, bare CR and LF are data. Only with BDAT.
    BinaryMime,
}

/// RET of MAIL: what a failure report returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// The whole message.
    Full,
    /// Its header only.
    Headers,
}

/// AUTH of MAIL: who submitted the message first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitter {
    /// `<>`: not known.
    Unknown,
    /// This mailbox.
    Mailbox(Address),
}

/// What one RCPT TO said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RcptTo {
    /// The recipient.
    pub forward_path: ForwardPath,
    /// The path as it was written, without `<`, `>` and source route: for bounces and Delivered-To. Printable, at most 1,024 octets.
    pub original: String,
    /// NOTIFY (RFC 3461 §4.1); nothing when not said.
    pub notify: Option<Notify>,
    /// ORCPT (RFC 3461 §4.2); nothing when not said.
    pub orcpt: Option<Orcpt>,
}

/// The recipient in RCPT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain: the postmaster of this host (RFC 5321 §4.5.1).
    Postmaster,
    /// A mailbox.
    Mailbox(Address),
}

impl ForwardPath {
    /// The mailbox, or nothing for the bare `<Postmaster>`.
    pub fn mailbox(&self) -> Option<&Address> {
        match self {
            Self::Postmaster => None,
            Self::Mailbox(address) => Some(address),
        }
    }
}

/// NOTIFY of RCPT. All false means `NEVER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// `SUCCESS`.
    pub success: bool,
    /// `FAILURE`.
    pub failure: bool,
    /// `DELAY`.
    pub delay: bool,
}

impl Notify {
    /// `NEVER`.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };
}

/// ORCPT of RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orcpt {
    /// `rfc822` or `utf-8` or another registered type, in lower case.
    pub address_type: String,
    /// The address, decoded from xtext (or utf-8-addr-xtext, RFC 6533) and checked: no control characters.
    pub address: String,
}
