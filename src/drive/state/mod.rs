//! What a drive remembers between commands, and how it may change: pure transitions, without locks or storage.
//!
//! Invariants, which `tests/it/drive/model.rs` holds against random operations: a medium is reachable by commands only
//! while the tray is closed on it; a tray that a nexus locked on a medium opens only by force; every change that a guest can
//! observe leaves it a unit attention and a media event.

mod kept;
mod nexus;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thiserror::Error;

use super::mode_page::{Live, ModePages, PageControl};
use super::playback::{AudioStatus, Piece, Playback};
use super::speed::Speed;
use super::{DriveEvent, Medium};
use crate::disc::Lba;
use crate::scsi::{Nexus, Reset, Sense, SenseKey};

pub use self::kept::{Absent, Kept};
use self::nexus::{EjectRequest, MediaEvent, NexusState, Prevent};

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
}

fn holders(nexuses: &[Nexus]) -> String {
    let names: Vec<_> = nexuses.iter().map(|nexus| format!("connection {}", nexus.0)).collect();
    names.join(", ")
}

/// Everything that changes.
#[derive(Debug)]
pub struct State {
    tray: Tray,
    /// It does not open.
    stuck: bool,
    medium: Option<Arc<Medium>>,
    nexuses: BTreeMap<Nexus, NexusState>,
    modes: ModePages,
    speed: Speed,
    playback: Playback,
    /// Who reserved the drive (RESERVE).
    reservation: Option<Nexus>,
    /// The medium that should be in it and is not, after a restart.
    absent: Option<Absent>,
    /// Set with every change that outlives the process; whoever has kept what there is clears it.
    unkept: Arc<AtomicBool>,
    /// Counts those changes.
    version: u64,
}

impl State {
    /// A drive without a medium.
    pub fn new(tray: Tray) -> Self {
        let modes = ModePages::default();
        Self {
            tray,
            stuck: false,
            medium: None,
            nexuses: BTreeMap::new(),
            playback: Playback::new(modes.ports()),
            modes,
            speed: Speed::default(),
            reservation: None,
            absent: None,
            unkept: Arc::default(),
            version: 0,
        }
    }

    /// Set while there is a change that nobody has kept.
    pub fn unkept(&self) -> &Arc<AtomicBool> {
        &self.unkept
    }

    /// Grows with every change that outlives the process.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// All changes up to `version` have been kept.
    pub fn was_kept(&self, version: u64) {
        if self.version == version {
            self.unkept.store(false, Ordering::Relaxed);
        }
    }

    fn changed(&mut self) {
        self.version += 1;
        self.unkept.store(true, Ordering::Relaxed);
    }

    /// The medium that should be in it and is not, after a restart.
    pub fn absent(&self) -> Option<&Absent> {
        self.absent.as_ref()
    }

    /// Position of the tray.
    pub fn tray(&self) -> Tray {
        self.tray
    }

    /// The medium, wherever the tray is.
    pub fn medium_in_tray(&self) -> Option<&Arc<Medium>> {
        self.medium.as_ref()
    }

    /// The medium that commands reach: there is none while the tray is open.
    pub fn loaded(&self) -> Option<&Arc<Medium>> {
        match self.tray {
            Tray::Open => None,
            Tray::Closed => self.medium.as_ref(),
        }
    }

    /// Nexuses that prevent removal.
    pub fn locked_by(&self) -> impl Iterator<Item = Nexus> {
        self.nexuses.iter().filter(|(_, nexus)| nexus.prevent != Prevent::default()).map(|(&id, _)| id)
    }

    /// True when some nexus prevents removal.
    pub fn is_locked(&self) -> bool {
        self.locked_by().next().is_some()
    }

    /// See [`super::Drive::open_tray`].
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
    /// otherwise throw the new disc out (Linux's udev answers seconds later when the machine is busy).
    pub fn eject(&mut self, nexus: Nexus, events: &mut Vec<DriveEvent>) -> Result<(), Sense> {
        if self.tray == Tray::Closed {
            if self.nexuses.values().any(|nexus| nexus.prevent.plain) {
                let without_medium = Sense::new(SenseKey::NotReady, 0x53, 0x02);
                return Err(self.medium.as_ref().map_or(without_medium, |_| Sense::REMOVAL_PREVENTED));
            }
            self.changed();
            if mem::take(&mut self.nexus(nexus).eject_request) == EjectRequest::Void {
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

    /// See [`super::Drive::close_tray`].
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

    /// See [`super::Drive::remove_medium`].
    pub fn remove_medium(&mut self, events: &mut Vec<DriveEvent>) -> Option<Arc<Medium>> {
        if self.tray == Tray::Closed {
            return None;
        }
        let medium = self.medium.take()?;
        self.changed();
        events.push(DriveEvent::MediumChanged { medium: None });
        Some(medium)
    }

    /// See [`super::Drive::lose_medium`].
    pub fn lose_medium(&mut self, events: &mut Vec<DriveEvent>) {
        if self.medium.take().is_none() {
            return;
        }
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

    /// See [`super::Drive::insert_medium`].
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

    /// See [`super::Drive::change_medium`].
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

    /// See [`super::Drive::request_eject`].
    pub fn request_eject(&mut self, events: &mut Vec<DriveEvent>) {
        for nexus in self.nexuses.values_mut().filter(|nexus| nexus.prevent != Prevent::default()) {
            nexus.notice(MediaEvent::EjectRequest);
        }
        self.changed();
        events.push(DriveEvent::EjectRequested);
    }

    /// PREVENT ALLOW MEDIUM REMOVAL: `change` edits the nexus' own prevent state.
    pub fn set_prevent(&mut self, nexus: Nexus, change: impl FnOnce(&mut Prevent), events: &mut Vec<DriveEvent>) {
        let before = self.is_locked();
        self.changed();
        change(&mut self.nexus(nexus).prevent);
        self.tell_lock(before, events);
    }

    /// The oldest unit attention of `nexus`, if any; it is not reported again when `take` is set.
    pub fn attention(&mut self, nexus: Nexus, take: bool) -> Option<Sense> {
        let attentions = &mut self.nexus(nexus).attentions;
        if !take {
            return attentions.front().copied();
        }
        let attention = attentions.pop_front()?;
        self.changed();
        Some(attention)
    }

    /// True when a nexus other than `nexus` holds the reservation.
    pub fn reserved_from(&self, nexus: Nexus) -> bool {
        self.reservation.is_some_and(|holder| holder != nexus)
    }

    /// RESERVE: `nexus` holds the reservation, unless another does.
    pub fn reserve(&mut self, nexus: Nexus) {
        self.reservation.get_or_insert(nexus);
        self.changed();
    }

    /// RELEASE: nothing happens unless `nexus` holds the reservation.
    pub fn release(&mut self, nexus: Nexus) {
        if self.reservation.take_if(|holder| *holder == nexus).is_some() {
            self.changed();
        }
    }

    /// The D_SENSE bit of the Control mode page.
    pub fn descriptor_sense(&self) -> bool {
        self.modes.descriptor_sense()
    }

    /// The TB bit of the Read/Write Error Recovery mode page.
    pub fn transfer_block(&self) -> bool {
        self.modes.transfer_block()
    }

    /// MODE SENSE: see [`ModePages::pages`].
    pub fn mode_pages(&self, wanted: u8, control: PageControl) -> Vec<u8> {
        self.modes.pages(wanted, control, self.live())
    }

    /// MODE SELECT: see [`ModePages::selected`]. The other nexuses learn of a change (SPC-4, 6.9).
    pub fn select_modes(&mut self, nexus: Nexus, list: &[u8], pages_at: usize) -> Result<(), Sense> {
        let selected = self.modes.selected(list, pages_at, self.live())?;
        if selected != self.modes {
            self.changed();
            self.modes = selected;
            self.playback.set_ports(self.modes.ports());
            self.attend_others(nexus, Sense::MODE_PARAMETERS_CHANGED);
        }
        Ok(())
    }

    /// The audio play; see [`Playback`].
    pub fn playback(&self) -> &Playback {
        &self.playback
    }

    /// See [`playback`](Self::playback). What is done to it outlives the process.
    pub fn playback_mut(&mut self) -> &mut Playback {
        self.changed();
        &mut self.playback
    }

    /// See [`Playback::hear`].
    pub fn hear(&mut self) {
        self.playback.hear();
    }

    /// See [`Playback::advance`].
    pub fn advance(&mut self, now: Duration) -> Option<Lba> {
        self.playback.advance(now)
    }

    /// See [`Playback::take_unheard`].
    pub fn take_unheard(&mut self) -> VecDeque<Piece> {
        self.playback.take_unheard()
    }

    /// See [`Playback::tell_status`].
    pub fn tell_audio_status(&mut self) -> AudioStatus {
        let told = self.playback.tell_status();
        if matches!(told, AudioStatus::Completed | AudioStatus::Failed) {
            self.changed();
        }
        told
    }

    /// The SOTC bit of the CD Audio Control mode page.
    pub fn stops_on_track_crossing(&self) -> bool {
        self.modes.stops_on_track_crossing()
    }

    fn live(&self) -> Live {
        Live { locked: self.is_locked(), read_speed: self.read_speed() }
    }

    /// The read speed that initiators chose.
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// See [`speed`](Self::speed).
    pub fn speed_mut(&mut self) -> &mut Speed {
        self.changed();
        &mut self.speed
    }

    /// The highest read speed of the medium, and the one in use.
    fn read_speed(&self) -> (u16, u16) {
        let medium = self.loaded().map(|medium| medium.disc.medium);
        let field = |speed| u16::try_from(speed).unwrap_or(u16::MAX);
        (field(Speed::maximum(medium)), field(self.speed.current(medium)))
    }

    /// Raises a unit attention for every nexus but `except`.
    pub fn attend_others(&mut self, except: Nexus, sense: Sense) {
        self.changed();
        for (_, nexus) in self.nexuses.iter_mut().filter(|(id, _)| **id != except) {
            nexus.attend(sense);
        }
    }

    /// The oldest media event of `nexus`; it is not reported again.
    pub fn take_media_event(&mut self, nexus: Nexus) -> Option<MediaEvent> {
        let nexus = self.nexus(nexus);
        let event = nexus.media_events.pop_front()?;
        if event == MediaEvent::EjectRequest {
            nexus.eject_request = EjectRequest::Told;
        }
        self.changed();
        Some(event)
    }

    /// Whether the current features changed for `nexus`; it is not reported again.
    pub fn take_feature_change(&mut self, nexus: Nexus) -> bool {
        let changed = mem::take(&mut self.nexus(nexus).features_changed);
        if changed {
            self.changed();
        }
        changed
    }

    /// True when some nexus prevents removal persistently.
    pub fn is_locked_persistently(&self) -> bool {
        self.nexuses.values().any(|nexus| nexus.prevent.persistent)
    }

    /// See [`crate::scsi::LogicalUnit::reset`].
    pub fn reset(&mut self, kind: Reset, events: &mut Vec<DriveEvent>) {
        let before = self.is_locked();
        self.changed();
        match kind {
            // Every nexus meets the drive anew: the power-on attention, no lock, no events of the old life.
            Reset::PowerOn | Reset::LogicalUnit => {
                self.nexuses.values_mut().for_each(|nexus| *nexus = NexusState::new());
                self.modes = ModePages::default();
                self.playback.reset();
                self.playback.set_ports(self.modes.ports());
                self.speed = Speed::default();
                self.reservation = None;
            }
            Reset::NexusLoss(id) => {
                self.release(id);
                self.playback.stop_of(id);
                let persistent = self.nexuses.remove(&id).is_some_and(|nexus| nexus.prevent.persistent);
                if persistent {
                    self.nexus(id).prevent.persistent = true;
                }
            }
        }
        self.tell_lock(before, events);
    }

    fn nexus(&mut self, id: Nexus) -> &mut NexusState {
        match self.nexuses.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                self.version += 1;
                self.unkept.store(true, Ordering::Relaxed);
                unknown.insert(NexusState::new())
            }
        }
    }

    fn unlock_all(&mut self, events: &mut Vec<DriveEvent>) {
        let before = self.is_locked();
        self.changed();
        self.nexuses.values_mut().for_each(|nexus| nexus.prevent = Prevent::default());
        self.tell_lock(before, events);
    }

    fn tell_lock(&self, before: bool, events: &mut Vec<DriveEvent>) {
        let locked = self.is_locked();
        if locked != before {
            events.push(DriveEvent::LockChanged { locked });
        }
    }
}

/// The sense for a medium that commands cannot reach (MMC-6, Annex F).
pub fn not_present(tray: Tray) -> Sense {
    match tray {
        Tray::Open => Sense::NO_MEDIUM_TRAY_OPEN,
        Tray::Closed => Sense::NO_MEDIUM_TRAY_CLOSED,
    }
}
