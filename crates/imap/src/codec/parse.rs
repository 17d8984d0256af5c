//! From the octets of one command to a [`Request`] (RFC 9051 §9 and the extensions' grammars). Answers nothing.

use yubin_store::{FlagOp, Flags, Keyword};

use super::{
    acl,
    cursor::{Cursor, Parsed, SyntaxError, is_astring_char, upper},
    esearch, fetch, list, metadata, name, notify,
    request::{
        Command, Dialect, FetchModifiers, FlagList, QResync, Request, SelectParameters, StatusItem,
        StoreArguments,
    },
    search,
    set::{STAR, Set},
    sort,
};
use crate::limits::{ID_PAIRS, TAG_OCTETS};

/// Why a command was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The tag, when there is one: where the answer goes.
    pub tag: Option<String>,
    /// What and where.
    pub error: SyntaxError,
    /// Whether the name is of a command we know.
    pub known: bool,
}

/// Reads one complete command, literals in place. APPEND is not among them: its messages are never held
/// (see [`super::append`]).
pub fn parse(input: &[u8], dialect: Dialect) -> Result<Request, ParseError> {
    let mut cursor = Cursor::new(input);
    let tag = tag(&mut cursor).map_err(|error| ParseError { tag: None, error, known: false })?;
    let mut known = true;
    match command(&mut cursor, dialect, &mut known).and_then(|c| cursor.end().map(|()| c)) {
        Ok(command) => Ok(Request { tag, command }),
        Err(error) => Err(ParseError { tag: Some(tag), error, known }),
    }
}

/// ```abnf
/// tag = 1*<any ASTRING-CHAR except "+">
/// ```
pub(super) fn tag(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let start = cursor.clone();
    let tag = cursor.span(|c| is_astring_char(c) && c != b'+', "expected a tag")?;
    if tag.len() > TAG_OCTETS {
        return start.wrong("the tag is too long");
    }
    cursor.sp()?;
    Ok(tag.to_owned())
}

/// Whether a text can stand as a tag.
pub fn is_tag(text: &str) -> bool {
    (1..=TAG_OCTETS).contains(&text.len()) && text.bytes().all(|c| is_astring_char(c) && c != b'+')
}

fn command(cursor: &mut Cursor<'_>, dialect: Dialect, known: &mut bool) -> Parsed<Command> {
    let start = cursor.clone();
    let word = cursor.atom()?;
    let command = match upper(word, &mut [0; 32]) {
        "CAPABILITY" => Command::Capability,
        "NOOP" => Command::Noop,
        "LOGOUT" => Command::Logout,
        "STARTTLS" => Command::StartTls,
        "NAMESPACE" => Command::Namespace,
        "IDLE" => Command::Idle,
        "CHECK" => Command::Check,
        "CLOSE" => Command::Close,
        "UNSELECT" => Command::Unselect,
        "UNAUTHENTICATE" => Command::Unauthenticate,
        "COMPRESS" => {
            cursor.sp()?;
            Command::Compress(cursor.atom()?.to_ascii_uppercase())
        }
        "EXPUNGE" => Command::Expunge { uids: None },
        "APPEND" => return cursor.wrong("APPEND needs a mailbox and a message as a literal"),
        "ID" => id(cursor)?,
        "AUTHENTICATE" => authenticate(cursor)?,
        "LOGIN" => {
            let user = argument(cursor)?;
            Command::Login { user, password: argument(cursor)? }
        }
        "ENABLE" => enable(cursor)?,
        "SELECT" => select(cursor, dialect, false)?,
        "EXAMINE" => select(cursor, dialect, true)?,
        "CREATE" => create(cursor, dialect)?,
        "DELETE" => Command::Delete(mailbox(cursor, dialect)?),
        "RENAME" => {
            let from = mailbox(cursor, dialect)?;
            Command::Rename { from, to: mailbox(cursor, dialect)? }
        }
        "SUBSCRIBE" => Command::Subscribe(mailbox(cursor, dialect)?),
        "UNSUBSCRIBE" => Command::Unsubscribe(mailbox(cursor, dialect)?),
        "LIST" => {
            cursor.sp()?;
            Command::List(list::list(cursor, dialect)?)
        }
        "LSUB" => {
            cursor.sp()?;
            let reference = list::reference(cursor, dialect)?;
            cursor.sp()?;
            Command::Lsub { reference, pattern: list::pattern(cursor, dialect)? }
        }
        "STATUS" => {
            let mailbox = mailbox(cursor, dialect)?;
            cursor.sp()?;
            Command::Status { mailbox, items: status_items(cursor)? }
        }
        "NOTIFY" => {
            cursor.sp()?;
            Command::Notify(notify::notify(cursor, dialect)?)
        }
        "UIDBATCHES" => uid_batches(cursor)?,
        "ESEARCH" => {
            cursor.sp()?;
            Command::Esearch(esearch::esearch(cursor, dialect)?)
        }
        "GETMETADATA" => Command::GetMetadata(metadata::get(cursor, dialect)?),
        "SETMETADATA" => Command::SetMetadata(metadata::set(cursor, dialect)?),
        "GETQUOTA" => Command::GetQuota(argument(cursor)?),
        "GETQUOTAROOT" => Command::GetQuotaRoot(mailbox(cursor, dialect)?),
        "SETQUOTA" => {
            argument(cursor)?;
            cursor.sp()?;
            cursor.parenthesised(16, |c| {
                c.atom()?;
                c.sp()?;
                c.number64()
            })?;
            Command::SetQuota
        }
        "UID" => {
            cursor.sp()?;
            let start = cursor.clone();
            let word = cursor.atom()?;
            match upper(word, &mut [0; 32]) {
                "EXPUNGE" => {
                    cursor.sp()?;
                    Command::Expunge { uids: Some(Set::parse(cursor)?) }
                }
                word => match messages_command(cursor, dialect, word, true)? {
                    Some(command) => command,
                    None => {
                        *known = false;
                        return start.wrong("there is no such command");
                    }
                },
            }
        }
        word => match messages_command(cursor, dialect, word, false)? {
            Some(command) => command,
            None => match acl::acl(word, cursor, dialect)? {
                Some(command) => Command::Acl(command),
                None => {
                    *known = false;
                    return start.wrong("there is no such command");
                }
            },
        },
    };
    Ok(command)
}

/// The commands that exist with sequence numbers and with UIDs.
fn messages_command(
    cursor: &mut Cursor<'_>,
    dialect: Dialect,
    word: &str,
    uid: bool,
) -> Parsed<Option<Command>> {
    if word == "SEARCH" {
        cursor.sp()?;
        return Ok(Some(Command::Search { search: search::search(cursor)?, uid }));
    }
    if word == "SORT" {
        cursor.sp()?;
        return Ok(Some(Command::Sort { sort: sort::sort(cursor)?, uid }));
    }
    if word == "THREAD" {
        cursor.sp()?;
        return Ok(Some(Command::Thread { thread: sort::thread(cursor)?, uid }));
    }
    if !matches!(word, "FETCH" | "STORE" | "COPY" | "MOVE") {
        return Ok(None);
    }
    cursor.sp()?;
    let set = Set::parse(cursor)?;
    Ok(Some(match word {
        "COPY" => Command::Copy { set, mailbox: mailbox(cursor, dialect)?, uid },
        "MOVE" => Command::Move { set, mailbox: mailbox(cursor, dialect)?, uid },
        "STORE" => {
            cursor.sp()?;
            Command::Store { set, store: store(cursor)?, uid }
        }
        _ => {
            cursor.sp()?;
            let items = fetch::items(cursor)?;
            let mut modifiers = FetchModifiers::default();
            if cursor.peek() == Some(b' ') {
                cursor.sp()?;
                if !cursor.is_end() {
                    fetch_modifiers(cursor, &mut modifiers)?;
                }
            }
            Command::Fetch { set, items, modifiers, uid }
        }
    }))
}

pub(super) fn argument(cursor: &mut Cursor<'_>) -> Parsed<Vec<u8>> {
    cursor.sp()?;
    Ok(cursor.astring()?.into_owned())
}

pub(super) fn mailbox(cursor: &mut Cursor<'_>, dialect: Dialect) -> Parsed<String> {
    cursor.sp()?;
    mailbox_name(cursor, dialect)
}

/// A mailbox name.
pub fn mailbox_name(cursor: &mut Cursor<'_>, dialect: Dialect) -> Parsed<String> {
    let start = cursor.clone();
    let wire = cursor.astring()?;
    match name::decode(&wire, dialect.utf8) {
        Some(name) if !name.is_empty() => Ok(name),
        Some(_) => start.wrong("the mailbox name is empty"),
        None if dialect.utf8 => start.wrong("the mailbox name is not UTF-8, or holds control characters"),
        None => start.wrong("the mailbox name is not modified UTF-7"),
    }
}

/// ```abnf
/// id = "ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil)       ; RFC 2971 §4
/// ```
fn id(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.sp()?;
    if cursor.eat_word("NIL") {
        return Ok(Command::Id(Vec::new()));
    }
    let text = |t: &[u8]| String::from_utf8_lossy(t).into_owned();
    let pairs = cursor.parenthesised(ID_PAIRS, |c| {
        let field = text(&c.string()?);
        c.sp()?;
        Ok((field, c.nstring()?.map(|v| text(&v))))
    })?;
    Ok(Command::Id(pairs))
}

/// ```abnf
/// authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")]       ; RFC 4959
/// ```
fn authenticate(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.sp()?;
    let mechanism = cursor.atom()?.to_ascii_uppercase();
    let mut initial = None;
    if !cursor.is_end() {
        cursor.sp()?;
        if !cursor.is_end() {
            initial = Some(base64_response(cursor)?);
        }
    }
    Ok(Command::Authenticate { mechanism, initial })
}

/// A base64 response; `=` alone is the empty one.
pub fn base64_response(cursor: &mut Cursor<'_>) -> Parsed<Vec<u8>> {
    use base64::Engine as _;
    let start = cursor.clone();
    let text =
        cursor.span(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'='), "expected base64")?;
    if text == "=" {
        return Ok(Vec::new());
    }
    base64::engine::general_purpose::STANDARD.decode(text).or_else(|_| start.wrong("that is not base64"))
}

fn enable(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let mut names = Vec::new();
    cursor.sp()?;
    loop {
        names.push(cursor.atom()?.to_ascii_uppercase());
        if cursor.is_end() || names.len() > 64 {
            return Ok(Command::Enable(names));
        }
        cursor.sp()?;
        if cursor.is_end() {
            return Ok(Command::Enable(names));
        }
    }
}

/// ```abnf
/// select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"]       ; RFC 4466, RFC 7162
/// select-param =/ "CONDSTORE" / "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"
/// ```
fn select(cursor: &mut Cursor<'_>, dialect: Dialect, examine: bool) -> Parsed<Command> {
    let mailbox = mailbox(cursor, dialect)?;
    let mut parameters = SelectParameters::default();
    if cursor.peek() == Some(b' ') {
        cursor.sp()?;
        if !cursor.is_end() {
            cursor.parenthesised(8, |c| {
                let start = c.clone();
                match upper(c.atom()?, &mut [0; 32]) {
                    "CONDSTORE" => parameters.condstore = true,
                    "QRESYNC" => {
                        c.sp()?;
                        parameters.qresync = Some(qresync(c)?);
                    }
                    _ => return start.wrong("there is no such parameter"),
                }
                Ok(())
            })?;
        }
    }
    Ok(Command::Select { mailbox, examine, parameters })
}

fn qresync(cursor: &mut Cursor<'_>) -> Parsed<QResync> {
    cursor.expect(b'(', "expected (")?;
    let uid_validity = cursor.nz_number()?;
    cursor.sp()?;
    let mut qresync = QResync { uid_validity, modseq: cursor.number64()?, known: None, matched: None };
    while !cursor.eat(b')') {
        cursor.sp()?;
        if cursor.eat(b'(') {
            let numbers = known_set(cursor)?;
            cursor.sp()?;
            qresync.matched = Some((numbers, known_set(cursor)?));
            cursor.expect(b')', "expected )")?;
            cursor.expect(b')', "expected )")?;
            return Ok(qresync);
        } else if qresync.known.is_none() {
            qresync.known = Some(known_set(cursor)?);
        } else {
            return cursor.wrong("expected )");
        }
    }
    Ok(qresync)
}

/// ```abnf
/// known-uids = sequence-set                       ; RFC 7162 §7: `*` is not allowed
/// ```
fn known_set(cursor: &mut Cursor<'_>) -> Parsed<Set> {
    let start = cursor.clone();
    match Set::parse(cursor)? {
        Set::Ranges(ranges) if ranges.iter().all(|&(a, b)| a != STAR && b != STAR) => Ok(Set::Ranges(ranges)),
        _ => start.wrong("expected numbers"),
    }
}

/// ```abnf
/// uidbatches = "UIDBATCHES" SP nz-number [SP nz-number ":" nz-number]       ; RFC 10022
/// ```
fn uid_batches(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.sp()?;
    let size = cursor.nz_number()?;
    let mut batches = None;
    if cursor.peek() == Some(b' ') {
        cursor.sp()?;
        if !cursor.is_end() {
            let from = cursor.nz_number()?;
            cursor.expect(b':', "expected : in the range of batches")?;
            batches = Some((from, cursor.nz_number()?));
        }
    }
    Ok(Command::UidBatches { size, batches })
}

/// ```abnf
/// create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]       ; RFC 6154 §6
/// ```
fn create(cursor: &mut Cursor<'_>, dialect: Dialect) -> Parsed<Command> {
    let mailbox = mailbox(cursor, dialect)?;
    let mut uses = Vec::new();
    if cursor.peek() == Some(b' ') {
        cursor.sp()?;
        if !cursor.is_end() {
            cursor.parenthesised(8, |c| {
                let start = c.clone();
                match upper(c.atom()?, &mut [0; 32]) {
                    "USE" => {
                        c.sp()?;
                        uses.extend(c.parenthesised(16, |c| {
                            c.expect(b'\\', "expected an attribute")?;
                            Ok(format!("\\{}", c.atom()?))
                        })?);
                    }
                    _ => return start.wrong("there is no such parameter"),
                }
                Ok(())
            })?;
        }
    }
    Ok(Command::Create { mailbox, uses })
}

/// `"(" status-att *(SP status-att) ")"`
pub fn status_items(cursor: &mut Cursor<'_>) -> Parsed<Vec<StatusItem>> {
    let items = cursor.parenthesised(32, |c| {
        let start = c.clone();
        Ok(match upper(c.atom()?, &mut [0; 32]) {
            "MESSAGES" => StatusItem::Messages,
            "RECENT" => StatusItem::Recent,
            "UIDNEXT" => StatusItem::UidNext,
            "UIDVALIDITY" => StatusItem::UidValidity,
            "UNSEEN" => StatusItem::Unseen,
            "SIZE" => StatusItem::Size,
            "DELETED" => StatusItem::Deleted,
            "DELETED-STORAGE" => StatusItem::DeletedStorage,
            "HIGHESTMODSEQ" => StatusItem::HighestModSeq,
            "APPENDLIMIT" => StatusItem::AppendLimit,
            "MAILBOXID" => StatusItem::MailboxId,
            _ => return start.wrong("there is no such item"),
        })
    })?;
    if items.is_empty() { cursor.wrong("expected an item") } else { Ok(items) }
}

/// ```abnf
/// fetch-modifiers = SP "(" fetch-modifier *(SP fetch-modifier) ")"       ; RFC 4466
/// fetch-modifier = "CHANGEDSINCE" SP mod-sequence-value / "VANISHED" / "PARTIAL" SP partial-range       ; RFC 7162 §3.1.4.1, RFC 9394 §3.3
/// ```
fn fetch_modifiers(cursor: &mut Cursor<'_>, modifiers: &mut FetchModifiers) -> Parsed<()> {
    cursor.parenthesised(8, |c| {
        let start = c.clone();
        match upper(c.atom()?, &mut [0; 32]) {
            "CHANGEDSINCE" => {
                c.sp()?;
                modifiers.changed_since = Some(c.number64()?);
            }
            "VANISHED" => modifiers.vanished = true,
            "PARTIAL" => {
                c.sp()?;
                modifiers.partial = Some(search::partial_range(c)?);
            }
            _ => return start.wrong("there is no such modifier"),
        }
        Ok(())
    })?;
    Ok(())
}

/// ```abnf
/// store-att-flags = ["+" / "-"] "FLAGS" [".SILENT"] SP (flag-list / (flag *(SP flag)))
/// store-modifier = "UNCHANGEDSINCE" SP mod-sequence-valzer       ; RFC 7162 §3.1.3
/// ```
fn store(cursor: &mut Cursor<'_>) -> Parsed<StoreArguments> {
    let mut unchanged_since = None;
    if cursor.eat(b'(') {
        if !cursor.eat_word("UNCHANGEDSINCE") {
            return cursor.wrong("there is no such modifier");
        }
        cursor.sp()?;
        unchanged_since = Some(cursor.number64()?);
        cursor.expect(b')', "expected )")?;
        cursor.sp()?;
    }
    let op = if cursor.eat(b'+') {
        FlagOp::Add
    } else if cursor.eat(b'-') {
        FlagOp::Remove
    } else {
        FlagOp::Replace
    };
    let start = cursor.clone();
    let silent = match upper(cursor.atom()?, &mut [0; 32]) {
        "FLAGS" => false,
        "FLAGS.SILENT" => true,
        _ => return start.wrong("expected FLAGS or FLAGS.SILENT"),
    };
    cursor.sp()?;
    let flags = if cursor.peek() == Some(b'(') {
        flag_list(cursor)?
    } else {
        let mut flags = FlagList::default();
        loop {
            flag(cursor, &mut flags)?;
            if cursor.is_end() {
                break;
            }
            cursor.sp()?;
        }
        flags
    };
    Ok(StoreArguments { op, silent, flags, unchanged_since })
}

/// ```abnf
/// flag-list = "(" [flag *(SP flag)] ")"
/// ```
pub fn flag_list(cursor: &mut Cursor<'_>) -> Parsed<FlagList> {
    let mut flags = FlagList::default();
    cursor.parenthesised(256, |c| flag(c, &mut flags))?;
    Ok(flags)
}

fn flag(cursor: &mut Cursor<'_>, flags: &mut FlagList) -> Parsed<()> {
    let start = cursor.clone();
    if cursor.eat(b'\\') {
        let flag = match upper(cursor.atom()?, &mut [0; 32]) {
            "SEEN" => Flags::SEEN,
            "ANSWERED" => Flags::ANSWERED,
            "FLAGGED" => Flags::FLAGGED,
            "DELETED" => Flags::DELETED,
            "DRAFT" => Flags::DRAFT,
            // RFC 3501 §2.3.2: clients cannot alter \Recent; clients that copy what FETCH told them try to.
            "RECENT" => Flags::default(),
            _ => return start.wrong("there is no such system flag"),
        };
        flags.flags = flags.flags.with(flag);
        return Ok(());
    }
    match Keyword::new(cursor.atom()?) {
        Some(keyword) if flags.keywords.contains(&keyword) => Ok(()),
        Some(keyword) => {
            flags.keywords.push(keyword);
            Ok(())
        }
        None => start.wrong("the keyword is too long"),
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
