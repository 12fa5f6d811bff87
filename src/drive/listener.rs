//! Who is told what happens to a drive.

use std::sync::Arc;

use super::{Drive, Medium};

/// What happened to a drive; see [`Listener`].
#[derive(Debug, Clone)]
pub enum DriveEvent {
    /// The tray opened or closed.
    TrayMoved {
        /// Its new position.
        open: bool,
    },
    /// A medium was put in, or taken out.
    MediumChanged {
        /// The new one; `None` when it was removed.
        medium: Option<Arc<Medium>>,
    },
    /// The guest was asked to release the medium.
    EjectRequested,
    /// The guest locked or unlocked the tray.
    LockChanged {
        /// True when some nexus now prevents removal.
        locked: bool,
    },
    /// The drive took over the state of another: its tray and lock may be others now.
    StateLoaded,
    /// A block could not be read.
    ReadError {
        /// Its address, below zero in the pre-gap of the first track.
        block: i32,
        /// What the storage said.
        reason: String,
    },
}

/// Told of events in the order of the changes, whichever threads made them: one at a time, on some thread that is in a
/// method of [`Drive`], with no lock held that such a method waits for. An implementer must not block.
pub trait Listener: Send + Sync {
    /// One event of one drive.
    fn drive_event(&self, drive: &Drive, event: &DriveEvent);
}
