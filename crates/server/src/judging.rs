//! From configuration to what judging the senders of mail needs.

use yubin_delivery::{DmarcAction, Judging, remote::Sending};

use crate::{
    config::{self, Config},
    dns,
};

/// Everything judging needs; nothing when it is switched off. Shares the resolver, and its cache, with sending.
pub fn judging(config: &Config, sending: Option<&Sending>) -> Result<Option<Judging>, String> {
    if !config.identity.check {
        return Ok(None);
    }
    let resolver = match sending {
        Some(sending) => sending.resolver.clone(),
        None => dns::resolver(&config.dns)?,
    };
    let dmarc = match config.identity.dmarc {
        config::DmarcAction::Reject => DmarcAction::Reject,
        config::DmarcAction::Quarantine => DmarcAction::Quarantine,
        config::DmarcAction::Mark => DmarcAction::Mark,
    };
    Ok(Some(Judging::new(resolver, dmarc, config.identity.trusted_sealers.clone())))
}
