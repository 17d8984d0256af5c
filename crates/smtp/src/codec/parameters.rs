//! The arguments of MAIL and RCPT: path and parameters. RFC 5321 §4.1.1.11, 1870, 3030, 3461, 4954, 6152, 6531.
//! Checks what the grammar and the extension say; which extensions are in force is the session's to say.
//!
//! ```abnf
//! mail         = "FROM:" Reverse-path [SP Mail-parameters]
//! rcpt         = "TO:" ( "<Postmaster>" / Forward-path ) [SP Rcpt-parameters]
//! esmtp-param  = esmtp-keyword ["=" esmtp-value]
//! ```

use crate::{
    codec::{
        path::{self, Path, PathError, Target},
        reply::{self, Reply},
        xtext,
    },
    envelope::{BodyType, ForwardPath, MailFrom, Notify, Orcpt, RcptTo, Ret, Submitter},
    limits::{ENVID_OCTETS, ORCPT_OCTETS},
};

/// Reads the arguments of MAIL. `extended` says whether EHLO or LHLO put the extensions in force.
pub fn parse_mail(arguments: &str, extended: bool) -> Result<MailFrom, Reply> {
    let rest = strip_keyword(arguments, "FROM:").ok_or(reply::ARGUMENTS_WRONG)?;
    let (path, rest) = path::parse(rest).map_err(|error| path_reply(error, reply::SENDER_SYNTAX))?;
    let reverse_path = match path.target {
        Target::Null => None,
        Target::Mailbox(ref address) => Some(address.clone()),
        Target::Postmaster => return Err(reply::SENDER_SYNTAX),
    };
    let mut mail = MailFrom { reverse_path, ..MailFrom::default() };
    let mut seen = Seen::default();
    for parameter in parameters(rest, extended)? {
        let (keyword, value) = parameter?;
        seen.note(keyword)?;
        read_mail_parameter(&mut mail, keyword, value)?;
    }
    // RFC 6531 §3.5: an internationalized address needs the parameter.
    if path.needs_smtputf8 && !mail.smtputf8 {
        return Err(reply::NEEDS_SMTPUTF8);
    }
    Ok(mail)
}

fn read_mail_parameter(mail: &mut MailFrom, keyword: &str, value: Option<&str>) -> Result<(), Reply> {
    match (keyword.to_ascii_uppercase().as_str(), value) {
        // RFC 1870 §6: at most 20 digits.
        ("SIZE", Some(value)) => mail.size = Some(parse_size(value)?),
        // RFC 6152 §2, RFC 3030 §3.
        ("BODY", Some(value)) => mail.body = parse_body(value)?,
        // RFC 6531 §3.4: takes no value.
        ("SMTPUTF8", None) => mail.smtputf8 = true,
        // RFC 3461 §4.3.
        ("RET", Some(value)) => mail.ret = Some(parse_ret(value)?),
        // RFC 3461 §4.4.
        ("ENVID", Some(value)) => mail.envid = Some(parse_envid(value)?),
        // RFC 4954 §5.
        ("AUTH", Some(value)) => mail.auth = Some(parse_submitter(value)?),
        ("SIZE" | "BODY" | "SMTPUTF8" | "RET" | "ENVID" | "AUTH", _) => return Err(reply::PARAMETER_VALUE),
        _ => return Err(reply::PARAMETER_UNKNOWN),
    }
    Ok(())
}

/// Reads the arguments of RCPT. `smtputf8` says whether MAIL asked for it.
pub fn parse_rcpt(arguments: &str, extended: bool, smtputf8: bool) -> Result<RcptTo, Reply> {
    let rest = strip_keyword(arguments, "TO:").ok_or(reply::ARGUMENTS_WRONG)?;
    let (path, rest) = path::parse(rest).map_err(|error| path_reply(error, reply::RECIPIENT_SYNTAX))?;
    let Path { target, original, needs_smtputf8 } = path;
    let forward_path = match target {
        Target::Null => return Err(reply::RECIPIENT_SYNTAX),
        Target::Postmaster => ForwardPath::Postmaster,
        Target::Mailbox(address) => ForwardPath::Mailbox(address),
    };
    if needs_smtputf8 && !smtputf8 {
        return Err(reply::NEEDS_SMTPUTF8);
    }
    let mut rcpt = RcptTo { forward_path, original: original.to_owned(), notify: None, orcpt: None };
    let mut seen = Seen::default();
    for parameter in parameters(rest, extended)? {
        let (keyword, value) = parameter?;
        seen.note(keyword)?;
        match (keyword.to_ascii_uppercase().as_str(), value) {
            // RFC 3461 §4.1.
            ("NOTIFY", Some(value)) => rcpt.notify = Some(parse_notify(value)?),
            // RFC 3461 §4.2, RFC 6533 §3.
            ("ORCPT", Some(value)) => rcpt.orcpt = Some(parse_orcpt(value)?),
            ("NOTIFY" | "ORCPT", None) => return Err(reply::PARAMETER_VALUE),
            _ => return Err(reply::PARAMETER_UNKNOWN),
        }
    }
    Ok(rcpt)
}

/// `FROM:` or `TO:`, with the white space behind it that some clients send.
fn strip_keyword<'a>(arguments: &'a str, keyword: &str) -> Option<&'a str> {
    let (start, rest) = arguments.split_at_checked(keyword.len())?;
    start.eq_ignore_ascii_case(keyword).then(|| rest.trim_start_matches([' ', '\t']))
}

fn path_reply(error: PathError, syntax: Reply) -> Reply {
    match error {
        PathError::Syntax => syntax,
        PathError::TooLong => reply::PATH_TOO_LONG,
    }
}

type Parameter<'a> = (&'a str, Option<&'a str>);

/// Cuts the text behind the path into parameters.
fn parameters(
    text: &str,
    extended: bool,
) -> Result<impl Iterator<Item = Result<Parameter<'_>, Reply>>, Reply> {
    if !text.is_empty() && !text.starts_with([' ', '\t']) {
        return Err(reply::ARGUMENTS_WRONG);
    }
    let words = text.split([' ', '\t']).filter(|word| !word.is_empty());
    if !extended && words.clone().next().is_some() {
        return Err(reply::PARAMETER_NEEDS_EHLO);
    }
    Ok(words.map(|word| {
        let (keyword, value) = match word.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (word, None),
        };
        let starts_well = keyword.starts_with(|c: char| c.is_ascii_alphanumeric());
        let is_keyword = keyword.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if starts_well && is_keyword { Ok((keyword, value)) } else { Err(reply::ARGUMENTS_WRONG) }
    }))
}

/// The parameters seen so far: each may come once.
#[derive(Default)]
struct Seen<'a>(Vec<&'a str>);

impl<'a> Seen<'a> {
    fn note(&mut self, keyword: &'a str) -> Result<(), Reply> {
        if self.0.iter().any(|seen| seen.eq_ignore_ascii_case(keyword)) {
            return Err(reply::PARAMETER_TWICE);
        }
        self.0.push(keyword);
        Ok(())
    }
}

fn parse_size(value: &str) -> Result<u64, Reply> {
    let digits = (1..=20).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    // 20 digits can be more than 64 bits hold: such a message is too big for anybody.
    if digits { Ok(value.parse().unwrap_or(u64::MAX)) } else { Err(reply::PARAMETER_VALUE) }
}

fn parse_body(value: &str) -> Result<BodyType, Reply> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(BodyType::SevenBit),
        "8BITMIME" => Ok(BodyType::EightBitMime),
        "BINARYMIME" => Ok(BodyType::BinaryMime),
        _ => Err(reply::PARAMETER_VALUE),
    }
}

fn parse_ret(value: &str) -> Result<Ret, Reply> {
    match value.to_ascii_uppercase().as_str() {
        "FULL" => Ok(Ret::Full),
        "HDRS" => Ok(Ret::Headers),
        _ => Err(reply::PARAMETER_VALUE),
    }
}

fn parse_envid(value: &str) -> Result<String, Reply> {
    if !(1..=ENVID_OCTETS).contains(&value.len()) {
        return Err(reply::PARAMETER_VALUE);
    }
    xtext::decode(value).ok_or(reply::PARAMETER_VALUE)
}

fn parse_submitter(value: &str) -> Result<Submitter, Reply> {
    let decoded = xtext::decode(value).ok_or(reply::PARAMETER_VALUE)?;
    if decoded == "<>" {
        return Ok(Submitter::Unknown);
    }
    path::parse_mailbox(&decoded).map(Submitter::Mailbox).ok_or(reply::PARAMETER_VALUE)
}

fn parse_notify(value: &str) -> Result<Notify, Reply> {
    if value.eq_ignore_ascii_case("NEVER") {
        return Ok(Notify::NEVER);
    }
    let mut notify = Notify::default();
    for word in value.split(',') {
        let flag = match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => &mut notify.success,
            "FAILURE" => &mut notify.failure,
            "DELAY" => &mut notify.delay,
            _ => return Err(reply::PARAMETER_VALUE),
        };
        *flag = true;
    }
    Ok(notify)
}

/// ```abnf
/// original-recipient-address = addr-type ";" xtext
/// ```
fn parse_orcpt(value: &str) -> Result<Orcpt, Reply> {
    if value.len() > ORCPT_OCTETS {
        return Err(reply::PARAMETER_VALUE);
    }
    let (address_type, address) = value.split_once(';').ok_or(reply::PARAMETER_VALUE)?;
    let is_atom = !address_type.is_empty()
        && address_type.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let address_type = address_type.to_ascii_lowercase();
    let decoded =
        if address_type == "utf-8" { xtext::decode_utf8_address(address) } else { xtext::decode(address) };
    match decoded {
        Some(address) if is_atom && !address.is_empty() => Ok(Orcpt { address_type, address }),
        _ => Err(reply::PARAMETER_VALUE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<impl Sized, Reply>) -> u16 {
        result.err().map_or(250, |reply| reply.code)
    }

    #[test]
    fn mail_takes_its_parameters() {
        let check = |arguments: &str, expected: u16| {
            assert_eq!(code(parse_mail(arguments, true)), expected, "{arguments}");
        };
        check("FROM:<ann@example.test>", 250);
        check("from: <ann@example.test>  SIZE=10  ", 250);
        check("FROM:<> size=1 body=8bitmime smtputf8 ret=hdrs envid=a+20b auth=<>", 250);
        check("FROM:<> AUTH=a+2Bb@example.test", 250);
        check("FROM:<> SIZE=18446744073709551616", 250);
        check("FROM:<> SIZE=123456789012345678901", 501);
        check("FROM:<> SIZE=-1", 501);
        check("FROM:<> SIZE=", 501);
        check("FROM:<> SIZE", 501);
        check("FROM:<> SMTPUTF8=yes", 501);
        check("FROM:<> BODY=9BIT", 501);
        check("FROM:<> RET=SOME", 501);
        check("FROM:<> ENVID=a+0Ab", 501);
        check("FROM:<> ENVID=", 501);
        check("FROM:<> AUTH=ann", 501);
        check("FROM:<> SIZE=1 size=1", 501);
        check("FROM:<> FOO", 555);
        check("FROM:<> FOO=BAR", 555);
        check("FROM:<> =BAR", 501);
        check("FROM:<> F_O", 501);
        check("FROM:<>SIZE=1", 501);
        check("FROM:<postmaster>", 501);
        check("FROM", 501);
        check("TO:<>", 501);
        check("FROM:<山@example.test>", 553);
        check("FROM:<山@example.test> SMTPUTF8", 250);
        assert_eq!(code(parse_mail("FROM:<> SIZE=1", false)), 555);
        assert_eq!(code(parse_mail("FROM:<> ", false)), 250);
    }

    #[test]
    fn rcpt_takes_its_parameters() {
        let check = |arguments: &str, expected: u16| {
            assert_eq!(code(parse_rcpt(arguments, true, false)), expected, "{arguments}");
        };
        check("TO:<ann@example.test>", 250);
        check("TO:<Postmaster>", 250);
        check("TO:<>", 501);
        check("TO:<ann@example.test> NOTIFY=SUCCESS,failure,DELAY", 250);
        check("TO:<ann@example.test> NOTIFY=NEVER", 250);
        check("TO:<ann@example.test> NOTIFY=NEVER,DELAY", 501);
        check("TO:<ann@example.test> NOTIFY=", 501);
        check("TO:<ann@example.test> NOTIFY", 501);
        check("TO:<ann@example.test> NOTIFY=DELAY NOTIFY=DELAY", 501);
        check("TO:<ann@example.test> ORCPT=rfc822;a+2Bb@example.test", 250);
        check("TO:<ann@example.test> ORCPT=utf-8;\\x{5C71}@example.test", 250);
        check("TO:<ann@example.test> ORCPT=rfc822;a+0D+0Ab", 501);
        check("TO:<ann@example.test> ORCPT=rfc822;", 501);
        check("TO:<ann@example.test> ORCPT=ann", 501);
        check("TO:<ann@example.test> ORCPT=;ann", 501);
        check("TO:<ann@example.test> SIZE=1", 555);
        check("TO:<山@example.test>", 553);
        assert_eq!(code(parse_rcpt("TO:<山@example.test>", true, true)), 250);
    }

    #[test]
    fn decoded_values_arrive() {
        let mail = parse_mail("FROM:<> ENVID=QQ+3D1 SIZE=7 AUTH=a+2Bb@example.test", true);
        let mail = mail.expect("parses");
        assert_eq!(mail.envid.as_deref(), Some("QQ=1"));
        assert_eq!(mail.size, Some(7));
        let submitter = Submitter::Mailbox(yubin_base::Address::new("a+b", "example.test").expect("is one"));
        assert_eq!(mail.auth, Some(submitter));
        let rcpt = parse_rcpt("TO:<a@b.test> ORCPT=RFC822;x+2By@z.test NOTIFY=DELAY", true, false);
        let rcpt = rcpt.expect("parses");
        assert_eq!(rcpt.orcpt, Some(Orcpt { address_type: "rfc822".into(), address: "x+y@z.test".into() }));
        assert_eq!(rcpt.notify, Some(Notify { delay: true, ..Notify::NEVER }));
    }
}
