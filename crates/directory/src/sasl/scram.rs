//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), bound to TLS by `tls-exporter` (RFC 9266).
//! The password never crosses the wire, and the server proves that it knows it too.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use yubin_base::{
    BoxFuture, UnixMs,
    sasl::{AuthFailure, Authenticated, SaslContext, SaslExchange, SaslStep},
};

use crate::{
    Directory, limits,
    password::scram_keys::{self, hmac},
    tables::credential::ScramKeys,
    verify::{Attempt, Claimed},
};

/// One exchange.
pub(super) struct Scram {
    directory: Directory,
    context: SaslContext,
    plus: bool,
    state: State,
}

enum State {
    Begin,
    Challenged(Box<Challenged>),
    /// The proof was right and the server's own is sent; the client has to nod.
    Proven(Authenticated),
    Done,
}

/// What is kept between the server's first message and the client's final one.
struct Challenged {
    attempt: Attempt,
    claimed: Option<Claimed>,
    keys: ScramKeys,
    /// What the client's `c=` must decode to.
    binding: Vec<u8>,
    nonce: String,
    /// client-first-message-bare "," server-first-message
    said: String,
}

impl Scram {
    pub(super) fn new(directory: Directory, context: SaslContext, plus: bool) -> Self {
        Self { directory, context, plus, state: State::Begin }
    }

    fn mechanism(&self) -> &'static str {
        if self.plus { super::SCRAM_PLUS } else { super::SCRAM }
    }

    fn first(&mut self, message: &[u8], now: UnixMs) -> Result<Vec<u8>, AuthFailure> {
        let first = ClientFirst::read(message).ok_or(AuthFailure::Malformed)?;
        let attempt = self.directory.attempt(self.mechanism(), &first.user, &self.context, now)?;
        let binding = self.binding(&first, &attempt, now)?;
        if let Some(authzid) = &first.authzid
            && self.directory.login_key(authzid) != self.directory.login_key(&first.user)
        {
            return Err(self.directory.refuse(&attempt, "may not act as another user", now));
        }
        let claimed = self.directory.claimed(&first.user);
        let keys = claimed.as_ref().and_then(|claimed| self.directory.scram_keys(claimed.account));
        let claimed = claimed.filter(|_| keys.is_some());
        let keys = keys.unwrap_or_else(|| self.fake_keys(&first.user));
        let mut ours = [0; 18];
        self.directory.0.random.fill(&mut ours);
        let nonce = format!("{}{}", first.nonce, BASE64.encode(ours));
        let server_first = format!("r={nonce},s={},i={}", BASE64.encode(&keys.salt), keys.iterations);
        let said = format!("{},{server_first}", first.bare);
        self.state = State::Challenged(Box::new(Challenged { attempt, claimed, keys, binding, nonce, said }));
        Ok(server_first.into_bytes())
    }

    /// What the client's `c=` must hold: its GS2 header and, for -PLUS, the TLS session's own octets (RFC 5802 §6).
    fn binding(
        &self,
        first: &ClientFirst<'_>,
        attempt: &Attempt,
        now: UnixMs,
    ) -> Result<Vec<u8>, AuthFailure> {
        let offered = super::channel_binding(&self.context);
        let mut binding = first.gs2_header.as_bytes().to_vec();
        match (first.flag, offered) {
            (Flag::Bound("tls-exporter"), Some(octets)) if self.plus => binding.extend_from_slice(octets),
            (Flag::Bound(_), _) => return Err(AuthFailure::Malformed),
            // The client supports binding and believes we do not, though we offered it: somebody took it off the list.
            (Flag::NotOffered, Some(_)) => {
                return Err(self.directory.refuse(
                    attempt,
                    "channel binding was hidden from the client",
                    now,
                ));
            }
            (Flag::No | Flag::NotOffered, _) if self.plus => return Err(AuthFailure::Malformed),
            (Flag::No | Flag::NotOffered, _) => {}
        }
        Ok(binding)
    }

    fn fake_keys(&self, user: &str) -> ScramKeys {
        let secret = self.directory.snapshot().secret.unwrap_or_default();
        let key = self.directory.login_key(user);
        scram_keys::fake(&secret, &key, self.directory.0.options.scram_iterations)
    }

    fn last(&mut self, message: &[u8], before: &Challenged, now: UnixMs) -> Result<Vec<u8>, AuthFailure> {
        let last = ClientFinal::read(message).ok_or(AuthFailure::Malformed)?;
        let refuse = |reason| self.directory.refuse(&before.attempt, reason, now);
        if last.nonce != before.nonce {
            return Err(refuse("wrong nonce"));
        }
        if !bool::from(last.binding.ct_eq(&before.binding)) {
            return Err(refuse("wrong channel binding"));
        }
        // RFC 5802 §3.
        let said = [before.said.as_bytes(), b",", last.without_proof.as_bytes()];
        let signature = hmac(&before.keys.stored_key, &said);
        let mut client_key = [0; 32];
        for (octet, (proof, signature)) in client_key.iter_mut().zip(last.proof.iter().zip(signature)) {
            *octet = proof ^ signature;
        }
        let right = bool::from(Sha256::digest(client_key).as_slice().ct_eq(&before.keys.stored_key));
        let Some(claimed) = &before.claimed else {
            return Err(refuse(self.directory.why_no_keys(before.attempt.user())));
        };
        if !right {
            return Err(refuse("wrong password"));
        }
        let authenticated = self.directory.admit(&before.attempt, claimed, now)?;
        self.state = State::Proven(authenticated);
        let server_signature = hmac(&before.keys.server_key, &said);
        Ok(format!("v={}", BASE64.encode(server_signature)).into_bytes())
    }
}

impl SaslExchange for Scram {
    fn step<'a>(&'a mut self, response: &'a [u8], now: UnixMs) -> BoxFuture<'a, SaslStep> {
        let step = match std::mem::replace(&mut self.state, State::Done) {
            State::Begin => self.first(response, now),
            State::Challenged(before) => self.last(response, &before, now),
            State::Proven(authenticated) if response.is_empty() => {
                return Box::pin(std::future::ready(SaslStep::Done(Ok(authenticated))));
            }
            State::Proven(_) | State::Done => Err(AuthFailure::Malformed),
        };
        let step = match step {
            Ok(challenge) => SaslStep::Challenge(challenge),
            Err(failure) => SaslStep::Done(Err(failure)),
        };
        Box::pin(std::future::ready(step))
    }
}

/// The client's word on channel binding.
#[derive(Clone, Copy)]
enum Flag<'a> {
    /// It does not support it.
    No,
    /// It does, and thinks we do not.
    NotOffered,
    /// It used this type.
    Bound(&'a str),
}

/// ```abnf
/// client-first-message      = gs2-header client-first-message-bare
/// gs2-header                = ("n" / "y" / "p=" cb-name) "," ["a=" saslname] ","
/// client-first-message-bare = "n=" saslname "," "r=" c-nonce *("," extension)
/// ```
struct ClientFirst<'a> {
    flag: Flag<'a>,
    gs2_header: &'a str,
    authzid: Option<String>,
    bare: &'a str,
    user: String,
    nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let text = text(message)?;
        let (flag, rest) = text.split_once(',')?;
        let (authzid, bare) = rest.split_once(',')?;
        let gs2_header = text.get(..text.len().checked_sub(bare.len())?)?;
        let flag = match flag {
            "n" => Flag::No,
            "y" => Flag::NotOffered,
            _ => Flag::Bound(flag.strip_prefix("p=").filter(|name| !name.is_empty())?),
        };
        let authzid = match authzid {
            "" => None,
            _ => Some(saslname(authzid.strip_prefix("a=")?)?),
        };
        // RFC 5802 §5.1: "m=" announces an extension that must be understood; it stands where "n=" is expected, and is refused.
        let mut attributes = bare.split(',');
        let user = saslname(attributes.next()?.strip_prefix("n=")?)?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        let printable = nonce.bytes().all(|b| matches!(b, 0x21..=0x7e));
        if nonce.is_empty() || nonce.len() > limits::SCRAM_NONCE_OCTETS || !printable {
            return None;
        }
        attributes.all(is_extension).then_some(Self { flag, gs2_header, authzid, bare, user, nonce })
    }
}

/// ```abnf
/// client-final-message = "c=" base64 "," "r=" nonce *("," extension) "," "p=" base64
/// ```
struct ClientFinal<'a> {
    binding: Vec<u8>,
    nonce: &'a str,
    without_proof: &'a str,
    proof: [u8; 32],
}

impl<'a> ClientFinal<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let (without_proof, proof) = text(message)?.rsplit_once(",p=")?;
        let proof = BASE64.decode(proof).ok()?.try_into().ok()?;
        let mut attributes = without_proof.split(',');
        let binding = BASE64.decode(attributes.next()?.strip_prefix("c=")?).ok()?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        attributes.all(is_extension).then_some(Self { binding, nonce, without_proof, proof })
    }
}

/// A message as text: UTF-8 without NUL, of bounded length.
fn text(message: &[u8]) -> Option<&str> {
    let bounded = message.len() <= limits::SASL_MESSAGE_OCTETS && !message.contains(&0);
    std::str::from_utf8(message).ok().filter(|_| bounded)
}

/// An attribute that may be ignored: a letter other than `m`, `=`, and a value.
fn is_extension(attribute: &str) -> bool {
    match attribute.as_bytes() {
        [letter, b'=', _, ..] => letter.is_ascii_alphabetic() && *letter != b'm',
        _ => false,
    }
}

/// Undoes `=2C` and `=3D`; nothing for any other `=` or an empty name.
fn saslname(text: &str) -> Option<String> {
    let mut pieces = text.split('=');
    let mut name = pieces.next()?.to_owned();
    for piece in pieces {
        let (decoded, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return None,
        };
        name.push(decoded);
        name.push_str(rest);
    }
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;
    use yubin_base::{
        AccountId,
        ports::{InPlace, Random},
    };
    use yubin_engine::memory::MemoryEngine;

    use super::*;
    use crate::{DirectoryOptions, NewAccount, NewDomain, NewPassword, snapshot::Change};

    struct Sevens;
    impl Random for Sevens {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    fn context() -> SaslContext {
        SaslContext {
            service: "imap",
            remote: "192.0.2.1".parse().unwrap(),
            tls: None,
            plaintext_allowed: true,
            now: UnixMs(1),
        }
    }

    fn directory() -> Directory {
        let (engine, options) = (Arc::new(MemoryEngine::new()), DirectoryOptions::dev());
        let opened = Directory::open(engine, options, Arc::new(Sevens), Arc::new(InPlace));
        let directory = opened.now_or_never().unwrap().unwrap();
        directory.add_domain(NewDomain::named("example.test")).now_or_never().unwrap().unwrap();
        let new = NewAccount {
            address: "user@example.test".into(),
            password: NewPassword::Plain("pencil".into()),
            ..NewAccount::default()
        };
        directory.add_account(new).now_or_never().unwrap().unwrap();
        directory
    }

    #[test]
    fn the_exchange_of_rfc_7677_section_3() {
        let directory = directory();
        let keys = scram_keys::make(b"pencil", BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(), 4096);
        directory
            .change("test", |now| {
                let mut credentials = now.credentials.get(&AccountId(1)).unwrap().as_ref().clone();
                credentials.entries[0].scram = Some(keys.clone());
                Ok((vec![Change::PutCredentials(AccountId(1), credentials)], ()))
            })
            .now_or_never()
            .unwrap()
            .unwrap();
        let mut scram = Scram::new(directory, context(), false);
        let first = scram.step(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", UnixMs(1)).now_or_never().unwrap();
        assert!(matches!(first, SaslStep::Challenge(_)));
        // Our own nonce is replaced by the one in the RFC; all else is as it came out.
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let State::Challenged(before) = &mut scram.state else { panic!("no challenge") };
        before.said = before.said.replace(&before.nonce, nonce);
        before.nonce = nonce.to_owned();
        assert_eq!(
            before.said,
            format!("n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
        );
        let last = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let answer = scram.step(last.as_bytes(), UnixMs(1)).now_or_never().unwrap();
        assert_eq!(answer, SaslStep::Challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".to_vec()));
        let done = scram.step(b"", UnixMs(1)).now_or_never().unwrap();
        let ann = Authenticated { account: AccountId(1), name: "user@example.test".into() };
        assert_eq!(done, SaslStep::Done(Ok(ann)));
        let again = scram.step(b"", UnixMs(1)).now_or_never().unwrap();
        assert_eq!(again, SaslStep::Done(Err(AuthFailure::Malformed)));
    }

    #[test]
    fn first_messages_are_read_or_refused() {
        for (message, user) in [
            ("n,,n=user,r=abc", Some("user")),
            ("y,,n=user,r=abc", Some("user")),
            ("p=tls-exporter,,n=user,r=abc", Some("user")),
            ("n,a=ann,n=user,r=abc", Some("user")),
            ("n,,n=a=2Cb=3Dc,r=abc", Some("a,b=c")),
            ("n,,n=user,r=abc,x=ext", Some("user")),
            ("n,,n=user,r=a=b", Some("user")),
            ("n,,m=x,n=user,r=abc", None),
            ("n,,n=user,r=abc,m=x", None),
            ("n,,n=a=2cb,r=abc", None),
            ("n,,n=a=,r=abc", None),
            ("n,,n=,r=abc", None),
            ("n,,n=user,r=", None),
            ("n,,n=user,r=a b", None),
            ("n,,n=user", None),
            ("n,,r=abc,n=user", None),
            ("n,b=ann,n=user,r=abc", None),
            ("n,a=,n=user,r=abc", None),
            ("x,,n=user,r=abc", None),
            ("p=,,n=user,r=abc", None),
            ("n=user,r=abc", None),
            ("n,,n=us\0er,r=abc", None),
            ("", None),
        ] {
            assert_eq!(
                ClientFirst::read(message.as_bytes()).map(|first| first.user).as_deref(),
                user,
                "{message}"
            );
        }
        assert!(ClientFirst::read(format!("n,,n=user,r={}", "x".repeat(257)).as_bytes()).is_none());
        assert!(ClientFirst::read(b"n,,n=\xff,r=abc").is_none());
    }
}
