//! Blocks of a disc whose storage may not answer for minutes: read by threads of their own before the command that wants them.
//!
//! A worker that waits for storage holds its ring, and with it the front-end and every other drive of the ring. So on such a disc a
//! command first waits in its ring (docs/adr/0012) until the blocks have been read, which leaves them in the page cache or in
//! the cache of decoded blocks. If they do not come before a deadline, the command ends with 02/04/01, which initiators try
//! again, and the thread is left where it hangs.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use super::clock::Clock;
use super::{Drive, DriveEvent, Medium, lock};
use crate::disc::sector::RAW;
use crate::disc::{BLOCK_SIZE, Disc, Lba};
use crate::scsi::{Delay, Sense, Wake};

/// Threads that may hang at a time; further commands then wait for one of them, or for their deadline.
const MOST_THREADS: usize = 4;
/// Blocks of one command that are fetched: what is behind them, the command reads itself.
const MOST_BLOCKS: u32 = 16_384;
/// Blocks that are read at once.
const STEP: u32 = 32;
/// Overdue commands that are remembered until they are carried out. A ring has one, and may be stopped before that.
const MOST_OVERDUE: usize = 64;

/// What a drive has for such discs.
#[derive(Debug)]
pub(super) struct Fetch {
    /// How long a command waits; zero for drives that do not fetch.
    deadline: Duration,
    /// The disc in the drive is such a one.
    in_use: AtomicBool,
    /// Some command is overdue.
    overdue: Arc<AtomicBool>,
    crew: Mutex<Option<Arc<Crew>>>,
}

/// The threads that read from one disc.
#[derive(Debug)]
struct Crew {
    medium: Weak<Medium>,
    clock: Arc<dyn Clock>,
    jobs: Mutex<Jobs>,
    changed: Condvar,
    overdue: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    under_way: Vec<Job>,
    /// Where commands begin whose blocks did not come in time.
    overdue: VecDeque<Lba>,
    threads: usize,
    idle: usize,
    last: u64,
    /// An alarm is set.
    alarm: bool,
    /// The disc has left.
    dismissed: bool,
}

/// What one command waits for.
#[derive(Clone)]
struct Job {
    number: u64,
    start: Lba,
    blocks: u32,
    due: Duration,
    delay: Delay,
    wake: Wake,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Job({} blocks from {}, due {:?})", self.blocks, self.start, self.due)
    }
}

impl Job {
    /// The command may be carried out.
    fn end(self) {
        self.delay.end();
        (self.wake)();
    }
}

impl Fetch {
    pub fn new(deadline: Duration) -> Self {
        Self { deadline, in_use: AtomicBool::new(false), overdue: Arc::default(), crew: Mutex::default() }
    }

    /// Whether commands may have to wait.
    pub fn in_use(&self) -> bool {
        self.in_use.load(Ordering::Relaxed)
    }

    /// The disc left, or another came.
    pub fn medium_changed(&self, medium: Option<&Arc<Medium>>) {
        let remote = medium.is_some_and(|medium| medium.remote);
        self.in_use.store(remote && !self.deadline.is_zero(), Ordering::Relaxed);
        self.overdue.store(false, Ordering::Relaxed);
        if let Some(crew) = lock(&self.crew).take() {
            crew.dismiss();
        }
    }

    /// Has the blocks of a command read; what it waits for. None when there is nobody who could read them.
    pub fn ask(&self, medium: &Arc<Medium>, clock: &Arc<dyn Clock>, span: (Lba, u32), wake: &Wake) -> Option<Delay> {
        if !self.in_use() || !medium.remote {
            return None;
        }
        let crew = Arc::clone(lock(&self.crew).get_or_insert_with(|| Crew::new(medium, clock, &self.overdue)));
        crew.add(span, clock.now().saturating_add(self.deadline), wake)
    }

    /// Whether the command that begins at `start` is overdue; it is not when it comes again.
    pub fn take_overdue(&self, start: Lba) -> bool {
        if !self.overdue.load(Ordering::Relaxed) {
            return false;
        }
        let crew = lock(&self.crew).clone();
        crew.is_some_and(|crew| {
            let mut jobs = crew.jobs();
            let found = jobs.overdue.iter().position(|&at| at == start);
            let taken = found.and_then(|at| jobs.overdue.remove(at)).is_some();
            self.overdue.store(!jobs.overdue.is_empty(), Ordering::Relaxed);
            taken
        })
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.medium_changed(None);
    }
}

impl Crew {
    fn new(medium: &Arc<Medium>, clock: &Arc<dyn Clock>, overdue: &Arc<AtomicBool>) -> Arc<Self> {
        Arc::new(Self {
            medium: Arc::downgrade(medium),
            clock: Arc::clone(clock),
            jobs: Mutex::default(),
            changed: Condvar::new(),
            overdue: Arc::clone(overdue),
        })
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        lock(&self.jobs)
    }

    fn add(self: &Arc<Self>, (start, blocks): (Lba, u32), due: Duration, wake: &Wake) -> Option<Delay> {
        let delay = Delay::default();
        let mut jobs = self.jobs();
        if jobs.dismissed {
            return None;
        }
        if jobs.waiting.len() >= jobs.idle && jobs.threads < MOST_THREADS {
            let crew = Arc::clone(self);
            match thread::Builder::new().name("fetch".to_owned()).spawn(move || crew.work()) {
                Ok(_) => jobs.threads += 1,
                Err(_) if jobs.threads == 0 => return None,
                Err(_) => {}
            }
        }
        jobs.last += 1;
        let (number, wake) = (jobs.last, Arc::clone(wake));
        jobs.waiting.push_back(Job { number, start, blocks, due, delay: delay.clone(), wake });
        let alarm = !std::mem::replace(&mut jobs.alarm, true);
        drop(jobs);
        self.changed.notify_one();
        if alarm {
            self.set_alarm(due);
        }
        Some(delay)
    }

    /// One thread: reads what is wanted until the disc leaves.
    fn work(&self) {
        loop {
            let mut jobs = self.jobs();
            jobs.idle += 1;
            let nothing = |jobs: &mut Jobs| jobs.waiting.is_empty() && !jobs.dismissed;
            jobs = self.changed.wait_while(jobs, nothing).unwrap_or_else(PoisonError::into_inner);
            jobs.idle -= 1;
            let Some(job) = jobs.waiting.pop_front() else { return };
            jobs.under_way.push(job.clone());
            drop(jobs);
            if let Some(medium) = self.medium.upgrade() {
                read(&medium.disc, job.start, job.blocks.min(MOST_BLOCKS));
            }
            let mut jobs = self.jobs();
            let ended = jobs.under_way.iter().position(|other| other.number == job.number);
            let ended = ended.map(|at| jobs.under_way.swap_remove(at));
            drop(jobs);
            // Nobody waits for one that was overdue.
            if let Some(job) = ended {
                job.end();
            }
        }
    }

    fn set_alarm(self: &Arc<Self>, at: Duration) {
        let crew = Arc::downgrade(self);
        self.clock.at(
            at,
            Box::new(move || {
                if let Some(crew) = crew.upgrade() {
                    crew.expire();
                }
            }),
        );
    }

    /// Ends what has waited too long, and sets the alarm for what is left.
    fn expire(self: &Arc<Self>) {
        let now = self.clock.now();
        let mut jobs = self.jobs();
        let late = |job: &Job| job.due <= now;
        let mut expired: Vec<_> = jobs.under_way.extract_if(.., |job| late(job)).collect();
        let (over, waiting) = std::mem::take(&mut jobs.waiting).into_iter().partition::<Vec<_>, _>(late);
        jobs.waiting = waiting.into();
        expired.extend(over);
        for job in &expired {
            if jobs.overdue.len() >= MOST_OVERDUE {
                jobs.overdue.pop_front();
            }
            jobs.overdue.push_back(job.start);
        }
        if !expired.is_empty() {
            self.overdue.store(true, Ordering::Relaxed);
        }
        let next = jobs.waiting.iter().chain(&jobs.under_way).map(|job| job.due).min();
        jobs.alarm = next.is_some();
        drop(jobs);
        if let Some(next) = next {
            self.set_alarm(next);
        }
        expired.into_iter().for_each(Job::end);
    }

    /// Ends everything: the commands find the drive as it is by now.
    fn dismiss(&self) {
        let mut jobs = self.jobs();
        jobs.dismissed = true;
        let mut all: Vec<_> = jobs.waiting.drain(..).collect();
        all.append(&mut jobs.under_way);
        drop(jobs);
        self.changed.notify_all();
        all.into_iter().for_each(Job::end);
    }
}

/// Reads blocks for nobody. Whoever wants them learns of errors.
fn read(disc: &Disc, start: Lba, blocks: u32) {
    const BLOCK: usize = BLOCK_SIZE as usize;
    let mut scratch = vec![0; STEP as usize * BLOCK];
    let mut done = 0;
    while done < blocks {
        let (at, step) = (start.plus(done), STEP.min(blocks - done));
        if disc.read_blocks(at, &mut scratch[..step as usize * BLOCK]).is_err() {
            // Sectors without blocks of data, or one that cannot be read.
            let sector = |index| disc.read_sector(at.plus(index), &mut [0; RAW]).is_ok();
            if !(0..step).all(sector) {
                return;
            }
        }
        done += step;
    }
}

impl Drive {
    /// The same drive, which reads from storage that may not answer so long and no longer; zero is for ever.
    #[must_use]
    pub fn with_read_deadline(self, deadline: Duration) -> Self {
        Self { fetch: Fetch::new(deadline), ..self }
    }

    /// How many commands wait for storage.
    #[must_use]
    pub fn waiting_reads(&self) -> usize {
        let crew = lock(&self.fetch.crew).clone();
        crew.map_or(0, |crew| {
            let jobs = crew.jobs();
            jobs.waiting.len() + jobs.under_way.len()
        })
    }

    /// Fails for a command whose blocks did not come in time.
    ///
    /// # Errors
    /// 02/04/01.
    pub(super) fn check_overdue(&self, start: Lba) -> Result<(), Sense> {
        if self.fetch.take_overdue(start) {
            let seconds = self.fetch.deadline.as_secs_f64();
            let reason = format!("the storage has not answered for {seconds} s");
            self.tell(DriveEvent::ReadError { block: start.0, reason });
            return Err(Sense::BECOMING_READY);
        }
        Ok(())
    }
}
