//! The workers of a destination: each has one connection, and sends what waits in line through it. RFC 5321 §4.5.4, RFC 1047.

use std::{future::Future, sync::Arc};

use yubin_base::{BoxFuture, TraceId, UnixMs, event};
use yubin_engine::CommitError;
use yubin_smtp::{
    client::{Ambiguity, Class, Outgoing, RecipientResult, Stage},
    envelope::{BodyType, Envelope, ForwardPath, MailFrom, Orcpt, RcptTo, Ret},
};
use yubin_store::Staged;

use super::{destination::Way, settle::Outcome};
use crate::{
    Delivery, Entry, QueueError, Recipient, State, Target, events, limits,
    queue::Loaded,
    remote::{
        RouteRule, RouteTls,
        attempt::{Body, Courier, Live},
        route::{self, Route, RouteFault},
    },
};

/// How a worker goes on after a message.
enum After {
    /// With the next one.
    GoOn,
    /// Not at all: the destination cannot be reached, in these words.
    Unreachable(String),
    /// Not now: its host has as many connections as it may.
    SiteFull,
}

impl Delivery {
    /// Where a recipient's copy goes; nothing for local ones.
    pub(super) fn way(&self, entry: &Entry, recipient: &Recipient) -> Option<Way> {
        let domain = recipient.remote_domain()?.to_owned();
        let sending = self.0.options.sending.as_ref()?;
        if let Some(host) = &entry.orders.route {
            let rule = RouteRule {
                domain: domain.clone(),
                sender_domain: None,
                hosts: vec![host.clone()],
                port: 25,
                tls: RouteTls::Opportunistic,
                login: None,
            };
            return Some(Way { key: format!("{domain} via {host}").into(), domain, rule: Some(rule) });
        }
        let sender = entry.reverse_path.as_ref().map(|a| a.domain()).unwrap_or_default();
        let rule = sending.options.rule(sender, &domain);
        // Domains that go to one smart host share its connections; others have their own.
        let key = match rule {
            Some(rule) if !rule.hosts.is_empty() => {
                let user = rule.login.as_ref().map(|(user, _)| user.as_str()).unwrap_or_default();
                format!("via {}:{} {user}", rule.hosts.join(","), rule.port)
            }
            _ => domain.clone(),
        };
        Some(Way { key: key.into(), domain, rule: rule.cloned() })
    }

    /// Puts a message into the lines of its destinations, and sees to it that somebody works there.
    pub(super) fn hand_over(&self, id: TraceId, ways: Vec<Way>, now: UnixMs) {
        for way in ways {
            let key = way.key.clone();
            match self.0.destinations.add(id, way, now) {
                // Nobody is there: it is looked at again when there may be.
                Some(until) => self.0.queue.look_again(id, until),
                None => self.start_worker(&key, now),
            }
        }
    }

    fn start_worker(&self, key: &Arc<str>, now: UnixMs) {
        let Some(sending) = &self.0.options.sending else { return };
        while self.0.destinations.wants_worker(key, sending.options.connections_per_destination, now) {
            let work: BoxFuture<'static, ()> = Box::pin(self.clone().worker(key.clone()));
            sending.spawn.spawn(work);
        }
    }

    // Named with its type: an async fn that spawns itself cannot have its own type inferred.
    #[allow(clippy::manual_async_fn)]
    fn worker(self, key: Arc<str>) -> impl Future<Output = ()> + Send + 'static {
        async move {
            let mut live = None;
            let mut site = None;
            let mut site_full = false;
            while let Some((id, way)) = self.0.destinations.next(&key) {
                match self.carry(id, &way, &mut live, &mut site).await {
                    After::GoOn => self.0.destinations.done_with(&key, id),
                    After::SiteFull => {
                        self.0.destinations.put_back(&key, id);
                        site_full = true;
                        break;
                    }
                    After::Unreachable(why) => {
                        self.0.destinations.done_with(&key, id);
                        self.pause(&key, id, &why);
                        break;
                    }
                }
                // Whatever of it is due again, or was while it was under way, is looked at.
                self.0.queue.look_again(id, self.0.clock.now());
            }
            if let Some(mut live) = live {
                live.quit().await;
            }
            if let Some(site) = site {
                self.0.destinations.leave_site(&site);
            }
            let now = self.0.clock.now();
            for key in self.0.destinations.worker_ended(&key, site_full, now) {
                self.start_worker(&key, now);
            }
        }
    }

    /// Nobody there: those in line wait, and so does the message that found it out.
    fn pause(&self, key: &Arc<str>, id: TraceId, why: &str) {
        let now = self.0.clock.now();
        let (until, waiting) = self.0.destinations.unreachable(key, now);
        event!(events::DESTINATION_DOWN, destination = %key, reason = %why, waiting = waiting.len(), pause_s = until.since(now) / 1_000);
        for id in waiting.into_iter().chain([id]) {
            self.0.queue.look_again(id, until);
        }
    }

    /// Sends one message to those of its recipients that are due here.
    async fn carry(
        &self,
        id: TraceId,
        way: &Way,
        live: &mut Option<Live>,
        site: &mut Option<String>,
    ) -> After {
        match self.try_carry(id, way, live, site).await {
            Ok(after) => after,
            // Dropped, or damaged and reported where it was found.
            Err(QueueError::NoEntry | QueueError::Read(_)) => After::GoOn,
            Err(QueueError::Commit(error)) => {
                event!(events::QUEUE_UNAVAILABLE, trace = %id, error = %error);
                After::Unreachable("our own store takes no writes".into())
            }
        }
    }

    async fn try_carry(
        &self,
        id: TraceId,
        way: &Way,
        live: &mut Option<Live>,
        site: &mut Option<String>,
    ) -> Result<After, QueueError> {
        loop {
            let now = self.0.clock.now();
            let loaded = self.0.queue.load(id).await?;
            let numbers = self.due_here(&loaded, way, now);
            if numbers.is_empty() {
                return Ok(After::GoOn);
            }
            let fresh = live.is_none();
            if fresh {
                match self.connect(way, site, now).await {
                    Ok(Some(opened)) => *live = Some(opened),
                    Ok(None) => return Ok(After::SiteFull),
                    Err((results, why)) => {
                        let outcomes: Vec<Outcome> =
                            numbers.iter().map(|number| results.clone().for_number(*number)).collect();
                        self.settle(id, &outcomes, now).await?;
                        return Ok(match why {
                            Some(why) => After::Unreachable(why),
                            None => After::GoOn,
                        });
                    }
                }
            }
            let Some(session) = live.as_mut() else { return Ok(After::GoOn) };
            let numbers: Vec<usize> = numbers.into_iter().take(session.recipients_max()).collect();
            let staged = Arc::new(self.0.queue.staged(&loaded.entry).await?);
            let mut body = Message::new(self.clone(), &loaded.entry, staged, numbers.clone());
            let results = session.send(outgoing(&loaded, &numbers, &body), &mut body).await;
            let usable = session.takes_more();
            // A connection that was kept open may have been closed meanwhile: that says nothing about the message.
            let stale = !fresh
                && results.iter().all(|r| r.code == 0 && r.class == Class::Later && before_the_body(r));
            if !usable && let Some(mut over) = live.take() {
                if stale {
                    continue;
                }
                self.judge(way, &over, &results);
                let outcomes = outcomes(&over, &numbers, results);
                over.quit().await;
                self.settle(id, &outcomes, self.0.clock.now()).await?;
            } else if let Some(session) = live.as_ref() {
                self.judge(way, session, &results);
                let outcomes = outcomes(session, &numbers, results);
                self.settle(id, &outcomes, self.0.clock.now()).await?;
            }
        }
    }

    /// Those of a message's recipients that are due at a destination.
    fn due_here(&self, loaded: &Loaded, way: &Way, now: UnixMs) -> Vec<usize> {
        let Loaded { entry, recipients } = loaded;
        if entry.orders.held {
            return Vec::new();
        }
        let here = |recipient: &Recipient| {
            recipient.state.due(entry.accepted, true).is_some_and(|due| due <= now)
                && self.way(entry, recipient).is_some_and(|other| other.key == way.key)
        };
        recipients.iter().enumerate().filter(|(_, r)| here(r)).map(|(number, _)| number).collect()
    }

    /// A session with the destination. Nothing when its host has as many as it may; otherwise what it means for whoever waits, and, when the
    /// destination cannot be reached at all, why.
    async fn connect(
        &self,
        way: &Way,
        site: &mut Option<String>,
        now: UnixMs,
    ) -> Result<Option<Live>, (Prototype, Option<String>)> {
        let Some(courier) = &self.0.courier else { return Ok(None) };
        let route = match self.0.destinations.route(&way.key, now) {
            Some(route) if route.domain == way.domain || !route.from_dns => route,
            _ => self.find_route(courier, way, now).await.map_err(|fault| {
                let why = (fault.class == Class::Later).then(|| fault.text.clone());
                (Prototype::of_fault(fault), why)
            })?,
        };
        if site.is_none() {
            let first = route.hosts.first().cloned().unwrap_or_default();
            let limit = courier.sending.options.connections_per_destination;
            if !self.0.destinations.enter_site(&way.key, &first, limit) {
                return Ok(None);
            }
            *site = Some(first);
        }
        match courier.open(&route, now).await {
            Ok(live) => Ok(Some(live)),
            Err((failure, host)) => {
                let why = (failure.class == Class::Later).then(|| failure.text.clone());
                let result = RecipientResult::of_session(&failure);
                Err((Prototype { result, host }, why))
            }
        }
    }

    async fn find_route(&self, courier: &Courier, way: &Way, now: UnixMs) -> Result<Arc<Route>, RouteFault> {
        let rule = way.rule.as_ref();
        let (resolver, random) = (&courier.sending.resolver, self.0.random.as_ref());
        let route = route::find(resolver, random, &courier.hostname, &way.domain, rule, now).await?;
        let route = Arc::new(route);
        self.0.destinations.keep_route(&way.key, route.clone());
        Ok(route)
    }

    /// What the results say about the destination.
    fn judge(&self, way: &Way, live: &Live, results: &[RecipientResult]) {
        let max = self.0.options.sending.as_ref().map_or(1, |s| s.options.connections_per_destination);
        // RFC 5321 §3.8; and 4.7.x and 4.3.2 are the words for "too much".
        if results.iter().any(|result| result.code == 421) {
            self.0.destinations.turned_away(&way.key);
            event!(events::DESTINATION_DOWN, destination = %way.key, reason = "it asks for fewer connections", host = %live.host);
        } else {
            self.0.destinations.went_well(&way.key, max);
        }
    }

    /// Writes down that a message may be gone from now on. Fails when somebody else works on it.
    async fn mark_sending(&self, id: TraceId, numbers: &[usize], now: UnixMs) -> Result<(), QueueError> {
        let mut tries = 0;
        loop {
            let mut loaded = self.0.queue.load(id).await?;
            if loaded.entry.orders.held {
                return Err(QueueError::NoEntry);
            }
            for number in numbers {
                if let Some(recipient) = loaded.recipients.get_mut(*number) {
                    if matches!(recipient.state, State::Delivered { .. } | State::Failed { .. }) {
                        return Err(QueueError::NoEntry);
                    }
                    recipient.state = State::Sending { since: now };
                }
            }
            match self.0.queue.update(&mut loaded, numbers, &[], None).await {
                Ok(_) => return Ok(()),
                Err(QueueError::Commit(CommitError::Conflict(_))) if tries < limits::CONFLICT_TRIES => {
                    tries += 1
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// One result for everybody.
#[derive(Clone)]
struct Prototype {
    result: RecipientResult,
    host: String,
}

impl Prototype {
    fn of_fault(fault: RouteFault) -> Self {
        let RouteFault { class, enhanced, text } = fault;
        let failure =
            yubin_smtp::client::SessionFailure { class, enhanced: Some(enhanced), ..route::no_host(text) };
        Self { result: RecipientResult::of_session(&failure), host: String::new() }
    }

    fn for_number(self, number: usize) -> Outcome {
        outcome(number, self.result, self.host, String::new(), false)
    }
}

fn outcomes(live: &Live, numbers: &[usize], results: Vec<RecipientResult>) -> Vec<Outcome> {
    let tls = match &live.tls {
        Some(tls) => format!("{} {}, {}", tls.version, tls.cipher, live.by),
        None => "no TLS".to_owned(),
    };
    let over = format!(" [{}] ({tls})", live.address.ip());
    let pairs = numbers.iter().zip(results);
    pairs
        .map(|(number, result)| outcome(*number, result, live.host.clone(), over.clone(), live.offers_dsn()))
        .collect()
}

fn outcome(number: usize, result: RecipientResult, host: String, over: String, offers_dsn: bool) -> Outcome {
    let stage = result.stage;
    let words = match result.code {
        0 => result.diagnostic(),
        _ if result.class == Class::Delivered => result.diagnostic(),
        _ => format!("{} (in reply to {})", result.diagnostic(), stage.name()),
    };
    Outcome {
        number,
        class: result.class,
        enhanced: result.enhanced,
        // A host that said nothing is named in our words already.
        host: if result.code == 0 && result.class != Class::Delivered { String::new() } else { host },
        over,
        words,
        is_reply: result.code != 0,
        in_doubt: result.ambiguity == Ambiguity::InDoubt,
        passed_on: offers_dsn,
        at_once: result.another_transaction,
    }
}

fn before_the_body(result: &RecipientResult) -> bool {
    result.ambiguity == Ambiguity::None && matches!(result.stage, Stage::Mail | Stage::Rcpt | Stage::Hello)
}

/// The message as the session machine takes it.
fn outgoing(loaded: &Loaded, numbers: &[usize], body: &Message) -> Outgoing {
    let entry = &loaded.entry;
    let mail = MailFrom {
        reverse_path: entry.reverse_path.clone(),
        size: None,
        body: match entry.body.kind {
            2 => BodyType::BinaryMime,
            1 => BodyType::EightBitMime,
            _ => BodyType::SevenBit,
        },
        smtputf8: entry.body.smtputf8,
        ret: entry.dsn.ret_full.map(|full| if full { Ret::Full } else { Ret::Headers }),
        envid: entry.dsn.envid.clone(),
        ..MailFrom::default()
    };
    let recipients = numbers
        .iter()
        .filter_map(|number| loaded.recipients.get(*number))
        .filter_map(|recipient| match &recipient.target {
            Target::Remote { address } => Some(RcptTo {
                forward_path: ForwardPath::Mailbox(address.clone()),
                original: recipient.original.clone(),
                notify: recipient.notify(),
                orcpt: recipient.orcpt.as_ref().map(|(address_type, address)| Orcpt {
                    address_type: address_type.clone(),
                    address: address.clone(),
                }),
            }),
            Target::Local { .. } => None,
        })
        .collect();
    Outgoing {
        envelope: Envelope { mail, recipients },
        size_octets: body.octets(),
        eight_bit: entry.needs.eight_bit,
        header_utf8: entry.needs.header_utf8,
        require_tls: entry.needs.require_tls,
    }
}

/// A queued message's octets: the fields found at acceptance, then the stored content. Holds one piece at a time.
struct Message {
    delivery: Delivery,
    id: TraceId,
    numbers: Vec<usize>,
    fields: Vec<u8>,
    staged: Arc<Staged>,
    at: u64,
}

impl Message {
    fn new(delivery: Delivery, entry: &Entry, staged: Arc<Staged>, numbers: Vec<usize>) -> Self {
        Self { delivery, id: entry.id, numbers, fields: entry.findings.fields.clone(), staged, at: 0 }
    }

    fn octets(&self) -> u64 {
        self.fields.len() as u64 + self.staged.blob.size_octets
    }
}

impl Body for Message {
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<u8>, String>> {
        Box::pin(async move {
            if !self.fields.is_empty() {
                return Ok(std::mem::take(&mut self.fields));
            }
            let end = (self.at + limits::BODY_PIECE_OCTETS).min(self.staged.blob.size_octets);
            if self.at >= end {
                return Ok(Vec::new());
            }
            let piece = self.delivery.0.queue.read(&self.staged.blob, self.at..end).await;
            let piece = piece.map_err(|error| format!("The stored message cannot be read: {error}"))?;
            self.at = end;
            Ok(piece)
        })
    }

    fn about_to_end(&mut self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let now = self.delivery.0.clock.now();
            let marked = self.delivery.mark_sending(self.id, &self.numbers, now).await;
            marked.map_err(|error| format!("It could not be written down that the message is sent: {error}"))
        })
    }
}
