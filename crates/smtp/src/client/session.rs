//! The client's session machine: greeting, EHLO or HELO, STARTTLS, AUTH, then one transaction after the other.
//! RFC 5321 §3.1 to §3.3, §4.3.2; RFC 2920 §3.1; RFC 3030 §2; RFC 3207 §4; RFC 4954 §4.
//! Never holds more of a body than one chunk. Whoever drives it owns the socket and the clock.

use std::mem;

use super::{
    command,
    login::{Credentials, Login},
    results::{Ambiguity, Class, RecipientResult, SessionFailure, Stage},
};
use crate::{
    codec::{
        body::Framing,
        encoder::BodyEncoder,
        extensions::Extensions,
        reply::Enhanced,
        response::{Response, ResponseReader},
    },
    envelope::{BodyType, Envelope},
    limits,
};

/// How a session is led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// The name we give in EHLO.
    pub name: String,
    /// STARTTLS.
    pub tls: TlsUse,
    /// Whether the connection began with TLS.
    pub tls_active: bool,
    /// Logs in with these.
    pub credentials: Option<Credentials>,
}

/// When STARTTLS is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsUse {
    /// Not at all: it failed a moment ago, and mail may go without.
    Never,
    /// When it is offered (RFC 7435).
    IfOffered,
    /// Or nothing is sent.
    Required,
}

/// One message for one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Sender and recipients. `mail.size` is not looked at.
    pub envelope: Envelope,
    /// Octets of the whole message.
    pub size_octets: u64,
    /// An octet above 127 stands in it.
    pub eight_bit: bool,
    /// One stands in its header: it is internationalized (RFC 6532).
    pub header_utf8: bool,
    /// The sender wants TLS all the way (RFC 8689).
    pub require_tls: bool,
}

impl Outgoing {
    /// Whether a server without SMTPUTF8 cannot have all of it.
    pub fn needs_smtputf8(&self) -> bool {
        let utf8 = command::internationalized;
        self.header_utf8
            || self.envelope.mail.reverse_path.as_ref().is_some_and(utf8)
            || self.envelope.recipients.iter().filter_map(|r| r.forward_path.mailbox()).any(utf8)
    }
}

/// What the driver does next. Whatever stands in `out` is sent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read, for at most [`Client::patience_s`] seconds; then [`Client::receive`].
    Read,
    /// Do the TLS handshake, then [`Client::tls_started`]. Octets that stand behind in the input already are an attack: give up.
    StartTls,
    /// A message may be sent: [`Client::send`], or [`Client::quit`].
    Ready,
    /// Hand the body in: [`Client::body`] any number of times, then [`Client::body_end`].
    Body,
    /// Close. [`Client::failure`] says why, when nothing could be sent.
    Close,
}

#[derive(Debug)]
enum State {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Handshake,
    Login(Login),
    Ready,
    Transaction(Box<Transaction>),
    Quit,
    Closed,
}

/// One message under way.
#[derive(Debug)]
struct Transaction {
    message: Outgoing,
    results: Vec<Option<RecipientResult>>,
    /// Accepted at RCPT, by number.
    accepted: Vec<usize>,
    /// Answers due, in the order of the commands.
    due: std::collections::VecDeque<Due>,
    mail_said: bool,
    /// The next recipient to name.
    next_rcpt: usize,
    data_said: bool,
    encoder: Option<BodyEncoder>,
    body_sent: bool,
    /// Nothing more is named: MAIL failed.
    mail_failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Rset,
    Mail,
    Rcpt(usize),
    Data,
    Chunk {
        last: bool,
    },
    /// After the end mark.
    Dot,
    /// After an end mark that ended nothing (RFC 2920 §3.1).
    EmptyDot,
}

/// One session.
#[derive(Debug)]
pub struct Client {
    options: ClientOptions,
    state: State,
    reader: ResponseReader,
    offered: Extensions,
    tls: bool,
    /// A transaction was begun and not ended by an accepted message: RSET comes before the next.
    unclean: bool,
    messages: u32,
    failure: Option<SessionFailure>,
    results: Vec<RecipientResult>,
}

impl Client {
    /// A session on a new connection. First it waits for the greeting: begin with reading.
    pub fn new(options: ClientOptions) -> Self {
        let tls = options.tls_active;
        Self {
            options,
            state: State::Greeting,
            reader: ResponseReader::default(),
            offered: Extensions::default(),
            tls,
            unclean: false,
            messages: 0,
            failure: None,
            results: Vec::new(),
        }
    }

    /// What the server offers.
    pub fn offered(&self) -> &Extensions {
        &self.offered
    }

    /// Why no message can be sent.
    pub fn failure(&self) -> Option<&SessionFailure> {
        self.failure.as_ref()
    }

    /// What came of the message: one result for each recipient, in order. Once, when [`Step::Ready`] or [`Step::Close`] came after
    /// [`Client::send`].
    pub fn take_results(&mut self) -> Vec<RecipientResult> {
        mem::take(&mut self.results)
    }

    /// Messages sent in this session.
    pub fn messages(&self) -> u32 {
        self.messages
    }

    /// Recipients that one transaction may name.
    pub fn recipients_max(&self) -> usize {
        // At least 100 by RFC 5321 §4.5.3.1.8; more only when the server says so (RFC 9422 §4).
        self.offered.recipients_max.unwrap_or(100).clamp(1, limits::RECIPIENTS_PER_MESSAGE)
    }

    /// Whether the server takes another message in this session (RFC 9422 §4).
    pub fn takes_more(&self) -> bool {
        let max = self.offered.messages_max.unwrap_or(limits::MESSAGES_PER_SESSION);
        matches!(self.state, State::Ready) && self.messages < max.min(limits::MESSAGES_PER_SESSION)
    }

    /// Seconds to wait for the server now.
    pub fn patience_s(&self) -> u32 {
        match &self.state {
            State::Greeting => limits::GREETING_PATIENCE_S,
            State::Quit | State::Closed => limits::QUIT_PATIENCE_S,
            State::Transaction(transaction) if transaction.body_sent => limits::DOT_PATIENCE_S,
            State::Transaction(transaction) if transaction.data_said => limits::DATA_PATIENCE_S,
            _ => limits::ANSWER_PATIENCE_S,
        }
    }

    /// Whether the whole body was handed over and the answer is not there yet: the window in which nobody can say whether the message
    /// has arrived. RFC 1047.
    pub fn in_doubt(&self) -> bool {
        matches!(&self.state, State::Transaction(transaction) if transaction.body_sent && !transaction.accepted.is_empty())
    }

    /// Takes at most one line from the front of the input. Returns the octets taken; zero means: read more.
    pub fn receive(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, Step) {
        if matches!(self.state, State::Closed) {
            return (input.len(), Step::Close);
        }
        match self.reader.take(input) {
            (used, Ok(None)) => (used, Step::Read),
            (used, Ok(Some(response))) => (used, self.answer(&response, out)),
            (used, Err(_)) => (used, self.broken("The other server's answer is no SMTP reply")),
        }
    }

    /// The connection is gone, or the server was silent for too long. Results and failure say what that means.
    pub fn lost(&mut self, why: &str) {
        if !matches!(self.state, State::Closed) {
            self.broken(why);
        }
    }

    /// We cut the connection ourselves before the end of the message went out: nothing is in doubt.
    pub fn abandon(&mut self, why: &str) {
        if let State::Transaction(transaction) = &mut self.state {
            transaction.body_sent = false;
        }
        self.lost(why);
    }

    /// The handshake after [`Step::StartTls`] is done.
    pub fn tls_started(&mut self, out: &mut Vec<u8>) -> Step {
        self.tls = true;
        // RFC 3207 §4.2: what was learned before may be a forgery.
        self.offered = Extensions::default();
        self.reader = ResponseReader::default();
        self.hello(out)
    }

    /// Begins a transaction. Only after [`Step::Ready`], with at most [`Client::recipients_max`] recipients; those beyond are told `Later`.
    pub fn send(&mut self, message: Outgoing, out: &mut Vec<u8>) -> Step {
        if !matches!(self.state, State::Ready) {
            return Step::Close;
        }
        if let Some(obstacle) = command::obstacle(&message, &self.offered, self.tls) {
            self.results = vec![obstacle; message.envelope.recipients.len()];
            return Step::Ready;
        }
        let mut results: Vec<Option<RecipientResult>> = message
            .envelope
            .recipients
            .iter()
            .map(|recipient| command::recipient_obstacle(recipient, &self.offered))
            .collect();
        let max = self.recipients_max();
        for result in results.iter_mut().filter(|result| result.is_none()).skip(max) {
            let text = "More recipients than this server takes at once";
            let mut later = RecipientResult::ours(Class::Later, Stage::Rcpt, Enhanced(4, 5, 3), text);
            later.another_transaction = true;
            *result = Some(later);
        }
        if results.iter().all(Option::is_some) {
            self.results = results.into_iter().flatten().collect();
            return Step::Ready;
        }
        let mut transaction = Transaction {
            message,
            results,
            accepted: Vec::new(),
            due: std::collections::VecDeque::new(),
            mail_said: false,
            next_rcpt: 0,
            data_said: false,
            encoder: None,
            body_sent: false,
            mail_failed: false,
        };
        if self.unclean {
            out.extend_from_slice(b"RSET\r\n");
            transaction.due.push_back(Due::Rset);
        }
        self.unclean = true;
        self.state = State::Transaction(Box::new(transaction));
        self.say_more(out)
    }

    /// Hands in the next octets of the body.
    pub fn body(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if let State::Transaction(transaction) = &mut self.state
            && let Some(encoder) = &mut transaction.encoder
        {
            encoder.push(octets, out);
        }
    }

    /// The body is complete. When `out` has gone, the message may be the other server's: see [`Client::in_doubt`].
    pub fn body_end(&mut self, out: &mut Vec<u8>) -> Step {
        let State::Transaction(transaction) = &mut self.state else { return Step::Close };
        let Some(mut encoder) = transaction.encoder.take() else { return Step::Close };
        encoder.finish(out);
        match encoder.chunks() {
            0 => transaction.due.push_back(Due::Dot),
            chunks => {
                transaction.due.extend((1..=chunks).map(|number| Due::Chunk { last: number == chunks }))
            }
        }
        transaction.body_sent = true;
        Step::Read
    }

    /// Says good-bye. RFC 5321 §4.1.1.10: then the answer is waited for.
    pub fn quit(&mut self, out: &mut Vec<u8>) -> Step {
        if matches!(self.state, State::Closed | State::Greeting | State::Handshake) {
            self.state = State::Closed;
            return Step::Close;
        }
        out.extend_from_slice(b"QUIT\r\n");
        self.state = State::Quit;
        Step::Read
    }

    fn answer(&mut self, response: &Response, out: &mut Vec<u8>) -> Step {
        match mem::replace(&mut self.state, State::Closed) {
            State::Greeting => self.greeted(response, out),
            State::Ehlo => self.ehlo_answered(response, out),
            State::Helo => self.helo_answered(response, out),
            State::StartTls => self.starttls_answered(response, out),
            State::Login(login) => self.login_answered(login, response, out),
            State::Transaction(transaction) => self.transaction_answered(*transaction, response, out),
            // Unasked: RFC 5321 §3.8 has only 421 come so.
            State::Ready | State::Handshake => {
                self.fail(SessionFailure::said(Class::Later, Stage::Hello, response))
            }
            State::Quit | State::Closed => Step::Close,
        }
    }

    /// RFC 5321 §4.3.2, §3.1.
    fn greeted(&mut self, response: &Response, out: &mut Vec<u8>) -> Step {
        match response.code {
            220 => self.hello(out),
            // RFC 7504 §4: this host takes no mail, ever.
            521 => self.fail_politely(SessionFailure::said(Class::Never, Stage::Greeting, response), out),
            // 554: RFC 5321 §3.1 does not say for whom; another host may do better, and so may this one later.
            _ => self.fail_politely(SessionFailure::said(Class::Later, Stage::Greeting, response), out),
        }
    }

    fn hello(&mut self, out: &mut Vec<u8>) -> Step {
        command::push(&format!("EHLO {}", self.options.name), out);
        self.state = State::Ehlo;
        Step::Read
    }

    fn ehlo_answered(&mut self, response: &Response, out: &mut Vec<u8>) -> Step {
        match response.class() {
            2 => {
                self.offered = Extensions::read(response);
                self.after_hello(out)
            }
            // RFC 5321 §3.2: an old server does not know EHLO.
            5 if self.options.tls != TlsUse::Required && self.options.credentials.is_none() => {
                command::push(&format!("HELO {}", self.options.name), out);
                self.state = State::Helo;
                Step::Read
            }
            _ => self.fail_politely(SessionFailure::said(Class::Later, Stage::Hello, response), out),
        }
    }

    fn helo_answered(&mut self, response: &Response, out: &mut Vec<u8>) -> Step {
        if response.class() != 2 {
            return self.fail_politely(SessionFailure::said(Class::Later, Stage::Hello, response), out);
        }
        self.offered = Extensions::none(response);
        self.after_hello(out)
    }

    fn after_hello(&mut self, out: &mut Vec<u8>) -> Step {
        if !self.tls && self.options.tls != TlsUse::Never && self.offered.starttls {
            out.extend_from_slice(b"STARTTLS\r\n");
            self.state = State::StartTls;
            return Step::Read;
        }
        if !self.tls && self.options.tls == TlsUse::Required {
            return self
                .fail_politely(no_tls("This server offers no STARTTLS, and we must not send without"), out);
        }
        let Some(credentials) = self.options.credentials.clone() else { return self.ready() };
        match Login::begin(credentials, &self.offered.auth, self.tls) {
            Some((login, command)) => {
                command::push(&command, out);
                self.state = State::Login(login);
                Step::Read
            }
            None => {
                let text = "This server offers no login that we can use";
                self.fail_politely(
                    SessionFailure::ours(Class::Later, Stage::Login, Enhanced(4, 7, 0), text),
                    out,
                )
            }
        }
    }

    fn ready(&mut self) -> Step {
        self.state = State::Ready;
        Step::Ready
    }

    fn starttls_answered(&mut self, response: &Response, out: &mut Vec<u8>) -> Step {
        if response.code == 220 {
            self.state = State::Handshake;
            return Step::StartTls;
        }
        if self.options.tls == TlsUse::Required {
            let mut failure = SessionFailure::said(Class::Later, Stage::Tls, response);
            failure.enhanced = failure.enhanced.or(Some(Enhanced(4, 7, 0)));
            return self.fail_politely(failure, out);
        }
        if response.code == 421 {
            return self.fail_politely(SessionFailure::said(Class::Later, Stage::Tls, response), out);
        }
        // RFC 3207 §4: it was offered and is refused now; RFC 7435: then without.
        self.offered.starttls = false;
        self.after_hello(out)
    }

    fn login_answered(&mut self, mut login: Login, response: &Response, out: &mut Vec<u8>) -> Step {
        match response.code {
            334 => match login.respond(&response.text()) {
                Some(answer) => {
                    command::push(&answer, out);
                    self.state = State::Login(login);
                    Step::Read
                }
                None => {
                    let text = "The other server broke the login exchange";
                    self.fail(SessionFailure::ours(Class::Later, Stage::Login, Enhanced(4, 7, 0), text))
                }
            },
            235 if login.succeeded(&response.text()) => self.ready(),
            235 => {
                let text = "The other server could not prove that it knows the password";
                self.fail(SessionFailure::ours(Class::Later, Stage::Login, Enhanced(4, 7, 0), text))
            }
            // A wrong password is the operator's to mend; mail waits meanwhile.
            _ => self.fail_politely(SessionFailure::said(Class::Later, Stage::Login, response), out),
        }
    }

    fn transaction_answered(
        &mut self,
        mut transaction: Transaction,
        response: &Response,
        out: &mut Vec<u8>,
    ) -> Step {
        // RFC 5321 §3.8: 421 may come to anything, and is the last.
        if response.code == 421 {
            self.end_by_shutdown(&mut transaction, response);
            self.collect(transaction);
            return Step::Close;
        }
        let Some(due) = transaction.due.pop_front() else {
            // While the body is going out: whatever it is, it is no answer to the end mark.
            self.state = State::Transaction(Box::new(transaction));
            return self.broken("The other server spoke out of turn");
        };
        let step = match due {
            Due::Rset => Step::Read,
            Due::Mail => transaction.mail_answered(response),
            Due::Rcpt(number) => transaction.rcpt_answered(number, response),
            Due::Data => self.data_answered(&mut transaction, response, out),
            Due::Chunk { last } => transaction.chunk_answered(last, response),
            Due::Dot => transaction.dot_answered(response),
            Due::EmptyDot => Step::Ready,
        };
        self.state = State::Transaction(Box::new(transaction));
        match step {
            Step::Read => self.go_on(out),
            Step::Ready => self.finished(),
            Step::Close => self.broken("The other server gave an answer that does not belong here"),
            other => other,
        }
    }

    /// Says what can be said now, and ends the transaction when there is nothing left to say or to hear.
    fn go_on(&mut self, out: &mut Vec<u8>) -> Step {
        let step = self.say_more(out);
        let State::Transaction(transaction) = &self.state else { return Step::Close };
        if step == Step::Read && transaction.due.is_empty() {
            return self.finished();
        }
        step
    }

    /// Names recipients and asks for DATA, as far as PIPELINING allows.
    fn say_more(&mut self, out: &mut Vec<u8>) -> Step {
        let State::Transaction(transaction) = &mut self.state else { return Step::Close };
        let window = if self.offered.pipelining { limits::PIPELINED_COMMANDS } else { 1 };
        if !transaction.mail_said && transaction.due.len() < window {
            command::mail(&transaction.message, &self.offered, out);
            transaction.due.push_back(Due::Mail);
            transaction.mail_said = true;
        }
        let utf8 = transaction.message.needs_smtputf8() && self.offered.smtputf8;
        while transaction.mail_said && transaction.due.len() < window && !transaction.mail_failed {
            let Some(recipient) = transaction.message.envelope.recipients.get(transaction.next_rcpt) else {
                break;
            };
            if transaction.results.get(transaction.next_rcpt).is_some_and(Option::is_none) {
                command::rcpt(recipient, &self.offered, utf8, out);
                transaction.due.push_back(Due::Rcpt(transaction.next_rcpt));
            }
            transaction.next_rcpt += 1;
        }
        let all_named = transaction.next_rcpt >= transaction.message.envelope.recipients.len();
        if !all_named || transaction.data_said || transaction.mail_failed || transaction.due.len() >= window {
            return Step::Read;
        }
        if self.offered.chunking && self.offered.pipelining {
            // BDAT has no answer to wait for before the body; so that none is sent for nobody, RCPT's answers are.
            if !transaction.due.is_empty() || transaction.accepted.is_empty() {
                return Step::Read;
            }
            let text = transaction.message.envelope.mail.body != BodyType::BinaryMime;
            transaction.encoder = Some(BodyEncoder::new(Framing::Chunks, text));
            transaction.data_said = true;
            return Step::Body;
        }
        if transaction.due.is_empty() && transaction.accepted.is_empty() {
            return Step::Read;
        }
        out.extend_from_slice(b"DATA\r\n");
        transaction.due.push_back(Due::Data);
        transaction.data_said = true;
        Step::Read
    }

    /// RFC 5321 §4.1.1.4.
    fn data_answered(
        &mut self,
        transaction: &mut Transaction,
        response: &Response,
        out: &mut Vec<u8>,
    ) -> Step {
        match response.code {
            354 if transaction.accepted.is_empty() => {
                // RFC 2920 §3.1: DATA went out before every recipient was refused. An end mark alone ends it.
                out.extend_from_slice(b".\r\n");
                transaction.due.push_back(Due::EmptyDot);
                Step::Read
            }
            354 => {
                transaction.encoder = Some(BodyEncoder::new(Framing::Dots, true));
                Step::Body
            }
            _ if matches!(response.class(), 4 | 5) => {
                transaction.settle_accepted(class_of(response), Stage::Data, response);
                Step::Read
            }
            _ => Step::Close,
        }
    }

    /// 421: what was not decided is told `Later`.
    fn end_by_shutdown(&mut self, transaction: &mut Transaction, response: &Response) {
        let stage = transaction.stage();
        for result in transaction.results.iter_mut().filter(|result| result.is_none()) {
            *result = Some(RecipientResult::said(Class::Later, stage, response));
        }
        self.failure = Some(SessionFailure::said(Class::Later, stage, response));
    }

    /// The transaction is over: results are ready, and so is the session.
    fn finished(&mut self) -> Step {
        let State::Transaction(transaction) = mem::replace(&mut self.state, State::Ready) else {
            return Step::Close;
        };
        if transaction.results.iter().flatten().any(|result| result.class == Class::Delivered) {
            self.unclean = false;
        }
        self.messages += 1;
        self.collect(*transaction);
        Step::Ready
    }

    fn collect(&mut self, transaction: Transaction) {
        let undecided = || {
            let text = "The transaction ended before this recipient was decided";
            RecipientResult::ours(Class::Later, Stage::Rcpt, Enhanced(4, 5, 0), text)
        };
        self.results = transaction.results.into_iter().map(|r| r.unwrap_or_else(undecided)).collect();
    }

    /// The connection is of no use any more.
    fn broken(&mut self, why: &str) -> Step {
        let state = mem::replace(&mut self.state, State::Closed);
        let stage = match &state {
            State::Greeting => Stage::Greeting,
            State::StartTls | State::Handshake => Stage::Tls,
            State::Login(_) => Stage::Login,
            State::Transaction(transaction) => transaction.stage(),
            _ => Stage::Hello,
        };
        if let State::Transaction(mut transaction) = state {
            transaction.lost(stage, why);
            self.collect(*transaction);
        }
        self.fail(SessionFailure::ours(Class::Later, stage, Enhanced(4, 4, 2), why))
    }

    fn fail(&mut self, failure: SessionFailure) -> Step {
        self.state = State::Closed;
        self.failure.get_or_insert(failure);
        Step::Close
    }

    fn fail_politely(&mut self, failure: SessionFailure, out: &mut Vec<u8>) -> Step {
        if failure.code != 421 {
            out.extend_from_slice(b"QUIT\r\n");
        }
        self.fail(failure)
    }
}

impl Transaction {
    fn stage(&self) -> Stage {
        match self.due.front() {
            Some(Due::Rset | Due::Mail) => Stage::Mail,
            Some(Due::Rcpt(_)) => Stage::Rcpt,
            _ if self.body_sent => Stage::Dot,
            _ => Stage::Data,
        }
    }

    fn mail_answered(&mut self, response: &Response) -> Step {
        match response.class() {
            2 => Step::Read,
            4 | 5 => {
                self.mail_failed = true;
                let class = class_of(response);
                for result in self.results.iter_mut().filter(|result| result.is_none()) {
                    *result = Some(RecipientResult::said(class, Stage::Mail, response));
                }
                Step::Read
            }
            _ => Step::Close,
        }
    }

    fn rcpt_answered(&mut self, number: usize, response: &Response) -> Step {
        // The answers to what was pipelined behind a failed MAIL say nothing.
        if self.mail_failed {
            return Step::Read;
        }
        let Some(result) = self.results.get_mut(number) else { return Step::Close };
        match response.class() {
            2 => {
                self.accepted.push(number);
                Step::Read
            }
            4 | 5 => {
                // RFC 5321 §4.5.3.1.10: 552 is an old way to say 452, too many recipients.
                let too_many = matches!(response.code, 452 | 552) && !self.accepted.is_empty();
                let class = if response.code == 552 && too_many { Class::Later } else { class_of(response) };
                let mut refused = RecipientResult::said(class, Stage::Rcpt, response);
                refused.another_transaction = too_many;
                *result = Some(refused);
                Step::Read
            }
            _ => Step::Close,
        }
    }

    /// RFC 3030 §2: an error to one chunk fails the message; those behind it are refused too.
    fn chunk_answered(&mut self, last: bool, response: &Response) -> Step {
        match response.class() {
            2 if !last => Step::Read,
            2 => self.dot_answered(response),
            4 | 5 => {
                let stage = if last { Stage::Dot } else { Stage::Data };
                self.settle_accepted(class_of(response), stage, response);
                Step::Read
            }
            _ => Step::Close,
        }
    }

    fn dot_answered(&mut self, response: &Response) -> Step {
        let class = match response.class() {
            2 => Class::Delivered,
            4 | 5 => class_of(response),
            _ => return Step::Close,
        };
        self.settle_accepted(class, Stage::Dot, response);
        Step::Read
    }

    fn settle_accepted(&mut self, class: Class, stage: Stage, response: &Response) {
        for number in &self.accepted {
            if let Some(result @ None) = self.results.get_mut(*number) {
                *result = Some(RecipientResult::said(class, stage, response));
            }
        }
    }

    fn lost(&mut self, stage: Stage, why: &str) {
        let in_doubt = self.body_sent;
        for (number, result) in self.results.iter_mut().enumerate() {
            if result.is_some() {
                continue;
            }
            let mut lost = RecipientResult::ours(Class::Later, stage, Enhanced(4, 4, 2), why);
            if in_doubt && self.accepted.contains(&number) {
                lost.ambiguity = Ambiguity::InDoubt;
            }
            *result = Some(lost);
        }
    }
}

/// RFC 5321 §4.2.1: 4 is for now, 5 for ever. What the operator of one side can mend is not held against the message.
fn class_of(response: &Response) -> Class {
    match response.code {
        // 530, 535, 538: a login or TLS is missing; 500 to 504 to a command that every server has: it is confused.
        530 | 535 | 538 => Class::Later,
        code if code >= 500 => Class::Never,
        _ => Class::Later,
    }
}

fn no_tls(text: &str) -> SessionFailure {
    SessionFailure::ours(Class::Later, Stage::Tls, Enhanced(4, 7, 0), text)
}
