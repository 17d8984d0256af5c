//! A domain: key `gd` + A-label name.

use serde::{Deserialize, Serialize};
use yubin_base::Address;

use super::Record;

/// The first octets of a domain's key.
pub(crate) const PREFIX: &[u8] = b"gd";

/// A domain whose mail is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// A-label form, lower case. Set when added; never changes.
    pub name: String,
    /// As people read it. Set when added.
    pub unicode: String,
    /// Whether it has addresses of its own.
    pub kind: DomainKind,
    /// Where mail to unknown local parts goes. None: it is refused.
    pub catch_all: Option<Address>,
    /// The characters of which each parts a local part from its detail (`ann+detail`). Empty: no subaddresses.
    pub separators: String,
    /// Whether `Ann` and `ann` are two local parts. Set when added; never changes, since names are stored by it.
    pub case_sensitive: bool,
}

/// Whether a domain has addresses of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DomainKind {
    /// It has.
    Own,
    /// Every address is that of the same local part at this domain, which is of kind [`DomainKind::Own`].
    AliasOf(String),
}

impl Record for Domain {
    const VERSION: u8 = 1;
}

/// The key of a domain.
pub(crate) fn key(name: &str) -> Vec<u8> {
    [PREFIX, name.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::{super::golden::check, *};

    #[test]
    fn golden() {
        check(
            &Domain {
                name: "a.test".into(),
                unicode: "a.test".into(),
                kind: DomainKind::Own,
                catch_all: Address::new("ann", "a.test"),
                separators: "+".into(),
                case_sensitive: false,
            },
            "0106612e7465737406612e74657374000103616e6e06612e74657374012b00",
        );
        check(
            &Domain {
                name: "b.test".into(),
                unicode: "b.test".into(),
                kind: DomainKind::AliasOf("a.test".into()),
                catch_all: None,
                separators: String::new(),
                case_sensitive: true,
            },
            "0106622e7465737406622e746573740106612e74657374000001",
        );
        assert_eq!(key("a.test"), b"gda.test");
    }
}
