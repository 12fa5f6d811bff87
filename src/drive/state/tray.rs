//! The tray, what lies in it, and who prevents that it opens.

use std::sync::Arc;

use thiserror::Error;

use super::super::{DriveEvent, Medium};
use super::State;
use super::nexus::{MediaEvent, NexusState, Prevent};
use crate::drive::speed::Speed;
use crate::scsi::{Nexus, Sense, SenseKey};

/// Position of the tray.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tray {
    /// Out.
    Open,
    /// In, with or without a medium.
    Closed,
}

/// Why the tray does not open.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EjectRefused {
    /// These prevent the removal of the medium.
    #[error("the guest has locked the tray (PREVENT ALLOW MEDIUM REMOVAL by {})", holders(.0))]
    Locked(Vec<Nexus>),
    /// Somebody asked for that.
    #[error("the tray is stuck (spindle fault)")]
    Stuck,
    /// The medium that was to come out has left.
    #[error("another disc has been put in, or the disc taken out, meanwhile")]
    Changed,
}

fn holders(nexuses: &[Nexus]) -> String {
    let names: Vec<_> = nexuses.iter().map(|nexus| format!("connection {}", nexus.0)).collect();
    names.join(", ")
}

impl State {
    /// See [`crate::drive::Drive::open_tray`].
    pub fn open_tray(&mut self, force: bool, events: &mut Vec<DriveEvent>) -> Result<(), EjectRefused> {
        if self.tray == Tray::Closed && self.stuck {
            return Err(EjectRefused::Stuck);
        }
        if self.tray == Tray::Closed && self.is_locked() {
            if !force {
                return Err(EjectRefused::Locked(self.locked_by().collect()));
            }
            self.unlock_all(events);
        }
        self.move_out(events);
        Ok(())
    }

    /// Opens the tray because an initiator says so. A persistent prevent state stays, and does not stand in the way:
    /// it takes the eject button away, not the command (Mt. Fuji, PREVENT ALLOW MEDIUM REMOVAL).
    ///
    /// # Errors
    /// 05/53/02 while removal is prevented; without a medium 02/53/02, as drives and QEMU report it. 04/53/00 when the tray is
    /// stuck. 06/28/00 for the late
    /// answer to an EjectRequest whose medium has left since: a guest that read another command's unit attention would
    /// otherwise throw the new disc out (Linux's udev answers seconds later when the machine is busy). An answer that is refused is one
    /// all the same: who still waits has to ask again.
    pub fn eject(&mut self, nexus: Nexus, events: &mut Vec<DriveEvent>) -> Result<(), Sense> {
        let late = self.nexus(nexus).eject_requests.answer();
        self.changed();
        if self.tray == Tray::Closed {
            if self.nexuses.values().any(|nexus| nexus.prevent.plain) {
                let without_medium = Sense::new(SenseKey::NotReady, 0x53, 0x02);
                return Err(self.medium.as_ref().map_or(without_medium, |_| Sense::REMOVAL_PREVENTED));
            }
            if late {
                return Err(Sense::MEDIUM_MAY_HAVE_CHANGED);
            }
            if self.stuck {
                return Err(Sense::EJECT_FAILED);
            }
        }
        self.move_out(events);
        Ok(())
    }

    fn move_out(&mut self, events: &mut Vec<DriveEvent>) {
        if self.tray == Tray::Open {
            return;
        }
        self.changed();
        self.tray = Tray::Open;
        self.absent = None;
        self.playback.reset();
        events.push(DriveEvent::TrayMoved { open: true });
        if self.medium.is_some() {
            self.speed = Speed::default();
            self.nexuses.values_mut().for_each(NexusState::medium_left);
        }
    }

    /// See [`crate::drive::Drive::close_tray`].
    pub fn close_tray(&mut self, events: &mut Vec<DriveEvent>) {
        if self.tray == Tray::Closed {
            return;
        }
        self.changed();
        self.tray = Tray::Closed;
        events.push(DriveEvent::TrayMoved { open: false });
        if self.medium.is_some() {
            self.nexuses.values_mut().for_each(NexusState::medium_arrived);
        }
    }

    /// See [`crate::drive::Drive::remove_medium`].
    pub fn remove_medium(&mut self, events: &mut Vec<DriveEvent>) -> Option<Arc<Medium>> {
        if self.tray == Tray::Closed {
            return None;
        }
        let medium = self.medium.take()?;
        self.changed();
        events.push(DriveEvent::MediumChanged { medium: None });
        Some(medium)
    }

    /// See [`crate::drive::Drive::eject_medium`].
    pub fn eject_medium(
        &mut self,
        medium: &Arc<Medium>,
        force: bool,
        events: &mut Vec<DriveEvent>,
    ) -> Result<(), EjectRefused> {
        if !self.medium.as_ref().is_some_and(|now| Arc::ptr_eq(now, medium)) {
            return Err(EjectRefused::Changed);
        }
        self.open_tray(force, events)?;
        self.remove_medium(events);
        Ok(())
    }

    /// See [`crate::drive::Drive::lose_medium`].
    pub fn lose_medium(&mut self, events: &mut Vec<DriveEvent>) {
        if self.medium.take().is_none() {
            return;
        }
        self.changed();
        events.push(DriveEvent::MediumChanged { medium: None });
        if self.tray == Tray::Closed {
            self.playback.reset();
            self.speed = Speed::default();
            self.nexuses.values_mut().for_each(NexusState::medium_left);
        }
    }

    /// Whether the tray does not open.
    pub fn set_stuck(&mut self, stuck: bool) {
        self.stuck = stuck;
    }

    /// See [`crate::drive::Drive::insert_medium`].
    pub fn insert_medium(&mut self, medium: Arc<Medium>, events: &mut Vec<DriveEvent>) -> Result<(), Arc<Medium>> {
        if self.tray == Tray::Closed || self.medium.is_some() {
            return Err(medium);
        }
        self.changed();
        events.push(DriveEvent::MediumChanged { medium: Some(Arc::clone(&medium)) });
        self.medium = Some(medium);
        self.absent = None;
        Ok(())
    }

    /// See [`crate::drive::Drive::change_medium`].
    pub fn change_medium(
        &mut self,
        medium: Arc<Medium>,
        force: bool,
        events: &mut Vec<DriveEvent>,
    ) -> Result<(), EjectRefused> {
        // A lock on an empty tray has no medium whose removal it could prevent: it gives way, and then holds the new one.
        if self.medium.is_none() && !self.stuck {
            self.move_out(events);
        }
        self.open_tray(force, events)?;
        self.remove_medium(events);
        // The tray is open and empty now, so this cannot be refused.
        let inserted = self.insert_medium(medium, events);
        debug_assert!(inserted.is_ok());
        self.close_tray(events);
        Ok(())
    }

    /// See [`crate::drive::Drive::request_eject`].
    pub fn request_eject(&mut self, events: &mut Vec<DriveEvent>) {
        for nexus in self.nexuses.values_mut().filter(|nexus| nexus.prevent != Prevent::default()) {
            nexus.notice(MediaEvent::EjectRequest);
        }
        self.changed();
        events.push(DriveEvent::EjectRequested);
    }

    /// Whether somebody who prevents removal has an EjectRequest left to hear of or to answer.
    pub fn is_asked_to_let_go(&self) -> bool {
        self.nexuses.values().any(|nexus| nexus.prevent != Prevent::default() && nexus.is_asked())
    }

    /// PREVENT ALLOW MEDIUM REMOVAL: `change` edits the nexus' own prevent state.
    pub fn set_prevent(&mut self, nexus: Nexus, change: impl FnOnce(&mut Prevent), events: &mut Vec<DriveEvent>) {
        let before = self.is_locked();
        self.changed();
        change(&mut self.nexus(nexus).prevent);
        self.tell_lock(before, events);
    }
}
