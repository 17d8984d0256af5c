//! What the transcripts of ManageSieve speak to: two accounts, scripts in memory.
//!
//! Listeners: none named: no TLS, passwords allowed; `starttls`: passwords only with TLS.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use yubin_base::{
    AccountId, BoxFuture, Peer, UnixMs,
    sasl::{AuthFailure, Authenticated, Authenticator, SaslContext, SaslExchange, SaslStep},
};
use yubin_sieve::manage::{ManageSieveServices, Options, Scripts, ScriptsError, Session};
use yubin_testkit::transcript::Subject;

#[derive(Default)]
pub struct World {
    scripts: Arc<Memory>,
}

impl Subject for World {
    type Session = Session;

    fn given(&mut self, line: &str) {
        match line {
            "no store" => *self.scripts.down.lock().unwrap() = true,
            _ => panic!("given what? {line}"),
        }
    }

    fn connect(&mut self, _session: usize, listener: &str) -> Session {
        let peer = Peer {
            remote: "192.0.2.1:40000".parse().unwrap(),
            local: "192.0.2.2:4190".parse().unwrap(),
            tls: None,
        };
        let tls = listener == "starttls";
        let services = ManageSieveServices {
            authenticator: Arc::new(People),
            scripts: self.scripts.clone(),
            options: Options { tls_available: tls, plaintext_allowed: !tls },
        };
        Session::new(Arc::new(services), peer)
    }
}

/// Text and whether it runs, by account and name.
#[derive(Default)]
struct Memory {
    scripts: Mutex<BTreeMap<(u64, String), (String, bool)>>,
    down: Mutex<bool>,
}

type Done<T> = Result<T, ScriptsError>;

impl Memory {
    fn with<'a, T: Send + 'a>(
        &'a self,
        f: impl FnOnce(&mut BTreeMap<(u64, String), (String, bool)>) -> Done<T>,
    ) -> BoxFuture<'a, Done<T>> {
        let done = match *self.down.lock().unwrap() {
            true => Err(ScriptsError::Unavailable),
            false => f(&mut self.scripts.lock().unwrap()),
        };
        Box::pin(std::future::ready(done))
    }
}

impl Scripts for Memory {
    fn list(&self, account: AccountId) -> BoxFuture<'_, Done<Vec<(String, bool)>>> {
        self.with(|all| {
            let own = all.iter().filter(|((owner, _), _)| *owner == account.0);
            Ok(own.map(|((_, name), (_, active))| (name.clone(), *active)).collect())
        })
    }
    fn get<'a>(&'a self, account: AccountId, name: &'a str) -> BoxFuture<'a, Done<String>> {
        self.with(|all| {
            all.get(&(account.0, name.into())).map(|s| s.0.clone()).ok_or(ScriptsError::NonExistent)
        })
    }
    fn have_space<'a>(&'a self, _: AccountId, _: &'a str, octets: u64) -> BoxFuture<'a, Done<()>> {
        self.with(|_| if octets > 65_000 { Err(ScriptsError::MaxSize) } else { Ok(()) })
    }
    fn put<'a>(&'a self, account: AccountId, name: &'a str, text: &'a str) -> BoxFuture<'a, Done<()>> {
        self.with(|all| {
            if name.is_empty() {
                return Err(ScriptsError::BadName);
            }
            if all.len() >= 3 {
                return Err(ScriptsError::MaxScripts);
            }
            all.entry((account.0, name.into())).or_default().0 = text.into();
            Ok(())
        })
    }
    fn activate<'a>(&'a self, account: AccountId, name: Option<&'a str>) -> BoxFuture<'a, Done<()>> {
        self.with(|all| {
            if name.is_some_and(|name| !all.contains_key(&(account.0, name.into()))) {
                return Err(ScriptsError::NonExistent);
            }
            for ((owner, known), script) in all.iter_mut() {
                script.1 = *owner == account.0 && Some(known.as_str()) == name;
            }
            Ok(())
        })
    }
    fn rename<'a>(&'a self, account: AccountId, old: &'a str, new: &'a str) -> BoxFuture<'a, Done<()>> {
        self.with(|all| {
            if all.contains_key(&(account.0, new.into())) {
                return Err(ScriptsError::AlreadyExists);
            }
            let script = all.remove(&(account.0, old.into())).ok_or(ScriptsError::NonExistent)?;
            all.insert((account.0, new.into()), script);
            Ok(())
        })
    }
    fn delete<'a>(&'a self, account: AccountId, name: &'a str) -> BoxFuture<'a, Done<()>> {
        self.with(|all| match all.get(&(account.0, name.into())) {
            None => Err(ScriptsError::NonExistent),
            Some((_, true)) => Err(ScriptsError::Active),
            Some(_) => {
                all.remove(&(account.0, name.into()));
                Ok(())
            }
        })
    }
}

/// ann and bob say `secret`; PLAIN alone.
struct People;

impl Authenticator for People {
    fn mechanisms(&self, context: &SaslContext) -> Vec<&'static str> {
        if context.tls.is_some() || context.plaintext_allowed { vec!["PLAIN"] } else { Vec::new() }
    }
    fn start(&self, mechanism: &str, context: SaslContext) -> Result<Box<dyn SaslExchange>, AuthFailure> {
        match mechanism {
            "PLAIN" if context.tls.is_none() && !context.plaintext_allowed => Err(AuthFailure::TlsRequired),
            "PLAIN" => Ok(Box::new(Plain)),
            _ => Err(AuthFailure::UnknownMechanism),
        }
    }
    fn server_first(&self, _: &str) -> bool {
        false
    }
    fn login<'a>(
        &'a self,
        _: &'a str,
        _: &'a [u8],
        _: SaslContext,
    ) -> BoxFuture<'a, Result<Authenticated, AuthFailure>> {
        Box::pin(std::future::ready(Err(AuthFailure::Unavailable)))
    }
}

struct Plain;

impl SaslExchange for Plain {
    fn step<'a>(&'a mut self, response: &'a [u8], _: UnixMs) -> BoxFuture<'a, SaslStep> {
        let parts: Vec<&[u8]> = response.split(|c| *c == 0).collect();
        let done = match parts.as_slice() {
            [_, b"ann", b"secret"] => Ok(Authenticated { account: AccountId(1), name: "ann".into() }),
            [_, b"bob", b"secret"] => Ok(Authenticated { account: AccountId(2), name: "bob".into() }),
            [_, _, _] => Err(AuthFailure::Refused { delay_ms: 2_000 }),
            _ => Err(AuthFailure::Malformed),
        };
        Box::pin(std::future::ready(SaslStep::Done(done)))
    }
}
