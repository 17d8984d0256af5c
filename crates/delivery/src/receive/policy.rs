//! Whether a sender and a recipient are welcome. Nothing is relayed without a login; a sender uses only addresses it owns.
//! RFC 5321 §3.6.2, §4.5.1, §7.2; RFC 6409 §6.1.

use yubin_base::Address;
use yubin_directory::Resolution;
use yubin_smtp::{
    codec::reply::Enhanced,
    envelope::{Envelope, ForwardPath, MailFrom, RcptTo},
    server::{Reception, Refusal, Service, SessionFacts},
};
use yubin_store::Quota;

use crate::{
    Delivery, limits,
    receive::{Spool, accept::store_refusal},
};

impl Reception for Delivery {
    type Body = Spool;

    async fn sender(&self, session: &SessionFacts, mail: &MailFrom) -> Result<(), Refusal> {
        self.0.store.room_for(mail.size.unwrap_or(0)).map_err(|e| store_refusal(&e))?;
        let Some(who) = &session.authenticated else { return Ok(()) };
        match &mail.reverse_path {
            // RFC 5321 §4.5.5: notifications are sent with the null reverse-path, by users' clients too.
            None => Ok(()),
            Some(address) if self.0.directory.owns(who.account, address) => Ok(()),
            Some(_) => Err(not_yours()),
        }
    }

    async fn recipient(
        &self,
        session: &SessionFacts,
        mail: &MailFrom,
        accepted: &[RcptTo],
        recipient: &RcptTo,
    ) -> Result<(), Refusal> {
        let deliveries = match self.resolve(&recipient.forward_path) {
            Resolution::Local { deliveries, remote } => {
                if accepted.len() + deliveries.len() + remote.len() > limits::RECIPIENTS_PER_ENTRY {
                    return Err(too_many());
                }
                deliveries
            }
            Resolution::UnknownUser => return Err(unknown_user()),
            Resolution::Disabled => return Err(disabled()),
            Resolution::TooManyTargets => return Err(too_many()),
            Resolution::NotOurs => return self.outside(session),
        };
        // Told here, while the sender still listens; checked again when the message is appended.
        for local in &deliveries {
            let Some(account) = self.0.directory.account(local.account) else { return Err(unknown_user()) };
            let size = mail.size.unwrap_or(0);
            if account.message_octets_max.is_some_and(|max| size > max) {
                return Err(too_large_for_recipient());
            }
            let quota = self.quota(local.account);
            if quota == Quota::default() {
                continue;
            }
            let open = self.0.store.account(local.account).await.map_err(|e| store_refusal(&e))?;
            let usage = open.state().usage;
            let full = quota.octets.is_some_and(|max| usage.octets + size > max || usage.octets >= max)
                || quota.messages.is_some_and(|max| usage.messages >= max);
            if full {
                return Err(mailbox_full());
            }
        }
        Ok(())
    }

    async fn begin(&self, session: &SessionFacts, envelope: &Envelope) -> Result<Spool, Refusal> {
        self.0.store.room_for(envelope.mail.size.unwrap_or(0)).map_err(|e| store_refusal(&e))?;
        Spool::open(self.clone(), session.clone(), envelope.clone())
    }
}

impl Delivery {
    pub(crate) fn resolve(&self, path: &ForwardPath) -> Resolution {
        match path {
            ForwardPath::Postmaster => self.0.directory.resolve_postmaster(),
            ForwardPath::Mailbox(address) => self.0.directory.resolve(address),
        }
    }

    /// What the account may hold.
    pub(crate) fn quota(&self, account: yubin_base::AccountId) -> Quota {
        match self.0.directory.account(account) {
            Some(account) => Quota { octets: account.quota_octets, messages: account.quota_messages },
            None => Quota::default(),
        }
    }

    /// A recipient elsewhere: only for those who logged in.
    fn outside(&self, session: &SessionFacts) -> Result<(), Refusal> {
        match (session.service, &session.authenticated) {
            (_, Some(_)) => Ok(()),
            (Service::Lmtp, None) => Err(unknown_user()),
            (Service::Mx | Service::Submission, None) => Err(refuse(
                550,
                Enhanced(5, 7, 1),
                "We do not relay: this address is not ours, and you have not logged in",
            )),
        }
    }
}

/// For an address that the account does not own.
pub(crate) fn not_yours() -> Refusal {
    refuse(553, Enhanced(5, 7, 1), "You may send only from your own addresses and their aliases")
}

pub(crate) fn unknown_user() -> Refusal {
    refuse(550, Enhanced(5, 1, 1), "No such user here")
}

pub(crate) fn mailbox_full() -> Refusal {
    refuse(452, Enhanced(4, 2, 2), "The mailbox is full; try again later")
}

fn disabled() -> Refusal {
    refuse(550, Enhanced(5, 2, 1), "This mailbox does not take mail")
}

fn too_many() -> Refusal {
    refuse(452, Enhanced(4, 5, 3), "Too many recipients in one message; send the rest in another")
}

fn too_large_for_recipient() -> Refusal {
    refuse(552, Enhanced(5, 2, 3), "The message is larger than this recipient accepts")
}

/// A refusal with a text of ours. The texts are constants of this crate and well-formed; a test of each proves it.
pub(crate) fn refuse(code: u16, enhanced: Enhanced, text: &str) -> Refusal {
    Refusal::custom(code, enhanced, text)
        .unwrap_or_else(|| Refusal::of(yubin_smtp::codec::reply::LOCAL_ERROR))
}

/// The addresses among `found` that the account does not own.
pub(crate) fn first_not_owned<'a>(
    delivery: &Delivery,
    account: yubin_base::AccountId,
    found: &'a [Address],
) -> Option<&'a Address> {
    found.iter().find(|address| !delivery.0.directory.owns(account, address))
}
