//! Serving one ring: chains out, executed, and back, in order.

use std::time::{Duration, Instant};

use vhost_user_backend::{VringState, VringT};
use virtio_queue::{Queue, QueueT};
use vm_memory::{GuestAddressSpace, GuestMemoryAtomic};

use super::backend::{Backend, MemoryNow};
use super::ring::{Ring, is_served};
use crate::source::waits;
use crate::sys::memory::GuestMemory;
use crate::virtio::chain::{Chain, Fault};
use crate::virtio::request::Outcome;
use crate::virtio::split::Split;

/// Chains that are served before the ring's lock is offered to the connection thread: a guest that never stops asking
/// must not keep the front-end from stopping the ring.
const BATCH: usize = 64;
/// How often that is done before the worker looks for other events. A ring need never be empty: where the used ring lies
/// over the available one, each chain that is returned makes another available.
const MOST_BATCHES: usize = 16;

/// How long a worker leaves a ring's lock to the front-end: many times what it takes to wake a thread up.
const LEFT_TO_FRONT_END: Duration = Duration::from_millis(10);

/// For how long nothing is announced of what is done while others are served that wait for storage, unless that is as much as those
/// others. An announcement costs a system call here and an interrupt there, and a driver that is told of many sends as many, which
/// storage then gets at once; while it does, the other half keeps storage busy.
const LONGEST_UNTOLD: Duration = Duration::from_micros(300);

/// The most chains that are named ahead.
const MOST_NAMED: u16 = 64;

/// Why no further chain of a ring is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunEnd {
    /// There was none.
    Empty,
    /// The next one waits for time to pass, all give way, or the ring is broken.
    Stuck,
}

/// What was served of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Served {
    /// All that can be.
    All,
    /// As much as is served at a time; there may be more.
    Some,
}

/// How a look at a ring ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// There may be more chains.
    More,
    /// It is empty; whether it was not before.
    Empty { served: bool },
    /// It is stopped or broken, or its next chain waits for time to pass.
    Rest,
}

/// What becomes of the chains of a ring.
pub(super) trait Handler {
    /// Whether any of the chains that are in the ring by now may have to wait.
    fn may_hold(&self) -> bool {
        false
    }

    /// Whether the chain at a position must wait.
    fn holds(&self, _position: u16, _chain: &Chain<'_>) -> bool {
        false
    }

    /// Carries out what the chain at a position says.
    fn execute(&self, position: u16, chain: &Chain<'_>) -> Outcome;

    /// Whether somebody waits for the ring, or for its worker, so that the next chain stays in it. The worker then comes back to it.
    fn gives_way(&self) -> bool {
        false
    }

    /// It will be carried out soon, after others that may wait.
    fn read_ahead(&self, _chain: &Chain<'_>) {}

    /// The worker, if it may wait a little for more chains before the driver is told of those that are done.
    fn gathers(&self) -> Option<usize> {
        None
    }
}

/// Lets the front-end have the lock of a ring first: this worker would have it again before that has woken up. Not for ever, as it may be
/// held up itself, and other rings wait.
#[cold]
fn let_front_end_have(vring: &Ring) {
    let begun = Instant::now();
    while vring.is_wanted() && begun.elapsed() < LEFT_TO_FRONT_END {
        std::thread::yield_now();
    }
}

/// Names the `waiting` chains from `first` on to the handler, those that it has not been told of: where reads wait for storage, they
/// then wait side by side. Chains still are carried out and returned in order.
#[cold]
fn read_ahead(ring: &Split<'_>, first: u16, waiting: u16, named: &mut Option<u16>, handler: &impl Handler) {
    // One alone is read at once.
    if waiting > 1 {
        let most = waiting.min(MOST_NAMED);
        let known = named.map(|named| named.wrapping_sub(first)).filter(|known| *known <= most);
        let mut chain = Chain::default();
        for position in known.unwrap_or(0)..most {
            chain.walk(ring, ring.head(first.wrapping_add(position)));
            handler.read_ahead(&chain);
        }
        *named = Some(first.wrapping_add(most));
    }
}

/// How many chains from `first` on have been named ahead.
fn left(named: Option<u16>, first: u16) -> usize {
    let left = named.map_or(0, |named| named.wrapping_sub(first));
    // Those before it may have been served without.
    if left <= MOST_NAMED { left.into() } else { 0 }
}

impl Backend {
    /// Serves a ring until it is empty or had its turn, strictly in order, and holds its lock from each chain's removal to its return:
    /// so a ring that the front-end stops has no request in flight, and one that continues elsewhere loses none.
    ///
    /// A chain that is to be held back is left where it is, and the ring with it: in ring order nothing can be returned before
    /// it. No lock is held and no thread waits meanwhile; a ring that is stopped then stops before that chain.
    pub(super) fn serve(&self, vring: &Ring, handler: &impl Handler) -> Served {
        for _ in 0..MOST_BATCHES {
            if self.look(vring, true, handler) != Look::More {
                return Served::All;
            }
            std::thread::yield_now();
        }
        Served::Some
    }

    /// Serves at most [`BATCH`] chains. With `wait` the guest must kick for what it adds to an empty ring.
    pub(super) fn look(&self, vring: &Ring, wait: bool, handler: &impl Handler) -> Look {
        if vring.is_wanted() {
            let_front_end_have(vring);
        }
        let mut state = vring.get_mut();
        // Stopped, disabled or moved meanwhile: whoever starts it again has us look again.
        if !is_served(&state) {
            return Look::Rest;
        }
        let mut memory = self.memory_now();
        if state.get_queue_mut().disable_notification(memory.get()).is_err() {
            self.is_without_memory(&memory);
            return Look::Rest;
        }
        let (mut served, mut told) = (0, 0);
        let (mut named, mut untold_since, mut until) = (None, None::<Instant>, None);
        let gathers = handler.gathers().filter(|_| wait);
        let mut end = RunEnd::Empty;
        while served < BATCH && end == RunEnd::Empty {
            if served > 0 && handler.gives_way() {
                end = RunEnd::Stuck;
                break;
            }
            if waits::expected() {
                untold_since.get_or_insert_with(Instant::now);
            }
            let run;
            (run, end) = self.run(state.get_queue_mut(), &mut memory, BATCH - served, &mut named, handler);
            if run == 0 {
                let more = |worker| self.gather(vring, &state, served - told, &mut until, worker);
                if end == RunEnd::Empty && gathers.is_some_and(more) {
                    continue;
                }
                break;
            }
            served += run;
            // What is done need not wait much longer for what is not.
            let many = || served - told >= left(named, state.get_queue().next_avail());
            let long = || untold_since.is_some_and(|since| since.elapsed() >= LONGEST_UNTOLD);
            if waits::expected() && (many() || long()) {
                self.call(&state, served - told);
                (told, untold_since) = (served, None);
            }
        }
        if self.call(&state, served - told) && gathers.is_some() {
            vring.pace().called(u16::try_from(served - told).unwrap_or(u16::MAX), Instant::now());
        }
        if end == RunEnd::Stuck {
            // What the guest adds meanwhile comes after the chain that waits.
            return Look::Rest;
        }
        // With an empty ring: true when something came between the last look and this.
        if served == BATCH {
            return Look::More;
        }
        if wait {
            let memory = self.memory_now();
            match state.get_queue_mut().enable_notification(memory.get()) {
                Ok(true) => return Look::More,
                Ok(false) => {}
                // Taken away since the look: nobody would kick.
                Err(_) => {
                    self.is_without_memory(&memory);
                    return Look::Rest;
                }
            }
        }
        Look::Empty { served: served > 0 }
    }

    /// Tells the driver of the last `served` chains, if it wants that; whether it did.
    fn call(&self, state: &VringState<GuestMemoryAtomic<GuestMemory>>, served: usize) -> bool {
        let wanted = served > 0 && self.wants_call(state.get_queue(), served);
        if wanted {
            // Fails only when the counter is full: then the guest has been told already.
            let _ = state.signal_used_queue();
        }
        wanted
    }

    /// Serves the chains that are in a ring now, at most `most`, and no further one when the last may have waited; how many that
    /// were, and whether the next must wait or cannot be had or answered. `named` is the position up to which the handler was told what comes.
    pub(super) fn run(
        &self,
        queue: &mut Queue,
        memory: &mut MemoryNow,
        most: usize,
        named: &mut Option<u16>,
        handler: &impl Handler,
    ) -> (usize, RunEnd) {
        let mut ring = Split::new(memory.get(), queue);
        let mut end = ring.as_ref().map(Split::available);
        // The memory as it is after the index was read: whatever those chains name is in it. The ring may have been in none before.
        if !self.is_now(memory) {
            end = loop {
                *memory = self.memory_now();
                let end = Split::new(memory.get(), queue).map(|ring| ring.available());
                if self.is_now(memory) {
                    break end;
                }
            };
            ring = Split::new(memory.get(), queue);
        }
        let (Some(end), Some(ring)) = (end, ring) else {
            self.is_without_memory(memory);
            return (0, RunEnd::Stuck);
        };
        let first = queue.next_avail();
        let waiting = end.wrapping_sub(first);
        if waiting == 0 {
            return (0, RunEnd::Empty);
        }
        if waiting > ring.size() {
            self.complain("the guest gave an index that its ring cannot have");
            return (0, RunEnd::Stuck);
        }
        let may_hold = handler.may_hold();
        // Two, by turns: while one chain is served the heads of the next are on their way from the driver's processor.
        let (mut one, mut other) = (Chain::default(), Chain::default());
        let (mut now, mut next) = (&mut one, &mut other);
        let most = usize::from(waiting).min(most).min(BATCH);
        if waits::expected() {
            read_ahead(&ring, first, waiting, named, handler);
        }
        // All at once: the driver writes beside them what it adds meanwhile, and has the line then.
        let mut heads = [0; BATCH];
        for (position, head) in (0..).zip(&mut heads[..most]) {
            *head = ring.head(first.wrapping_add(position));
        }
        let heads = &heads[..most];
        let Some(&first_head) = heads.first() else { return (0, RunEnd::Empty) };
        now.walk(&ring, first_head);
        for (served, &head) in heads.iter().enumerate() {
            let position = first.wrapping_add(served as u16);
            if served > 0 && handler.gives_way() {
                return (served, RunEnd::Stuck);
            }
            if let Some(&next_head) = heads.get(served + 1) {
                next.walk(&ring, next_head);
                next.prefetch();
            }
            // It cannot be answered. Given back like that, what its response was before would be taken for one.
            if now.fault == Some(Fault::NoResponse) {
                self.is_without_memory(memory);
                return (served, RunEnd::Stuck);
            }
            if may_hold && handler.holds(position, now) {
                return (served, RunEnd::Stuck);
            }
            queue.set_next_avail(position.wrapping_add(1));
            if head >= ring.size() {
                self.complain("the guest gave a chain outside its table");
                return (served, RunEnd::Stuck);
            }
            let outcome = handler.execute(position, now);
            if outcome.given_up {
                queue.set_next_avail(position);
                return (served, RunEnd::Stuck);
            }
            if let Some(fault) = outcome.fault {
                self.complain(&format!("the guest gave a request that breaks the rules of virtio: {fault:?}"));
            }
            let used = queue.next_used();
            ring.put_used(used, head, outcome.written);
            ring.publish(used.wrapping_add(1));
            queue.set_next_used(used.wrapping_add(1));
            std::mem::swap(&mut now, &mut next);
            if waits::expected() {
                return (served + 1, RunEnd::Empty);
            }
        }
        (most, RunEnd::Empty)
    }

    /// Whether the driver wants to be called for the last `served` chains.
    pub(super) fn wants_call(&self, queue: &Queue, served: usize) -> bool {
        let new = queue.next_used();
        Split::new(&self.memory.memory(), queue)
            .is_none_or(|ring| ring.wants_call(new.wrapping_sub(served as u16), new))
    }
}
