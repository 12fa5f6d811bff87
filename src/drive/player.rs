//! Who hears what plays: a thread that follows the head, mixes what it has passed and puts it into the sink.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::warn;

use super::clock::Clock;
use super::playback::Piece;
use super::{Core, lock};
use crate::disc::sector::RAW;
use crate::sound::{SAMPLE_BYTES, Sample, Sink};
use crate::sys::join::join_within;

/// Sectors between two looks: a fifth of a second, which is how late sound comes.
const LOOK: u32 = 15;
/// Sectors that are given to the sink at once.
const MOST: u32 = 75;

/// How long the end waits for a thread that brings what it has to its end.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the thread waits for.
#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<Rung>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    look: bool,
    end: bool,
    /// An alarm of the clock will ring. One is enough, however often somebody rings besides.
    alarm: bool,
}

impl Bell {
    fn ring(&self, change: impl FnOnce(&mut Rung)) {
        change(&mut lock(&self.rung));
        self.changed.notify_one();
    }

    /// Waits until somebody rings; true when it is for the last time.
    fn wait(&self) -> bool {
        let waited = self.changed.wait_while(lock(&self.rung), |rung| !rung.look && !rung.end);
        let mut rung = waited.unwrap_or_else(PoisonError::into_inner);
        rung.look = false;
        rung.end
    }

    /// Rings when `at` has come, unless an alarm is set already.
    fn ring_at(self: &Arc<Self>, at: Duration, clock: &dyn Clock) {
        if std::mem::replace(&mut lock(&self.rung).alarm, true) {
            return;
        }
        let bell = Arc::clone(self);
        let ring = move || bell.ring(|rung| (rung.look, rung.alarm) = (true, false));
        clock.at(at, Box::new(ring));
    }
}

/// The thread of one drive. It ends with this value, after what was passed is heard, unless its sink or the storage keeps it too long.
#[derive(Debug)]
pub struct Player {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Player {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the host has none left.
    pub fn start(core: Arc<Core>, clock: Arc<dyn Clock>, sink: Box<dyn Sink>) -> io::Result<Self> {
        let bell = Arc::<Bell>::default();
        let mut listener = Listener { core, clock, bell: Arc::clone(&bell), sink, silent: true, failed: false };
        let thread = thread::Builder::new().name("sound".to_owned()).spawn(move || listener.run())?;
        Ok(Self { bell, thread: Some(thread) })
    }

    /// Something plays that did not, or no more.
    pub fn wake(&self) {
        self.bell.ring(|rung| rung.look = true);
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.bell.ring(|rung| rung.end = true);
        if let Some(thread) = self.thread.take() {
            // Its panic has been reported on its own thread.
            if join_within(thread, PATIENCE).is_none() {
                warn!("sound is lost: what plays it does not end");
            }
        }
    }
}

struct Listener {
    core: Arc<Core>,
    clock: Arc<dyn Clock>,
    bell: Arc<Bell>,
    sink: Box<dyn Sink>,
    /// The sink was told to rest.
    silent: bool,
    /// What the sink or the disc does wrong is said once in a play.
    failed: bool,
}

impl Listener {
    fn run(&mut self) {
        loop {
            let end = self.bell.wait();
            let (unheard, next) = {
                let mut state = self.core.state_at(self.clock.now());
                (state.take_unheard(), state.playback().next_look(LOOK))
            };
            for piece in &unheard {
                self.hear(piece);
            }
            match next {
                Some(at) if !end => self.bell.ring_at(at, &*self.clock),
                _ => self.rest(),
            }
            if end {
                return;
            }
        }
    }

    fn hear(&mut self, piece: &Piece) {
        self.silent = false;
        let mut from = piece.from;
        let end = from.plus(piece.blocks);
        while from < end {
            let blocks = end.since(from).min(MOST);
            let mut samples: Vec<Sample> = Vec::with_capacity(blocks as usize * RAW / SAMPLE_BYTES);
            for lba in (0..blocks).map(|index| from.plus(index)) {
                let mut raw = [0; RAW];
                // A drive conceals what it cannot read.
                if let Err(error) = piece.medium.disc.read_sector(lba, &mut raw) {
                    raw.fill(0);
                    self.complain(&error.to_string());
                }
                let (words, _) = raw.as_chunks::<SAMPLE_BYTES>();
                samples.extend(
                    words
                        .iter()
                        .map(|&[a, b, c, d]| piece.ports.mix([i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d])])),
                );
            }
            if let Err(error) = self.sink.put(&samples) {
                self.complain(&error.to_string());
            }
            from = from.plus(blocks);
        }
    }

    fn rest(&mut self) {
        if !std::mem::replace(&mut self.silent, true)
            && let Err(error) = self.sink.rest()
        {
            self.complain(&error.to_string());
        }
        self.failed = false;
    }

    fn complain(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.failed, true) {
            warn!("sound is lost: {reason}");
        }
    }
}
