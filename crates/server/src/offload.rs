//! The threads that compute password hashes: few, so that logins never starve the sessions, with a bounded queue.

use std::sync::{
    Arc,
    mpsc::{Receiver, SyncSender, sync_channel},
};

use parking_lot::Mutex;
use yubin_base::ports::Offload;

type Job = Box<dyn FnOnce() + Send>;

/// A handful of threads.
pub struct HashThreads {
    jobs: SyncSender<Job>,
}

impl HashThreads {
    /// Starts `threads` of them; `waiting` jobs may queue up.
    pub fn start(threads: usize, waiting: usize) -> Self {
        let (jobs, receiver) = sync_channel::<Job>(waiting);
        let receiver: Arc<Mutex<Receiver<Job>>> = Arc::new(Mutex::new(receiver));
        for number in 0..threads {
            let receiver = receiver.clone();
            let work = move || {
                loop {
                    // The lock is held while waiting for a job, and given back before the job runs.
                    let job = receiver.lock().recv();
                    match job {
                        Ok(job) => job(),
                        Err(_) => return,
                    }
                }
            };
            if let Err(error) = std::thread::Builder::new().name(format!("hash-{number}")).spawn(work) {
                yubin_base::event!(crate::events::ACCEPT_FAILED, error = %error, protocol = "hash thread");
            }
        }
        Self { jobs }
    }
}

impl Offload for HashThreads {
    /// A job that finds the queue full is dropped: whoever waits for it learns that we cannot say now.
    fn run(&self, job: Job) {
        let _ = self.jobs.try_send(job);
    }
}
