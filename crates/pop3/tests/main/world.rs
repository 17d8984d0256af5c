//! What a transcript's `given` lines make: accounts, messages, options, faults.
//!
//! Listeners: none named: no TLS, passwords allowed; `starttls`: STLS, passwords only with TLS; `tls`: TLS from the start; `bare`: neither.

use std::sync::Arc;

use yubin_base::{
    AccountId, BoxFuture, Peer, Protocol as _, TlsInfo, UnixMs,
    sasl::{AuthFailure, Authenticated, Authenticator, SaslContext, SaslExchange, SaslStep},
};
use yubin_engine::memory::{Faults, MemoryEngine};
use yubin_pop3::{Options, Policies, Pop3Services, Session};
use yubin_store::{Account, Flags, NewMessage, Quota, Row, Store, StoreOptions, Uid, UidSet};
use yubin_testkit::{
    SimRandom, block_on,
    transcript::{START, Subject},
};

pub const ANN: AccountId = AccountId(1);

pub struct World {
    pub engine: MemoryEngine,
    pub store: Store,
    options: Options,
    services: Option<Arc<Pop3Services>>,
    to_trash: bool,
}

struct ToTrash;

impl Policies for ToTrash {
    fn delete_to_trash(&self, account: AccountId) -> bool {
        account == ANN
    }
}

impl World {
    pub fn new() -> Self {
        let engine = MemoryEngine::new();
        let store = store(&engine);
        block_on(store.create_account(ANN, START)).unwrap();
        Self { engine, store, options: Options::default(), services: None, to_trash: false }
    }

    pub fn account(&self) -> Arc<Account> {
        block_on(self.store.account(ANN)).unwrap()
    }

    pub fn append(&self, octets: &[u8]) {
        let account = self.account();
        let mut stager = self.store.stager();
        octets.chunks(100_000).for_each(|piece| stager.write(piece).unwrap());
        let message = NewMessage {
            staged: Arc::new(stager.finish().unwrap()),
            prefix: Vec::new(),
            flags: Flags::default(),
            keywords: Vec::new(),
            internal_date: START,
            idem: None,
        };
        let inbox = account.mailbox_named("INBOX").unwrap().id;
        block_on(account.append(inbox, vec![message], Quota::default(), START)).unwrap();
    }

    /// What INBOX holds now.
    pub fn rows(&self) -> Vec<Row> {
        let account = self.account();
        let inbox = block_on(account.open(account.mailbox_named("INBOX").unwrap().id)).unwrap();
        inbox.pages.as_ref().unwrap().iter().flat_map(|page| page.rows.clone()).collect()
    }

    /// Somebody else deletes a message.
    pub fn expunge(&self, uid: u32) {
        let account = self.account();
        let inbox = account.mailbox_named("INBOX").unwrap().id;
        block_on(account.expunge(inbox, Some(&UidSet::from_uids([Uid(uid)])), true, START)).unwrap();
    }

    pub fn fail(&self, faults: Faults) {
        self.engine.set_faults(faults);
    }

    pub fn set(&mut self, change: impl FnOnce(&mut Options)) {
        change(&mut self.options);
        self.services = None;
    }

    fn services(&mut self, listener: &str) -> Arc<Pop3Services> {
        let mut options = self.options.clone();
        options.host_name = "mail.example.test".to_owned();
        options.tls_available = listener == "starttls";
        options.plaintext_allowed = listener.is_empty();
        let store = self.store.clone();
        if !listener.is_empty() {
            return Arc::new(Pop3Services::new(store, Arc::new(People), options));
        }
        let to_trash = self.to_trash;
        let make = || {
            let services = Pop3Services::new(store, Arc::new(People), options);
            Arc::new(if to_trash { services.with_policies(Arc::new(ToTrash)) } else { services })
        };
        Arc::clone(self.services.get_or_insert_with(make))
    }
}

fn store(engine: &MemoryEngine) -> Store {
    let options =
        StoreOptions { message_octets_max: 100 << 20, cache_octets: 1 << 20, expunged_keep_s: 3_600 };
    Store::new(Arc::new(engine.clone()), Arc::new(SimRandom::new(1)), options)
}

impl Subject for World {
    type Session = Session;

    fn given(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            // given messages 3
            "messages" => {
                let from = self.rows().len();
                for n in 1..=rest.parse().unwrap() {
                    self.append(format!("Subject: {0}\r\n\r\nThis is message {0}.\r\n", from + n).as_bytes());
                }
            }
            // given message Subject: x\r\n\r\ntext\r\n
            "message" => self.append(rest.replace("\\r", "\r").replace("\\n", "\n").as_bytes()),
            "expunged" => self.expunge(rest.parse().unwrap()),
            "login-delay" => {
                let delay_s = rest.parse().unwrap();
                self.set(|options| options.login_delay_s = Some(delay_s));
            }
            // given uidl 2 old-2
            "uidl" => {
                let (uid, uidl) = rest.split_once(' ').unwrap();
                let account = self.account();
                let inbox = account.mailbox_named("INBOX").unwrap().id;
                let uidls = [(Uid(uid.parse().unwrap()), uidl.to_owned())];
                block_on(account.keep_uidls(inbox, &uidls, START)).unwrap();
            }
            "delete-to-trash" => {
                self.to_trash = true;
                self.services = None;
            }
            // given trash 2: this many messages are in Trash now
            "trash" => {
                let trash = self.account().mailbox_named("Trash").unwrap();
                assert_eq!(trash.counts.messages, rest.parse::<u32>().unwrap());
            }
            "no-trash" => {
                let trash = self.account().mailbox_named("Trash").unwrap();
                block_on(self.account().delete_mailbox(&trash, START)).unwrap();
            }
            "full" => self.fail(Faults { full_ppm: 1_000_000, ..Faults::default() }),
            "unreadable" => self.fail(Faults { read_error_ppm: 1_000_000, ..Faults::default() }),
            "unknown" => self.fail(Faults { unknown_without_effect_ppm: 1_000_000, ..Faults::default() }),
            "healthy" => self.fail(Faults::default()),
            "purged" => self.store = store(&self.engine),
            _ => panic!("given what? {line}"),
        }
    }

    fn connect(&mut self, _session: usize, listener: &str) -> Session {
        let peer = Peer {
            remote: "192.0.2.1:40000".parse().unwrap(),
            local: "192.0.2.2:110".parse().unwrap(),
            tls: None,
        };
        let mut session = Session::new(self.services(listener), peer);
        if listener == "tls" {
            session.tls_started(TlsInfo::default());
        }
        session
    }

    fn crash_and_restart(&mut self) {
        self.engine = self.engine.crash();
        self.store = store(&self.engine);
        self.services = None;
    }
}

/// ann has an account, carl a login without one; both say `secret`. Mechanisms: PLAIN, LOGIN, and STEPS, which asks twice.
struct People;

fn decide(user: &str, password: &[u8]) -> Result<Authenticated, AuthFailure> {
    let account = match user {
        "ann" | "ann@example.test" => ANN,
        "carl" => AccountId(3),
        "slow" => return Err(AuthFailure::Throttled { delay_ms: 5_000 }),
        "down" => return Err(AuthFailure::Unavailable),
        _ => return Err(AuthFailure::Refused { delay_ms: 2_000 }),
    };
    if password == b"secret" {
        Ok(Authenticated { account, name: "ann@example.test".to_owned() })
    } else {
        Err(AuthFailure::Refused { delay_ms: 2_000 })
    }
}

impl Authenticator for People {
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
