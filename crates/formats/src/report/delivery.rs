//! Delivery status notifications: RFC 3464 in the envelope of RFC 6522, internationalized by RFC 6533, marked by RFC 3834.
//! Writes what stands before and behind the returned content, so that the content itself can be streamed. Never decides who is told what.

use std::borrow::Cow;

/// A notification about one message and some of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryReport {
    /// The host that speaks.
    pub reporting_host: String,
    /// Whom it goes to.
    pub to: String,
    /// RFC 5322 §3.3 date of the report.
    pub date: String,
    /// Without angle brackets.
    pub message_id: String,
    /// Boundary between the parts; must not occur in them: make it of randomness.
    pub boundary: String,
    /// ENVID of the message (RFC 3461 §4.4).
    pub envelope_id: Option<String>,
    /// RFC 5322 §3.3 date when the message came in.
    pub arrival_date: String,
    /// The message's trace id, for the postmaster.
    pub trace_id: String,
    /// Its Subject as it stands in the header, unfolded; shown in the text when it is printable.
    pub subject: String,
    /// Its Message-ID with angle brackets.
    pub about: Option<String>,
    /// What became of whom. At least one.
    pub recipients: Vec<ReportedRecipient>,
    /// What is returned of the message.
    pub returned: Returned,
    /// Whether what is returned has octets above 127.
    pub eight_bit: bool,
}

/// What is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// All of it.
    Whole,
    /// Its header.
    Header,
}

/// What became of a recipient. RFC 3464 §2.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedRecipient {
    /// ORCPT: type and address.
    pub original: Option<(String, String)>,
    /// Where it was tried.
    pub last: String,
    /// What became of it.
    pub action: Action,
    /// Enhanced status code, `5.1.1`.
    pub status: String,
    /// The host that said no.
    pub remote_host: Option<String>,
    /// What it said: code, enhanced code, words.
    pub diagnostic: Option<String>,
    /// Whether that is an SMTP reply; otherwise it is in our words.
    pub diagnostic_is_reply: bool,
    /// RFC 5322 §3.3 date of the last attempt.
    pub last_attempt: Option<String>,
    /// RFC 5322 §3.3 date until when it is tried again.
    pub retry_until: Option<String>,
}

/// RFC 3464 §2.3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It will not be delivered.
    Failed,
    /// It was not delivered yet.
    Delayed,
    /// It stands in the mailbox.
    Delivered,
    /// It was handed to a system that makes no reports.
    Relayed,
    /// It was handed on to other addresses.
    Expanded,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }
}

impl DeliveryReport {
    /// All that stands before the returned content, which must follow with its lines ending in CRLF.
    pub fn head(&self) -> Vec<u8> {
        let utf8 = self.needs_utf8();
        let status = if utf8 { "global-delivery-status" } else { "delivery-status" };
        let mut out = String::new();
        for (name, value) in [
            (
                "From",
                format!(
                    "Mail delivery at {} <mailer-daemon@{}>",
                    plain(&self.reporting_host),
                    plain(&self.reporting_host)
                ),
            ),
            ("To", format!("<{}>", line(&self.to))),
            ("Subject", self.title().to_owned()),
            ("Date", line(&self.date).into_owned()),
            ("Message-ID", format!("<{}>", line(&self.message_id))),
            ("Auto-Submitted", "auto-replied".to_owned()),
            ("MIME-Version", "1.0".to_owned()),
        ] {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(about) = &self.about {
            out.push_str(&format!("In-Reply-To: {0}\r\nReferences: {0}\r\n", line(about)));
        }
        out.push_str(&format!(
            "Content-Type: multipart/report; report-type={status};\r\n\tboundary=\"{}\"\r\n\r\n",
            self.boundary
        ));
        self.part(&mut out, "text/plain; charset=utf-8", if utf8 { "8bit" } else { "7bit" });
        out.push_str(&self.text());
        self.part(&mut out, &format!("message/{status}"), if utf8 { "8bit" } else { "7bit" });
        out.push_str(&self.status());
        let (kind, encoding) = match (self.returned, self.eight_bit) {
            (Returned::Whole, false) => ("message/rfc822", "7bit"),
            (Returned::Whole, true) => ("message/rfc822", "8bit"),
            (Returned::Header, false) => ("text/rfc822-headers", "7bit"),
            (Returned::Header, true) => ("message/global-headers", "8bit"),
        };
        self.part(&mut out, kind, encoding);
        out.into_bytes()
    }

    /// What stands behind the returned content.
    pub fn tail(&self) -> Vec<u8> {
        format!("\r\n--{}--\r\n", self.boundary).into_bytes()
    }

    /// Whether addresses or words need UTF-8 (RFC 6533).
    pub fn needs_utf8(&self) -> bool {
        !self.to.is_ascii()
            || self.recipients.iter().any(|r| {
                !r.last.is_ascii() || r.original.as_ref().is_some_and(|(_, address)| !address.is_ascii())
            })
    }

    fn part(&self, out: &mut String, kind: &str, encoding: &str) {
        let boundary = &self.boundary;
        out.push_str(&format!(
            "\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
        ));
    }

    fn title(&self) -> &'static str {
        let has = |action| self.recipients.iter().any(|r| r.action == action);
        if has(Action::Failed) {
            "Your message was not delivered"
        } else if has(Action::Delayed) {
            "Your message is not delivered yet"
        } else {
            "Your message was delivered"
        }
    }

    /// For people.
    fn text(&self) -> String {
        let mut text = format!("This is the mail system at {}.\r\n", plain(&self.reporting_host));
        if !self.subject.is_empty() && self.subject.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            let subject: String = self.subject.chars().take(200).collect();
            text.push_str(&format!("\r\nIt is about your message with the subject \"{subject}\".\r\n"));
        }
        let groups = [
            (Action::Failed, "It could not be delivered to:"),
            (Action::Delayed, "It could not be delivered yet, and is tried again, to:"),
            (Action::Delivered, "It was delivered to:"),
            (Action::Relayed, "It was handed to the next mail server, which sends no further notice, for:"),
            (Action::Expanded, "It was passed on to the members of:"),
        ];
        for (action, words) in groups {
            let mut those = self.recipients.iter().filter(|r| r.action == action).peekable();
            if those.peek().is_none() {
                continue;
            }
            text.push_str(&format!("\r\n{words}\r\n"));
            for recipient in those {
                text.push_str(&format!("\r\n  <{}>\r\n", line(&recipient.last)));
                if let Some(diagnostic) = &recipient.diagnostic {
                    let who = recipient
                        .remote_host
                        .as_deref()
                        .map_or("Reason".into(), |host| format!("{} said", line(host)));
                    text.push_str(&wrapped(&format!("{who}: {}", line(diagnostic))));
                }
                if let Some(until) = &recipient.retry_until {
                    text.push_str(&format!("    It is tried until {}.\r\n", line(until)));
                }
            }
        }
        text.push_str(&format!(
            "\r\nFor the postmaster, this message has the id {}.\r\n",
            line(&self.trace_id)
        ));
        text
    }

    /// RFC 3464 §2.
    fn status(&self) -> String {
        let mut status = String::new();
        if let Some(id) = &self.envelope_id {
            status.push_str(&format!("Original-Envelope-Id: {}\r\n", line(id)));
        }
        status.push_str(&format!("Reporting-MTA: dns; {}\r\n", plain(&self.reporting_host)));
        status.push_str(&format!("Arrival-Date: {}\r\n", line(&self.arrival_date)));
        for recipient in &self.recipients {
            status.push_str("\r\n");
            if let Some((kind, address)) = &recipient.original {
                status.push_str(&format!("Original-Recipient: {};{}\r\n", line(kind), line(address)));
            }
            let kind = if recipient.last.is_ascii() { "rfc822" } else { "utf-8" };
            status.push_str(&format!("Final-Recipient: {kind};{}\r\n", line(&recipient.last)));
            status.push_str(&format!("Action: {}\r\n", recipient.action.name()));
            status.push_str(&format!("Status: {}\r\n", line(&recipient.status)));
            if let Some(host) = &recipient.remote_host {
                status.push_str(&format!("Remote-MTA: dns; {}\r\n", line(host)));
            }
            if let Some(diagnostic) = &recipient.diagnostic {
                let kind = if recipient.diagnostic_is_reply { "smtp" } else { "x-yubin" };
                status.push_str(&folded(&format!("Diagnostic-Code: {kind}; {}", line(diagnostic))));
            }
            if let Some(date) = &recipient.last_attempt {
                status.push_str(&format!("Last-Attempt-Date: {}\r\n", line(date)));
            }
            if let Some(date) = &recipient.retry_until {
                status.push_str(&format!("Will-Retry-Until: {}\r\n", line(date)));
            }
        }
        status
    }
}

/// A text that stays on its line.
fn line(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        Cow::Owned(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// A host name and nothing else.
fn plain(host: &str) -> String {
    host.chars().filter(|c| c.is_ascii_alphanumeric() || "-._[]:".contains(*c)).collect()
}

/// Words in lines of at most 76 characters where they have blanks, indented.
fn wrapped(text: &str) -> String {
    broken(text, "    ", "    ")
}

/// A field of several lines (RFC 5322 §2.2.3).
fn folded(text: &str) -> String {
    broken(text, "", " ")
}

fn broken(text: &str, first: &str, further: &str) -> String {
    let mut out = String::new();
    let mut current = first.to_owned();
    let mut empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !empty && current.chars().count() + 1 + word.chars().count() > 76 {
            out.push_str(&current);
            out.push_str("\r\n");
            current = further.to_owned();
            empty = true;
        }
        if !empty {
            current.push(' ');
        }
        current.push_str(word);
        empty = false;
    }
    out.push_str(&current);
    out.push_str("\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> DeliveryReport {
        DeliveryReport {
            reporting_host: "mail.example.test".into(),
            to: "ann@example.test".into(),
            date: "Thu, 1 Jan 1970 00:00:00 +0000".into(),
            message_id: "1@mail.example.test".into(),
            boundary: "b0".into(),
            envelope_id: Some("QQ1".into()),
            arrival_date: "Thu, 1 Jan 1970 00:00:00 +0000".into(),
            trace_id: "01".into(),
            subject: "Hello".into(),
            about: Some("<7@example.test>".into()),
            recipients: vec![ReportedRecipient {
                original: Some(("rfc822".into(), "bob@old.test".into())),
                last: "bob@far.test".into(),
                action: Action::Failed,
                status: "5.1.1".into(),
                remote_host: Some("mx.far.test".into()),
                diagnostic: Some("550 5.1.1 no such user here, and never was any, whatever you may have been told about it".into()),
                diagnostic_is_reply: true,
                last_attempt: Some("Thu, 1 Jan 1970 00:00:00 +0000".into()),
                retry_until: None,
            }],
            returned: Returned::Header,
            eight_bit: false,
        }
    }

    #[test]
    fn a_report_is_what_rfc_3464_shows() {
        let text =
            String::from_utf8([report().head(), b"Subject: Hello\r\n".to_vec(), report().tail()].concat())
                .unwrap();
        for line in [
            "From: Mail delivery at mail.example.test <mailer-daemon@mail.example.test>",
            "To: <ann@example.test>",
            "Auto-Submitted: auto-replied",
            "In-Reply-To: <7@example.test>",
            "Content-Type: multipart/report; report-type=delivery-status;",
            "Content-Type: message/delivery-status",
            "Original-Envelope-Id: QQ1",
            "Reporting-MTA: dns; mail.example.test",
            "Original-Recipient: rfc822;bob@old.test",
            "Final-Recipient: rfc822;bob@far.test",
            "Action: failed",
            "Status: 5.1.1",
            "Remote-MTA: dns; mx.far.test",
            "Diagnostic-Code: smtp; 550 5.1.1 no such user here, and never was any,",
            " whatever you may have been told about it",
            "Content-Type: text/rfc822-headers",
            "--b0--",
        ] {
            assert!(text.lines().any(|l| l == line), "{line:?} in\n{text}");
        }
        assert!(text.is_ascii());
        assert!(text.split("\r\n").all(|l| l.len() <= 998 && !l.contains('\n') && !l.contains('\r')));
    }

    #[test]
    fn our_own_parser_reads_it() {
        let text = [report().head(), b"Subject: Hello\r\n".to_vec(), report().tail()].concat();
        let mut parser = crate::mail::Parser::new();
        parser.push(&text);
        let mail = parser.finish();
        let shown = String::from_utf8(crate::mail::render_bodystructure(&mail.root, false)).unwrap();
        assert!(shown.contains("\"DELIVERY-STATUS\"") || shown.contains("\"delivery-status\""), "{shown}");
        assert!(shown.to_ascii_lowercase().contains("\"rfc822-headers\""), "{shown}");
    }

    #[test]
    fn internationalized_addresses_make_it_a_global_report() {
        let mut report = report();
        report.recipients[0].last = "山@far.test".into();
        let head = String::from_utf8(report.head()).unwrap();
        assert!(head.contains("report-type=global-delivery-status"), "{head}");
        assert!(head.contains("Final-Recipient: utf-8;山@far.test\r\n"), "{head}");
    }

    #[test]
    fn nothing_that_a_server_says_becomes_a_line_of_ours() {
        let mut report = report();
        report.recipients[0].diagnostic = Some("550 no\r\nAction: delivered\r\n\r\n--b0--".into());
        let head = String::from_utf8(report.head()).unwrap();
        assert!(!head.lines().any(|l| l == "Action: delivered" || l == "--b0--"), "{head}");
    }
}
