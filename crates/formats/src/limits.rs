//! The limits of reading mail. Going over one never fails: what is beyond is left out or opaque, and a defect says so.

yubin_base::limits! {
    /// a multipart or message deeper than this is an opaque leaf: recursion and cost per boundary line stay bounded
    PART_DEPTH: usize = 64, "levels";
    /// the part after this one is an opaque leaf that runs to the end of the message
    PARTS: usize = 10_000, "parts";
    /// the octets of one header block that are read; fields beyond are skipped
    HEADER_OCTETS: usize = 1 << 20, "octets";
    /// the octets of all header blocks of one message that are kept; of blocks beyond only type and encoding are known
    HEADER_OCTETS_TOTAL: usize = 4 << 20, "octets";
    /// the fields of one header block that are read
    HEADER_FIELDS: usize = 10_000, "fields";
    /// a longer field name is no field name
    FIELD_NAME_OCTETS: usize = 998, "octets";
    /// the addresses read from one field
    ADDRESSES: usize = 10_000, "addresses";
    /// the parameters read from one Content-Type or Content-Disposition
    PARAMETERS: usize = 100, "parameters";
    /// comments nested deeper are read as if they were this deep
    COMMENT_DEPTH: usize = 32, "levels";
    /// RFC 2046 §5.1.1 allows 70; a longer boundary makes the multipart opaque
    BOUNDARY_OCTETS: usize = 512, "octets";
    /// a line longer than this is no boundary line, whatever it begins with
    BOUNDARY_LINE_OCTETS: usize = 1024, "octets";
    /// the defects that are told of one message
    DEFECTS: usize = 100, "defects";
    /// the message ids read from one References or In-Reply-To
    MESSAGE_IDS: usize = 1_000, "message ids";
    /// the octets of a subject of which the base subject is taken; blobs and prefixes are looked for again and again
    BASE_SUBJECT_OCTETS: usize = 2_000, "octets";
    /// the undeclared 8-bit text looked at before its charset is guessed
    GUESS_OCTETS: usize = 16_384, "octets";
    /// trailing white space held back by the quoted-printable decoder, in case the line ends after it
    QUOTED_PRINTABLE_SPACE_OCTETS: usize = 1_000, "octets";
    /// longer strings of an IMAP rendering are sent as literals
    QUOTED_STRING_OCTETS: usize = 1_000, "octets";
    /// a longer charset label names no charset
    CHARSET_LABEL_OCTETS: usize = 64, "octets";
    /// the octets of a decoded file name that are kept
    FILE_NAME_OCTETS: usize = 1_024, "octets";
    /// the decoded text that a preview is made from
    PREVIEW_TEXT_OCTETS: usize = 65_536, "octets";
    /// RFC 8970 §3.3: 200 is advised, 256 the most
    PREVIEW_CHARACTERS: usize = 200, "characters";
    /// text without a character that stands for itself, held back by the folding for search; no writing has as much
    FOLD_HELD_OCTETS: usize = 65_536, "octets";
}
