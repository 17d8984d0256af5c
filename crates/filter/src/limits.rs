//! Limits of judging a message.

yubin_base::limits! {
    /// the header section that is kept for judging and signing; real ones stay below 100 KiB
    HEADER_OCTETS: usize = 262_144, "octets";
    /// tags in one DKIM, DMARC or ARC record or field; a dozen are defined
    TAGS: usize = 64, "tags";
    /// one TXT record that is read as a DKIM key, an SPF or a DMARC record
    RECORD_OCTETS: usize = 16_384, "octets";
    /// key records of one selector that are tried; RFC 6376 §3.6.2.2 wants one
    KEY_RECORDS: usize = 4, "records";
    /// DKIM-Signature fields that are looked at; a message that fans out to lists has a handful
    DKIM_SIGNATURES: usize = 20, "fields";
    /// signatures that are verified, those of the author's domain first; each costs a question to DNS and a key operation
    DKIM_VERIFIED: usize = 5, "signatures";
    /// names in h=, of a signature that is verified
    DKIM_HEADER_NAMES: usize = 256, "names";
    /// RFC 8301 §3.2: shorter RSA keys do not count
    RSA_BITS_MIN: usize = 1_024, "bits";
    /// longer RSA keys cost more than they are worth
    RSA_BITS_MAX: usize = 4_096, "bits";
    /// how far a signer's clock may be ahead of ours
    CLOCK_SKEW_S: u64 = 3_600, "seconds";
    /// fields that one of our signatures names; more of them is no mail that people write
    SIGNED_FIELDS: usize = 100, "fields";
    /// RFC 9989 §4.10: names asked for one domain
    DMARC_QUERIES: usize = 8, "names";
    /// addresses for reports in one record
    REPORT_URIS: usize = 10, "addresses";
    /// one Authentication-Results field; results that do not fit are left out, the important ones come first
    RESULTS_OCTETS: usize = 4_096, "octets";
    /// RFC 8617 §4.2.1: instances of a chain
    ARC_SETS: usize = 50, "sets";
    /// RFC 7208 §4.6.4: include, a, mx, ptr, exists and redirect of one check
    SPF_TERMS: u32 = 10, "terms";
    /// RFC 7208 §4.6.4: names without records of one check
    SPF_VOIDS: u32 = 2, "lookups";
    /// RFC 7208 §4.6.4: mail hosts of one mx, names of one address
    SPF_HOSTS: usize = 10, "hosts";
    /// words of a domain about its fail; they go into a reply of 512 octets
    SPF_EXPLANATION_OCTETS: usize = 300, "octets";
}
