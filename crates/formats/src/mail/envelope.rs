//! ENVELOPE, ready to send. RFC 9051 §7.5.2. Header words stay undecoded.

use super::{
    Address, Part, fields,
    header::RawField,
    imap_string::{push_nstring, push_string},
    message_id::id_list_text,
    parse_addresses, unfold,
};

/// The fields of an envelope, as they stand in the header block.
#[derive(Default)]
struct EnvelopeFields<'a> {
    date: Option<&'a [u8]>,
    subject: Option<&'a [u8]>,
    from: Option<&'a [u8]>,
    sender: Option<&'a [u8]>,
    reply_to: Option<&'a [u8]>,
    to: Vec<&'a [u8]>,
    cc: Vec<&'a [u8]>,
    bcc: Vec<&'a [u8]>,
    in_reply_to: Option<&'a [u8]>,
    message_id: Option<&'a [u8]>,
}

/// Renders the ENVELOPE of a message: the root of a [`super::Mail`], or the child of a message part.
pub fn render_envelope(message: &Part) -> Vec<u8> {
    render_envelope_of(&message.header)
}

/// Renders the ENVELOPE of a header block.
pub fn render_envelope_of(header: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    push_envelope(&mut out, header);
    out
}

/// ```abnf
/// envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP env-cc SP
///            env-bcc SP env-in-reply-to SP env-message-id ")"
/// ```
pub(super) fn push_envelope(out: &mut Vec<u8>, header: &[u8]) {
    let found = EnvelopeFields::find(header);
    out.push(b'(');
    push_text(out, found.date);
    out.push(b' ');
    push_text(out, found.subject);
    out.push(b' ');
    let from = render_addresses(found.from.as_slice());
    out.extend_from_slice(&from);
    for field in [found.sender, found.reply_to] {
        out.push(b' ');
        // RFC 9051 §7.5.2: absent or empty, the server takes the From.
        match render_addresses(field.as_slice()) {
            addresses if addresses == b"NIL" => out.extend_from_slice(&from),
            addresses => out.extend_from_slice(&addresses),
        }
    }
    for all in [&found.to, &found.cc, &found.bcc] {
        out.push(b' ');
        out.extend_from_slice(&render_addresses(all));
    }
    out.push(b' ');
    push_text(out, found.in_reply_to);
    out.push(b' ');
    match found.message_id {
        Some(value) => push_string(out, &id_list_text(value)),
        None => out.extend_from_slice(b"NIL"),
    }
    out.push(b')');
}

impl<'a> EnvelopeFields<'a> {
    /// The first field of each name counts; recipients of several fields are put together.
    fn find(header: &'a [u8]) -> Self {
        let mut found = Self::default();
        for RawField { name, value, .. } in fields(header) {
            let slot = match name.len() {
                2 if name.eq_ignore_ascii_case(b"To") => {
                    found.to.push(value);
                    continue;
                }
                2 if name.eq_ignore_ascii_case(b"Cc") => {
                    found.cc.push(value);
                    continue;
                }
                3 if name.eq_ignore_ascii_case(b"Bcc") => {
                    found.bcc.push(value);
                    continue;
                }
                4 if name.eq_ignore_ascii_case(b"From") => &mut found.from,
                4 if name.eq_ignore_ascii_case(b"Date") => &mut found.date,
                6 if name.eq_ignore_ascii_case(b"Sender") => &mut found.sender,
                7 if name.eq_ignore_ascii_case(b"Subject") => &mut found.subject,
                8 if name.eq_ignore_ascii_case(b"Reply-To") => &mut found.reply_to,
                10 if name.eq_ignore_ascii_case(b"Message-ID") => &mut found.message_id,
                11 if name.eq_ignore_ascii_case(b"In-Reply-To") => &mut found.in_reply_to,
                _ => continue,
            };
            slot.get_or_insert(value);
        }
        found
    }
}

/// An unstructured value, unfolded; one that is there and empty is an empty string (RFC 9051 §7.5.2).
fn push_text(out: &mut Vec<u8>, value: Option<&[u8]>) {
    push_nstring(out, value.map(unfold).as_deref());
}

/// ```abnf
/// address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
/// ```
fn render_addresses(values: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut left = crate::limits::ADDRESSES;
    for value in values {
        for address in parse_addresses(value).into_iter().take(left) {
            left -= 1;
            if out.is_empty() {
                out.push(b'(');
            }
            push_address(&mut out, &address);
        }
    }
    if out.is_empty() {
        return b"NIL".to_vec();
    }
    out.push(b')');
    out
}

fn push_address(out: &mut Vec<u8>, address: &Address) {
    match address {
        Address::Mailbox(mailbox) => {
            out.push(b'(');
            push_nstring(out, mailbox.name.as_deref());
            out.push(b' ');
            push_nstring(out, mailbox.route.as_deref());
            out.push(b' ');
            push_string(out, &mailbox.local);
            out.push(b' ');
            // NIL would mark a group; a missing domain is an empty string.
            push_string(out, &mailbox.domain);
            out.push(b')');
        }
        Address::GroupStart(name) => {
            out.extend_from_slice(b"(NIL NIL ");
            push_string(out, name);
            out.extend_from_slice(b" NIL)");
        }
        Address::GroupEnd => out.extend_from_slice(b"(NIL NIL NIL NIL)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, expected: &str) {
        let rendered = render_envelope_of(header.as_bytes());
        assert_eq!(String::from_utf8_lossy(&rendered), expected, "{header:?}");
    }
    fn check_from(from: &str, expected: &str) {
        let rendered = render_addresses(&[from.as_bytes()]);
        assert_eq!(String::from_utf8_lossy(&rendered), expected, "{from:?}");
    }

    #[test]
    fn envelopes_are_rendered_as_rfc_9051_has_them() {
        check("", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
        check(
            "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n\
             Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n\
             cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n\
             Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n",
            "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) \
             ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
             \"<B27397-0100000@cac.washington.edu>\")",
        );
        check(
            "Subject:\r\nSender:\r\nFrom: a@b\r\n",
            "(NIL \"\" ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)",
        );
        check(
            "Subject: =?UTF-8?B?44GC?=\r\n\t=?UTF-8?B?44GC?=\r\n",
            "(NIL \"=?UTF-8?B?44GC?= =?UTF-8?B?44GC?=\" NIL NIL NIL NIL NIL NIL NIL NIL)",
        );
        check("Subject: caf\u{e9}\r\n", "(NIL {5}\r\ncaf\u{e9} NIL NIL NIL NIL NIL NIL NIL NIL)");
        check(
            "To: a@b\r\nTo: c@d\r\n",
            "(NIL NIL NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)",
        );
    }

    #[test]
    fn addresses_are_read_in_all_their_forms() {
        check_from("", "NIL");
        check_from(" , ,", "NIL");
        check_from("<>", "NIL");
        check_from("a@b", "((NIL NIL \"a\" \"b\"))");
        check_from("<a@b>", "((NIL NIL \"a\" \"b\"))");
        check_from("A B <a@b>, c@d", "((\"A B\" NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))");
        check_from("\"B, A\" <a@b>", "((\"B, A\" NIL \"a\" \"b\"))");
        check_from("\"q\\\"q\" <a@b>", "((\"q\\\"q\" NIL \"a\" \"b\"))");
        check_from("a@b (The Name)", "((\"The Name\" NIL \"a\" \"b\"))");
        check_from("a@b (one (two))", "((\"one (two)\" NIL \"a\" \"b\"))");
        check_from("J. Doe <a@b>", "((\"J. Doe\" NIL \"a\" \"b\"))");
        check_from("<@x,@y:a@b>", "((NIL \"@x,@y\" \"a\" \"b\"))");
        check_from("N <@x:a@b>", "((\"N\" \"@x\" \"a\" \"b\"))");
        check_from(
            "g: a@b, C <c@d>;",
            "((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(\"C\" NIL \"c\" \"d\")(NIL NIL NIL NIL))",
        );
        check_from("undisclosed-recipients:;", "((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL))");
        check_from("g:;, a@b", "((NIL NIL \"g\" NIL)(NIL NIL NIL NIL)(NIL NIL \"a\" \"b\"))");
        check_from("g: a@b", "((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL))");
        check_from("\"two words\"@b", "((NIL NIL \"two words\" \"b\"))");
        check_from("a..b.@docomo.ne.jp", "((NIL NIL \"a..b.\" \"docomo.ne.jp\"))");
        check_from("a@[192.0.2.1]", "((NIL NIL \"a\" \"[192.0.2.1]\"))");
        check_from("a @ b . c", "((NIL NIL \"a\" \"b.c\"))");
        check_from("root", "((NIL NIL \"root\" \"\"))");
        check_from("Name <root>", "((\"Name\" NIL \"root\" \"\"))");
        check_from("x@y <a@b>", "((\"x@y\" NIL \"a\" \"b\"))");
        check_from("a@b c@d", "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))");
        check_from("a@b; c@d", "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))");
        check_from("N <a@b", "((\"N\" NIL \"a\" \"b\"))");
        check_from("N <a@b, M <c@d>", "((\"N\" NIL \"a\" \"b\")(\"M\" NIL \"c\" \"d\"))");
        check_from("=?UTF-8?Q?a,_b?= <a@b>", "((\"=?UTF-8?Q?a,_b?=\" NIL \"a\" \"b\"))");
        check_from(
            "=?UTF-8?B?44GC?=\r\n =?UTF-8?B?44GC?= <a@b>",
            "((\"=?UTF-8?B?44GC?= =?UTF-8?B?44GC?=\" NIL \"a\" \"b\"))",
        );
        check_from("\x1b$B;3ED@,<\x1b(B <a@b>", "((\"\x1b$B;3ED@,<\x1b(B\" NIL \"a\" \"b\"))");
        check_from("山田 <a@b>", "(({6}\r\n山田 NIL \"a\" \"b\"))");
        check_from("Jos\u{e9} (x) <a@b> (y)", "(({5}\r\nJos\u{e9} NIL \"a\" \"b\"))");
        check_from("(comment) a (c) @ (d) b (name)", "((\"name\" NIL \"a\" \"b\"))");
        check_from("\"unclosed <a@b>", "((NIL NIL \"unclosed <a@b>\" \"\"))");
    }
}
