//! An answer that is often there at once: the embedded store answers from memory, a distant one later.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Either the answer, or the future that brings it. Await it either way.
pub enum Pending<T> {
    /// The answer is here.
    Ready(Option<T>),
    /// The answer comes later.
    Later(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> Pending<T> {
    /// The answer is here already.
    pub fn ready(value: T) -> Self {
        Self::Ready(Some(value))
    }
    /// The answer comes later.
    pub fn later(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Later(Box::pin(future))
    }
}

impl<T: Unpin> Future for Pending<T> {
    type Output = T;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match &mut *self {
            // A second poll after the answer was taken is a bug of the caller, as with every future; it never wakes.
            Self::Ready(value) => value.take().map_or(Poll::Pending, Poll::Ready),
            Self::Later(future) => future.as_mut().poll(cx),
        }
    }
}
