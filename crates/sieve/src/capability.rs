//! What a script may `require`. Only what runs is listed here; ManageSieve and `ihave` answer from this list.

/// Extensions, by the name that `require` takes, with the RFC that defines them.
pub const CAPABILITIES: &[(&str, &str)] = &[
    ("body", "RFC 5173"),
    ("comparator-i;ascii-casemap", "RFC 5228"),
    ("comparator-i;ascii-numeric", "RFC 4790"),
    ("comparator-i;octet", "RFC 5228"),
    ("comparator-i;unicode-casemap", "RFC 5051"),
    ("copy", "RFC 3894"),
    ("date", "RFC 5260"),
    ("duplicate", "RFC 7352"),
    ("editheader", "RFC 5293"),
    ("encoded-character", "RFC 5228"),
    ("envelope", "RFC 5228"),
    ("environment", "RFC 5183"),
    ("ereject", "RFC 5429"),
    ("fileinto", "RFC 5228"),
    ("ihave", "RFC 5463"),
    ("imap4flags", "RFC 5232"),
    ("include", "RFC 6609"),
    ("index", "RFC 5260"),
    ("mailbox", "RFC 5490"),
    ("mailboxid", "RFC 9042"),
    ("regex", "draft-ietf-sieve-regex"),
    ("reject", "RFC 5429"),
    ("relational", "RFC 5231"),
    ("spamtest", "RFC 5235"),
    ("spamtestplus", "RFC 5235"),
    ("special-use", "RFC 8579"),
    ("subaddress", "RFC 5233"),
    ("vacation", "RFC 5230"),
    ("vacation-seconds", "RFC 6131"),
    ("variables", "RFC 5229"),
    ("virustest", "RFC 5235"),
];

/// The listed spelling of a capability, when it is one.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    CAPABILITIES.iter().map(|(known, _)| *known).find(|known| *known == name)
}

/// The listed name that is most like a wrong one.
pub(crate) fn similar(name: &str) -> Option<&'static str> {
    let like = |known: &str| {
        known.starts_with(name) || name.starts_with(known) || known.replace('-', "") == name.replace('-', "")
    };
    CAPABILITIES.iter().map(|(known, _)| *known).find(|known| like(known))
}
