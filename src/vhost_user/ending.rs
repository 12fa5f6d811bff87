//! Task management that ends commands, which is answered when none of those is in a ring any more, or asks for commands.
//!
//! A command can wait in its ring for long: for a delay, for storage, behind another that does. Its driver, once told that it was ended, uses
//! the memory for something else, so the command must have been returned by then. It is the worker of a ring that returns its chains,
//! in their order; so the control queue waits until each worker has gone over its rings. No lock is held meanwhile.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use vhost_user_backend::VringT;
use virtio_queue::QueueT;

use super::backend::{Backend, CONTROL_QUEUE, CONTROL_WORKER, workers};
use super::handlers::{Ending, Requests};
use super::ring::{Ring, is_served};
use super::serve::Served;
use crate::virtio::chain::{Chain, Fault};
use crate::virtio::ends::Ends;
use crate::virtio::split::Split;

/// A function that waits in the control queue.
#[derive(Debug)]
pub(super) struct Awaited {
    /// Of its chain.
    position: u16,
    /// Which is this function and no other: one that comes after it may end the same.
    ends: Arc<Ends>,
    /// Some of the commands are in a ring: those that it asks for, or one that should end and stands behind another that waits.
    left: bool,
}

impl Backend {
    /// Whether the control request at `position` must wait for what is said of commands in rings. With the first time it is asked that,
    /// the workers are.
    pub(super) fn awaits_ends(&self, position: u16, chain: &Chain<'_>) -> bool {
        let mut ending = self.ending();
        if let Some(awaited) = &*ending
            && awaited.position == position
        {
            return self.to_end.load(Ordering::Relaxed) != 0;
        }
        let Some(ends) = Ends::of(&self.target, chain) else { return false };
        let all = (1..=workers()).fold(0, |all, worker| all | 1 << worker);
        *ending = Some(Awaited { position, ends: Arc::new(ends), left: false });
        self.to_end.store(all, Ordering::Relaxed);
        drop(ending);
        (1..=workers()).for_each(|worker| self.wake(worker));
        true
    }

    /// Whether commands that the function at `position` is about are in a ring. It waits no more.
    pub(super) fn are_left(&self, position: u16) -> bool {
        self.take_ending().is_some_and(|awaited| awaited.position == position && awaited.left)
    }

    /// Nobody waits for the end of commands any more.
    pub(super) fn forget_ending(&self) {
        self.take_ending();
    }

    fn take_ending(&self) -> Option<Awaited> {
        let mut ending = self.ending();
        self.to_end.store(0, Ordering::Relaxed);
        ending.take()
    }

    /// Whether a function waits for a worker to go over its rings.
    pub(super) fn is_to_end_tasks(&self, worker: usize) -> bool {
        self.to_end.load(Ordering::Relaxed) >> worker & 1 != 0
    }

    /// Goes over the rings of a worker for the function that waits, if there is one.
    pub(super) fn end_tasks(&self, vrings: &[Ring], worker: usize) {
        let ends = match &*self.ending() {
            Some(awaited) if self.is_to_end_tasks(worker) => Arc::clone(&awaited.ends),
            _ => return,
        };
        let (mut gave_way, mut without_memory) = (false, false);
        let left = |(index, vring): (usize, &Ring)| {
            // What the process before this one did is answered as it was.
            self.resume_first(vring, worker, index);
            let served = ends.response().map(|response| {
                let requests = Requests { yields: false, ..self.requests(vring, worker, index) };
                let handler = Ending { requests, ends: *ends, response, gave_way: Cell::new(false) };
                let served = self.serve(vring, &handler);
                gave_way |= handler.gave_way.get();
                served
            });
            let is_in = self.is_in(vring, &ends);
            without_memory |= is_in.is_none();
            served == Some(Served::Some) || is_in == Some(true)
        };
        // All of them, whatever is left in the first.
        let left = vrings.iter().enumerate().map(left).fold(false, |any, left| any | left);
        if gave_way {
            // Those behind it have their turn when whoever wanted the ring has had theirs.
            return self.wake(worker);
        }
        if without_memory {
            // All workers look again when it is back: what should end is still there then.
            return;
        }
        let mut ending = self.ending();
        let Some(awaited) = ending.as_mut().filter(|awaited| Arc::ptr_eq(&awaited.ends, &ends)) else {
            // Its ring stopped meanwhile. Another function is not answered by what was seen for this one.
            drop(ending);
            return self.wake(worker);
        };
        awaited.left |= left;
        let bit = 1 << worker;
        let others = self.to_end.fetch_and(!bit, Ordering::Relaxed) & !bit;
        drop(ending);
        if others == 0 {
            self.look_again(CONTROL_WORKER, CONTROL_QUEUE as usize);
        }
    }

    /// Whether a ring has such commands, or some of which that cannot be told; none where it lies in no memory just then.
    fn is_in(&self, vring: &Ring, ends: &Ends) -> Option<bool> {
        let state = vring.get_ref();
        if !is_served(&state) {
            return Some(false);
        }
        let (queue, memory) = (state.get_queue(), self.memory_now());
        let Some(ring) = Split::new(memory.get(), queue) else {
            self.is_without_memory(&memory);
            return None;
        };
        let first = queue.next_avail();
        let waiting = ring.available().wrapping_sub(first).min(ring.size());
        let mut chain = Chain::default();
        Some((0..waiting).any(|after| {
            chain.walk(&ring, ring.head(first.wrapping_add(after)));
            chain.fault == Some(Fault::NoResponse) || ends.has(&chain)
        }))
    }

    fn ending(&self) -> MutexGuard<'_, Option<Awaited>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
