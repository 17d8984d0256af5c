//! A world of simulated servers: names, hosts that answer as told, and what each of them took.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use yubin_base::{
    AccountId, Address, BoxFuture, Peer, TlsInfo, UnixMs,
    dns::{Answer, AnyResolver, DnsError, Lookup, Mx, Resolver, Tlsa},
    ports::{Clock, InPlace, Random},
    sasl::Authenticated,
};
use yubin_delivery::{
    Delivery, DeliveryOptions, Filter, QueuedMessage, Sought,
    remote::{
        ConnectFault, Connection, ConnectionFault, Connector, SendOptions, Sending, Spawn, TlsCheck,
        TlsDemand,
    },
};
use yubin_directory::{Directory, DirectoryOptions, NewAccount, NewDomain, NewPassword};
use yubin_engine::{Engine, memory::MemoryEngine};
use yubin_smtp::{
    envelope::{Envelope, ForwardPath, MailFrom, Notify, RcptTo},
    server::{Accepted, BodyFacts, BodySink, Reception, Service, SessionFacts},
};
use yubin_store::{Store, StoreOptions};
use yubin_testkit::{SimClock, SimRandom, block_on};

pub const NOW: UnixMs = UnixMs(1_790_000_000_000);
pub const BODY: &[u8] = b"From: ann@example.test\r\nDate: x\r\nMessage-ID: <1@example.test>\r\nSubject: hello\r\n\r\nHi.\r\n.\r\n";

/// One host: how it answers, and what it took.
#[derive(Clone, Default)]
pub struct Host {
    /// Nobody listens.
    pub refuses: bool,
    /// Said instead of 220.
    pub greeting: Option<String>,
    /// The lines of the answer to EHLO.
    pub offers: Vec<&'static str>,
    /// Answers to RCPT by address; others are taken.
    pub rcpt: BTreeMap<String, String>,
    /// Answer to MAIL.
    pub mail: Option<String>,
    /// Answer to the end of the message; `die` closes the connection.
    pub dot: Option<String>,
    /// Takes the message, and then dies without a word.
    pub dies_after_dot: bool,
    /// The handshake proves this: names it has a certificate for.
    pub certificate: Vec<String>,
    /// The handshake fails.
    pub tls_broken: bool,
    /// Each: recipients and content as it came.
    pub taken: Vec<(Vec<String>, String)>,
    /// Connections so far.
    pub connections: usize,
}

/// What DNS says of a domain's hosts.
pub type MxAnswer = Result<Vec<(u16, &'static str)>, DnsError>;

/// Names and hosts.
#[derive(Clone, Default)]
pub struct Net(pub Arc<Mutex<State>>);

#[derive(Default)]
pub struct State {
    pub mx: BTreeMap<String, MxAnswer>,
    pub a: BTreeMap<String, Ipv4Addr>,
    pub txt: BTreeMap<String, String>,
    pub tlsa: BTreeMap<String, Result<Vec<Tlsa>, DnsError>>,
    pub secure: bool,
    pub hosts: BTreeMap<IpAddr, Host>,
    pub policy: Option<String>,
    pub spawned: Vec<BoxFuture<'static, ()>>,
}

impl Net {
    /// A host with an address of its own.
    pub fn host(&self, name: &str, number: u8, host: Host) {
        let address = Ipv4Addr::new(192, 0, 2, number);
        let mut state = self.0.lock().unwrap();
        state.a.insert(name.into(), address);
        state.hosts.insert(address.into(), host);
    }

    pub fn change(&self, number: u8, change: impl FnOnce(&mut Host)) {
        let address = IpAddr::from(Ipv4Addr::new(192, 0, 2, number));
        change(self.0.lock().unwrap().hosts.get_mut(&address).expect("a host"));
    }

    pub fn taken(&self, number: u8) -> Vec<(Vec<String>, String)> {
        let address = IpAddr::from(Ipv4Addr::new(192, 0, 2, number));
        self.0.lock().unwrap().hosts[&address].taken.clone()
    }

    pub fn connections(&self, number: u8) -> usize {
        let address = IpAddr::from(Ipv4Addr::new(192, 0, 2, number));
        self.0.lock().unwrap().hosts[&address].connections
    }

    fn answer<T>(&self, records: Vec<T>) -> Lookup<T> {
        Ok(Answer { records, secure: self.0.lock().unwrap().secure, ttl_s: 60 })
    }
}

impl Resolver for Net {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        let found = self.0.lock().unwrap().txt.get(name).cloned();
        match found {
            Some(text) => self.answer(vec![text.into_bytes()]),
            None => Err(DnsError::NoRecords { secure: false }),
        }
    }
    async fn a(&self, name: &str) -> Lookup<Ipv4Addr> {
        let found = self.0.lock().unwrap().a.get(name).copied();
        found.map_or(Err(DnsError::NoRecords { secure: true }), |a| self.answer(vec![a]))
    }
    async fn aaaa(&self, _: &str) -> Lookup<Ipv6Addr> {
        Err(DnsError::NoRecords { secure: true })
    }
    async fn mx(&self, name: &str) -> Lookup<Mx> {
        let found = self.0.lock().unwrap().mx.get(name).cloned();
        let mx = |(preference, host): (u16, &str)| Mx { preference, exchange: host.into() };
        match found {
            Some(Ok(list)) => self.answer(list.into_iter().map(mx).collect()),
            Some(Err(error)) => Err(error),
            None => Err(DnsError::NxDomain { secure: false }),
        }
    }
    async fn ptr(&self, _: &str) -> Lookup<String> {
        Err(DnsError::Temporary)
    }
    async fn tlsa(&self, name: &str) -> Lookup<Tlsa> {
        let found = self.0.lock().unwrap().tlsa.get(name).cloned();
        match found {
            Some(Ok(list)) => self.answer(list),
            Some(Err(error)) => Err(error),
            None => Err(DnsError::NoRecords { secure: true }),
        }
    }
}

impl Connector for Net {
    fn connect(&self, to: SocketAddr, _: u32) -> BoxFuture<'_, Result<Box<dyn Connection>, ConnectFault>> {
        let mut state = self.0.lock().unwrap();
        let found = state.hosts.get_mut(&to.ip()).filter(|host| !host.refuses);
        let result = match found {
            Some(host) => {
                host.connections += 1;
                let greeting = host.greeting.clone().unwrap_or_else(|| "220 host".into());
                Ok(Box::new(Talk {
                    net: self.clone(),
                    at: to.ip(),
                    out: format!("{greeting}\r\n").into_bytes(),
                    input: Vec::new(),
                    rcpts: Vec::new(),
                    body: false,
                    dead: false,
                }) as Box<dyn Connection>)
            }
            None => Err(ConnectFault::Failed("connection refused".into())),
        };
        Box::pin(std::future::ready(result))
    }

    fn fetch<'a>(
        &'a self,
        host: &'a str,
        _: &'a [SocketAddr],
        _: &'a str,
        _: usize,
    ) -> BoxFuture<'a, Result<Vec<u8>, String>> {
        let policy = self.0.lock().unwrap().policy.clone();
        Box::pin(std::future::ready(policy.map(String::into_bytes).ok_or(format!("{host} is down"))))
    }
}

impl Spawn for Net {
    fn spawn(&self, work: BoxFuture<'static, ()>) {
        self.0.lock().unwrap().spawned.push(work);
    }
}

/// A connection to a host.
struct Talk {
    net: Net,
    at: IpAddr,
    out: Vec<u8>,
    input: Vec<u8>,
    rcpts: Vec<String>,
    body: bool,
    dead: bool,
}

impl Talk {
    fn say(&mut self, line: &str) {
        self.out.extend_from_slice(format!("{line}\r\n").as_bytes());
    }

    fn take(&mut self) {
        while !self.dead {
            if self.body {
                let whole = self.input.starts_with(b".\r\n");
                let end = self.input.windows(5).position(|w| w == b"\r\n.\r\n");
                let Some(end) = end.map(|at| at + 2).or(whole.then_some(0)) else { return };
                let content = String::from_utf8_lossy(&self.input[..end]).into_owned();
                self.input.drain(..end + 3);
                self.body = false;
                self.end_of_message(content);
                continue;
            }
            let Some(end) = self.input.windows(2).position(|w| w == b"\r\n") else { return };
            let line = String::from_utf8_lossy(&self.input[..end]).into_owned();
            self.input.drain(..end + 2);
            self.line(&line);
        }
    }

    fn end_of_message(&mut self, content: String) {
        let rcpts = std::mem::take(&mut self.rcpts);
        let mut state = self.net.0.lock().unwrap();
        let host = state.hosts.get_mut(&self.at).unwrap();
        let answer = host.dot.clone().unwrap_or_else(|| "250 2.0.0 taken".into());
        if answer.starts_with('2') {
            host.taken.push((rcpts, content));
        }
        let dies = host.dies_after_dot || answer == "die";
        drop(state);
        if dies {
            self.dead = true;
        } else {
            self.say(&answer);
        }
    }

    fn line(&mut self, line: &str) {
        let host = self.net.0.lock().unwrap().hosts[&self.at].clone();
        let upper = line.to_ascii_uppercase();
        if upper.starts_with("EHLO") {
            let offers = ["host", "PIPELINING", "8BITMIME"].into_iter().chain(host.offers.iter().copied());
            let offers: Vec<&str> = offers.collect();
            for (n, offer) in offers.iter().enumerate() {
                self.say(&format!("250{}{offer}", if n + 1 == offers.len() { ' ' } else { '-' }));
            }
        } else if upper.starts_with("STARTTLS") {
            self.say("220 go");
        } else if upper.starts_with("MAIL") {
            self.rcpts.clear();
            self.say(host.mail.as_deref().unwrap_or("250 ok"));
        } else if upper.starts_with("RCPT") {
            let address = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
            let answer = host.rcpt.get(&address).cloned().unwrap_or_else(|| "250 ok".into());
            if answer.starts_with('2') {
                self.rcpts.push(address);
            }
            self.say(&answer);
        } else if upper == "DATA" {
            if self.rcpts.is_empty() {
                self.say("503 no recipients");
            } else {
                self.body = true;
                self.say("354 go");
            }
        } else if upper == "QUIT" {
            self.say("221 bye");
        } else {
            self.say("250 ok");
        }
    }
}

impl Connection for Talk {
    fn read<'a>(
        &'a mut self,
        buffer: &'a mut Vec<u8>,
        _: u32,
    ) -> BoxFuture<'a, Result<usize, ConnectionFault>> {
        let octets = self.out.len();
        buffer.append(&mut self.out);
        let silent = octets == 0 && !self.dead;
        Box::pin(std::future::ready(if silent {
            Err(ConnectionFault("nothing to read: the client waits for what never comes".into()))
        } else {
            Ok(octets)
        }))
    }

    fn write<'a>(&'a mut self, octets: &'a [u8], _: u32) -> BoxFuture<'a, Result<(), ConnectionFault>> {
        self.input.extend_from_slice(octets);
        self.take();
        Box::pin(std::future::ready(Ok(())))
    }

    fn start_tls<'a>(
        &'a mut self,
        demand: &'a TlsDemand,
        _: u32,
    ) -> BoxFuture<'a, Result<TlsInfo, ConnectionFault>> {
        let host = self.net.0.lock().unwrap().hosts[&self.at].clone();
        let good = match &demand.check {
            TlsCheck::Nothing => true,
            TlsCheck::Names(names) => names.iter().any(|name| host.certificate.contains(name)),
            TlsCheck::Dane { records, .. } => {
                records.iter().any(|record| record.matches(b"certificate", b"key"))
            }
        };
        let result = if host.tls_broken || !good {
            Err(ConnectionFault("the certificate is no good".into()))
        } else {
            Ok(TlsInfo { version: "TLSv1.3".into(), ..TlsInfo::default() })
        };
        Box::pin(std::future::ready(result))
    }
}

/// Our server in that world.
pub struct World {
    pub engine: MemoryEngine,
    pub directory: Directory,
    pub store: Store,
    pub delivery: Delivery,
    pub clock: Arc<SimClock>,
    pub net: Net,
    options: SendOptions,
}

impl World {
    pub fn open(engine: MemoryEngine, net: Net, options: SendOptions, clock: Arc<SimClock>) -> Self {
        let shared: Arc<dyn Engine> = Arc::new(engine.clone());
        let random: Arc<dyn Random> = Arc::new(SimRandom::new(7));
        let directory = block_on(Directory::open(
            shared.clone(),
            DirectoryOptions::dev(),
            random.clone(),
            Arc::new(InPlace),
        ))
        .expect("directory");
        let store_options =
            StoreOptions { message_octets_max: 2 << 20, cache_octets: 1 << 20, expunged_keep_s: 3_600 };
        let store = Store::new(shared.clone(), random.clone(), store_options);
        let sending = Sending {
            resolver: AnyResolver::new(net.clone()),
            connector: Arc::new(net.clone()),
            spawn: Arc::new(net.clone()),
            options: options.clone(),
        };
        let delivery_options =
            DeliveryOptions { sending: Some(sending), ..DeliveryOptions::new("mail.example.test") };
        let delivery = block_on(Delivery::open(
            shared,
            store.clone(),
            directory.clone(),
            random,
            clock.clone() as Arc<dyn Clock>,
            delivery_options,
        ))
        .expect("delivery");
        Self { engine, directory, store, delivery, clock, net, options }
    }

    pub fn with(options: SendOptions) -> Self {
        let world = Self::open(MemoryEngine::new(), Net::default(), options, Arc::new(SimClock::new(NOW)));
        block_on(async {
            world.directory.add_domain(NewDomain::named("example.test")).await.expect("domain");
            let new = NewAccount {
                address: "ann@example.test".into(),
                password: NewPassword::Plain("secret".into()),
                ..NewAccount::default()
            };
            let account = world.directory.add_account(new).await.expect("account");
            world.store.create_account(account.id, NOW).await.expect("mailboxes");
            world.directory.add_alias("out@example.test", &["bob@far.test"]).await.expect("alias");
        });
        world
    }

    pub fn new() -> Self {
        let world = Self::with(SendOptions::default());
        world.mx("far.test", &[(10, "mx.far.test")]);
        world.net.host("mx.far.test", 1, Host::default());
        world
    }

    pub fn mx(&self, domain: &str, hosts: &[(u16, &'static str)]) {
        self.net.0.lock().unwrap().mx.insert(domain.into(), Ok(hosts.to_vec()));
    }

    /// The process dies and starts again.
    pub fn restart(&self) -> Self {
        self.net.0.lock().unwrap().spawned.clear();
        Self::open(self.engine.crash(), self.net.clone(), self.options.clone(), self.clock.clone())
    }

    fn ann(&self) -> AccountId {
        self.directory.account_by_name("ann@example.test").expect("account").id
    }

    pub fn session(&self, service: Service, login: bool) -> SessionFacts {
        let at = |text: &str| text.parse::<SocketAddr>().expect("address");
        SessionFacts {
            service,
            peer: Peer { remote: at("198.51.100.7:4711"), local: at("198.51.100.1:25"), tls: None },
            helo: "client.test".into(),
            extended: true,
            authenticated: login
                .then(|| Authenticated { account: self.ann(), name: "ann@example.test".into() }),
            now: self.clock.now(),
        }
    }

    /// Submits as ann.
    pub fn submit(&self, to: &[&str]) -> Accepted {
        self.submit_with(to, None)
    }

    pub fn submit_with(&self, to: &[&str], notify: Option<Notify>) -> Accepted {
        let session = self.session(Service::Submission, true);
        self.send(&session, "ann@example.test", to, notify, BODY)
    }

    pub fn send(
        &self,
        session: &SessionFacts,
        from: &str,
        to: &[&str],
        notify: Option<Notify>,
        body: &[u8],
    ) -> Accepted {
        let mail = MailFrom { reverse_path: Address::parse_plain(from), ..MailFrom::default() };
        let recipients: Vec<RcptTo> = to
            .iter()
            .map(|address| RcptTo {
                forward_path: ForwardPath::Mailbox(Address::parse_plain(address).expect("address")),
                original: (*address).into(),
                notify,
                orcpt: None,
            })
            .collect();
        block_on(async {
            let mut sink = self.delivery.begin(session, &Envelope { mail, recipients }).await.expect("begin");
            sink.write(body).await.expect("written");
            let facts = BodyFacts { eight_bit: !body.is_ascii(), ..BodyFacts::default() };
            sink.finish(facts).await.expect("250")
        })
    }

    /// Works until nothing is due now. Tells when something will be.
    pub fn work(&self) -> Option<UnixMs> {
        for _ in 0..10_000 {
            let next = block_on(self.delivery.work(self.clock.now()));
            let spawned = std::mem::take(&mut self.net.0.lock().unwrap().spawned);
            if spawned.is_empty() {
                return next;
            }
            block_on(futures_util::future::join_all(spawned));
        }
        panic!("the work never ends");
    }

    /// Moves the clock to when something is due, and works.
    pub fn work_when_due(&self) -> Option<UnixMs> {
        let due = self.delivery.queue().status().next_due.expect("something is due");
        self.clock.set(due.max(self.clock.now()));
        self.work()
    }

    pub fn queue(&self) -> Vec<QueuedMessage> {
        block_on(self.delivery.queue().list(&Filter::default(), 1_000)).expect("list")
    }

    /// The history of a message, one line for each note.
    pub fn history(&self, what: &str) -> Vec<String> {
        let found = block_on(self.delivery.queue().history(&Sought::read(what))).expect("history");
        found
            .iter()
            .flat_map(|history| &history.notes)
            .map(|note| format!("{} {}: {}", note.what.name(), note.address, note.text))
            .collect()
    }

    /// The raw messages in ann's INBOX, oldest first.
    pub fn inbox(&self) -> Vec<String> {
        block_on(async {
            let account = self.store.account(self.ann()).await.expect("account");
            let inbox = account.mailbox_named("INBOX").expect("INBOX").id;
            let state = account.open(inbox).await.expect("open");
            let mut out = Vec::new();
            for page in state.pages.iter().flat_map(|pages| pages.iter()) {
                for row in &page.rows {
                    let record = account.record(row.doc).await.expect("record");
                    out.push(
                        String::from_utf8(account.read(&record, 0..u64::MAX).await.expect("body"))
                            .expect("text"),
                    );
                }
            }
            out
        })
    }
}
