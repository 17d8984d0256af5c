//! The world of the client's transcripts. There the roles are turned round: `C:` lines are what the other server says, `S:` lines what our client
//! does. Beside what it sends, the client tells with `=` what came of each recipient, and of the session.
//!
//! `given`: `from`, `to` (with `notify`, `orcpt`), `message` (`\r` and `\n` as escapes), `option`, and `message` once more for each further message.

use yubin_base::{Address, Farewell, Next, Protocol, TlsInfo, UnixMs};
use yubin_smtp::{
    client::{Ambiguity, Client, ClientOptions, Credentials, Outgoing, Step, TlsUse},
    envelope::{BodyType, Envelope, ForwardPath, MailFrom, Notify, Orcpt, RcptTo, Ret},
};
use yubin_testkit::transcript::Subject;

#[derive(Clone)]
pub struct ClientWorld {
    options: ClientOptions,
    mail: MailFrom,
    recipients: Vec<RcptTo>,
    messages: Vec<Vec<u8>>,
    require_tls: bool,
    size: Option<u64>,
}

impl ClientWorld {
    pub fn new() -> Self {
        let options = ClientOptions {
            name: "mail.example.test".into(),
            tls: TlsUse::IfOffered,
            tls_active: false,
            credentials: None,
        };
        Self {
            options,
            mail: MailFrom { reverse_path: Address::parse_plain("ann@example.test"), ..MailFrom::default() },
            recipients: Vec::new(),
            messages: Vec::new(),
            require_tls: false,
            size: None,
        }
    }
}

impl Subject for ClientWorld {
    type Session = Talk;

    fn given(&mut self, line: &str) {
        let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
        match what {
            "from" => self.mail.reverse_path = Address::parse_plain(rest),
            "to" => self.recipients.push(recipient(rest)),
            "message" => {
                self.messages.push(rest.replace("\\r", "\r").replace("\\n", "\n").into_bytes());
            }
            "option" => match rest.split_once(' ').unwrap_or((rest, "")) {
                ("tls", "never") => self.options.tls = TlsUse::Never,
                ("tls", "required") => self.options.tls = TlsUse::Required,
                ("tls", "active") => self.options.tls_active = true,
                ("login", user) => {
                    self.options.credentials = Some(Credentials {
                        user: user.into(),
                        password: "secret".into(),
                        nonce: b"fyko+d2lbbFgONRv".to_vec(),
                    });
                }
                ("require-tls", _) => self.require_tls = true,
                ("binary", _) => self.mail.body = BodyType::BinaryMime,
                ("ret", "full") => self.mail.ret = Some(Ret::Full),
                ("ret", "hdrs") => self.mail.ret = Some(Ret::Headers),
                ("envid", envid) => self.mail.envid = Some(envid.into()),
                ("size", size) => self.size = Some(size.parse().expect("a number")),
                (other, _) => panic!("unknown option {other}"),
            },
            _ => panic!("given what? {line}"),
        }
    }

    fn connect(&mut self, _: usize, _: &str) -> Talk {
        Talk {
            client: Client::new(self.options.clone()),
            world: self.clone(),
            next: 0,
            sending: false,
            told: false,
        }
    }
}

fn recipient(text: &str) -> RcptTo {
    let mut words = text.split(' ');
    let address = words.next().unwrap();
    let mut rcpt = RcptTo {
        forward_path: ForwardPath::Mailbox(Address::parse_plain(address).expect("an address")),
        original: address.into(),
        notify: None,
        orcpt: None,
    };
    for word in words {
        match word.split_once('=') {
            Some(("notify", list)) => {
                let has = |name| list.split(',').any(|word| word == name);
                rcpt.notify =
                    Some(Notify { success: has("success"), failure: has("failure"), delay: has("delay") });
            }
            Some(("orcpt", orcpt)) => {
                let (kind, address) = orcpt.split_once(';').expect("type;address");
                rcpt.orcpt = Some(Orcpt { address_type: kind.into(), address: address.into() });
            }
            _ => panic!("unknown word {word}"),
        }
    }
    rcpt
}

/// The client as the transcript player drives it.
pub struct Talk {
    client: Client,
    world: ClientWorld,
    next: usize,
    sending: bool,
    told: bool,
}

impl Talk {
    fn outgoing(&self) -> Outgoing {
        let message = &self.world.messages[self.next];
        let header = message.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(message.len());
        Outgoing {
            envelope: Envelope { mail: self.world.mail.clone(), recipients: self.world.recipients.clone() },
            size_octets: self.world.size.unwrap_or(message.len() as u64),
            eight_bit: !message.is_ascii(),
            header_utf8: !message[..header].is_ascii(),
            require_tls: self.world.require_tls,
        }
    }

    fn tell(&mut self, out: &mut Vec<u8>) {
        for (rcpt, result) in self.world.recipients.iter().zip(self.client.take_results()) {
            let doubt = if result.ambiguity == Ambiguity::InDoubt { " in doubt" } else { "" };
            let again = if result.another_transaction { " another" } else { "" };
            let line = format!(
                "= {} {:?} at {}{doubt}{again}: {}\r\n",
                rcpt.original,
                result.class,
                result.stage.name(),
                result.diagnostic()
            );
            out.extend_from_slice(line.as_bytes());
        }
    }

    fn follow(&mut self, mut step: Step, out: &mut Vec<u8>) -> Next {
        loop {
            match step {
                Step::Read => return Next::Read,
                Step::StartTls => return Next::StartTls,
                Step::Body => {
                    let message = self.world.messages[self.next].clone();
                    for piece in message.chunks(5) {
                        self.client.body(piece, out);
                    }
                    step = self.client.body_end(out);
                }
                Step::Ready => {
                    if self.sending {
                        self.tell(out);
                        self.sending = false;
                        self.next += 1;
                    }
                    if self.next < self.world.messages.len() && self.client.takes_more() {
                        self.sending = true;
                        step = self.client.send(self.outgoing(), out);
                    } else {
                        step = self.client.quit(out);
                    }
                }
                Step::Close => {
                    self.close(out);
                    return Next::Close;
                }
            }
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if mem_replace(&mut self.told) {
            return;
        }
        self.tell(out);
        if let Some(failure) = self.client.failure() {
            let code = if failure.code == 0 { String::new() } else { format!("{} ", failure.code) };
            let line = format!(
                "= session {:?} at {}: {code}{}\r\n",
                failure.class,
                failure.stage.name(),
                failure.text
            );
            out.extend_from_slice(line.as_bytes());
        }
    }
}

fn mem_replace(flag: &mut bool) -> bool {
    std::mem::replace(flag, true)
}

impl Protocol for Talk {
    async fn greet(&mut self, _: UnixMs, _: &mut Vec<u8>) -> Next {
        Next::Read
    }

    async fn command(&mut self, input: &[u8], _: UnixMs, out: &mut Vec<u8>) -> (usize, Next) {
        let (used, step) = self.client.receive(input, out);
        if step == Step::StartTls && used < input.len() {
            // What the driver does about octets behind the answer to STARTTLS.
            self.client.lost("Octets came in before TLS");
            self.close(out);
            return (input.len(), Next::Close);
        }
        (used, self.follow(step, out))
    }

    fn tls_started(&mut self, _: TlsInfo) {
        // The player reads nothing before the peer speaks: the test's server speaks first, with an empty line's worth of nothing.
        let mut out = Vec::new();
        let _ = self.client.tls_started(&mut out);
        assert_eq!(out, b"EHLO mail.example.test\r\n");
    }

    fn patience_s(&self) -> u32 {
        self.client.patience_s()
    }

    fn input_octets_max(&self) -> usize {
        yubin_smtp::limits::RESPONSE_LINE_OCTETS + 1
    }

    fn farewell(&mut self, _: Farewell, out: &mut Vec<u8>) {
        self.client.lost("The other server was silent for too long");
        self.close(out);
    }
}
