//! Long answers: given piece by piece, so that they are never whole in memory and other sessions have their turn.
//! RFC 9051 §7: the responses to one command may be any number, and come while it runs.

use crate::session::{reply::Reply, user::Context, view::Known};

use super::{esearch::EsearchJob, fetch::FetchJob, search::SearchJob, sort::SortJob, thread::ThreadJob};

/// A long answer under way.
pub(crate) enum Job {
    /// FETCH
    Fetch(Box<FetchJob>),
    /// SEARCH
    Search(Box<SearchJob>),
    /// ESEARCH
    Esearch(Box<EsearchJob>),
    /// SORT
    Sort(Box<SortJob>),
    /// THREAD
    Thread(Box<ThreadJob>),
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
            Self::Esearch(job) => job.step(cx).await,
            Self::Sort(job) => job.step(cx).await,
            Self::Thread(job) => job.step(cx).await,
        }
    }
    /// How far it is, and of what, if that can be told.
    pub(crate) fn progress(&self) -> Option<(u64, u64)> {
        match self {
            // What it writes tells enough.
            Self::Fetch(_) => None,
            Self::Search(job) => Some(job.progress()),
            Self::Esearch(job) => Some(job.progress()),
            Self::Sort(job) => Some(job.progress()),
            Self::Thread(job) => Some(job.progress()),
        }
    }
    /// Whether the client waits for the rest of a literal.
    pub(crate) fn in_literal(&self) -> bool {
        match self {
            Self::Fetch(job) => job.in_literal(),
            Self::Search(job) => job.in_line(),
            Self::Esearch(job) => job.in_line(),
            Self::Sort(job) => job.in_line(),
            Self::Thread(job) => job.in_line(),
        }
    }
}
