//! Having somebody keep what must outlive the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::state::{Absent, Kept};
use super::{Drive, Medium, lock};
use crate::scsi::Note;

/// Keeps the state of one drive over the end of this process, at whatever moment that comes.
pub trait Keeper: Send + Sync {
    /// Keeps all of this in place of what was kept before: either of the two is found afterwards, and never a mixture. Returns whether it
    /// is the new one; what could not be kept is given again later. Called by one thread at a time, with no lock held that a command of
    /// the drive waits for, except one that keeps a change itself. An implementer must return soon, for a new medium within seconds
    /// whatever it waits for, and must report by itself what it cannot keep.
    fn keep(&self, kept: &Kept, medium: Option<&Arc<Medium>>, notes: &BTreeMap<u16, Vec<u8>>) -> bool;
}

/// What could not be kept is tried again with the first command after so long, and with every change: a disk that stays full costs guests
/// no more than that.
const AGAIN: Duration = Duration::from_secs(1);

/// Who keeps, and the notes of transports.
#[derive(Default)]
pub(super) struct Keeping {
    keeper: Option<Arc<dyn Keeper>>,
    notes: BTreeMap<u16, Vec<u8>>,
    /// When what could not be kept is tried again, or was.
    again: Option<Duration>,
}

impl Drive {
    /// The same drive, kept by `keeper` as it is now, and from now on.
    #[must_use]
    pub fn kept_by(self, keeper: Arc<dyn Keeper>) -> Self {
        lock(&self.keeping).keeper = Some(keeper);
        // What was changed before had nobody to keep it.
        self.core.unkept.store(true, Ordering::Relaxed);
        self.keep_all(None);
        self
    }

    /// The same drive as it was when it was kept. If its medium cannot be had any more, `medium` says why.
    #[must_use]
    pub fn restored(
        self,
        kept: &Kept,
        medium: Result<Option<Arc<Medium>>, Absent>,
        notes: BTreeMap<u16, Vec<u8>>,
    ) -> Self {
        let mut state = self.state();
        state.restore(kept, medium, self.clock.now());
        self.fetch.medium_changed(state.medium_in_tray(), &self.clock);
        drop(state);
        lock(&self.keeping).notes = notes;
        self
    }

    /// See [`crate::scsi::LogicalUnit::keep`].
    pub(super) fn keep_all(&self, note: Option<Note>) {
        let mut keeping = lock(&self.keeping);
        if let Some(Note { key, bytes }) = note {
            keeping.notes.insert(key, bytes);
        } else if !self.core.unkept.load(Ordering::Relaxed) {
            return;
        }
        let (kept, medium, version) = {
            let state = self.state_by_now();
            if keeping.keeper.is_none() {
                return state.was_kept(state.version());
            }
            (state.kept(), state.medium_in_tray().cloned(), state.version())
        };
        let is_kept = keeping.keeper.as_ref().is_none_or(|keeper| keeper.keep(&kept, medium.as_ref(), &keeping.notes));
        // Also where it was not: else every command would try.
        self.state().was_kept(version);
        if !is_kept {
            self.try_again(&mut keeping);
        }
    }

    fn try_again(&self, keeping: &mut Keeping) {
        let now = self.clock.now();
        if keeping.again.is_none_or(|again| again <= now) {
            let again = now.saturating_add(AGAIN);
            keeping.again = Some(again);
            let unkept = Arc::clone(&self.core.unkept);
            self.clock.at(again, Box::new(move || unkept.store(true, Ordering::Relaxed)));
        }
    }

    /// See [`crate::scsi::LogicalUnit::notes`].
    pub(super) fn kept_notes(&self) -> Vec<Note> {
        lock(&self.keeping).notes.iter().map(|(&key, bytes)| Note { key, bytes: bytes.clone() }).collect()
    }

    /// They are gone from what is kept with the next [`keep_all`](Self::keep_all), also if nothing else has changed.
    pub(super) fn forget_notes(&self) {
        let mut keeping = lock(&self.keeping);
        keeping.notes.clear();
        self.core.unkept.store(true, Ordering::Relaxed);
    }
}
