//! What a drive remembers between commands, and how it may change: pure transitions, without locks or storage.
//!
//! Invariants, which `tests/it/drive/model.rs` holds against random operations: a medium is reachable by commands only
//! while the tray is closed on it; a tray that a nexus locked on a medium opens only by force; every change that a guest can
//! observe leaves it a unit attention and a media event.

mod kept;
mod nexus;
mod tray;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::mode_page::{Live, ModePages, PageControl};
use super::playback::{AudioStatus, Piece, Playback};
use super::speed::Speed;
use super::{DriveEvent, Medium};
use crate::disc::Lba;
use crate::scsi::{Nexus, Reset, Sense};

pub use self::kept::{Absent, Kept};
use self::nexus::{MediaEvent, NexusState, Prevent};
pub use self::tray::{EjectRefused, Tray};

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

    /// The medium that commands of `nexus` reach, if nothing but that decides what becomes of one: no reservation of another, no unit
    /// attention, and no play that it would end.
    pub fn undisturbed(&self, nexus: Nexus) -> Option<&Arc<Medium>> {
        let met = self.nexuses.get(&nexus)?;
        let disturbed = self.reserved_from(nexus) || !met.attentions.is_empty() || self.playback.is_under_way();
        if disturbed { None } else { self.loaded() }
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
        let event = self.nexus(nexus).take_media_event()?;
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
