//! The end of a connection, as this side brings it about: when its front-end is at fault, or the daemon is asked to end.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use vhost_user_backend::ShutdownHandle;

use super::{Backend, workers};

/// How long the thread that talks to the front-end waits for workers to come to rest.
const PATIENCE: Duration = Duration::from_secs(3);

impl Backend {
    /// What ends it.
    pub fn ends_by(&self, connection: ShutdownHandle) {
        // Set once for a connection, and there is one.
        let _ = self.connection.set(connection);
    }

    /// Ends the connection once no worker returns a chain any more: when it ends, QEMU looks how far the rings are, and goes on from there
    /// with the next process. What were returned after that would be carried out twice.
    pub fn end_connection(&self) {
        self.is_over();
        (0..=workers()).for_each(|worker| self.wake(worker));
    }

    /// The same for the thread that talks to the front-end, which is going to hang up.
    pub(super) fn come_to_rest(&self) {
        self.end_connection();
        let begun = Instant::now();
        while self.quiet.load(Ordering::SeqCst) != all_workers() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The connection is to end or has ended: commands that take long give way to that.
    pub fn is_over(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Whether it is or has.
    pub(in crate::vhost_user) fn has_ended(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// A worker has nothing more to do. The last of them ends the connection.
    pub(super) fn rest(&self, worker: usize) {
        if let Some(waker) = self.wakers.get(worker) {
            // Read or empty, it is not readable then.
            let _ = waker.read();
        }
        let bit = 1 << worker;
        if self.quiet.fetch_or(bit, Ordering::SeqCst) | bit == all_workers() {
            match self.connection.get() {
                Some(connection) => connection.shutdown(),
                // It has only just begun.
                None => self.wake(worker),
            }
        }
        // What woke it may do so for ever: a kick descriptor that is none.
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// One bit for each, that of the control queue too.
fn all_workers() -> u64 {
    (2 << workers()) - 1
}
