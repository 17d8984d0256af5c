//! Where a body goes while it comes in: straight into the store, with our Received field before it. Never holds it.

use yubin_base::TraceId;
use yubin_smtp::{
    envelope::Envelope,
    server::{Accepted, BodyFacts, BodySink, Refusal, Service, SessionFacts},
};
use yubin_store::Stager;

use crate::{
    Delivery, Needs, limits,
    receive::{
        accept::store_refusal,
        completion::Completion,
        identity::{HeaderLength, HeaderWatch, header_too_long},
        judge::Judge,
        sign::Signing,
        trace,
    },
};

/// One message on its way in.
pub struct Spool {
    pub(super) delivery: Delivery,
    pub(super) session: SessionFacts,
    pub(super) envelope: Envelope,
    pub(super) id: TraceId,
    stager: Stager,
    /// The header's beginning, on submission: its From is checked.
    header: Option<HeaderWatch>,
    length: HeaderLength,
    /// Adds what a submission lacks.
    completion: Option<Completion>,
    /// Signs a submission.
    signing: Option<Signing>,
    /// Whether an octet above 127 stood in the header.
    header_utf8: bool,
    /// Whose it is.
    judge: Judge,
}

impl Spool {
    pub(super) fn open(
        delivery: Delivery,
        session: SessionFacts,
        envelope: Envelope,
    ) -> Result<Self, Refusal> {
        let id = TraceId::new(session.now, delivery.0.random.u128());
        let mut stager = delivery.0.store.stager();
        let received = trace::received(&delivery.0.options.hostname, &session, &envelope, id);
        stager.write(&received).map_err(|e| store_refusal(&e))?;
        let header = session.authenticated.is_some().then(|| HeaderWatch::new(limits::HEADER_OCTETS_CHECKED));
        let submitted = session.service == Service::Submission && session.authenticated.is_some();
        let hostname = &delivery.0.options.hostname;
        let completion = submitted.then(|| Completion::new(session.now, id, hostname));
        let judge = Judge::new(hostname, &session, delivery.0.options.judging.as_ref());
        let signing = delivery.0.options.signing.clone().filter(|_| submitted).map(Signing::new);
        let length = HeaderLength::default();
        Ok(Self {
            delivery,
            session,
            envelope,
            id,
            stager,
            header,
            length,
            completion,
            signing,
            header_utf8: false,
            judge,
        })
    }
}

impl Spool {
    /// The octets as they are kept and sent.
    fn store(&mut self, octets: &[u8]) -> Result<(), Refusal> {
        if let Some(signing) = &mut self.signing {
            signing.push(octets, self.id);
        }
        self.stager.write(octets).map_err(|e| store_refusal(&e))
    }
}

impl BodySink for Spool {
    async fn write(&mut self, octets: &[u8]) -> Result<(), Refusal> {
        if let Some(header) = &mut self.header {
            header.push(octets);
        }
        let before = self.length.octets();
        let in_header = self.length.push(octets).saturating_sub(before) as usize;
        if self.length.octets() > limits::HEADER_OCTETS {
            return Err(header_too_long());
        }
        self.header_utf8 |= !octets.get(..in_header).unwrap_or(octets).is_ascii();
        let octets = &*self.judge.push(octets)?;
        match &mut self.completion {
            Some(completion) => {
                let octets = completion.push(octets);
                self.store(&octets)
            }
            None => self.store(octets),
        }
    }

    async fn finish(mut self, facts: BodyFacts) -> Result<Accepted, Refusal> {
        let mut rest = self.judge.rest();
        if let Some(completion) = &mut self.completion {
            rest = completion.push(&rest);
            rest.extend(completion.finish());
        }
        self.store(&rest)?;
        let Self { delivery, session, envelope, id, stager, header, signing, judge, header_utf8, .. } = self;
        if let (Some(header), Some(who)) = (header, &session.authenticated) {
            header.check(&delivery, who.account)?;
        }
        let staged = stager.finish().map_err(|e| store_refusal(&e))?;
        let (judging, clock) = (delivery.0.options.judging.as_ref(), delivery.0.clock.clone());
        let mut findings = judge.finish(judging, clock, &session, &envelope, id).await?;
        let needs = Needs { eight_bit: facts.eight_bit, header_utf8, require_tls: false };
        if let Some(signing) = signing {
            findings.fields.extend(signing.finish(id, session.now));
        }
        delivery.accept(&session, &envelope, id, staged, findings, needs).await
    }
}
