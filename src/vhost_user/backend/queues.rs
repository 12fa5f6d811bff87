//! Which rings are served when, and by which handler.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

use vhost_user_backend::VringT;
use virtio_queue::QueueT;

use super::super::handlers::{Controls, Events, Requests, Resumed};
use super::super::ring::{Ring, is_served};
use super::super::serve::{Look, RunEnd, Served};
use super::{
    Backend, CONTROL_QUEUE, CONTROL_WORKER, EVENT_QUEUE, LONGEST_POLL, MAX_QUEUE_SIZE, QUEUES, REQUEST_QUEUES, workers,
};
use crate::scsi::{Delay, Wake};
use crate::virtio::chain::Chain;
use crate::virtio::{request, wire};

impl Backend {
    /// Serves the control queue.
    pub(super) fn serve_control(&self, vring: &Ring) {
        if self.serve(vring, &Controls(self)) == Served::Some {
            self.look_again(CONTROL_WORKER, CONTROL_QUEUE as usize);
        }
    }

    /// Serves one request queue.
    pub(super) fn serve_requests(&self, vring: &Ring, worker: usize, index: usize) {
        if self.serve(vring, &self.requests(vring, worker, index)) == Served::Some {
            self.look_again(worker, index);
        }
    }

    /// What becomes of the chains of one request queue.
    pub(in crate::vhost_user) fn requests<'b>(&'b self, ring: &'b Ring, worker: usize, index: usize) -> Requests<'b> {
        Requests { backend: self, worker, index, ring, yields: true }
    }

    /// Looks at the first chain of a ring after a restart: the process before this one may have carried out its command, and not
    /// have returned it.
    pub(in crate::vhost_user) fn resume_first(&self, vring: &Ring, worker: usize, index: usize) {
        if !self.resuming.load(Ordering::Relaxed) {
            return;
        }
        let mut state = vring.get_mut();
        if !is_served(&state) {
            return;
        }
        let queue = Self::request_queue(worker, index);
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let (own, others) = std::mem::take(&mut *notes).into_iter().partition::<Vec<_>, _>(|note| note.key == queue);
        self.resuming.store(!others.is_empty(), Ordering::Relaxed);
        *notes = others;
        drop(notes);
        let first = Resumed { requests: self.requests(vring, worker, index), notes: own };
        let (served, end) = self.run(state.get_queue_mut(), &mut self.memory_now(), 1, &mut None, &first);
        if served > 0 {
            // Fails only when the counter is full: then the guest has been told already.
            let _ = state.signal_used_queue();
        } else if end == RunEnd::Stuck {
            // It could not be looked at: its memory is away.
            self.notes.lock().unwrap_or_else(PoisonError::into_inner).extend(first.notes);
            self.resuming.store(true, Ordering::Relaxed);
        }
    }

    /// The ring that is `index` of a worker of request queues.
    pub(in crate::vhost_user) fn request_queue(worker: usize, index: usize) -> u16 {
        let (first, worker) = (REQUEST_QUEUES.start, worker - CONTROL_WORKER - 1);
        u16::try_from(first + worker + index * workers()).unwrap_or(u16::MAX)
    }

    /// Has a worker come back to a ring when its other rings have had their turn.
    pub(in crate::vhost_user) fn look_again(&self, worker: usize, index: usize) {
        if let Some(again) = self.again.get(worker) {
            again.fetch_or(1 << index, Ordering::Relaxed);
            self.wake(worker);
        }
    }

    /// Has all workers come back to all their rings.
    pub(super) fn look_at_all_again(&self) {
        for (worker, again) in self.again.iter().enumerate() {
            again.store(u64::MAX, Ordering::Relaxed);
            self.wake(worker);
        }
    }

    /// Has a worker look what there is to do.
    pub(in crate::vhost_user) fn wake(&self, worker: usize) {
        if let Some(waker) = self.wakers.get(worker) {
            // Fails only when the counter is full, and then the worker is awake anyway.
            let _ = waker.write(1);
        }
    }

    /// Serves the request queues of a worker for as long as they are not all empty for [`poll`](Self::poll); then the guest must
    /// kick again. A kick costs the guest and this side more than a request.
    pub(super) fn poll_requests(&self, vrings: &[Ring], worker: usize, index: usize) {
        let bit = 1_u64 << index;
        let kicked = self.kicked.get(worker).map_or(bit, |kicked| kicked.fetch_or(bit, Ordering::Relaxed) | bit);
        let rings = || vrings.iter().enumerate().filter(|(index, _)| kicked >> index & 1 != 0);
        let start = Instant::now();
        let mut last = start;
        loop {
            let mut served = false;
            for (index, vring) in rings() {
                let look = self.look(vring, false, &self.requests(vring, worker, index));
                served |= matches!(look, Look::More | Look::Empty { served: true });
            }
            let now = Instant::now();
            if served {
                last = now;
            } else if now - last >= self.poll {
                break;
            }
            // Whatever else the worker waits for has its turn.
            if now - start >= LONGEST_POLL {
                break;
            }
            std::hint::spin_loop();
        }
        rings().for_each(|(index, vring)| self.serve_requests(vring, worker, index));
    }

    /// Whether the chain at `position` of a ring must wait. Its unit is asked when the chain is seen first.
    pub(in crate::vhost_user) fn holds(&self, worker: usize, index: usize, position: u16, chain: &Chain<'_>) -> bool {
        // What it waits for may take longer than the connection, which leaves no descriptor behind.
        let Some(waker) = self.wakers.get(worker).map(Arc::downgrade) else { return false };
        let mut held = self.held();
        match held.get(&(worker, index)) {
            Some((at, delay)) if *at == position && !delay.is_over() => return true,
            Some((at, _)) if *at == position => {
                held.remove(&(worker, index));
                return false;
            }
            _ => {}
        }
        // Fails only when the counter is full, and then the worker is awake anyway.
        let wake: Wake = Arc::new(move || drop(waker.upgrade().map(|waker| waker.write(1))));
        match request::delay(&self.target, self.nexus, chain, &wake) {
            Some(delay) => {
                held.insert((worker, index), (position, delay));
                true
            }
            None => false,
        }
    }

    /// The rings of a worker whose next chain has waited long enough, or that have more chains.
    pub(super) fn released(&self, worker: usize) -> Vec<usize> {
        if let Some(waker) = self.wakers.get(worker) {
            // The count does not matter, and an empty one is no fault.
            let _ = waker.read();
        }
        let over = |(&(of, index), (_, delay)): (&(usize, usize), &(u16, Delay))| {
            (of == worker && delay.is_over()).then_some(index)
        };
        let again = self.again.get(worker).map_or(0, |again| again.swap(0, Ordering::Relaxed));
        let again = (0..QUEUES).filter(|index| again >> index & 1 != 0);
        self.held().iter().filter_map(over).chain(again).collect()
    }

    /// The chain at `position` of a ring has waited for what it had to, if anything does, and comes again.
    pub(in crate::vhost_user) fn has_waited(&self, worker: usize, index: usize, position: u16) {
        if self.target.is_slow() {
            let over = Delay::default();
            over.end();
            self.held().insert((worker, index), (position, over));
        }
    }

    /// The ring's next chain waits no more.
    pub(in crate::vhost_user) fn let_go(&self, worker: usize, index: usize) {
        self.held().remove(&(worker, index));
    }

    /// Has these rings wait for nothing any more.
    pub(super) fn forget_held(&self, of: impl Fn(u16) -> bool) {
        self.held().retain(|&(worker, index), _| !of(Self::request_queue(worker, index)));
    }

    fn held(&self) -> MutexGuard<'_, HashMap<(usize, usize), (u16, Delay)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts waiting events into the buffers that the guest left for them.
    pub(super) fn deliver_events(&self, vring: &Ring) {
        let mut state = vring.get_mut();
        if self.features.load(Ordering::Relaxed) & wire::feature::CHANGE == 0 {
            self.events.clear();
            return;
        }
        // Not a byte of one that was stopped: its memory may be somebody else's by now.
        if !is_served(&state) {
            return;
        }
        let events = Events { queue: &self.events, next: Cell::new(None) };
        let (mut served, mut memory) = (0, self.memory_now());
        // No more often than there are buffers.
        while served < MAX_QUEUE_SIZE {
            let (some, end) = self.run(state.get_queue_mut(), &mut memory, MAX_QUEUE_SIZE, &mut None, &events);
            served += some;
            if some == 0 || end == RunEnd::Stuck {
                break;
            }
        }
        let left = events.next.take();
        let is_left = left.is_some();
        if let Some(event) = left {
            self.events.put_back(event);
        }
        if served > 0 && self.wants_call(state.get_queue(), served) {
            let _ = state.signal_used_queue();
        }
        match state.get_queue_mut().enable_notification(memory.get()) {
            // Buffers came between the last look and this, and nobody kicks for them.
            Ok(true) if is_left => self.look_again(CONTROL_WORKER, EVENT_QUEUE as usize),
            Ok(_) => {}
            Err(_) => self.is_without_memory(&memory),
        }
    }
}
