//! Events on their way to the guest's event queue.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, PoisonError};

use vmm_sys_util::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EventFd};

use crate::drive::{Drive, DriveEvent, Listener};
use crate::scsi::Lun;
use crate::virtio::wire::{Event, event, event_lun};

/// ASC 2Ah, ASCQ 09h: CAPACITY DATA HAS CHANGED, as `reason` carries it (virtio 1.2, 5.6.6.3). Linux and Windows look at
/// the unit again; Linux' sr learns of the medium itself by polling.
const CAPACITY_CHANGED: u32 = 0x092A;

/// As many as the event queue of any guest has had buffers for.
const MOST: usize = 64;

/// Events that wait for a buffer of the guest. Shared by the drives, which add, and a worker, which takes.
#[derive(Debug)]
pub struct EventQueue {
    waiting: Mutex<Waiting>,
    ready: EventFd,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    missed: bool,
}

impl EventQueue {
    /// An empty queue.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { waiting: Mutex::default(), ready: EventFd::new(EFD_NONBLOCK | EFD_CLOEXEC)? })
    }

    /// The descriptor that becomes readable when an event is added.
    pub fn descriptor(&self) -> RawFd {
        self.ready.as_raw_fd()
    }

    /// Makes the descriptor unreadable until the next event is added.
    pub fn acknowledge(&self) {
        // The count does not matter, and an empty one is no fault: another wake-up may have taken it.
        let _ = self.ready.read();
    }

    fn add(&self, event: Event) {
        let mut waiting = self.waiting();
        // The same news twice is news once: the guest looks at the unit as it is by then.
        if !waiting.events.contains(&event) {
            if waiting.events.len() < MOST {
                waiting.events.push_back(event);
            } else {
                waiting.missed = true;
            }
        }
        drop(waiting);
        // Fails only when the counter is full, and then the worker is awake anyway.
        let _ = self.ready.write(1);
    }

    /// The oldest event, marked if others were lost before it.
    pub fn take(&self) -> Option<Event> {
        let mut waiting = self.waiting();
        let mut event = waiting.events.pop_front()?;
        if std::mem::take(&mut waiting.missed) {
            event.event = (event.event.get() | event::MISSED).into();
        }
        Some(event)
    }

    /// Puts back what found no buffer, as the oldest.
    pub fn put_back(&self, event: Event) {
        self.waiting().events.push_front(event);
    }

    /// Forgets everything: a new driver has not asked for the past.
    pub fn clear(&self) {
        *self.waiting() = Waiting::default();
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Turns what happens to one drive into events of its logical unit.
pub struct UnitEvents {
    /// Where they go.
    pub queue: Arc<EventQueue>,
    /// Which unit the drive is.
    pub lun: Lun,
}

impl Listener for UnitEvents {
    fn drive_event(&self, _: &Drive, event: &DriveEvent) {
        if matches!(event, DriveEvent::TrayMoved { .. }) {
            self.queue.add(Event {
                event: event::PARAM_CHANGE.into(),
                lun: event_lun(self.lun),
                reason: CAPACITY_CHANGED.into(),
            });
        }
    }
}
