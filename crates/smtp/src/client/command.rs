//! MAIL and RCPT as a client writes them, with the parameters that the server offers. RFC 5321 §4.1.1.2 and §4.1.1.3; RFC 1870, 3461, 6152,
//! 6531, 8689. Also what a message needs that a server may lack.

use yubin_base::Address;

use super::{
    results::{Class, RecipientResult, Stage},
    session::Outgoing,
};
use crate::{
    codec::{extensions::Extensions, reply::Enhanced, xtext},
    envelope::{BodyType, MailFrom, RcptTo, Ret},
};

/// Why this server cannot have this message, whoever it is for.
pub(super) fn obstacle(message: &Outgoing, offered: &Extensions, tls: bool) -> Option<RecipientResult> {
    let never = |enhanced, text: &str| Some(RecipientResult::ours(Class::Never, Stage::Mail, enhanced, text));
    // RFC 8689 §4.2.1: no hop without TLS, and none that would not pass the wish on.
    if message.require_tls && !(tls && offered.require_tls) {
        return never(
            Enhanced(5, 7, 30),
            "The sender requires TLS all the way (REQUIRETLS); this server does not offer it",
        );
    }
    // RFC 1870 §6.1.
    if offered.size.is_some_and(|max| max > 0 && message.size_octets > max) {
        return never(Enhanced(5, 3, 4), "The message is larger than this server takes");
    }
    // RFC 3030 §3: BINARYMIME is turned into something else, or fails.
    if message.envelope.mail.body == BodyType::BinaryMime && !offered.binary_mime {
        return never(Enhanced(5, 6, 1), "The message is binary, and this server takes no BINARYMIME");
    }
    // RFC 6152 §3: 8-bit content does not go where it was not offered.
    if message.eight_bit && !offered.eight_bit_mime {
        return never(Enhanced(5, 6, 3), "The message has 8-bit content, and this server takes no 8BITMIME");
    }
    // RFC 6531 §3.5: an internationalized header or sender.
    let sender = message.envelope.mail.reverse_path.as_ref();
    if (message.header_utf8 || sender.is_some_and(internationalized)) && !offered.smtputf8 {
        return never(
            Enhanced(5, 6, 7),
            "The message is internationalized, and this server takes no SMTPUTF8",
        );
    }
    None
}

/// Why this server cannot have this recipient.
pub(super) fn recipient_obstacle(recipient: &RcptTo, offered: &Extensions) -> Option<RecipientResult> {
    match recipient.forward_path.mailbox() {
        Some(address) if internationalized(address) && !offered.smtputf8 => Some(RecipientResult::ours(
            Class::Never,
            Stage::Rcpt,
            Enhanced(5, 6, 7),
            "The address is internationalized, and this server takes no SMTPUTF8",
        )),
        _ => None,
    }
}

/// MAIL FROM with what the server understands.
pub(super) fn mail(message: &Outgoing, offered: &Extensions, out: &mut Vec<u8>) {
    let MailFrom { reverse_path, body, ret, envid, .. } = &message.envelope.mail;
    let sender = reverse_path.as_ref().map(Address::to_string).unwrap_or_default();
    let mut line = format!("MAIL FROM:<{sender}>");
    if offered.size.is_some() {
        line.push_str(&format!(" SIZE={}", message.size_octets));
    }
    match body {
        BodyType::BinaryMime => line.push_str(" BODY=BINARYMIME"),
        _ if message.eight_bit && offered.eight_bit_mime => line.push_str(" BODY=8BITMIME"),
        _ => {}
    }
    if message.needs_smtputf8() && offered.smtputf8 {
        line.push_str(" SMTPUTF8");
    }
    if offered.dsn {
        match ret {
            Some(Ret::Full) => line.push_str(" RET=FULL"),
            Some(Ret::Headers) => line.push_str(" RET=HDRS"),
            None => {}
        }
        if let Some(envid) = envid {
            line.push_str(&format!(" ENVID={}", xtext::encode(envid)));
        }
    }
    if message.require_tls {
        line.push_str(" REQUIRETLS");
    }
    push(&line, out);
}

/// RCPT TO with what the server understands.
pub(super) fn rcpt(recipient: &RcptTo, offered: &Extensions, utf8: bool, out: &mut Vec<u8>) {
    let address = recipient.forward_path.mailbox().map_or("postmaster".to_owned(), Address::to_string);
    let mut line = format!("RCPT TO:<{address}>");
    if offered.dsn {
        if let Some(notify) = recipient.notify {
            let words = [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")];
            let said: Vec<&str> = words.into_iter().filter(|(set, _)| *set).map(|(_, word)| word).collect();
            let said = if said.is_empty() { "NEVER".to_owned() } else { said.join(",") };
            line.push_str(&format!(" NOTIFY={said}"));
        }
        if let Some(orcpt) = &recipient.orcpt {
            // RFC 6533 §3: the utf-8 type is for servers that speak SMTPUTF8.
            let utf8_type = orcpt.address_type == "utf-8";
            if !utf8_type {
                line.push_str(&format!(" ORCPT={};{}", orcpt.address_type, xtext::encode(&orcpt.address)));
            } else if utf8 {
                line.push_str(&format!(" ORCPT=utf-8;{}", xtext::encode_utf8_address(&orcpt.address)));
            }
        }
    }
    push(&line, out);
}

pub(super) fn internationalized(address: &Address) -> bool {
    !address.local().is_ascii() || !address.domain().is_ascii()
}

/// One command line. An address cannot hold a line end; this keeps it so whatever comes.
pub(super) fn push(line: &str, out: &mut Vec<u8>) {
    out.extend(line.bytes().filter(|b| *b != b'\r' && *b != b'\n' && *b != 0));
    out.extend_from_slice(b"\r\n");
}
