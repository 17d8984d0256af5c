//! APOP (RFC 1939 §7): refused. It would need every password in the clear on disk, and its MD5 is broken; the greeting has no time stamp.

use crate::{codec::reply::Reply, session::Outcome};

pub(crate) fn apop() -> Outcome {
    Reply::APOP_REFUSED.into()
}
