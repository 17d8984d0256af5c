//! Runs futures without a runtime. Knows no timers: time in tests is a value.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

/// A future that is woken by nobody for this long has a bug.
const STUCK_AFTER: Duration = Duration::from_secs(30);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs the future to its end on this thread. Panics when it waits for half a minute: nobody is going to wake it.
#[allow(clippy::panic)] // a stuck future fails the test, with a reason
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut polled_in_vain = false;
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending if polled_in_vain => panic!("a future waits and nobody wakes it"),
            Poll::Pending => polled_in_vain = !parked_and_woken(),
        }
    }
}

/// Parks until woken. A wake-up for nothing is taken for one.
fn parked_and_woken() -> bool {
    #[allow(clippy::disallowed_methods)] // measures how long the test hangs, not the world's time
    let start = std::time::Instant::now();
    thread::park_timeout(STUCK_AFTER);
    start.elapsed() < STUCK_AFTER
}

/// Polls the future once. Something when it was ready.
pub fn poll_once<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn futures_woken_from_another_thread_end() {
        let mut started = false;
        let future = std::future::poll_fn(move |context| {
            if started {
                return Poll::Ready(7);
            }
            started = true;
            let waker = context.waker().clone();
            thread::spawn(move || waker.wake());
            Poll::Pending
        });
        assert_eq!(block_on(future), 7);
    }

    #[test]
    fn a_future_polled_once_may_not_be_ready() {
        assert_eq!(poll_once(pin!(std::future::ready(1))), Some(1));
        assert_eq!(poll_once(pin!(std::future::pending::<u8>())), None);
    }
}
