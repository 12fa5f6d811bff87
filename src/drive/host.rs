//! What a person does to a drive, through the control socket.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::state::State;
use super::{Drive, EjectRefused, Medium, Tray};

impl Drive {
    /// Opens the tray. What is in it stays in it.
    ///
    /// # Errors
    /// When a guest prevents removal and `force` is not set, or the tray is stuck; nothing has changed then.
    pub fn open_tray(&self, force: bool) -> Result<(), EjectRefused> {
        self.by_host(|state, events| state.open_tray(force, events))
    }

    /// Closes the tray, on a medium if there is one.
    pub fn close_tray(&self) {
        self.by_host(State::close_tray);
    }

    /// Takes the medium out, which needs the tray open; returns it. A closed tray gives `None` and changes nothing.
    pub fn remove_medium(&self) -> Option<Arc<Medium>> {
        self.by_host(State::remove_medium)
    }

    /// Opens the tray and takes `medium` out, with nothing in between: that one, and no other that has come in its place.
    ///
    /// # Errors
    /// When that is not in the drive any more, a guest prevents removal and `force` is not set, or the tray is stuck; nothing has changed
    /// then.
    pub fn eject_medium(&self, medium: &Arc<Medium>, force: bool) -> Result<(), EjectRefused> {
        self.by_host(|state, events| state.eject_medium(medium, force, events))
    }

    /// Puts a medium into the open tray, or gives it back if the tray is closed or full.
    ///
    /// # Errors
    /// The medium, unchanged.
    pub fn insert_medium(&self, medium: Arc<Medium>) -> Result<(), Arc<Medium>> {
        self.by_host(|state, events| state.insert_medium(medium, events))
    }

    /// Opens the tray, swaps what is in it for `medium`, and closes it, with nothing in between: what `insert` means
    /// to a person. Guests see a removal and then a new medium.
    ///
    /// # Errors
    /// When a guest prevents removal of the medium in it and `force` is not set; nothing has changed then.
    pub fn change_medium(&self, medium: Arc<Medium>, force: bool) -> Result<(), EjectRefused> {
        self.by_host(|state, events| state.change_medium(medium, force, events))
    }

    /// Asks every guest that holds the lock to release the medium (media event EjectRequest; MMC-6, 6.7.2.5).
    pub fn request_eject(&self) {
        self.by_host(State::request_eject);
    }

    /// Waits until the tray is open, nobody prevents removal, or nobody who does has an EjectRequest left to answer; false when
    /// `timeout` passes first, or when `give_up` says so, which is asked now and then.
    ///
    /// The last is true of a guest that has answered and holds the medium again: it let go for too short a time to be seen.
    #[must_use]
    pub fn wait_answered(&self, timeout: Duration, give_up: impl Fn() -> bool) -> bool {
        const NOW_AND_THEN: Duration = Duration::from_millis(100);
        let deadline = Instant::now() + timeout;
        let mut state = self.state();
        while state.tray() == Tray::Closed && state.is_asked_to_let_go() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || give_up() {
                return false;
            }
            let step = left.min(NOW_AND_THEN);
            state = self.moved.wait_timeout(state, step).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
