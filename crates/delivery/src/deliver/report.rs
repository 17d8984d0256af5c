//! Makes the report to a sender, ready to be enqueued in the transaction that says it was made. RFC 3461 §6, RFC 3464, RFC 5321 §4.5.5.

use yubin_base::{Address, TraceId, UnixMs};
use yubin_directory::Resolution;
use yubin_formats::{
    mail,
    report::{Action, DeliveryReport, ReportedRecipient, Returned},
};

use super::settle::Outcome;
use crate::{
    Delivery, Entry, Findings, Needs, Orders, Origin, QueueError, Recipient, State, Target, limits,
    queue::Report,
    receive::date,
    tables::{
        entry::{Body, DsnOfMessage},
        note::{Note, What},
    },
};

/// What the sender is told of one recipient.
pub(super) struct Told {
    pub outcome: Outcome,
    pub action: Action,
}

impl Delivery {
    /// The report about these recipients; none when there is nothing to tell or the sender cannot be told.
    pub(super) async fn report(
        &self,
        entry: &Entry,
        recipients: &[Recipient],
        told: Vec<Told>,
        now: UnixMs,
    ) -> Result<Option<Report>, QueueError> {
        let Some(sender) = entry.reverse_path.as_ref().filter(|_| !told.is_empty()) else { return Ok(None) };
        let targets = self.report_targets(sender);
        if targets.is_empty() {
            return Ok(None);
        }
        // The same shard as the message's, so that both are one transaction.
        let id = TraceId::new(now, self.0.random.u128());
        let shards = u128::from(crate::tables::SHARDS);
        let id = TraceId(id.0 - id.0 % shards + entry.id.0 % shards);
        let (returned, document, eight_bit, header) =
            self.document(entry, recipients, &told, id, now).await?;
        let mut stager = self.0.store.stager();
        let staged = async {
            let write = |stager: &mut yubin_store::Stager, octets: &[u8]| stager.write(octets);
            write(&mut stager, &document.head())?;
            match returned {
                Returned::Header => write(&mut stager, &header)?,
                Returned::Whole => self.copy_message(entry, &mut stager).await?,
            }
            write(&mut stager, &document.tail())?;
            stager.finish()
        };
        let staged = staged.await.map_err(|error| QueueError::from_store(&error))?;
        let report = Entry {
            id,
            revision: 0,
            accepted: now,
            due: None,
            reverse_path: None,
            origin: Origin {
                service: "report".into(),
                remote: String::new(),
                helo: String::new(),
                account: None,
                name: None,
            },
            size_octets: staged.blob.size_octets,
            body: Body { kind: u8::from(eight_bit), smtputf8: document.needs_utf8() },
            dsn: DsnOfMessage::default(),
            recipients: 0,
            staged_pieces: 0,
            findings: Findings::default(),
            needs: Needs { eight_bit, header_utf8: document.needs_utf8(), require_tls: false },
            orders: Orders::default(),
        };
        let mut accepted = Note::new(now, What::Accepted, "", format!("a report about {}", entry.id));
        accepted.message_id.clone_from(&staged.message_id);
        let notes =
            std::iter::once(accepted).chain([Note::new(now, What::For, sender, "the sender")]).collect();
        Ok(Some(Report { entry: report, recipients: targets, staged, notes }))
    }

    /// Whom a report goes to: the sender, wherever that leads.
    fn report_targets(&self, sender: &Address) -> Vec<Recipient> {
        let recipient = |target: Target| {
            let state = match target {
                Target::Local { .. } => State::Pending,
                Target::Remote { .. } => State::WaitingRemote,
            };
            // RFC 3461 §6.2: NOTIFY=NEVER, so that nothing is ever said about a report.
            Recipient {
                target,
                original: sender.to_string(),
                notify: Some(0),
                orcpt: None,
                state,
                attempts: 0,
                told: crate::Told::default(),
            }
        };
        match self.0.directory.resolve(sender) {
            Resolution::Local { deliveries, remote } => deliveries
                .into_iter()
                .map(|local| recipient(Target::Local { account: local.account, address: local.address }))
                .chain(remote.into_iter().map(|address| recipient(Target::Remote { address })))
                .collect(),
            Resolution::NotOurs => vec![recipient(Target::Remote { address: sender.clone() })],
            Resolution::UnknownUser | Resolution::Disabled | Resolution::TooManyTargets => Vec::new(),
        }
    }

    async fn document(
        &self,
        entry: &Entry,
        recipients: &[Recipient],
        told: &[Told],
        id: TraceId,
        now: UnixMs,
    ) -> Result<(Returned, DeliveryReport, bool, Vec<u8>), QueueError> {
        let staged = self.0.queue.staged(entry).await?;
        let start = self.0.queue.read(&staged.blob, 0..limits::HEADER_OCTETS_CHECKED as u64).await?;
        let end = start.windows(4).position(|w| w == b"\r\n\r\n").map_or(start.len(), |at| at + 2);
        let header = start.get(..end).unwrap_or_default().to_vec();
        let failed = told.iter().any(|told| told.action == Action::Failed);
        // RFC 3461 §6.2: RET is about failures; other reports return the header.
        let small = staged.blob.size_octets <= limits::RETURNED_OCTETS;
        let binary = entry.body.kind == 2;
        let whole = failed && small && !binary && entry.dsn.ret_full == Some(true);
        let returned = if whole { Returned::Whole } else { Returned::Header };
        let eight_bit = if whole { entry.needs.eight_bit } else { !header.is_ascii() };
        let hostname = &self.0.options.hostname;
        let subject = mail::first_field(&header, b"Subject").map(mail::unfold).unwrap_or_default();
        let document = DeliveryReport {
            reporting_host: hostname.clone(),
            to: entry.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default(),
            date: date(now),
            message_id: format!("{id}@{hostname}"),
            boundary: format!("report-{:032x}", self.0.random.u128()),
            envelope_id: entry.dsn.envid.clone(),
            arrival_date: date(entry.accepted),
            trace_id: entry.id.to_string(),
            subject: String::from_utf8_lossy(&subject).trim().to_owned(),
            about: staged.message_id.as_ref().map(|id| format!("<{}>", id.trim_matches(['<', '>']))),
            recipients: told
                .iter()
                .filter_map(|told| Some((recipients.get(told.outcome.number)?, told)))
                .map(|(recipient, told)| self.reported(entry, recipient, told, now))
                .collect(),
            returned,
            eight_bit,
        };
        Ok((returned, document, eight_bit, header))
    }

    fn reported(&self, entry: &Entry, recipient: &Recipient, told: &Told, now: UnixMs) -> ReportedRecipient {
        let Told { outcome, action } = told;
        let dies = entry.accepted.plus_ms(self.retry_schedule().lifetime_s * 1_000);
        let good = matches!(action, Action::Delivered | Action::Relayed | Action::Expanded);
        let class = match action {
            Action::Failed => 5,
            Action::Delayed => 4,
            _ => 2,
        };
        let status = match outcome.enhanced {
            Some(code) if code.0 == class || code.0 == 4 && class == 5 => code.to_string(),
            _ => format!("{class}.0.0"),
        };
        ReportedRecipient {
            original: recipient.orcpt.clone(),
            last: recipient.target.address().to_string(),
            action: *action,
            status,
            remote_host: (!outcome.host.is_empty()).then(|| outcome.host.clone()),
            diagnostic: (!good || outcome.is_reply).then(|| outcome.words.clone()),
            diagnostic_is_reply: outcome.is_reply,
            last_attempt: Some(date(now)),
            retry_until: (*action == Action::Delayed).then(|| date(dies)),
        }
    }

    async fn copy_message(
        &self,
        entry: &Entry,
        stager: &mut yubin_store::Stager,
    ) -> Result<(), yubin_store::StoreError> {
        let gone = |_| yubin_store::StoreError::Gone;
        let staged = self.0.queue.staged(entry).await.map_err(gone)?;
        let mut at = 0;
        while at < staged.blob.size_octets {
            let piece =
                self.0.queue.read(&staged.blob, at..at + limits::BODY_PIECE_OCTETS).await.map_err(gone)?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            stager.write(&piece)?;
        }
        Ok(())
    }
}
