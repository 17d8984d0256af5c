//! Decides a login: throttle, look-up, hash, memory of recent successes, upgrade. What all mechanisms share.
//! Tells the client nothing but the class; the log has the reason.

use parking_lot::Mutex;
use yubin_base::{
    AccountId, UnixMs, event,
    ports::Random,
    sasl::{AuthFailure, Authenticated, SaslContext},
};
use zeroize::Zeroizing;

use crate::{
    Directory,
    aging::Aging,
    events, limits,
    password::{self, Verdict, scram_keys},
    snapshot::Change,
    tables::credential::ScramKeys,
    text::Escaped,
    throttle::Suspect,
};

/// Recent successful checks, so that a program that logs in each minute costs one hash. Holds no passwords: keys are MACs under
/// a random key of this process, over the credential's version too, so that a changed password is forgotten at once.
pub(crate) struct Recent {
    key: [u8; 32],
    seen: Mutex<Aging<[u8; 32], UnixMs>>,
}

impl Recent {
    pub(crate) fn new(random: &dyn Random) -> Self {
        let mut key = [0; 32];
        random.fill(&mut key);
        Self { key, seen: Mutex::new(Aging::new(limits::RECENT_SUCCESSES)) }
    }

    fn mac(&self, account: AccountId, version: u64, password: &[u8]) -> [u8; 32] {
        scram_keys::hmac(&self.key, &[&account.0.to_be_bytes(), &version.to_be_bytes(), password])
    }

    fn knows(&self, mac: &[u8; 32], now: UnixMs) -> bool {
        let mut seen = self.seen.lock();
        match seen.get(mac).copied() {
            // A clock that went back makes the memory void as well.
            Some(at) if at <= now && now.since(at) < limits::RECENT_SUCCESS_S * 1000 => true,
            Some(_) => {
                seen.remove(mac);
                false
            }
            None => false,
        }
    }

    fn remember(&self, mac: [u8; 32], now: UnixMs) {
        self.seen.lock().put(mac, now);
    }
}

/// Somebody trying to log in.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) mechanism: &'static str,
    pub(crate) context: SaslContext,
    /// As typed, for the log.
    user: String,
    suspect: Suspect,
}

impl Attempt {
    /// As typed.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }
}

/// Whom the attempt names.
pub(crate) struct Claimed {
    pub(crate) account: AccountId,
    pub(crate) name: String,
    /// The version of the credentials that are to be checked.
    pub(crate) version: u64,
}

impl Directory {
    /// Begins an attempt; refuses it unchecked without TLS or after too many failures.
    pub(crate) fn attempt(
        &self,
        mechanism: &'static str,
        user: &str,
        context: &SaslContext,
        now: UnixMs,
    ) -> Result<Attempt, AuthFailure> {
        if context.tls.is_none() && !context.plaintext_allowed {
            return Err(AuthFailure::TlsRequired);
        }
        let suspect = Suspect::new(context.remote, &self.login_key(user));
        let attempt = Attempt { mechanism, context: context.clone(), user: user.to_owned(), suspect };
        if self.0.throttle.lock().barred(suspect, now) {
            return Err(self.bar(&attempt));
        }
        Ok(attempt)
    }

    /// The name key of what was typed as login name. Of names over long: the empty one, which nobody has.
    pub(crate) fn login_key(&self, user: &str) -> String {
        if user.len() > limits::LOGIN_NAME_OCTETS {
            return String::new();
        }
        self.snapshot().login_key(user, self.0.options.default_domain.as_deref())
    }

    /// Whom a login name means. Disabled accounts and those without password are nobody.
    pub(crate) fn claimed(&self, user: &str) -> Option<Claimed> {
        let snapshot = self.snapshot();
        let account = snapshot.login(user, self.0.options.default_domain.as_deref()).filter(|a| a.enabled)?;
        let version = snapshot.credentials.get(&account.id).filter(|c| c.password().is_some())?.version;
        Some(Claimed { account: account.id, name: account.address.to_string(), version })
    }

    /// Checks a name and a plain password: PLAIN, LOGIN, IMAP LOGIN, POP3 PASS.
    pub(crate) async fn check_password(
        &self,
        mechanism: &'static str,
        user: &str,
        password: &[u8],
        context: &SaslContext,
        now: UnixMs,
    ) -> Result<Authenticated, AuthFailure> {
        let attempt = self.attempt(mechanism, user, context, now)?;
        if !password::plausible(password) {
            return Err(self.refuse(&attempt, "the password is empty, too long, or has a NUL", now));
        }
        let claimed = self.claimed(user);
        if let Some(claimed) = &claimed {
            let mac = self.0.recent.mac(claimed.account, claimed.version, password);
            if self.0.recent.knows(&mac, now) {
                return self.admit(&attempt, claimed, now);
            }
        }
        let stored = claimed.as_ref().and_then(|claimed| self.stored_hash(claimed));
        let verdict = {
            let (stored, cost, password) =
                (stored.clone(), self.0.options.argon2, Zeroizing::new(password.to_vec()));
            self.offload(move || password::check(stored.as_deref(), cost, &password)).await
        };
        match (verdict, claimed) {
            (Some(Verdict::Right), Some(claimed)) => {
                let admitted = self.admit(&attempt, &claimed, now)?;
                self.0.recent.remember(self.0.recent.mac(claimed.account, claimed.version, password), now);
                self.upgrade(&claimed, &stored.unwrap_or_default(), password).await;
                Ok(admitted)
            }
            (Some(Verdict::Unusable), _) => {
                event!(events::AUTH_HASH_UNUSABLE, user = %Escaped(user));
                Err(self.refuse(&attempt, "the stored hash is unusable", now))
            }
            (Some(_), Some(_)) => Err(self.refuse(&attempt, "wrong password", now)),
            (Some(_), None) => Err(self.refuse(&attempt, self.why_nobody(user), now)),
            (None, _) => {
                event!(events::AUTH_UNAVAILABLE, user = %Escaped(user), reason = "hashing was given up");
                Err(AuthFailure::Unavailable)
            }
        }
    }

    fn stored_hash(&self, claimed: &Claimed) -> Option<String> {
        let snapshot = self.snapshot();
        let credentials = snapshot.credentials.get(&claimed.account)?;
        credentials.password().map(|password| password.hash.clone())
    }

    /// For the log only.
    pub(crate) fn why_nobody(&self, user: &str) -> &'static str {
        match self.account_by_name(user) {
            None => "unknown user",
            Some(account) if !account.enabled => "disabled account",
            Some(_) => "no password set",
        }
    }

    /// The same for SCRAM.
    pub(crate) fn why_no_keys(&self, user: &str) -> &'static str {
        match self.claimed(user) {
            Some(_) => {
                "no SCRAM keys yet: they are made at the first login with PLAIN or when the password is set"
            }
            None => self.why_nobody(user),
        }
    }

    /// Lets the claimed account in, if nothing changed while its proof was checked.
    pub(crate) fn admit(
        &self,
        attempt: &Attempt,
        claimed: &Claimed,
        now: UnixMs,
    ) -> Result<Authenticated, AuthFailure> {
        // Of many checks at once, those that end after the others failed too often tell nothing either.
        if self.0.throttle.lock().barred(attempt.suspect, now) {
            return Err(self.bar(attempt));
        }
        let snapshot = self.snapshot();
        let enabled = snapshot.accounts.get(&claimed.account).is_some_and(|account| account.enabled);
        let same = snapshot.credentials.get(&claimed.account).is_some_and(|c| c.version == claimed.version);
        if !enabled || !same {
            return Err(self.refuse(attempt, "the account changed meanwhile", now));
        }
        self.0.throttle.lock().succeeded(attempt.suspect, now);
        event!(
            events::AUTH_SUCCEEDED,
            service = attempt.context.service,
            mechanism = attempt.mechanism,
            remote = %attempt.context.remote,
            account = claimed.account.0,
            user = %Escaped(&claimed.name)
        );
        Ok(Authenticated { account: claimed.account, name: claimed.name.clone() })
    }

    /// Counts and logs a failure.
    pub(crate) fn refuse(&self, attempt: &Attempt, reason: &'static str, now: UnixMs) -> AuthFailure {
        let delay_ms = self.0.throttle.lock().failed(attempt.suspect, now);
        event!(
            events::AUTH_FAILED,
            service = attempt.context.service,
            mechanism = attempt.mechanism,
            remote = %attempt.context.remote,
            user = %Escaped(&attempt.user),
            reason,
            delay_ms
        );
        AuthFailure::Refused { delay_ms }
    }

    fn bar(&self, attempt: &Attempt) -> AuthFailure {
        let delay_ms = limits::FAILURE_DELAY_MAX_MS;
        event!(
            events::AUTH_THROTTLED,
            service = attempt.context.service,
            mechanism = attempt.mechanism,
            remote = %attempt.context.remote,
            user = %Escaped(&attempt.user),
            delay_ms
        );
        AuthFailure::Throttled { delay_ms }
    }

    /// Stores the password in today's forms, if what is stored is of yesterday. The login holds also when this fails.
    async fn upgrade(&self, claimed: &Claimed, stored: &str, plain: &[u8]) {
        let scram = self.scram_keys(claimed.account);
        if !password::outdated(stored, scram.as_ref(), &self.0.options, plain) {
            return;
        }
        let Some(made) = self.hash_password(Zeroizing::new(plain.to_vec())).await else { return };
        let outcome = self
            .change("password upgraded", |now| {
                let Some(before) = now.credentials.get(&claimed.account) else { return Ok((vec![], false)) };
                // Somebody set another password, or a parallel login did the same.
                let same = before.password().is_some_and(|password| password.hash == stored);
                if before.version != claimed.version || !same {
                    return Ok((vec![], false));
                }
                let after = before.with_upgrade(made.clone().into_parts());
                Ok((vec![Change::PutCredentials(claimed.account, after)], true))
            })
            .await;
        match outcome {
            Ok(true) => {
                event!(events::AUTH_UPGRADED, account = claimed.account.0, user = %Escaped(&claimed.name));
            }
            Ok(false) => {}
            Err(error) => {
                event!(events::AUTH_UPGRADE_FAILED, account = claimed.account.0, error = %error);
            }
        }
    }

    /// The keys for SCRAM, if the account has any.
    pub(crate) fn scram_keys(&self, account: AccountId) -> Option<ScramKeys> {
        self.snapshot().credentials.get(&account)?.password()?.scram.clone()
    }
}
