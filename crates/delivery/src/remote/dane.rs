//! DANE for SMTP: which TLSA records are usable, and what one matches. RFC 6698 §2.1, RFC 7671 §5, RFC 7672 §3.1.
//! Never verifies a chain; that is TLS's part. Knows no DNS.

use yubin_base::dns::Tlsa;

/// A usable record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsaUse {
    /// DANE-TA(2): an authority. Otherwise DANE-EE(3): the server's own certificate.
    pub authority: bool,
    /// The public key only; otherwise the whole certificate.
    pub public_key: bool,
    /// How the data is to be compared.
    pub matching: Matching,
    /// The data.
    pub data: Vec<u8>,
}

/// How the data of a record is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// As it is.
    Full,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// The records that can be used. RFC 7672 §3.1.3: PKIX-TA(0) and PKIX-EE(1) cannot, for there is no list of authorities that both sides know.
pub fn usable(records: &[Tlsa]) -> Vec<TlsaUse> {
    records.iter().filter_map(read).collect()
}

fn read(record: &Tlsa) -> Option<TlsaUse> {
    let authority = match record.usage {
        2 => true,
        3 => false,
        _ => return None,
    };
    let public_key = match record.selector {
        0 => false,
        1 => true,
        _ => return None,
    };
    let (matching, octets) = match record.matching {
        0 => (Matching::Full, record.data.len().max(1)),
        1 => (Matching::Sha256, 32),
        2 => (Matching::Sha512, 64),
        _ => return None,
    };
    let fits = record.data.len() == octets;
    fits.then(|| TlsaUse { authority, public_key, matching, data: record.data.clone() })
}

impl TlsaUse {
    /// Whether the record names this certificate, given with its public key (SubjectPublicKeyInfo), both DER.
    pub fn matches(&self, certificate: &[u8], public_key: &[u8]) -> bool {
        let selected = if self.public_key { public_key } else { certificate };
        match self.matching {
            Matching::Full => selected == self.data,
            Matching::Sha256 => {
                use sha2::Digest;
                sha2::Sha256::digest(selected).as_slice() == self.data
            }
            Matching::Sha512 => {
                use sha2::Digest;
                sha2::Sha512::digest(selected).as_slice() == self.data
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Tlsa {
        Tlsa { usage, selector, matching, data: data.to_vec() }
    }

    #[test]
    fn only_dane_ee_and_dane_ta_with_data_of_the_right_length_are_usable() {
        let cases = [
            (3, 1, 1, 32, true),
            (3, 0, 2, 64, true),
            (2, 0, 0, 500, true),
            (2, 1, 1, 32, true),
            (0, 1, 1, 32, false),
            (1, 1, 1, 32, false),
            (4, 1, 1, 32, false),
            (3, 2, 1, 32, false),
            (3, 1, 3, 32, false),
            (3, 1, 1, 31, false),
            (3, 1, 2, 32, false),
            (3, 1, 0, 0, false),
        ];
        for (usage, selector, matching, octets, expected) in cases {
            let record = record(usage, selector, matching, &vec![7; octets]);
            assert_eq!(!usable(std::slice::from_ref(&record)).is_empty(), expected, "{record:?}");
        }
    }

    #[test]
    fn records_match_the_certificate_or_its_key() {
        use sha2::Digest;
        let (certificate, key) = (&b"certificate"[..], &b"key"[..]);
        let check = |selector, matching, data: &[u8]| {
            let found = usable(&[record(3, selector, matching, data)]);
            found.first().is_some_and(|record| record.matches(certificate, key))
        };
        assert!(check(0, 0, certificate) && !check(0, 0, key));
        assert!(check(1, 0, key) && !check(1, 0, certificate));
        assert!(check(1, 1, &sha2::Sha256::digest(key)) && !check(0, 1, &sha2::Sha256::digest(key)));
        assert!(check(0, 2, &sha2::Sha512::digest(certificate)));
    }
}
