//! The wiring: opens the store, the directory and the queue, and runs listeners and jobs over them until the server stops.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use yubin_base::{AccountId, BoxFuture, ports::Clock};
use yubin_delivery::{Delivery, DeliveryOptions};
use yubin_directory::{Argon2Cost, Directory, DirectoryOptions};
use yubin_engine::{
    Engine, Health,
    embedded::{EmbeddedEngine, EmbeddedOptions},
};
use yubin_imap::{ImapOptions, ImapServices, People, Person, Quotas};
use yubin_pop3::{Policies, Pop3Services};
use yubin_sieve::manage::ManageSieveServices;
use yubin_smtp::server::{Listener as SmtpListener, Login, Options as SmtpOptions, Service};
use yubin_store::{Quota, Store, StoreOptions};

use crate::{
    clock::{self, SystemClock, SystemRandom},
    config::{Config, ListenerProtocol},
    dkim::DkimKeys,
    events, limits,
    listen::{self, Gate, Shared},
    metrics::{Metrics, Readings},
    offload::HashThreads,
    outbound::Tasks,
    scripts::StoredScripts,
    tls::Certificate,
};

/// Everything that is open. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The configuration it was opened with.
    pub config: Arc<Config>,
    /// Where the bytes are.
    pub engine: EmbeddedEngine,
    /// Who.
    pub directory: Directory,
    /// What.
    pub store: Store,
    /// On its way.
    pub delivery: Delivery,
    /// What sends it.
    pub tasks: Arc<Tasks>,
    /// What signs it.
    pub dkim: Arc<DkimKeys>,
}

/// Why the server could not start. The text is for the operator.
#[derive(Debug)]
pub struct AppError(pub String);

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AppError {}

fn failed(what: &str) -> impl Fn(&dyn fmt::Display) -> AppError + '_ {
    move |error| AppError(format!("{what}: {error}"))
}

impl App {
    /// Opens the store in the data folder, or makes one there.
    pub async fn open(config: Arc<Config>) -> Result<Self, AppError> {
        let folder = config.server.store();
        let reserve = config.limits.disk_reserve_octets;
        let default_reserve = crate::config::Limits::default().disk_reserve_octets;
        let options = EmbeddedOptions {
            // The default is the engine's: it takes the size of the disk into account.
            reserve_octets: (reserve != default_reserve).then_some(reserve),
            ..EmbeddedOptions::default()
        };
        let engine =
            EmbeddedEngine::open(&folder, options).map_err(|e| failed("The store cannot be opened")(&e))?;
        let shared: Arc<dyn Engine> = Arc::new(engine.clone());
        let random = Arc::new(SystemRandom);
        let cost = Argon2Cost {
            memory_kib: config.password.argon2_memory_kib,
            passes: config.password.argon2_passes,
            lanes: 1,
        };
        let directory_options = DirectoryOptions { argon2: cost, ..DirectoryOptions::default() };
        let directory = Directory::open(
            shared.clone(),
            directory_options,
            random.clone(),
            Arc::new(HashThreads::start(limits::HASH_THREADS, limits::HASH_WAITING)),
        )
        .await
        .map_err(|e| failed("The directory cannot be read")(&e))?;
        let store_options = StoreOptions {
            message_octets_max: config.limits.message_octets,
            cache_octets: config.limits.cache_octets,
            expunged_keep_s: config.mail.expunged_keep_s,
        };
        let store = Store::new(shared.clone(), random.clone(), store_options);
        let tasks = Arc::new(Tasks::default());
        let dkim = DkimKeys::open(&config.server.data).map_err(|e| failed("The DKIM keys")(&e))?;
        // Without the sessions there is no work: an offline command must not send.
        let sending = crate::sending::sending(&config, tasks.clone()).map_err(|e| failed("Sending")(&e))?;
        let judging = crate::judging::judging(&config, sending.as_ref()).map_err(|e| failed("DNS")(&e))?;
        let delivery = Delivery::open(
            shared,
            store.clone(),
            directory.clone(),
            random,
            Arc::new(SystemClock),
            DeliveryOptions {
                sending,
                judging,
                signing: Some(dkim.clone()),
                ..DeliveryOptions::new(config.server.hostname.clone())
            },
        )
        .await
        .map_err(|e| failed("The queue cannot be read")(&e))?;
        Ok(Self { config, engine, directory, store, delivery, tasks, dkim })
    }

    /// What metrics and health show of the moment.
    pub fn readings(&self) -> Readings {
        let stats = self.engine.stats();
        Readings {
            queued: self.delivery.queue().len(),
            destinations: self.delivery.destinations(),
            oldest_due_s: self
                .delivery
                .queue()
                .status()
                .next_due
                .map_or(0, |due| clock::now().since(due) / 1_000),
            accounts_loaded: self.store.loaded().accounts,
            writable: self.engine.health() == Health::Writable,
            commits: stats.batches,
            flushes: stats.body_flushes + 2 * stats.metadata_flushes,
            stored_octets: stats.metadata_octets + stats.segment_octets,
        }
    }
}

/// A socket that is bound and waits for [`Running::serve`].
pub struct Bound {
    /// What it speaks.
    pub protocol: ListenerProtocol,
    /// The socket.
    pub socket: TcpListener,
}

/// A server with its jobs and connections.
pub struct Running {
    app: App,
    metrics: Arc<Metrics>,
    gate: Arc<Gate>,
    certificate: Option<Arc<Certificate>>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Over an open app. Nothing runs yet.
    pub fn new(app: App, metrics: Arc<Metrics>, certificate: Option<Arc<Certificate>>) -> Self {
        let limits = &app.config.limits;
        let gate = Gate::new(limits.connections, limits.connections_per_address);
        Self { app, metrics, gate, certificate, stop: watch::Sender::new(false), tasks: JoinSet::new() }
    }

    /// Tells when the server stops.
    pub fn stop_signal(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Starts a task of the server; it is waited for at the stop.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Starts the listeners and the jobs.
    pub fn serve(&mut self, sockets: Vec<Bound>) -> Result<(), AppError> {
        let tls = match &self.certificate {
            Some(certificate) => Some(certificate.acceptor().map_err(|e| failed("TLS")(&e))?),
            None => None,
        };
        let shared = Shared {
            gate: self.gate.clone(),
            tls,
            stop: self.stop.subscribe(),
            metrics: self.metrics.clone(),
        };
        for Bound { protocol, socket } in sockets {
            self.listen(protocol, socket, shared.clone());
        }
        let (app, stop) = (self.app.clone(), self.stop.subscribe());
        self.tasks.spawn(crate::jobs::deliver(app.clone(), stop.clone()));
        self.tasks.spawn(crate::jobs::index(app.clone(), stop.clone()));
        self.tasks.spawn(crate::jobs::tidy(app, stop));
        if let Some(certificate) = self.certificate.clone() {
            let mut stop = self.stop.subscribe();
            self.tasks.spawn(async move {
                tokio::select! {
                    () = certificate.watch() => {}
                    _ = stop.changed() => {}
                }
            });
        }
        Ok(())
    }

    fn listen(&mut self, protocol: ListenerProtocol, socket: TcpListener, shared: Shared) {
        let tls = shared.tls.is_some();
        match protocol {
            ListenerProtocol::Smtp => self.listen_smtp(protocol, Service::Mx, socket, shared),
            ListenerProtocol::Submission | ListenerProtocol::Submissions => {
                self.listen_smtp(protocol, Service::Submission, socket, shared);
            }
            ListenerProtocol::Lmtp => self.listen_smtp(protocol, Service::Lmtp, socket, shared),
            ListenerProtocol::Imap | ListenerProtocol::Imaps => {
                let services = Arc::new(self.imap_services(tls && !protocol.implicit_tls()));
                self.tasks.spawn(listen::accept(socket, protocol, shared, move |peer| {
                    yubin_imap::Session::new(services.clone(), peer)
                }));
            }
            ListenerProtocol::Pop3 | ListenerProtocol::Pop3s => {
                let services = Arc::new(self.pop3_services(tls && !protocol.implicit_tls()));
                self.tasks.spawn(listen::accept(socket, protocol, shared, move |peer| {
                    yubin_pop3::Session::new(services.clone(), peer)
                }));
            }
            ListenerProtocol::Sieve => {
                let services = Arc::new(self.sieve_services(tls));
                self.tasks.spawn(listen::accept(socket, protocol, shared, move |peer| {
                    yubin_sieve::manage::Session::new(services.clone(), peer)
                }));
            }
        }
    }

    fn listen_smtp(
        &mut self,
        protocol: ListenerProtocol,
        service: Service,
        socket: TcpListener,
        shared: Shared,
    ) {
        let config = &self.app.config;
        let options = SmtpOptions {
            plaintext_login: config.mail.plaintext_passwords,
            starttls: shared.tls.is_some() && !protocol.implicit_tls(),
            message_octets_max: config.limits.message_octets,
            login: if service == Service::Submission { Login::Required } else { Login::NotOffered },
            ..SmtpOptions::new(service, config.server.hostname.clone())
        };
        let listener = Arc::new(SmtpListener::new(
            options,
            Arc::new(self.app.delivery.clone()),
            Some(Arc::new(self.app.directory.clone())),
        ));
        self.tasks.spawn(listen::accept(socket, protocol, shared, move |peer| {
            yubin_smtp::server::Session::new(listener.clone(), peer)
        }));
    }

    fn imap_services(&self, starttls: bool) -> ImapServices {
        let config = &self.app.config;
        ImapServices {
            store: self.app.store.clone(),
            authenticator: Arc::new(self.app.directory.clone()),
            quotas: Arc::new(DirectoryQuotas(self.app.directory.clone())),
            people: Arc::new(DirectoryPeople(self.app.directory.clone())),
            options: ImapOptions {
                starttls,
                plaintext_allowed: config.mail.plaintext_passwords,
                message_octets_max: config.limits.message_octets,
                message_limit: Some(config.limits.imap_messages_per_command).filter(|limit| *limit > 0),
                save_limit: Some(config.limits.imap_messages_per_save).filter(|limit| *limit > 0),
                // RFC 2142 §5: this address is always there.
                administrator: Some(format!("mailto:postmaster@{}", config.server.hostname)),
                ..ImapOptions::default()
            },
        }
    }

    fn sieve_services(&self, starttls: bool) -> ManageSieveServices {
        ManageSieveServices {
            authenticator: Arc::new(self.app.directory.clone()),
            scripts: Arc::new(StoredScripts(self.app.store.clone())),
            options: yubin_sieve::manage::Options {
                tls_available: starttls,
                plaintext_allowed: self.app.config.mail.plaintext_passwords,
            },
        }
    }

    fn pop3_services(&self, starttls: bool) -> Pop3Services {
        let config = &self.app.config;
        let options = yubin_pop3::Options {
            host_name: config.server.hostname.clone(),
            tls_available: starttls,
            plaintext_allowed: config.mail.plaintext_passwords,
            ..yubin_pop3::Options::default()
        };
        Pop3Services::new(self.app.store.clone(), Arc::new(self.app.directory.clone()), options)
            .with_policies(Arc::new(DirectoryPolicies(self.app.directory.clone())))
    }

    /// Finishes what is under way, says good-bye to the sessions, and closes the store.
    pub async fn stop(mut self) {
        yubin_base::event!(events::STOPPING);
        self.stop.send_replace(true);
        self.app.tasks.stop();
        let deadline = Duration::from_secs(limits::STOP_S);
        let gate = self.gate.clone();
        let ended = async {
            while self.tasks.join_next().await.is_some() {}
            while gate.open() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let all_ended = tokio::time::timeout(deadline, ended).await.is_ok();
        self.tasks.shutdown().await;
        let engine = self.app.engine.clone();
        // Waits for the last flush; not on a thread that others share.
        let _ = tokio::task::spawn_blocking(move || engine.close()).await;
        yubin_base::event!(events::STOPPED, sessions_cut_off = !all_ended);
    }
}

struct DirectoryQuotas(Directory);

impl Quotas for DirectoryQuotas {
    fn quota(&self, account: AccountId) -> BoxFuture<'_, Quota> {
        let quota = self.0.account(account).map_or_else(Quota::default, |account| Quota {
            octets: account.quota_octets,
            messages: account.quota_messages,
        });
        Box::pin(std::future::ready(quota))
    }
}

struct DirectoryPolicies(Directory);

impl Policies for DirectoryPolicies {
    fn delete_to_trash(&self, account: AccountId) -> bool {
        self.0.account(account).is_some_and(|account| account.pop3_delete_to_trash)
    }
}

struct DirectoryPeople(Directory);

impl DirectoryPeople {
    fn known(&self, account: &yubin_directory::Account) -> Person {
        let public = self.0.is_public(account.id);
        Person { id: account.id, address: account.address.to_string(), public }
    }
}

impl People for DirectoryPeople {
    fn find(&self, identifier: &str) -> Option<Person> {
        self.0.account_by_name(identifier).map(|account| self.known(&account))
    }
    fn person(&self, id: AccountId) -> Option<Person> {
        self.0.account(id).map(|account| self.known(&account))
    }
    fn neighbours(&self, one: AccountId, other: AccountId) -> bool {
        match (self.0.account(one), self.0.account(other)) {
            (Some(one), Some(other)) => one.address.domain() == other.address.domain(),
            _ => false,
        }
    }
}

/// Makes the account's mailboxes; called after the directory has the account.
pub async fn create_mailboxes(app: &App, account: AccountId) -> Result<(), yubin_store::StoreError> {
    app.store.create_account(account, clock::SystemClock.now()).await
}
