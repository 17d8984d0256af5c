//! STLS (RFC 2595 §4). The loop drops every octet that came in the clear after it; the session forgets the USER that came before.

use yubin_base::{Next, sasl::SaslContext};

use crate::{
    codec::reply::Reply,
    session::{Outcome, Pop3Services},
};

pub(crate) fn stls(services: &Pop3Services, context: &SaslContext, out: &mut Vec<u8>) -> Outcome {
    if context.tls.is_some() {
        return Reply::TLS_ALREADY.into();
    }
    if !services.options.tls_available {
        return Reply::TLS_UNAVAILABLE.into();
    }
    Reply::BEGIN_TLS.write(out);
    Outcome::Next(Next::StartTls)
}
