//! An alias: key `gl` + domain + NUL + local part as it is compared.

use serde::{Deserialize, Serialize};
use yubin_base::Address;

use super::Record;
use crate::names;

/// The first octets of an alias's key.
pub(crate) const PREFIX: &[u8] = b"gl";

/// An address that stands for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The address, spelled as given.
    pub address: Address,
    /// Where its mail goes: accounts, other aliases, or addresses elsewhere. At least one, each once.
    pub targets: Vec<Address>,
}

impl Record for Alias {
    const VERSION: u8 = 1;
}

/// The key of an alias.
pub(crate) fn key(address: &Address, case_sensitive: bool) -> Vec<u8> {
    let local = names::fold_local(address.local(), case_sensitive);
    [PREFIX, address.domain().as_bytes(), b"\0", local.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::{super::golden::check, *};

    #[test]
    fn golden() {
        let address = Address::new("Info", "a.test").unwrap();
        check(
            &Alias {
                address: address.clone(),
                targets: vec![Address::new("ann", "a.test").unwrap(), Address::new("x", "b.test").unwrap()],
            },
            "0104496e666f06612e746573740203616e6e06612e74657374017806622e74657374",
        );
        assert_eq!(key(&address, false), b"gla.test\0info");
        assert_eq!(key(&address, true), b"gla.test\0Info");
    }
}
