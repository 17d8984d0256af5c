//! Signs what our users send, while it comes in: DKIM, RFC 6376 §5. The signature stands before every copy and every transmission.
//! Never holds a key longer than a message takes, and never refuses a message because it cannot be signed.

use std::sync::Arc;

use yubin_base::{TraceId, UnixMs, event};
use yubin_filter::dkim::{SignOptions, Signer, SigningKey};
use yubin_formats::mail::{Address as Named, fields, parse_addresses};

use crate::events;

/// Who has the keys.
pub trait SigningKeys: Send + Sync + 'static {
    /// The keys that sign for a domain (lower case, A-labels); each makes a signature of its own.
    fn keys(&self, domain: &str) -> Vec<Arc<SigningKey>>;
}

/// One message while it is signed.
pub(super) struct Signing {
    keys: Arc<dyn SigningKeys>,
    /// Gone when the message cannot be signed.
    signer: Option<Signer>,
}

impl Signing {
    pub fn new(keys: Arc<dyn SigningKeys>) -> Self {
        Self { keys, signer: Some(Signer::new(Vec::new(), SignOptions::default())) }
    }

    /// Takes the next octets as they will be sent.
    pub fn push(&mut self, octets: &[u8], id: TraceId) {
        if let Some(signer) = &mut self.signer
            && let Err(error) = signer.push(octets)
        {
            event!(events::NOT_SIGNED, trace = %id, reason = %error);
            self.signer = None;
        }
    }

    /// The fields to put before the message; none when the domain in From has no key.
    pub fn finish(self, id: TraceId, now: UnixMs) -> Vec<u8> {
        let Some(mut signer) = self.signer else { return Vec::new() };
        let keys = author_domain(signer.header()).map(|domain| self.keys.keys(&domain)).unwrap_or_default();
        signer.set_keys(keys);
        signer.finish(now).unwrap_or_else(|error| {
            event!(events::NOT_SIGNED, trace = %id, reason = %error);
            Vec::new()
        })
    }
}

/// The domain of the author, RFC 5322 §3.6.2: the one that DMARC holds a signature against.
fn author_domain(header: &[u8]) -> Option<String> {
    let from = fields(header).find(|field| field.is(b"from"))?;
    let addresses = parse_addresses(from.value);
    let first = addresses.iter().find_map(Named::mailbox)?;
    let address = yubin_base::Address::parse_plain(&first.address())?;
    Some(address.domain().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use yubin_filter::dkim::KeyKind;

    struct One(Arc<SigningKey>);

    impl SigningKeys for One {
        fn keys(&self, domain: &str) -> Vec<Arc<SigningKey>> {
            if domain == self.0.domain() { vec![self.0.clone()] } else { Vec::new() }
        }
    }

    #[test]
    fn the_domain_in_from_decides() {
        let der = SigningKey::generate(KeyKind::Ed25519).unwrap();
        let key = Arc::new(SigningKey::from_der("example.test", "s1", &der).unwrap());
        let signed = |from: &str| {
            let mut signing = Signing::new(Arc::new(One(key.clone())));
            signing.push(format!("From: {from}\r\nSubject: x\r\n\r\n").as_bytes(), TraceId(1));
            signing.push(b"Hi.\r\n", TraceId(1));
            String::from_utf8(signing.finish(TraceId(1), UnixMs(0))).unwrap()
        };
        let field = signed("Ann <ann@Example.Test>");
        assert!(
            field.starts_with("DKIM-Signature: v=1; a=ed25519-sha256;")
                && field.contains("d=example.test; s=s1;"),
            "{field}"
        );
        assert!(field.ends_with("\r\n"));
        assert_eq!(signed("bob@other.test"), "");
        assert_eq!(signed("nonsense"), "");
    }
}
