//! The reception for tests: decides by simple rules, and keeps what it took.

use std::{
    fmt::Write,
    sync::{Arc, Mutex},
};

use yubin_base::TraceId;
use yubin_smtp::{
    codec::reply,
    envelope::{BodyType, Envelope, ForwardPath, MailFrom, Notify, RcptTo},
    server::{Accepted, BodyFacts, BodySink, Delivered, Reception, Refusal, Service, SessionFacts},
};

/// The reception.
#[derive(Default)]
pub struct Desk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    taken: Vec<Taken>,
    count: u128,
    no_room: bool,
    write_fails: bool,
    finish_fails: bool,
    each: bool,
}

/// A message that was taken.
pub struct Taken {
    pub protocol: &'static str,
    pub session: SessionFacts,
    pub envelope: Envelope,
    pub body: Vec<u8>,
    pub facts: BodyFacts,
}

impl Desk {
    pub fn given(&self, line: &str) {
        let mut state = self.0.lock().expect("lock");
        match line {
            "no room" => state.no_room = true,
            "writes fail" => state.write_fails = true,
            "commits fail" => state.finish_fails = true,
            "results for each recipient" => state.each = true,
            _ => panic!("unknown: {line}"),
        }
    }

    /// What was taken since the last call.
    pub fn take(&self) -> Vec<Taken> {
        std::mem::take(&mut self.0.lock().expect("lock").taken)
    }
}

impl Reception for Desk {
    type Body = Sink;

    async fn sender(&self, session: &SessionFacts, mail: &MailFrom) -> Result<(), Refusal> {
        let sender = mail.reverse_path.as_ref().map(ToString::to_string);
        match (&session.authenticated, sender) {
            (Some(who), Some(sender)) if who.name != sender => Err(reply::SENDER_NOT_YOURS.into()),
            (None, Some(sender)) if sender == "spammer@example.com" => Err(reply::SENDER_REFUSED.into()),
            _ => Ok(()),
        }
    }

    async fn recipient(
        &self,
        session: &SessionFacts,
        mail: &MailFrom,
        accepted: &[RcptTo],
        recipient: &RcptTo,
    ) -> Result<(), Refusal> {
        if mail.reverse_path.is_none() && !accepted.is_empty() && session.service == Service::Mx {
            return Err(reply::ONE_RECIPIENT_FOR_BOUNCES.into());
        }
        let ForwardPath::Mailbox(address) = &recipient.forward_path else { return Ok(()) };
        let ours = ["example.test", "[192.0.2.1]", "xn--r8jz45g.test"].contains(&address.domain());
        match address.local() {
            _ if !ours && session.authenticated.is_none() => Err(reply::RELAY_DENIED.into()),
            "nobody" | "" if ours => Err(reply::MAILBOX_UNKNOWN.into()),
            local if ours && local.contains(['%', '!', '@']) => Err(reply::MAILBOX_UNKNOWN.into()),
            "busy" => Err(reply::TOO_BUSY.into()),
            "full" if session.service != Service::Lmtp => Err(reply::MAILBOX_FULL.into()),
            _ => Ok(()),
        }
    }

    async fn begin(&self, session: &SessionFacts, envelope: &Envelope) -> Result<Sink, Refusal> {
        if self.0.lock().expect("lock").no_room {
            return Err(reply::STORE_FULL.into());
        }
        let taken = Taken {
            protocol: session.with_protocol(envelope.mail.smtputf8),
            session: session.clone(),
            envelope: envelope.clone(),
            body: Vec::new(),
            facts: BodyFacts::default(),
        };
        Ok(Sink { desk: self.0.clone(), taken })
    }
}

/// Keeps a body. Only a test does that.
pub struct Sink {
    desk: Arc<Mutex<State>>,
    taken: Taken,
}

impl BodySink for Sink {
    async fn write(&mut self, octets: &[u8]) -> Result<(), Refusal> {
        assert!(!octets.is_empty() && octets.len() <= yubin_smtp::limits::BODY_STEP_OCTETS);
        if self.desk.lock().expect("lock").write_fails {
            return Err(reply::STORE_READ_ONLY.into());
        }
        self.taken.body.extend_from_slice(octets);
        Ok(())
    }

    async fn finish(mut self, facts: BodyFacts) -> Result<Accepted, Refusal> {
        assert_eq!(facts.octets, self.taken.body.len() as u64);
        self.taken.facts = facts;
        let mut state = self.desk.lock().expect("lock");
        if state.finish_fails {
            return Err(reply::LOCAL_ERROR.into());
        }
        state.count += 1;
        let delivered = if state.each { self.each() } else { Delivered::ToAll };
        let trace_id = TraceId(state.count);
        state.taken.push(self.taken);
        Ok(Accepted { trace_id, delivered })
    }
}

impl Sink {
    /// `full` is full, and of `forgotten` nothing is said.
    fn each(&self) -> Delivered {
        let recipients = self.taken.envelope.recipients.iter();
        let mut results: Vec<_> = recipients
            .map(|rcpt| match rcpt.original.as_str() {
                "full@example.test" => Err(reply::MAILBOX_FULL.into()),
                _ => Ok(()),
            })
            .collect();
        if self.taken.envelope.recipients.last().is_some_and(|rcpt| rcpt.original.starts_with("forgotten")) {
            results.pop();
        }
        Delivered::ToEach(results)
    }
}

impl Taken {
    /// Some lines that tell all of it.
    pub fn shown(&self) -> String {
        let mail = &self.envelope.mail;
        let sender = mail.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut text = format!("{} helo={} from=<{sender}>", self.protocol, self.session.helo);
        match mail.body {
            BodyType::SevenBit => {}
            BodyType::EightBitMime => text.push_str(" 8bitmime"),
            BodyType::BinaryMime => text.push_str(" binarymime"),
        }
        if let Some(size) = mail.size {
            let _ = write!(text, " size={size}");
        }
        if let Some(ret) = mail.ret {
            let _ = write!(text, " ret={ret:?}");
        }
        if let Some(envid) = &mail.envid {
            let _ = write!(text, " envid={envid}");
        }
        if let Some(auth) = &mail.auth {
            let _ = write!(text, " auth={auth:?}");
        }
        text.push_str("\r\n");
        for rcpt in &self.envelope.recipients {
            let path = rcpt.forward_path.mailbox().map_or("Postmaster".into(), ToString::to_string);
            let _ = write!(text, "to=<{path}> original={}", rcpt.original);
            if let Some(Notify { success, failure, delay }) = rcpt.notify {
                let _ = write!(text, " notify=success:{success},failure:{failure},delay:{delay}");
            }
            if let Some(orcpt) = &rcpt.orcpt {
                let _ = write!(text, " orcpt={};{}", orcpt.address_type, orcpt.address);
            }
            text.push_str("\r\n");
        }
        let facts = self.facts;
        let seen = [
            (facts.bare_cr, "bare-cr"),
            (facts.bare_lf, "bare-lf"),
            (facts.nul, "nul"),
            (facts.eight_bit, "8bit"),
        ];
        let seen: Vec<&str> = seen.iter().filter(|(seen, _)| *seen).map(|(_, name)| *name).collect();
        let body = String::from_utf8_lossy(&self.body).escape_debug().to_string();
        let _ = write!(text, "{} octets [{}] {body}\r\n", facts.octets, seen.join(" "));
        text
    }
}
