//! What becomes of the chains of each kind of ring.

use std::cell::Cell;

use super::backend::Backend;
use super::events::EventQueue;
use super::ring::Ring;
use super::serve::Handler;
use crate::scsi::Note;
use crate::source::Scatter;
use crate::virtio::chain::Chain;
use crate::virtio::ends::Ends;
use crate::virtio::request::Outcome;
use crate::virtio::wire::Event;
use crate::virtio::{answer, control, request};
use zerocopy::IntoBytes;

/// A request queue: commands.
pub(super) struct Requests<'b> {
    pub backend: &'b Backend,
    /// The worker, and which of its rings this is.
    pub worker: usize,
    pub index: usize,
    pub ring: &'b Ring,
    /// Whether a command that takes long gives way to a function that wants to end commands.
    pub yields: bool,
}

impl Requests<'_> {
    /// Whether somebody waits for the ring, or for the worker.
    fn is_asked(&self) -> bool {
        let Self { backend, worker, ring, yields, .. } = self;
        ring.is_wanted() || backend.has_ended() || *yields && backend.is_to_end_tasks(*worker)
    }
}

impl Handler for Requests<'_> {
    fn may_hold(&self) -> bool {
        self.backend.target.is_slow()
    }

    fn holds(&self, position: u16, chain: &Chain<'_>) -> bool {
        self.backend.holds(self.worker, self.index, position, chain)
    }

    /// What a command changed is kept before its chain is returned, together with its answer.
    fn execute(&self, position: u16, chain: &Chain<'_>) -> Outcome {
        let Self { backend, worker, index, .. } = *self;
        let outcome = request::execute(&backend.target, backend.nexus, chain, &|| self.is_asked());
        if outcome.given_up {
            backend.has_waited(worker, index, position);
            backend.look_again(worker, index);
        }
        if let Some(lun) = outcome.unkept {
            let note = |bytes| Note { key: Backend::request_queue(worker, index), bytes };
            backend.target.keep(lun, answer::remember(position, chain, outcome.written).map(note));
        }
        outcome
    }

    fn gives_way(&self) -> bool {
        let asked = self.is_asked();
        if asked {
            self.backend.look_again(self.worker, self.index);
        }
        asked
    }

    fn read_ahead(&self, chain: &Chain<'_>) {
        request::read_ahead(&self.backend.target, self.backend.nexus, chain);
    }

    fn gathers(&self) -> Option<usize> {
        Some(self.worker)
    }
}

/// The same ring at the first look after a restart: the process before this one may have carried out the command, and not have returned
/// it.
pub(super) struct Resumed<'b> {
    pub requests: Requests<'b>,
    /// What that process kept of this ring.
    pub notes: Vec<Note>,
}

impl Handler for Resumed<'_> {
    fn may_hold(&self) -> bool {
        self.requests.may_hold()
    }

    /// What was carried out already waits for nothing.
    fn holds(&self, position: u16, chain: &Chain<'_>) -> bool {
        let fits = |note: &Note| answer::fits(&note.bytes, position, chain);
        !self.notes.iter().any(fits) && self.requests.holds(position, chain)
    }

    fn execute(&self, position: u16, chain: &Chain<'_>) -> Outcome {
        let repeated = self.notes.iter().find_map(|note| answer::repeat(&note.bytes, position, chain));
        repeated.unwrap_or_else(|| self.requests.execute(position, chain))
    }
}

/// The control queue: task management.
pub(super) struct Controls<'b>(pub &'b Backend);

impl Handler for Controls<'_> {
    fn may_hold(&self) -> bool {
        true
    }

    /// A function that ends commands, or asks for them, waits for those who look at their rings.
    fn holds(&self, position: u16, chain: &Chain<'_>) -> bool {
        self.0.awaits_ends(position, chain)
    }

    fn execute(&self, position: u16, chain: &Chain<'_>) -> Outcome {
        control::execute(&self.0.target, self.0.nexus, chain, self.0.are_left(position))
    }
}

/// A request queue while a task management function ends commands: those are returned as they are, others carried out.
pub(super) struct Ending<'b> {
    pub requests: Requests<'b>,
    pub ends: Ends,
    /// What those are answered with.
    pub response: u8,
    /// Whether others have given way, so that those behind them are not returned yet.
    pub gave_way: Cell<bool>,
}

impl Handler for Ending<'_> {
    fn may_hold(&self) -> bool {
        true
    }

    fn holds(&self, position: u16, chain: &Chain<'_>) -> bool {
        let Requests { backend, worker, index, .. } = self.requests;
        if self.ends.has(chain) {
            backend.let_go(worker, index);
            return false;
        }
        self.requests.may_hold() && self.requests.holds(position, chain)
    }

    fn execute(&self, position: u16, chain: &Chain<'_>) -> Outcome {
        if self.ends.has(chain) {
            return request::refuse(chain, self.response);
        }
        let outcome = self.requests.execute(position, chain);
        self.gave_way.set(self.gave_way.get() || outcome.given_up);
        outcome
    }

    fn gives_way(&self) -> bool {
        self.gave_way.set(self.gave_way.get() || self.requests.gives_way());
        self.gave_way.get()
    }
}

/// The event queue: buffers, each of which stays where it is as long as there is no event for it.
pub(super) struct Events<'b> {
    pub queue: &'b EventQueue,
    /// Taken from the queue, and not in a buffer yet.
    pub next: Cell<Option<Event>>,
}

impl Handler for Events<'_> {
    fn may_hold(&self) -> bool {
        true
    }

    fn holds(&self, _position: u16, _chain: &Chain<'_>) -> bool {
        let next = self.next.take().or_else(|| self.queue.take());
        let none = next.is_none();
        self.next.set(next);
        none
    }

    fn execute(&self, _position: u16, chain: &Chain<'_>) -> Outcome {
        let written = self.next.take().map_or(0, |event| Scatter::new(&chain.writable).copy_from(event.as_bytes()));
        Outcome::of(written as u32)
    }
}
