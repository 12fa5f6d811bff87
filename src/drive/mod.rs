//! The drive: an MMC logical unit with a tray, a lock and perhaps a medium.
//!
//! A guest reaches it as a [`LogicalUnit`]; a person through the methods of [`Drive`] that the control socket calls.
//! Not responsible for opening images (see [`crate::image`]) nor for how tasks arrive.

mod audio;
mod basic;
mod behaviour;
mod clock;
mod commands;
mod disc_info;
mod event;
mod fault;
mod feature;
mod fetch;
mod host;
mod identity;
mod inquiry;
mod keeper;
mod key;
mod listener;
mod log;
mod mechanism;
mod media;
mod medium;
mod mode;
mod mode_page;
mod pace;
mod plain;
mod playback;
mod player;
mod read;
mod read_cd;
mod reserve;
mod saved;
mod speed;
mod state;
mod status;
mod structure;
mod subchannel;
mod supported;
mod toc;
mod verify;

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

use crate::disc::{Disc, Lba};
use crate::scsi::{Delay, LogicalUnit, Nexus, Note, Reset, Sense, SenseFormat, Status, Task, Wake};
use crate::sound::Sink;

pub use self::behaviour::Behaviours;
pub use self::clock::{Alarm, AlarmKey, Clock, HostClock};
pub use self::commands::{Access, COMMANDS, Command, MediumNeed};
pub use self::fault::{ALL_BLOCKS, Fault, FaultKind, TooManyFaults};
pub use self::identity::Identity;
pub use self::keeper::Keeper;
pub use self::listener::{DriveEvent, Listener};
pub use self::media::Medium;
pub use self::playback::AudioStatus;
pub use self::saved::{LoadRefused, MOST_SAVED};
pub use self::state::{Absent, EjectRefused, Kept, Tray};

use self::fault::Faults;
use self::fetch::Fetch;
use self::keeper::Keeping;
use self::mechanism::Mechanism;
use self::player::Player;
use self::state::State;

/// A drive as it is at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Tray position.
    pub tray: Tray,
    /// The medium in the tray, whether it is open or closed.
    pub medium: Option<Arc<Medium>>,
    /// Nexuses that prevent removal, in order.
    pub locked_by: Vec<Nexus>,
    /// What became of the last audio play.
    pub audio: AudioStatus,
    /// The medium that should be in it and is not, after a restart.
    pub absent: Option<Absent>,
}

/// One optical drive.
pub struct Drive {
    identity: Identity,
    behaviours: Behaviours,
    faults: Faults,
    fetch: Fetch,
    clock: Arc<dyn Clock>,
    core: Arc<Core>,
    /// Where the head is in time; in use only where behaviours are slow.
    mechanism: Mutex<Mechanism>,
    /// Where sound goes, until the first play hands it over to the player.
    sink: Mutex<Option<Box<dyn Sink>>>,
    player: OnceLock<Player>,
    /// Notified after every change of tray, lock or medium.
    moved: Condvar,
    keeping: Mutex<Keeping>,
    listeners: Mutex<Vec<Arc<dyn Listener>>>,
    /// What listeners must still be told. Filled under the lock of the state, so that the order is that of the changes.
    untold: Mutex<VecDeque<DriveEvent>>,
    /// Held by the thread that tells; never waited for.
    telling: Mutex<()>,
}

/// What a drive and its player share.
#[derive(Debug)]
struct Core {
    state: Mutex<State>,
    /// Set while the state has a change that nobody has kept.
    unkept: Arc<AtomicBool>,
    /// Block address after the last one read or played; the start of a new disc.
    head: AtomicI32,
}

impl Core {
    /// The state, with a play and the head where they are at `now`.
    fn state_at(&self, now: Duration) -> MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        if let Some(at) = state.advance(now) {
            self.move_head(at);
        }
        state
    }

    fn move_head(&self, to: Lba) {
        self.head.store(to.0, Ordering::Relaxed);
    }
}

impl fmt::Debug for Drive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Drive({})", self.identity.name)
    }
}

/// What a command handler sees: the drive, and tray and medium as they were when the command was admitted. A change
/// that happens meanwhile does not touch a command in flight.
struct Context<'a> {
    drive: &'a Drive,
    tray: Tray,
    medium: Option<Arc<Medium>>,
}

impl Context<'_> {
    /// The disc, if the tray is closed on one.
    fn disc(&self) -> Option<&Disc> {
        self.medium.as_ref().map(|medium| &medium.disc)
    }

    /// The disc, or the sense for its absence (MMC-6, "MEDIUM NOT PRESENT").
    fn need_disc(&self) -> Result<&Disc, Sense> {
        self.disc().ok_or_else(|| state::not_present(self.tray))
    }
}

impl Drive {
    /// An empty drive.
    #[must_use]
    pub fn new(identity: Identity, tray: Tray) -> Self {
        let state = State::new(tray);
        let unkept = Arc::clone(state.unkept());
        Self {
            identity,
            behaviours: Behaviours::default(),
            faults: Faults::default(),
            fetch: Fetch::new(fetch::Patience::default()),
            clock: HostClock::shared(),
            core: Arc::new(Core { state: Mutex::new(state), unkept, head: AtomicI32::new(0) }),
            mechanism: Mutex::default(),
            sink: Mutex::default(),
            player: OnceLock::new(),
            moved: Condvar::new(),
            keeping: Mutex::default(),
            listeners: Mutex::new(Vec::new()),
            untold: Mutex::default(),
            telling: Mutex::new(()),
        }
    }

    /// The same drive with these behaviours.
    #[must_use]
    pub fn behaving(self, behaviours: Behaviours) -> Self {
        Self { behaviours, ..self }
    }

    /// The same drive by another clock.
    #[must_use]
    pub fn by_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The same drive with a place where what it plays can be heard.
    #[must_use]
    pub fn heard_by(self, sink: Box<dyn Sink>) -> Self {
        lock(&self.sink).replace(sink);
        self.state().hear();
        self
    }

    /// What it does only because somebody asked for it.
    #[must_use]
    pub fn behaviours(&self) -> Behaviours {
        self.behaviours
    }

    /// Its names.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Adds a listener; it stays for the life of the drive.
    pub fn listen(&self, listener: Arc<dyn Listener>) {
        lock(&self.listeners).push(listener);
    }

    /// Tray, medium and lock at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let state = self.state_by_now();
        Snapshot {
            tray: state.tray(),
            medium: state.medium_in_tray().cloned(),
            locked_by: state.locked_by().collect(),
            audio: state.playback().status(),
            absent: state.absent().cloned(),
        }
    }

    /// Where the last read or play ended, for READ SUB-CHANNEL. Reads on several threads end in any order.
    fn head(&self) -> Lba {
        Lba(self.core.head.load(Ordering::Relaxed))
    }

    fn move_head(&self, to: Lba) {
        self.core.move_head(to);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.core.state)
    }

    /// The state, with a play and the head where they are by now.
    fn state_by_now(&self) -> MutexGuard<'_, State> {
        self.core.state_at(self.clock.now())
    }

    /// Ends a play, as commands do that move the head.
    fn end_play(&self) {
        self.state_by_now().playback_mut().stop();
        self.wake_player();
    }

    /// Has the player look at what plays. It starts when there is something to hear, and no sooner.
    fn wake_player(&self) {
        let sink = if self.state().playback().is_under_way() { lock(&self.sink).take() } else { None };
        if let Some(sink) = sink {
            match Player::start(Arc::clone(&self.core), Arc::clone(&self.clock), sink) {
                Ok(player) => drop(self.player.set(player)),
                Err(error) => ::log::warn!("drive {}: no sound: {error}", self.identity.name),
            }
        }
        if let Some(player) = self.player.get() {
            player.wake();
        }
    }

    /// Changes the state for a command, whose transport keeps the change, then tells the listeners.
    fn transition<R>(&self, change: impl FnOnce(&mut State, &mut Vec<DriveEvent>) -> R) -> R {
        let result = self.change(change);
        self.tell_untold();
        result
    }

    /// Changes the state and keeps the change, then tells the listeners.
    fn by_host<R>(&self, change: impl FnOnce(&mut State, &mut Vec<DriveEvent>) -> R) -> R {
        let result = self.change(change);
        self.keep_all(None);
        self.tell_untold();
        result
    }

    fn change<R>(&self, change: impl FnOnce(&mut State, &mut Vec<DriveEvent>) -> R) -> R {
        let mut events = Vec::new();
        let mut state = self.state_by_now();
        let result = change(&mut state, &mut events);
        if events.iter().any(|event| matches!(event, DriveEvent::TrayMoved { .. })) {
            self.move_head(Lba(0));
        }
        let medium = events.iter().rev().find_map(|event| match event {
            DriveEvent::MediumChanged { medium } => Some(medium.clone()),
            _ => None,
        });
        lock(&self.untold).extend(events);
        if let Some(medium) = medium {
            self.fetch.medium_changed(medium.as_ref(), &self.clock);
        }
        drop(state);
        self.wake_player();
        self.moved.notify_all();
        result
    }

    fn tell(&self, event: DriveEvent) {
        lock(&self.untold).push_back(event);
        self.tell_untold();
    }

    /// Tells everything that is untold, unless a thread is at it already: that one, which may be this thread further up
    /// its stack, then finds these events too.
    fn tell_untold(&self) {
        while !lock(&self.untold).is_empty() {
            let _telling = match self.telling.try_lock() {
                Ok(guard) => guard,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            let listeners = lock(&self.listeners).clone();
            loop {
                let Some(event) = lock(&self.untold).pop_front() else { break };
                for listener in &listeners {
                    listener.drive_event(self, &event);
                }
            }
        }
    }
}

impl LogicalUnit for Drive {
    fn execute(&self, task: &mut Task<'_>) -> Status {
        let result = if self.reads_plainly(task) { Ok(()) } else { commands::dispatch(self, task) };
        let status = match result {
            Ok(()) => Status::Good,
            Err(commands::Refusal::Conflict) => Status::ReservationConflict,
            Err(commands::Refusal::Check(sense)) => Status::CheckCondition(sense, self.sense_format()),
        };
        task.unkept = self.core.unkept.load(Ordering::Relaxed);
        status
    }

    fn keep(&self, note: Option<Note>) {
        self.keep_all(note);
    }

    fn notes(&self) -> Vec<Note> {
        self.kept_notes()
    }

    fn is_slow(&self) -> bool {
        self.behaviours.slow() || self.faults.delay() || self.fetch.in_use()
    }

    fn delay(&self, task: &Task<'_>, wake: &Wake) -> Option<Delay> {
        if self.is_slow() { pace::delay(self, task, wake) } else { None }
    }

    fn read_ahead(&self, task: &Task<'_>) {
        pace::read_ahead(self, task);
    }

    fn reset(&self, kind: Reset) {
        if kind == Reset::PowerOn {
            self.forget_notes();
        }
        if matches!(kind, Reset::PowerOn | Reset::LogicalUnit) {
            lock(&self.mechanism).stop(self.clock.now());
        }
        self.by_host(|state, events| state.reset(kind, events));
    }
}

impl Drive {
    /// The format that the D_SENSE bit of the Control mode page chooses.
    fn sense_format(&self) -> SenseFormat {
        if self.state().descriptor_sense() { SenseFormat::Descriptor } else { SenseFormat::Fixed }
    }
}

/// Takes a lock. A thread that panicked while it held one left plain data behind, which stays usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
