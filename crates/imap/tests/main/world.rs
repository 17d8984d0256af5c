//! What a transcript's `given` lines make: mailboxes, messages, quotas, faults. ann has an account; her password is `secret`.
//!
//! Listeners: none named: no TLS, passwords allowed; `starttls`: passwords only with TLS; `tls`: TLS from the start.

use std::sync::{Arc, Mutex};

use yubin_base::{
    AccountId, BoxFuture, Peer, Protocol as _, TlsInfo, UnixMs,
    sasl::{AuthFailure, Authenticated, Authenticator, SaslContext, SaslExchange, SaslStep},
};
use yubin_engine::memory::{Faults, MemoryEngine};
use yubin_imap::{ImapOptions, ImapServices, People, Person, Quotas, Session};
use yubin_store::{Account, AclChange, Flags, NewMessage, Quota, Rights, Store, StoreOptions, Who};
use yubin_testkit::{
    SimRandom, block_on,
    transcript::{START, Subject},
};

pub const ANN: AccountId = AccountId(1);
/// Everybody who can log in: name, account, and whether the account is public. `zoe` is of another domain.
pub const EVERYBODY: [(&str, AccountId, bool); 5] = [
    ("ann@example.test", ANN, false),
    ("bob@example.test", AccountId(2), false),
    ("eve@example.test", AccountId(4), false),
    ("zoe@else.test", AccountId(5), false),
    ("team@example.test", AccountId(6), true),
];

pub struct World {
    pub engine: MemoryEngine,
    pub store: Store,
    pub options: ImapOptions,
    pub quota: Arc<Mutex<Quota>>,
}

impl World {
    pub fn new() -> Self {
        let engine = MemoryEngine::new();
        let store = store(&engine);
        for (_, id, _) in EVERYBODY {
            block_on(store.create_account(id, START)).unwrap();
        }
        let options = ImapOptions {
            message_octets_max: 1_000_000,
            product: ("Yubin".into(), "1".into()),
            administrator: Some("mailto:postmaster@example.test".into()),
            ..ImapOptions::default()
        };
        Self { engine, store, options, quota: Arc::default() }
    }

    pub fn account(&self) -> Arc<Account> {
        block_on(self.store.account(ANN)).unwrap()
    }

    pub fn account_of(&self, name: &str) -> Arc<Account> {
        block_on(self.store.account(person(name).unwrap().id)).unwrap()
    }

    /// Gives rights: an identifier of RFC 4314, or one with `-` before it.
    pub fn acl(&self, owner: &str, mailbox: &str, identifier: &str, rights: &str) {
        let account = self.account_of(owner);
        let (negative, identifier) = match identifier.strip_prefix('-') {
            Some(identifier) => (true, identifier),
            None => (false, identifier),
        };
        let who = match identifier {
            "anyone" => Who::Anyone,
            name => Who::Account(person(name).unwrap().id),
        };
        let mailbox = account.mailbox_named(mailbox).unwrap().id;
        let rights = AclChange::Replace(Rights::parse(rights).unwrap());
        block_on(self.store.set_acl(&account, mailbox, (who, negative), rights, START)).unwrap();
    }

    pub fn append(&self, mailbox: &str, octets: &[u8], now: UnixMs) {
        self.append_to(&self.account(), mailbox, octets, now);
    }

    pub fn append_to(&self, account: &Account, mailbox: &str, octets: &[u8], now: UnixMs) {
        let mut stager = self.store.stager();
        octets.chunks(100_000).for_each(|piece| stager.write(piece).unwrap());
        let message = NewMessage {
            staged: Arc::new(stager.finish().unwrap()),
            prefix: b"Return-Path: <bob@example.test>\r\n".to_vec(),
            flags: Flags::default(),
            keywords: Vec::new(),
            internal_date: now,
            idem: None,
        };
        let mailbox = account.mailbox_named(mailbox).unwrap().id;
        block_on(account.append(mailbox, vec![message], Quota::default(), START)).unwrap();
    }

    pub fn messages(&self, count: usize) {
        let from = self.account().mailbox_named("INBOX").unwrap().counts.messages as usize;
        for n in from + 1..=from + count {
            let text =
                format!("Subject: Message {n}\r\nFrom: bob@example.test\r\n\r\nThis is message {n}.\r\n");
            self.append("INBOX", text.as_bytes(), START.plus_ms(n as u64 * 86_400_000));
        }
    }

    pub fn services(&self, listener: &str) -> Arc<ImapServices> {
        let options = ImapOptions {
            plaintext_allowed: listener.is_empty(),
            starttls: listener == "starttls",
            ..self.options.clone()
        };
        Arc::new(ImapServices {
            store: self.store.clone(),
            authenticator: Arc::new(Logins),
            quotas: Arc::new(OneQuota(Arc::clone(&self.quota))),
            people: Arc::new(Neighbours),
            options,
        })
    }

    pub fn session(&self) -> Session {
        Session::new(self.services(""), peer())
    }
}

fn peer() -> Peer {
    Peer { remote: "192.0.2.1:40000".parse().unwrap(), local: "192.0.2.2:143".parse().unwrap(), tls: None }
}

fn store(engine: &MemoryEngine) -> Store {
    let options =
        StoreOptions { message_octets_max: 100 << 20, cache_octets: 1 << 20, expunged_keep_s: 3_600 };
    Store::new(Arc::new(engine.clone()), Arc::new(SimRandom::new(1)), options)
}

struct OneQuota(Arc<Mutex<Quota>>);

impl Quotas for OneQuota {
    fn quota(&self, _: AccountId) -> BoxFuture<'_, Quota> {
        let quota = *self.0.lock().unwrap();
        Box::pin(std::future::ready(quota))
    }
}

/// The directory: whoever is in one domain are neighbours.
struct Neighbours;

fn person(identifier: &str) -> Option<Person> {
    let known = EVERYBODY
        .into_iter()
        .find(|(name, ..)| *name == identifier || name.split_once('@').unwrap().0 == identifier);
    known.map(|(name, id, public)| Person { id, address: name.to_owned(), public })
}

impl People for Neighbours {
    fn find(&self, identifier: &str) -> Option<Person> {
        person(identifier)
    }
    fn person(&self, id: AccountId) -> Option<Person> {
        EVERYBODY.into_iter().find(|(_, known, _)| *known == id).and_then(|(name, ..)| person(name))
    }
    fn neighbours(&self, one: AccountId, other: AccountId) -> bool {
        let domain = |id| self.person(id).map(|p| p.address.split_once('@').unwrap().1.to_owned());
        domain(one).is_some() && domain(one) == domain(other)
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    text.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t").replace("\\0", "\0").into_bytes()
}

impl Subject for World {
    type Session = Session;

    fn given(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let fail = |faults| self.engine.set_faults(faults);
        match word {
            // given messages 3
            "messages" => self.messages(rest.parse().unwrap()),
            // given message INBOX Subject: x\r\n\r\ntext\r\n
            "message" => {
                let (mailbox, text) = rest.split_once(' ').unwrap();
                self.append(mailbox, &unescaped(text), START);
            }
            // given large INBOX 300000
            "large" => {
                let (mailbox, octets) = rest.split_once(' ').unwrap();
                let octets: usize = octets.parse().unwrap();
                self.append(
                    mailbox,
                    &[b"Subject: large\r\n\r\n", &*b"0123456789abcd\r\n".repeat(octets / 16)].concat(),
                    START,
                );
            }
            // given picture INBOX 100000 the text behind a picture of so many octets
            "picture" => {
                let (mailbox, rest) = rest.split_once(' ').unwrap();
                let (octets, text) = rest.split_once(' ').unwrap();
                let picture = "A".repeat(76) + "\r\n";
                let message = [
                    "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: image/png\r\n",
                    "Content-Transfer-Encoding: base64\r\n\r\n",
                    &picture.repeat(octets.parse::<usize>().unwrap() / 78),
                    "--x\r\n\r\n",
                    text,
                    "\r\n--x--\r\n",
                ];
                self.append(mailbox, message.concat().as_bytes(), START);
            }
            "file" => {
                let (mailbox, file) = rest.split_once(' ').unwrap();
                let path = format!("{}/tests/mail/{file}", env!("CARGO_MANIFEST_DIR"));
                let text = std::fs::read(path).unwrap();
                self.append(
                    mailbox,
                    &String::from_utf8(text).unwrap().replace('\n', "\r\n").into_bytes(),
                    START,
                );
            }
            "mailbox" => {
                block_on(self.account().create_mailbox(rest, None, START)).unwrap();
            }
            "message-limit" => self.options.message_limit = Some(rest.parse().unwrap()),
            "save-limit" => self.options.save_limit = Some(rest.parse().unwrap()),
            // given acl ann INBOX bob lrs
            "acl" => {
                let words: Vec<&str> = rest.split(' ').collect();
                self.acl(words[0], words[1], words[2], words.get(3).unwrap_or(&""));
            }
            // given messages-of ann INBOX 3
            "messages-of" => {
                let words: Vec<&str> = rest.split(' ').collect();
                for n in 1..=words[2].parse().unwrap() {
                    let text = format!(
                        "Subject: Message {n}\r\nFrom: bob@example.test\r\n\r\nThis is message {n}.\r\n"
                    );
                    self.append_to(
                        &self.account_of(words[0]),
                        words[1],
                        text.as_bytes(),
                        START.plus_ms(n * 86_400_000),
                    );
                }
            }
            // given mailbox-of ann Work
            "mailbox-of" => {
                let (owner, name) = rest.split_once(' ').unwrap();
                block_on(self.account_of(owner).create_mailbox(name, None, START)).unwrap();
            }
            "quota-octets" => self.quota.lock().unwrap().octets = Some(rest.parse().unwrap()),
            "quota-messages" => self.quota.lock().unwrap().messages = Some(rest.parse().unwrap()),
            "full" => fail(Faults { full_ppm: 1_000_000, ..Faults::default() }),
            "unreadable" => fail(Faults { read_error_ppm: 1_000_000, ..Faults::default() }),
            "unknown" => fail(Faults { unknown_without_effect_ppm: 1_000_000, ..Faults::default() }),
            "healthy" => fail(Faults::default()),
            _ => panic!("given what? {line}"),
        }
    }

    fn connect(&mut self, _session: usize, listener: &str) -> Session {
        let mut session = Session::new(self.services(listener), peer());
        if listener == "tls" {
            session.tls_started(TlsInfo::default());
        }
        session
    }

    fn crash_and_restart(&mut self) {
        self.engine = self.engine.crash();
        self.store = store(&self.engine);
    }
}

/// Decides about logins. Mechanisms: PLAIN, LOGIN, and STEPS, which asks twice.
struct Logins;

fn decide(user: &str, password: &[u8]) -> Result<Authenticated, AuthFailure> {
    match user {
        "ann" | "ann@example.test" if password == b"secret" => {
            Ok(Authenticated { account: ANN, name: "ann@example.test".to_owned() })
        }
        name if password == b"secret" && name != "ann" && person(name).is_some() => {
            let Person { id, address, .. } = person(name).unwrap();
            Ok(Authenticated { account: id, name: address })
        }
        // An account that the directory knows and the store does not.
        "carl" => Ok(Authenticated { account: AccountId(3), name: "carl@example.test".to_owned() }),
        "slow" => Err(AuthFailure::Throttled { delay_ms: 5_000 }),
        "down" => Err(AuthFailure::Unavailable),
        _ => Err(AuthFailure::Refused { delay_ms: 2_000 }),
    }
}

impl Authenticator for Logins {
    fn mechanisms(&self, context: &SaslContext) -> Vec<&'static str> {
        if context.tls.is_some() || context.plaintext_allowed {
            vec!["STEPS", "PLAIN", "LOGIN"]
        } else {
            vec!["STEPS"]
        }
    }
    fn start(&self, mechanism: &str, context: SaslContext) -> Result<Box<dyn SaslExchange>, AuthFailure> {
        let clear = context.tls.is_none() && !context.plaintext_allowed;
        match mechanism {
            "PLAIN" | "LOGIN" if clear => Err(AuthFailure::TlsRequired),
            "PLAIN" => Ok(Box::new(Exchange { mechanism: "PLAIN", heard: Vec::new() })),
            "LOGIN" => Ok(Box::new(Exchange { mechanism: "LOGIN", heard: Vec::new() })),
            "STEPS" => Ok(Box::new(Exchange { mechanism: "STEPS", heard: Vec::new() })),
            _ => Err(AuthFailure::UnknownMechanism),
        }
    }
    fn server_first(&self, mechanism: &str) -> bool {
        mechanism == "LOGIN"
    }
    fn login<'a>(
        &'a self,
        user: &'a str,
        password: &'a [u8],
        _: SaslContext,
    ) -> BoxFuture<'a, Result<Authenticated, AuthFailure>> {
        Box::pin(std::future::ready(decide(user, password)))
    }
}

struct Exchange {
    mechanism: &'static str,
    heard: Vec<Vec<u8>>,
}

impl SaslExchange for Exchange {
    fn step<'a>(&'a mut self, response: &'a [u8], _: UnixMs) -> BoxFuture<'a, SaslStep> {
        self.heard.push(response.to_vec());
        let done =
            |user: &[u8], password: &[u8]| SaslStep::Done(decide(&String::from_utf8_lossy(user), password));
        let step = match (self.mechanism, self.heard.as_slice()) {
            ("PLAIN", [message]) => match message.split(|c| *c == 0).collect::<Vec<_>>().as_slice() {
                [_, user, password] => done(user, password),
                _ => SaslStep::Done(Err(AuthFailure::Malformed)),
            },
            ("LOGIN", [_]) => SaslStep::Challenge(b"User Name\0".to_vec()),
            ("LOGIN", [_, _]) => SaslStep::Challenge(b"Password\0".to_vec()),
            ("LOGIN", [_, user, password]) => done(user, password),
            ("STEPS", [_]) => SaslStep::Challenge(b"again".to_vec()),
            ("STEPS", [user, password]) => done(user, password),
            _ => SaslStep::Done(Err(AuthFailure::Malformed)),
        };
        Box::pin(std::future::ready(step))
    }
}
