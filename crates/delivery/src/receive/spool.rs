//! Where a body goes while it comes in: straight into the store, with our Received field before it. Never holds it.

use yubin_base::TraceId;
use yubin_smtp::{
    envelope::Envelope,
    server::{Accepted, BodyFacts, BodySink, Refusal, SessionFacts},
};
use yubin_store::Stager;

use crate::{
    Delivery, Findings, limits,
    receive::{
        accept::store_refusal,
        identity::{HeaderLength, HeaderWatch, header_too_long},
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
        Ok(Self { delivery, session, envelope, id, stager, header, length: HeaderLength::default() })
    }
}

impl BodySink for Spool {
    async fn write(&mut self, octets: &[u8]) -> Result<(), Refusal> {
        if let Some(header) = &mut self.header {
            header.push(octets);
        }
        if self.length.push(octets) > limits::HEADER_OCTETS {
            return Err(header_too_long());
        }
        self.stager.write(octets).map_err(|e| store_refusal(&e))
    }

    async fn finish(self, _facts: BodyFacts) -> Result<Accepted, Refusal> {
        let Self { delivery, session, envelope, id, stager, header, length: _ } = self;
        if let (Some(header), Some(who)) = (header, &session.authenticated) {
            header.check(&delivery, who.account)?;
        }
        let staged = stager.finish().map_err(|e| store_refusal(&e))?;
        delivery.accept(&session, &envelope, id, staged, Findings::default()).await
    }
}
