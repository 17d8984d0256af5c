//! Arguments of the commands about rights (RFC 4314 §3). Reads them only; knows nobody by name.

use yubin_store::{AclChange, Rights};

use super::{
    Dialect,
    cursor::{Cursor, Parsed},
    parse,
};

/// A command about rights.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub enum AclCommand {
    Get { mailbox: String },
    Set { mailbox: String, identifier: Vec<u8>, change: AclChange },
    Delete { mailbox: String, identifier: Vec<u8> },
    ListRights { mailbox: String, identifier: Vec<u8> },
    MyRights { mailbox: String },
}

/// ```abnf
/// getacl = "GETACL" SP mailbox
/// setacl = "SETACL" SP mailbox SP identifier SP mod-rights
/// deleteacl = "DELETEACL" SP mailbox SP identifier
/// listrights = "LISTRIGHTS" SP mailbox SP identifier
/// myrights = "MYRIGHTS" SP mailbox
/// identifier = astring
/// ```
pub fn acl(word: &str, cursor: &mut Cursor<'_>, dialect: Dialect) -> Parsed<Option<AclCommand>> {
    if !matches!(word, "GETACL" | "SETACL" | "DELETEACL" | "LISTRIGHTS" | "MYRIGHTS") {
        return Ok(None);
    }
    let mailbox = parse::mailbox(cursor, dialect)?;
    Ok(Some(match word {
        "GETACL" => AclCommand::Get { mailbox },
        "MYRIGHTS" => AclCommand::MyRights { mailbox },
        "SETACL" => {
            let identifier = parse::argument(cursor)?;
            cursor.sp()?;
            AclCommand::Set { mailbox, identifier, change: mod_rights(cursor)? }
        }
        "DELETEACL" => AclCommand::Delete { mailbox, identifier: parse::argument(cursor)? },
        _ => AclCommand::ListRights { mailbox, identifier: parse::argument(cursor)? },
    }))
}

/// ```abnf
/// mod-rights = astring       ; +rights to add, -rights to remove, rights to replace
/// ```
fn mod_rights(cursor: &mut Cursor<'_>) -> Parsed<AclChange> {
    let start = cursor.clone();
    let text = cursor.astring()?.into_owned();
    let (make, letters): (fn(Rights) -> AclChange, &[u8]) = match text.as_slice() {
        [b'+', letters @ ..] => (AclChange::Add, letters),
        [b'-', letters @ ..] => (AclChange::Remove, letters),
        letters => (AclChange::Replace, letters),
    };
    // RFC 4314 §3.1: rights that are not known are no rights; upper case is not allowed.
    match std::str::from_utf8(letters).ok().and_then(Rights::parse) {
        Some(rights) => Ok(make(rights)),
        None => start.wrong("there is no such right"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_set_added_and_removed() {
        let check = |text: &str, expected: Option<AclChange>| {
            let read = mod_rights(&mut Cursor::new(text.as_bytes()));
            assert_eq!(read.ok(), expected, "{text}");
        };
        let rights = |text| Rights::parse(text).unwrap();
        check("lrs", Some(AclChange::Replace(rights("lrs"))));
        check("+cd", Some(AclChange::Add(rights("kxte"))));
        check("-d", Some(AclChange::Remove(rights("te"))));
        check("\"\"", Some(AclChange::Replace(Rights::NONE)));
        check("lrQswicda", None);
        check("lrqswicda", None);
        check("LRS", None);
        check("+-l", None);
    }
}
