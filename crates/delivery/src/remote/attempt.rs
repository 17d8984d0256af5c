//! One attempt: finds a host that answers, leads the session, hands messages over. RFC 5321 §5.1, RFC 3207, RFC 1047.
//! Never touches the queue.

use std::{net::SocketAddr, sync::Arc};

use futures_util::future::BoxFuture as Boxed;
use parking_lot::Mutex;
use yubin_base::{TlsInfo, UnixMs, event, ports::Random};
use yubin_smtp::{
    client::{
        Class, Client, ClientOptions, Credentials, Outgoing, RecipientResult, SessionFailure, Stage, Step,
        TlsUse,
    },
    codec::reply::Enhanced,
};

use super::{
    mta_sts,
    policy::{self, TlsPlan},
    ports::{ConnectFault, Connection, Sending, TlsDemand},
    route::{self, Route},
};
use crate::{events, limits};

/// What one attempt works with.
#[derive(Clone)]
pub struct Courier {
    /// Names, connections, settings.
    pub sending: Sending,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// MTA-STS policies.
    pub policies: Arc<Mutex<mta_sts::Cache>>,
    /// Our name.
    pub hostname: String,
}

/// A session with a host that takes messages.
pub struct Live {
    client: Client,
    connection: Box<dyn Connection>,
    input: Vec<u8>,
    /// The host.
    pub host: String,
    /// Its address.
    pub address: SocketAddr,
    /// TLS, when there is.
    pub tls: Option<TlsInfo>,
    /// The TLS policy it was judged by.
    pub by: &'static str,
}

/// Where a body comes from, piece by piece. The last step before the end of the message goes out is `about_to_end`.
pub trait Body: Send {
    /// The next piece; empty at the end.
    fn next(&mut self) -> Boxed<'_, Result<Vec<u8>, String>>;
    /// Writes down that the message may be gone from now on.
    fn about_to_end(&mut self) -> Boxed<'_, Result<(), String>>;
}

impl Courier {
    /// Connects to the first host of a route that will talk. The failure tells of the host that was tried last.
    pub async fn open(&self, route: &Route, now: UnixMs) -> Result<Live, (SessionFailure, String)> {
        let Sending { resolver, connector, options, .. } = &self.sending;
        let sts = options.mta_sts && route.from_dns && route.rule.as_ref().is_none_or(|r| r.hosts.is_empty());
        let policy = if sts {
            policy::domain_policy(resolver, connector.as_ref(), &self.policies, &route.domain, now).await
        } else {
            None
        };
        let mut last = (route::no_host(format!("No host of {} has an address", route.domain)), String::new());
        let mut left = limits::CONNECTIONS_PER_ATTEMPT;
        for host in &route.hosts {
            let (name, port) = split_port(host, route.port);
            let (addresses, secure) = match route::addresses(resolver, name, port, options.ipv6).await {
                Ok(found) => found,
                Err(error) => {
                    last = (route::no_host(format!("{name}: {error}")), name.to_owned());
                    continue;
                }
            };
            let plan =
                match policy::host_plan(resolver, route, policy.as_ref(), options.dane, name, secure).await {
                    Ok(plan) => plan,
                    Err(text) => {
                        event!(events::POLICY_BREACH, domain = %route.domain, host = %name, reason = %text);
                        last = (tls_failure(text), name.to_owned());
                        continue;
                    }
                };
            for address in addresses {
                if left == 0 {
                    return Err(last);
                }
                left -= 1;
                match self.host(route, name, address, &plan).await {
                    Ok(live) => return Ok(live),
                    Err(failure) => last = (failure, name.to_owned()),
                }
            }
        }
        Err(last)
    }

    /// One address. With opportunistic TLS, a handshake that fails is followed by a connection without (RFC 7435).
    async fn host(
        &self,
        route: &Route,
        host: &str,
        address: SocketAddr,
        plan: &TlsPlan,
    ) -> Result<Live, SessionFailure> {
        let tls = match plan {
            TlsPlan { never: true, .. } => TlsUse::Never,
            TlsPlan { required: true, .. } => TlsUse::Required,
            _ => TlsUse::IfOffered,
        };
        match self.session(route, host, address, plan, tls).await {
            Err(failure) if failure.stage == Stage::Tls && tls == TlsUse::IfOffered => {
                event!(events::TLS_FAILED, host = %host, reason = %failure.text);
                self.session(route, host, address, plan, TlsUse::Never).await
            }
            other => other,
        }
    }

    async fn session(
        &self,
        route: &Route,
        host: &str,
        address: SocketAddr,
        plan: &TlsPlan,
        tls: TlsUse,
    ) -> Result<Live, SessionFailure> {
        let connected = self.sending.connector.connect(address, limits::CONNECT_PATIENCE_S).await;
        let connection = connected.map_err(|fault| match fault {
            ConnectFault::Failed(why) => route::no_host(format!("{host} ({}): {why}", address.ip())),
            ConnectFault::Ourselves => {
                let text = format!("{host} ({}) is this server itself", address.ip());
                SessionFailure {
                    class: Class::Never,
                    enhanced: Some(Enhanced(5, 4, 6)),
                    ..route::no_host(text)
                }
            }
        })?;
        let credentials = route.rule.as_ref().and_then(|rule| rule.login.clone()).map(|(user, password)| {
            let mut nonce = vec![0; 18];
            self.random.fill(&mut nonce);
            Credentials { user, password, nonce }
        });
        let options =
            ClientOptions { name: self.hostname.clone(), tls, tls_active: plan.implicit, credentials };
        let mut live = Live {
            client: Client::new(options),
            connection,
            input: Vec::new(),
            host: host.to_owned(),
            address,
            tls: None,
            by: plan.by,
        };
        if plan.implicit {
            live.handshake(plan).await.map_err(|fault| tls_failure(format!("{host}: {fault}")))?;
        }
        let step = live.advance(Step::Read, &mut Vec::new(), plan).await;
        if step != Step::Ready {
            let failure = live.client.failure().cloned();
            return Err(
                failure.unwrap_or_else(|| route::no_host(format!("{host}: the session did not begin")))
            );
        }
        // RFC 5321 §6.3: our own name in the answer to EHLO is a circle that the address did not show.
        if live.client.offered().server_name.eq_ignore_ascii_case(&self.hostname) {
            live.quit().await;
            let text = format!("{host} calls itself {}, which is this server", self.hostname);
            return Err(SessionFailure {
                class: Class::Never,
                enhanced: Some(Enhanced(5, 4, 6)),
                ..route::no_host(text)
            });
        }
        Ok(live)
    }
}

impl Live {
    /// Hands one message over. One result for each recipient.
    pub async fn send(&mut self, message: Outgoing, body: &mut dyn Body) -> Vec<RecipientResult> {
        let mut out = Vec::new();
        let count = message.envelope.recipients.len();
        let plan = TlsPlan {
            required: false,
            never: false,
            implicit: false,
            check: super::ports::TlsCheck::Nothing,
            by: self.by,
        };
        let step = self.client.send(message, &mut out);
        let mut step = self.advance(step, &mut out, &plan).await;
        if step == Step::Body {
            step = match self.body(body).await {
                Ok(()) => {
                    let mut out = Vec::new();
                    let step = self.client.body_end(&mut out);
                    match body.about_to_end().await {
                        Ok(()) => self.advance(step, &mut out, &plan).await,
                        Err(why) => self.give_up(&why),
                    }
                }
                Err(why) => self.give_up(&why),
            };
        }
        let _ = step;
        let mut results = self.client.take_results();
        let missing = || RecipientResult::of_session(&route::no_host("The session ended"));
        results.resize_with(count, missing);
        results
    }

    /// Whether another message may be sent through it.
    pub fn takes_more(&self) -> bool {
        self.client.takes_more() && self.client.messages() < limits::MESSAGES_PER_CONNECTION
    }

    /// What the other server can pass on of RFC 3461.
    pub fn offers_dsn(&self) -> bool {
        self.client.offered().dsn
    }

    /// How many recipients one transaction may have.
    pub fn recipients_max(&self) -> usize {
        self.client.recipients_max()
    }

    /// Says good-bye.
    pub async fn quit(&mut self) {
        let mut out = Vec::new();
        let _ = self.client.quit(&mut out);
        if self.connection.write(&out, limits::QUIT_PATIENCE_S).await.is_ok() {
            // The answer is read so that the other server's last word does not meet a closed door; nothing hangs on it.
            let _ = self.connection.read(&mut self.input, limits::QUIT_PATIENCE_S).await;
        }
    }

    /// Cuts the connection before the end of the message: the other server has nothing.
    fn give_up(&mut self, why: &str) -> Step {
        self.client.abandon(why);
        Step::Close
    }

    async fn body(&mut self, body: &mut dyn Body) -> Result<(), String> {
        let patience = yubin_smtp::limits::BODY_PATIENCE_S;
        loop {
            let piece = body.next().await?;
            if piece.is_empty() {
                return Ok(());
            }
            let mut out = Vec::with_capacity(piece.len() + 64);
            self.client.body(&piece, &mut out);
            self.connection.write(&out, patience).await.map_err(|fault| fault.0)?;
        }
    }

    /// Sends, reads and answers until there is something to decide.
    async fn advance(&mut self, mut step: Step, out: &mut Vec<u8>, plan: &TlsPlan) -> Step {
        loop {
            if !out.is_empty() {
                if let Err(fault) = self.connection.write(out, self.client.patience_s()).await {
                    self.client.lost(&fault.0);
                    return Step::Close;
                }
                out.clear();
            }
            step = match step {
                Step::Read => match self.read(out).await {
                    Ok(step) => step,
                    Err(why) => {
                        self.client.lost(&why);
                        return Step::Close;
                    }
                },
                Step::StartTls => {
                    // RFC 3207 §6: what stands behind the answer was put there by somebody else.
                    if !self.input.is_empty() {
                        self.client.lost("Octets came in before TLS");
                        return Step::Close;
                    }
                    match self.handshake(plan).await {
                        Ok(()) => self.client.tls_started(out),
                        Err(why) => {
                            self.client.lost(&format!("TLS failed: {why}"));
                            return Step::Close;
                        }
                    }
                }
                Step::Ready | Step::Body | Step::Close => return step,
            };
        }
    }

    async fn read(&mut self, out: &mut Vec<u8>) -> Result<Step, String> {
        loop {
            if !self.input.is_empty() {
                let (used, step) = self.client.receive(&self.input, out);
                self.input.drain(..used);
                if used > 0 || step != Step::Read {
                    return Ok(step);
                }
            }
            let patience = self.client.patience_s();
            let octets = self.connection.read(&mut self.input, patience).await.map_err(|fault| fault.0)?;
            if octets == 0 {
                return Err("The other server closed the connection".into());
            }
        }
    }

    async fn handshake(&mut self, plan: &TlsPlan) -> Result<(), String> {
        let demand = TlsDemand { server_name: self.host.clone(), check: plan.check.clone() };
        let patience = limits::CONNECT_PATIENCE_S;
        self.tls = Some(self.connection.start_tls(&demand, patience).await.map_err(|fault| fault.0)?);
        Ok(())
    }
}

/// `host`, `host:port`, `[2001:db8::1]:port`.
fn split_port(host: &str, port: u16) -> (&str, u16) {
    if host.parse::<std::net::IpAddr>().is_ok() || host.ends_with(']') {
        return (host, port);
    }
    match host.rsplit_once(':').map(|(name, port)| (name, port.parse())) {
        Some((name, Ok(port))) => {
            let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
            (bare.filter(|bare| bare.contains(':')).unwrap_or(name), port)
        }
        _ => (host, port),
    }
}

fn tls_failure(text: String) -> SessionFailure {
    SessionFailure {
        class: Class::Later,
        stage: Stage::Tls,
        code: 0,
        enhanced: Some(Enhanced(4, 7, 5)),
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_stand_behind_hosts() {
        assert_eq!(split_port("mx.test", 25), ("mx.test", 25));
        assert_eq!(split_port("mx.test:2525", 25), ("mx.test", 2525));
        assert_eq!(split_port("::1", 25), ("::1", 25));
        assert_eq!(split_port("[::1]:587", 25), ("::1", 587));
        assert_eq!(split_port("[192.0.2.1]", 25), ("[192.0.2.1]", 25));
        assert_eq!(split_port("192.0.2.1:26", 25), ("192.0.2.1", 26));
    }
}
