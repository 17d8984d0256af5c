//! Who really sent a message that comes in: its octets pass through here on their way into the store. Fields that only we may write are taken
//! out of every message; of mail from strangers SPF, DKIM, DMARC and ARC are looked at, and what was found is written on top.
//! RFC 8601 §5 (forged results), RFC 9989 §5 and §7.4 (what becomes of a failure). Never loses or holds up mail because DNS is silent.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use yubin_base::{
    TraceId, UnixMs,
    dns::{AnyResolver, DnsError, Lookup, Mx, Resolver, Tlsa},
    event,
    ports::Clock,
};
use yubin_filter::{
    Arrival, HeaderSplit, HeaderTooLong, Identity, IdentityCheck, Outcome, dmarc::Policy, without_forged,
};
use yubin_smtp::{
    codec::reply::Enhanced,
    envelope::Envelope,
    server::{Refusal, Service, SessionFacts},
};

use crate::{
    Findings, events, limits,
    receive::{identity::header_too_long, policy::refuse},
};

/// What judging the senders of mail needs.
#[derive(Clone)]
pub struct Judging {
    /// Who answers about domains.
    pub resolver: AnyResolver,
    /// What becomes of mail that its author's domain disowns.
    pub dmarc: DmarcAction,
    /// Domains whose ARC seals are believed.
    pub trusted_sealers: Arc<[String]>,
    /// Until when DNS is not asked, in milliseconds since 1970: it had no answer about anything.
    silent_until: Arc<AtomicU64>,
}

impl Judging {
    /// With a DNS that answers until it does not.
    pub fn new(resolver: AnyResolver, dmarc: DmarcAction, trusted_sealers: Vec<String>) -> Self {
        Self { resolver, dmarc, trusted_sealers: trusted_sealers.into(), silent_until: Arc::default() }
    }

    /// The resolver; one without answers while DNS is silent.
    fn resolver_at(&self, now: UnixMs) -> AnyResolver {
        let silent = now.0 < self.silent_until.load(Ordering::Relaxed);
        if silent { AnyResolver::none() } else { self.resolver.clone() }
    }

    /// Questions about a message ran out of time. That may be the fault of its sender's domains, so DNS counts as silent
    /// only when it does not even answer about ourselves: who could switch judging off from outside would be believed.
    async fn listen_for_life(&self, hostname: &str, clock: &dyn Clock) {
        if matches!(self.resolver.a(hostname).await, Err(DnsError::Temporary)) {
            let until = clock.now().plus_ms(limits::DNS_SILENCE_MS);
            self.silent_until.store(until.0, Ordering::Relaxed);
            event!(events::DNS_SILENT);
        }
    }
}

/// What becomes of mail that fails DMARC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DmarcAction {
    /// What the author's domain asks for: `p=reject` is refused, `p=quarantine` is junk.
    Reject,
    /// Both are junk. RFC 9989 §7.4 warns of refusing on that ground alone: mailing lists break signatures.
    Quarantine,
    /// It is said in the header, and nothing more.
    Mark,
}

/// A message on its way through.
pub(super) struct Judge {
    hostname: String,
    passing: Passing,
}

enum Passing {
    /// Only forged fields are taken out.
    Strip(HeaderSplit),
    /// From a stranger.
    Check(Box<IdentityCheck>),
    /// From a transfer agent that the operator trusts.
    Untouched,
}

impl Judge {
    pub fn new(hostname: &str, session: &SessionFacts, judging: Option<&Judging>) -> Self {
        let passing = match (session.service, &session.authenticated, judging) {
            (Service::Lmtp, ..) => Passing::Untouched,
            (Service::Mx, None, Some(_)) => Passing::Check(Box::default()),
            _ => Passing::Strip(HeaderSplit::default()),
        };
        Self { hostname: hostname.to_owned(), passing }
    }

    /// Takes the next octets of the message; gives those that may be stored now. The header is held until it is complete.
    pub fn push<'a>(&mut self, octets: &'a [u8]) -> Result<Cow<'a, [u8]>, Refusal> {
        let too_long = |_: HeaderTooLong| header_too_long();
        let (before, body) = match &mut self.passing {
            Passing::Untouched => return Ok(Cow::Borrowed(octets)),
            Passing::Strip(header) => (header.ended(), header.push(octets).map_err(too_long)?),
            Passing::Check(check) => (check.header().ended(), check.push(octets).map_err(too_long)?),
        };
        if before {
            return Ok(Cow::Borrowed(body));
        }
        let Some(header) = self.header().filter(|header| header.ended()) else {
            return Ok(Cow::Borrowed(&[]));
        };
        let mut out = without_forged(header.block(), &self.hostname).into_owned();
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
        Ok(Cow::Owned(out))
    }

    /// The message is complete: what is still held, to be stored behind what was stored.
    pub fn rest(&self) -> Vec<u8> {
        match self.header().filter(|header| !header.ended()) {
            Some(header) => without_forged(header.block(), &self.hostname).into_owned(),
            None => Vec::new(),
        }
    }

    fn header(&self) -> Option<&HeaderSplit> {
        match &self.passing {
            Passing::Untouched => None,
            Passing::Strip(header) => Some(header),
            Passing::Check(check) => Some(check.header()),
        }
    }

    /// Judges: what is to be written on top and where the copies go, or the refusal.
    pub async fn finish(
        self,
        judging: Option<&Judging>,
        clock: Arc<dyn Clock>,
        session: &SessionFacts,
        envelope: &Envelope,
        id: TraceId,
    ) -> Result<Findings, Refusal> {
        let (Passing::Check(check), Some(judging)) = (self.passing, judging) else {
            return Ok(Findings::default());
        };
        let sender = envelope.mail.reverse_path.as_ref();
        let arrival = Arrival {
            address: session.peer.remote.ip(),
            helo: &session.helo,
            sender: sender.map(|address| (address.local(), address.domain())),
            receiver: &self.hostname,
            now: session.now,
        };
        let now = clock.now();
        let until = now.plus_ms(limits::JUDGING_MS);
        let resolver = Hurried { resolver: judging.resolver_at(now), clock, until };
        let identity = check.finish(&resolver, arrival).await;
        if resolver.in_time().is_err() {
            judging.listen_for_life(&self.hostname, resolver.clock.as_ref()).await;
        }
        let decision = decide(&identity, judging);
        report(&identity, decision, id);
        match decision {
            Decision::RefuseAuthor(why) => Err(refuse(550, Enhanced(5, 7, 1), why)),
            Decision::RefuseUnproved => Err(refuse(
                550,
                Enhanced(5, 7, 26),
                "The domain in From says that mail like this is not its own (DMARC)",
            )),
            Decision::Take | Decision::Junk => Ok(Findings {
                fields: identity.authentication_results(&self.hostname),
                junk: decision == Decision::Junk,
            }),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Take,
    Junk,
    /// Whom readers would be shown cannot be said: the text.
    RefuseAuthor(&'static str),
    RefuseUnproved,
}

impl Decision {
    fn name(self) -> &'static str {
        match self {
            Self::Take => "take",
            Self::Junk => "junk",
            Self::RefuseAuthor(_) | Self::RefuseUnproved => "refuse",
        }
    }
}

fn decide(identity: &Identity, judging: &Judging) -> Decision {
    if let Err(error) = identity.author
        && judging.dmarc != DmarcAction::Mark
    {
        use yubin_filter::author::AuthorError;
        return Decision::RefuseAuthor(match error {
            AuthorError::NoField | AuthorError::NoAddress => "A message needs a From field with an address",
            AuthorError::SeveralFields | AuthorError::SeveralAddresses => {
                "A message needs one From field with one address: readers must see who wrote it"
            }
        });
    }
    let requested = identity.requested();
    if requested == Policy::None || identity.is_vouched_for(&judging.trusted_sealers) {
        return Decision::Take;
    }
    match (judging.dmarc, requested) {
        (DmarcAction::Mark, _) | (_, Policy::None) => Decision::Take,
        (DmarcAction::Reject, Policy::Reject) => Decision::RefuseUnproved,
        (DmarcAction::Reject | DmarcAction::Quarantine, _) => Decision::Junk,
    }
}

fn report(identity: &Identity, decision: Decision, id: TraceId) {
    let dmarc = identity.dmarc.as_ref();
    let best =
        identity.dkim.iter().map(|result| result.outcome).min_by_key(|outcome| *outcome != Outcome::Pass);
    event!(
        events::JUDGED,
        trace = %id,
        author = %identity.author.as_ref().map_or("", |author| author.domain.as_str()),
        spf = %identity.spf.outcome,
        dkim = %best.unwrap_or(Outcome::None),
        dmarc = %dmarc.map_or(Outcome::PermError, |result| result.outcome),
        arc = %identity.arc.outcome,
        decision = decision.name(),
    );
    if dmarc.is_some_and(|result| result.outcome == Outcome::TempError) {
        event!(events::IDENTITY_UNKNOWN, trace = %id);
    }
    match decision {
        Decision::Take => {}
        Decision::Junk => event!(events::JUNKED, trace = %id, reason = "dmarc"),
        Decision::RefuseAuthor(_) => event!(events::AUTHOR_REFUSED, trace = %id),
        Decision::RefuseUnproved => event!(events::DMARC_REFUSED, trace = %id),
    }
}

/// A resolver that has no answer any more once the time is up: the peer waits for its 250.
struct Hurried {
    resolver: AnyResolver,
    clock: Arc<dyn Clock>,
    until: UnixMs,
}

impl Hurried {
    fn in_time(&self) -> Result<&AnyResolver, DnsError> {
        if self.clock.now() < self.until { Ok(&self.resolver) } else { Err(DnsError::Temporary) }
    }
}

impl Resolver for Hurried {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        self.in_time()?.txt(name).await
    }
    async fn a(&self, name: &str) -> Lookup<std::net::Ipv4Addr> {
        self.in_time()?.a(name).await
    }
    async fn aaaa(&self, name: &str) -> Lookup<std::net::Ipv6Addr> {
        self.in_time()?.aaaa(name).await
    }
    async fn mx(&self, name: &str) -> Lookup<Mx> {
        self.in_time()?.mx(name).await
    }
    async fn ptr(&self, name: &str) -> Lookup<String> {
        self.in_time()?.ptr(name).await
    }
    async fn tlsa(&self, name: &str) -> Lookup<Tlsa> {
        self.in_time()?.tlsa(name).await
    }
}
