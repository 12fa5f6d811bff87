//! What a drive remembers between commands, and how it may change: pure transitions, without locks or storage.
//!
//! Invariants, which `tests/it/drive/model.rs` holds against random operations: a medium is reachable by commands only
//! while the tray is closed on it; a tray that a nexus locked on a medium opens only by force; every change that a guest can
//! observe leaves it a unit attention and a media event.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use thiserror::Error;

use super::mode_page::{Live, ModePages, PageControl};
use super::playback::Playback;
use super::speed::Speed;
use super::{DriveEvent, Medium};
use crate::scsi::{Nexus, Reset, Sense, SenseKey};

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

/// Media events of GET EVENT STATUS NOTIFICATION (MMC-6, 6.7.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum MediaEvent {
    /// Somebody wants the medium out.
    EjectRequest = 1,
    /// A medium became ready.
    NewMedia = 2,
    /// The medium was removed.
    MediaRemoval = 3,
}

/// What became of the EjectRequest that a nexus was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum EjectRequest {
    /// It was told none, or answered it.
    #[default]
    None,
    /// Its answer is awaited.
    Told,
    /// The medium left before it answered.
    Void,
}

/// How removal is prevented (MMC-6, PREVENT ALLOW MEDIUM REMOVAL).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prevent {
    /// Ends with the nexus.
    pub plain: bool,
    /// Ends only by command or reset.
    pub persistent: bool,
}

/// What belongs to one initiator.
#[derive(Debug)]
struct NexusState {
    prevent: Prevent,
    /// Unit attentions to report, oldest first; each kind at most once.
    attentions: VecDeque<Sense>,
    /// Media events to report, oldest first; each kind at most once.
    media_events: VecDeque<MediaEvent>,
    eject_request: EjectRequest,
    /// The features that are current changed since GET EVENT STATUS NOTIFICATION last said so.
    features_changed: bool,
}

impl NexusState {
    /// A nexus that has just met the drive learns of the power-on first.
    fn new() -> Self {
        Self {
            prevent: Prevent::default(),
            attentions: VecDeque::from([Sense::RESET_OCCURRED]),
            media_events: VecDeque::new(),
            eject_request: EjectRequest::None,
            features_changed: false,
        }
    }

    fn attend(&mut self, sense: Sense) {
        if !self.attentions.contains(&sense) {
            self.attentions.push_back(sense);
        }
    }

    fn notice(&mut self, event: MediaEvent) {
        self.media_events.retain(|&queued| queued != event);
        self.media_events.push_back(event);
    }

    fn medium_left(&mut self) {
        self.attentions.retain(|&sense| sense != Sense::MEDIUM_MAY_HAVE_CHANGED);
        self.attend(Sense::MEDIUM_REMOVED);
        self.media_events.clear();
        self.notice(MediaEvent::MediaRemoval);
        if self.eject_request == EjectRequest::Told {
            self.eject_request = EjectRequest::Void;
        }
        self.features_changed = true;
    }

    fn medium_arrived(&mut self) {
        self.attend(Sense::MEDIUM_MAY_HAVE_CHANGED);
        self.notice(MediaEvent::NewMedia);
        self.features_changed = true;
    }
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
        }
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
        self.tray = Tray::Open;
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
        events.push(DriveEvent::MediumChanged { medium: Some(Arc::clone(&medium)) });
        self.medium = Some(medium);
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
        events.push(DriveEvent::EjectRequested);
    }

    /// PREVENT ALLOW MEDIUM REMOVAL: `change` edits the nexus' own prevent state.
    pub fn set_prevent(&mut self, nexus: Nexus, change: impl FnOnce(&mut Prevent), events: &mut Vec<DriveEvent>) {
        let before = self.is_locked();
        change(&mut self.nexus(nexus).prevent);
        self.tell_lock(before, events);
    }

    /// The oldest unit attention of `nexus`, if any; it is not reported again when `take` is set.
    pub fn attention(&mut self, nexus: Nexus, take: bool) -> Option<Sense> {
        let attentions = &mut self.nexus(nexus).attentions;
        if take { attentions.pop_front() } else { attentions.front().copied() }
    }

    /// True when a nexus other than `nexus` holds the reservation.
    pub fn reserved_from(&self, nexus: Nexus) -> bool {
        self.reservation.is_some_and(|holder| holder != nexus)
    }

    /// RESERVE: `nexus` holds the reservation, unless another does.
    pub fn reserve(&mut self, nexus: Nexus) {
        self.reservation.get_or_insert(nexus);
    }

    /// RELEASE: nothing happens unless `nexus` holds the reservation.
    pub fn release(&mut self, nexus: Nexus) {
        self.reservation.take_if(|holder| *holder == nexus);
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

    /// See [`playback`](Self::playback).
    pub fn playback_mut(&mut self) -> &mut Playback {
        &mut self.playback
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
        for (_, nexus) in self.nexuses.iter_mut().filter(|(id, _)| **id != except) {
            nexus.attend(sense);
        }
    }

    /// The oldest media event of `nexus`; it is not reported again.
    pub fn take_media_event(&mut self, nexus: Nexus) -> Option<MediaEvent> {
        let nexus = self.nexus(nexus);
        let event = nexus.media_events.pop_front();
        if event == Some(MediaEvent::EjectRequest) {
            nexus.eject_request = EjectRequest::Told;
        }
        event
    }

    /// Whether the current features changed for `nexus`; it is not reported again.
    pub fn take_feature_change(&mut self, nexus: Nexus) -> bool {
        mem::take(&mut self.nexus(nexus).features_changed)
    }

    /// True when some nexus prevents removal persistently.
    pub fn is_locked_persistently(&self) -> bool {
        self.nexuses.values().any(|nexus| nexus.prevent.persistent)
    }

    /// See [`crate::scsi::LogicalUnit::reset`].
    pub fn reset(&mut self, kind: Reset, events: &mut Vec<DriveEvent>) {
        let before = self.is_locked();
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
        self.nexuses.entry(id).or_insert_with(NexusState::new)
    }

    fn unlock_all(&mut self, events: &mut Vec<DriveEvent>) {
        let before = self.is_locked();
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
