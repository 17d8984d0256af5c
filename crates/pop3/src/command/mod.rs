//! One file per command. A handler gets what it needs and says what the command came to.

mod apop;
mod auth;
mod capa;
mod dele;
mod lang;
mod list;
mod login;
mod noop;
mod pass;
mod quit;
mod retr;
mod rset;
mod stat;
mod stls;
mod top;
mod uidl;
mod user;
mod utf8;

pub(crate) use apop::apop;
pub(crate) use auth::{auth, auth_response};
pub(crate) use capa::capa;
pub(crate) use dele::dele;
pub(crate) use lang::lang;
pub(crate) use list::list;
pub(crate) use login::{LoginEnd, finish_login};
pub(crate) use noop::noop;
pub(crate) use pass::pass;
pub(crate) use quit::{Update, quit};
pub(crate) use retr::retr;
pub(crate) use rset::rset;
pub(crate) use stat::stat;
pub(crate) use stls::stls;
pub(crate) use top::top;
pub(crate) use uidl::uidl;
pub(crate) use user::user;
pub(crate) use utf8::utf8;

use crate::{codec::reply::Reply, maildrop::Missing};

impl From<Missing> for Reply {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::NoSuchMessage => Self::NO_SUCH_MESSAGE,
            Missing::Marked => Self::MESSAGE_MARKED,
        }
    }
}
