//! Waiting for further chains before the driver is told of those that are done.

use std::time::{Duration, Instant};

use vhost_user_backend::VringState;
use virtio_queue::QueueT;
use vm_memory::{GuestAddressSpace, GuestMemoryAtomic};

use super::backend::Backend;
use super::ring::Ring;
use crate::source::waits;
use crate::sys::memory::GuestMemory;
use crate::sys::ready::is_readable_within;
use crate::virtio::split::Split;

/// How long after its end a chain is announced at the latest.
pub(super) const LONGEST: Duration = Duration::from_micros(250);
/// How often an empty ring is looked at meanwhile. Its driver need not kick: that costs it more than this side's looks.
const STEP: Duration = Duration::from_micros(50);

impl Backend {
    /// Whether an empty ring's `done` chains, which its driver has not been told of, should wait a little longer because there are
    /// more now. Waits for those until `until`, which begins with the first wait, if the driver was seen to gain by it, with the
    /// ring's lock held and for no longer than the worker has nothing else to do.
    pub(super) fn gather(
        &self,
        ring: &Ring,
        state: &VringState<GuestMemoryAtomic<GuestMemory>>,
        done: usize,
        until: &mut Option<Instant>,
        worker: usize,
    ) -> bool {
        if done == 0 || done >= ring.pace().chains().into() {
            return false;
        }
        // Chains that wait for storage take their time anyway; and who does not want to be called is not waiting.
        if waits::expected() || !self.wants_call(state.get_queue(), done) {
            return false;
        }
        let (Some(events), Some(kick)) = (self.events_of(worker), state.get_kick()) else { return false };
        let now = Instant::now();
        let until = *until.get_or_insert(now + LONGEST);
        let mut left = until.saturating_duration_since(now);
        while !left.is_zero() {
            // A kick for a chain that was served before is no news.
            if is_readable_within(events, left.min(STEP)) && kick.consume().is_err() {
                return false;
            }
            if self.has_chains(state) {
                return true;
            }
            left = until.saturating_duration_since(Instant::now());
        }
        false
    }

    /// Whether there are chains in a ring that were not served.
    fn has_chains(&self, state: &VringState<GuestMemoryAtomic<GuestMemory>>) -> bool {
        let queue = state.get_queue();
        Split::new(&self.memory.memory(), queue).is_some_and(|ring| ring.available() != queue.next_avail())
    }
}
