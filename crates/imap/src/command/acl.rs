//! MYRIGHTS and the commands that read and change who may do what. RFC 4314 §3.

use yubin_store::Rights;

use crate::codec::Writer;

/// `* MYRIGHTS name rights` (RFC 4314 §3.8).
pub(crate) fn push_my_rights(name: &str, rights: Rights, w: &mut Writer<'_>) {
    w.raw("* MYRIGHTS ").mailbox(name).raw(" ").raw(&written(rights)).raw("\r\n");
}

/// Rights as clients read them: with those of RFC 2086 where a part of them is there (RFC 4314 §2.1.1).
pub(crate) fn written(rights: Rights) -> String {
    let mut text = rights.to_string();
    for letter in ['c', 'd'] {
        if Rights::of_letter(letter).is_some_and(|parts| rights.has_any(parts)) {
            text.push(letter);
        }
    }
    text
}
