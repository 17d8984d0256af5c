//! Long answers: given piece by piece, so that they are never whole in memory and other sessions have their turn.
//! RFC 9051 §7: the responses to one command may be any number, and come while it runs.

use crate::session::{reply::Reply, user::Context, view::Known};

use super::{fetch::FetchJob, search::SearchJob};

/// A long answer under way.
pub(crate) enum Job {
    /// FETCH
    Fetch(Box<FetchJob>),
    /// SEARCH
    Search(Box<SearchJob>),
}

/// How far it is.
pub(crate) enum Progress {
    /// There is more.
    More,
    /// Everything is said but the answer.
    Done { reply: Reply, known: Vec<Known> },
    /// It cannot be ended properly.
    Broken,
}

impl Job {
    /// Writes the next piece.
    pub(crate) async fn step(&mut self, cx: &mut Context<'_>) -> Progress {
        match self {
            Self::Fetch(job) => job.step(cx).await,
            Self::Search(job) => job.step(cx).await,
        }
    }
    /// Whether the client waits for the rest of a literal.
    pub(crate) fn in_literal(&self) -> bool {
        match self {
            Self::Fetch(job) => job.in_literal(),
            Self::Search(job) => job.in_line(),
        }
    }
}
