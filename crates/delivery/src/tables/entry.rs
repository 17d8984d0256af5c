//! A queue entry: one message on its way, without its recipients.

use serde::{Deserialize, Serialize};
use yubin_base::{Address, TraceId, UnixMs, sasl::Authenticated};
use yubin_smtp::envelope::{BodyType, Envelope, Ret};

/// The version of the value that is written.
const VERSION: u8 = 3;

/// One message in the queue. Written when it is accepted; never changes but for its revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its trace id, which is its queue id.
    pub id: TraceId,
    /// Grows with each change to the entry or its recipients.
    pub revision: u64,
    /// When it was accepted.
    pub accepted: UnixMs,
    /// When something is to be done about it next; none while it waits for remote delivery or for an administrator.
    pub due: Option<UnixMs>,
    /// The sender; none is the null reverse-path.
    pub reverse_path: Option<Address>,
    /// Where it came from.
    pub origin: Origin,
    /// Octets of the content.
    pub size_octets: u64,
    /// BODY and SMTPUTF8 as said in MAIL.
    pub body: Body,
    /// DSN parameters of MAIL (RFC 3461), kept for whoever makes a DSN.
    pub dsn: DsnOfMessage,
    /// How many recipients it has.
    pub recipients: u32,
    /// How many pieces its parsed form has.
    pub staged_pieces: u16,
    /// What was found out when the body had come in.
    pub findings: Findings,
    /// What a next hop must be able to take. Set at acceptance.
    pub needs: Needs,
    /// What an administrator ordered.
    pub orders: Orders,
}

/// What a next hop must be able to take. Entries before version 3 have none: they go out as plain text, as they always would have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// An octet above 127 stands in the message.
    pub eight_bit: bool,
    /// One stands in its header (RFC 6532).
    pub header_utf8: bool,
    /// REQUIRETLS (RFC 8689).
    pub require_tls: bool,
}

/// What an administrator ordered for a message. Changes with `yubin queue hold`, `release` and `route`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// Nothing is tried until it is released.
    pub held: bool,
    /// Goes to this host instead of where DNS says: `host` or `host:port`.
    pub route: Option<String>,
}

/// What is known of a message only when its body has come in. Set at acceptance, never changed. Entries of version 1 have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Header fields that stand before the content in every copy and every transmission: `Authentication-Results` of what
    /// came from outside, `DKIM-Signature` of what our users send. Each line ends in CRLF; bounded by
    /// [`crate::limits::FINDINGS_OCTETS`].
    pub fields: Vec<u8>,
    /// Whether local copies go to the mailbox for junk.
    pub junk: bool,
}

/// Where a message came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `smtp`, `submission` or `lmtp`.
    pub service: String,
    /// The peer's address.
    pub remote: String,
    /// The name it gave.
    pub helo: String,
    /// The account that sent it.
    pub account: Option<u64>,
    /// Its name.
    pub name: Option<String>,
}

impl Origin {
    /// Whether it came from a user of ours.
    pub fn authenticated(&self) -> Option<Authenticated> {
        let account = yubin_base::AccountId(self.account?);
        Some(Authenticated { account, name: self.name.clone().unwrap_or_default() })
    }
}

/// What MAIL said of the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// 0 is 7BIT, 1 is 8BITMIME, 2 is BINARYMIME.
    pub kind: u8,
    /// SMTPUTF8.
    pub smtputf8: bool,
}

/// RET and ENVID.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DsnOfMessage {
    /// RET: `Some(true)` is FULL, `Some(false)` is HDRS.
    pub ret_full: Option<bool>,
    /// ENVID.
    pub envid: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct V3 {
    second: V2,
    needs: Needs,
    orders: Orders,
}

#[derive(Serialize, Deserialize)]
struct V2 {
    first: V1,
    findings: Findings,
}

#[derive(Serialize, Deserialize)]
struct V1 {
    accepted: UnixMs,
    due: Option<UnixMs>,
    reverse_path: Option<Address>,
    origin: Origin,
    size_octets: u64,
    body: Body,
    dsn: DsnOfMessage,
    recipients: u32,
    staged_pieces: u16,
}

impl Body {
    /// From an envelope.
    pub fn of(envelope: &Envelope) -> Self {
        let kind = match envelope.mail.body {
            BodyType::SevenBit => 0,
            BodyType::EightBitMime => 1,
            BodyType::BinaryMime => 2,
        };
        Self { kind, smtputf8: envelope.mail.smtputf8 }
    }
}

impl DsnOfMessage {
    /// From an envelope.
    pub fn of(envelope: &Envelope) -> Self {
        let ret_full = envelope.mail.ret.map(|ret| matches!(ret, Ret::Full));
        Self { ret_full, envid: envelope.mail.envid.clone() }
    }
}

impl Entry {
    /// The stored form. Its first 8 octets are the revision, for [`yubin_engine::Pre::Version`].
    pub fn encode(&self) -> Vec<u8> {
        let first = V1 {
            accepted: self.accepted,
            due: self.due,
            reverse_path: self.reverse_path.clone(),
            origin: self.origin.clone(),
            size_octets: self.size_octets,
            body: self.body,
            dsn: self.dsn.clone(),
            recipients: self.recipients,
            staged_pieces: self.staged_pieces,
        };
        let second = V2 { first, findings: self.findings.clone() };
        let v3 = V3 { second, needs: self.needs.clone(), orders: self.orders.clone() };
        let mut out = self.revision.to_be_bytes().to_vec();
        out.push(VERSION);
        // These types always serialise; an empty tail would be read as damage.
        out.extend(postcard::to_stdvec(&v3).unwrap_or_default());
        out
    }

    /// Reads the stored form; nothing when it is damaged or of a later version.
    pub fn decode(id: TraceId, value: &[u8]) -> Option<Self> {
        let (revision, rest) = value.split_first_chunk::<8>()?;
        let (version, rest) = rest.split_first()?;
        let before_3 = |second| V3 { second, needs: Needs::default(), orders: Orders::default() };
        let V3 { second: V2 { first: v1, findings }, needs, orders } = match *version {
            1 => before_3(V2 { first: postcard::from_bytes(rest).ok()?, findings: Findings::default() }),
            2 => before_3(postcard::from_bytes(rest).ok()?),
            VERSION => postcard::from_bytes(rest).ok()?,
            _ => return None,
        };
        Some(Self {
            id,
            revision: u64::from_be_bytes(*revision),
            accepted: v1.accepted,
            due: v1.due,
            reverse_path: v1.reverse_path,
            origin: v1.origin,
            size_octets: v1.size_octets,
            body: v1.body,
            dsn: v1.dsn,
            recipients: v1.recipients,
            staged_pieces: v1.staged_pieces,
            findings,
            needs,
            orders,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Entry {
        Entry {
            id: TraceId(7),
            revision: 3,
            accepted: UnixMs(1_700_000_000_000),
            due: None,
            reverse_path: Address::parse_plain("ann@example.test"),
            origin: Origin {
                service: "submission".into(),
                remote: "192.0.2.1".into(),
                helo: "client".into(),
                account: Some(9),
                name: Some("ann@example.test".into()),
            },
            size_octets: 4_096,
            body: Body { kind: 1, smtputf8: true },
            dsn: DsnOfMessage { ret_full: Some(true), envid: Some("QQ314159".into()) },
            recipients: 2,
            staged_pieces: 1,
            findings: Findings { fields: b"X: y\r\n".to_vec(), junk: true },
            needs: Needs { eight_bit: true, header_utf8: false, require_tls: true },
            orders: Orders { held: true, route: Some("mx:25".into()) },
        }
    }

    #[test]
    fn entries_are_read_back() {
        assert_eq!(Entry::decode(TraceId(7), &sample().encode()), Some(sample()));
        assert_eq!(Entry::decode(TraceId(7), b"short"), None);
    }

    /// Written by version 1; must be readable for ever.
    #[test]
    fn version_1_stays_readable() {
        let golden = "00000000000000030180d095ffbc3100010361 6e6e0c6578616d706c652e74657374\
            0a7375626d697373696f6e093139322e302e322e3106636c69656e740109 01 10616e6e406578616d706c652e74657374\
            80200101 0101 010851513331343135390201";
        let hex: String = golden.chars().filter(char::is_ascii_hexdigit).collect();
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect();
        let expected = Entry { findings: Findings::default(), ..before_version_3() };
        assert_eq!(Entry::decode(TraceId(7), &bytes), Some(expected));
    }

    /// Written by version 2; must be readable for ever.
    #[test]
    fn version_2_stays_readable() {
        let golden = "00000000000000030280d095ffbc3100010361 6e6e0c6578616d706c652e74657374\
            0a7375626d697373696f6e093139322e302e322e3106636c69656e740109 01 10616e6e406578616d706c652e74657374\
            80200101 0101 010851513331343135390201 06583a20790d0a 01";
        let hex: String = golden.chars().filter(char::is_ascii_hexdigit).collect();
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect();
        assert_eq!(
            Entry::decode(TraceId(7), &bytes),
            Some(before_version_3()),
            "encoded now: {:02x?}",
            sample().encode()
        );
    }

    fn before_version_3() -> Entry {
        Entry { needs: Needs::default(), orders: Orders::default(), ..sample() }
    }

    /// Written by version 3; must be readable for ever.
    #[test]
    fn version_3_stays_readable() {
        let golden = "00000000000000030380d095ffbc3100010361 6e6e0c6578616d706c652e74657374\
            0a7375626d697373696f6e093139322e302e322e3106636c69656e740109 01 10616e6e406578616d706c652e74657374\
            80200101 0101 010851513331343135390201 06583a20790d0a 01 010001 01 01 056d783a3235";
        let hex: String = golden.chars().filter(char::is_ascii_hexdigit).collect();
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect();
        assert_eq!(
            Entry::decode(TraceId(7), &bytes),
            Some(sample()),
            "encoded now: {:02x?}",
            sample().encode()
        );
    }
}
