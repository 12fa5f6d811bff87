//! The threads that read from one disc, and who waits for them.

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::thread;
use std::time::Duration;

use super::super::clock::Clock;
use super::super::{Medium, lock};
use super::Wanted;
use super::reading::{Outcome, read};
use crate::scsi::{Delay, Wake};

/// Threads that may hang at a time; further commands then wait for one of them, or for their deadline.
const MOST_THREADS: usize = 4;
/// How long a command waits whose ring serves other drives too, while a read that was late has not come back: long enough for what a
/// server has at hand, and that a guest that tries again at once does so no more than fifty times a second.
const BRIEF: Duration = Duration::from_millis(20);
/// What is remembered until commands are carried out. A ring has one, and may be stopped before that.
const MOST_ENDED: usize = 64;
/// With so many that wait, those are looked for that nobody waits for any more.
const MANY_WAITING: usize = 64;

/// The threads that read from one disc.
#[derive(Debug)]
pub struct Crew {
    medium: Weak<Medium>,
    clock: Arc<dyn Clock>,
    patience: Patience,
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

/// How long commands wait.
#[derive(Debug, Clone, Copy, Default)]
pub struct Patience {
    pub deadline: Duration,
    /// Other drives are served by the same rings: they wait for one deadline, not for one after the other.
    pub shared: bool,
}

#[derive(Debug, Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    /// Those that wait for a read.
    under_way: Vec<Job>,
    /// What threads read, also for nobody any more.
    reads: Vec<Read>,
    /// What became of jobs, until their commands come.
    ended: VecDeque<(Wanted, Outcome)>,
    threads: usize,
    idle: usize,
    last: u64,
    /// When alarms ring that are set.
    alarms: BTreeSet<Duration>,
    /// The disc has left.
    dismissed: bool,
}

impl Jobs {
    /// Remembers how a job ended for the command that waits for it. What has been read now is not late for another command; what is late
    /// is no more as it was when some of it was read for a command that never came for it.
    fn remember(&mut self, job: &Job, outcome: Outcome) {
        let overlap = |wanted: Wanted| wanted.has(job.wanted) || job.wanted.has(wanted);
        self.ended.retain(|(wanted, before)| match (before.is_late(), outcome.is_late()) {
            (true, false) => *wanted != job.wanted,
            (false, true) => !overlap(*wanted),
            _ => true,
        });
        if !job.delay.is_shared() {
            return;
        }
        if self.ended.len() >= MOST_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back((job.wanted, outcome));
    }

    /// Whether an alarm is to be set for this time, as none rings before.
    fn needs_alarm(&mut self, at: Duration) -> bool {
        self.alarms.first().is_none_or(|&first| first > at) && self.alarms.insert(at)
    }

    /// How long a command waits that comes now.
    fn patience(&self, Patience { deadline, shared }: Patience) -> Duration {
        if shared && self.reads.iter().any(|read| read.hangs) { deadline.min(BRIEF) } else { deadline }
    }

    /// A read that has what is wanted, which others may wait for too. One that has been under way for a deadline may never come: then
    /// another is tried.
    fn read_of(&self, wanted: Wanted, since: Duration) -> Option<u64> {
        let read = self.reads.iter().find(|read| read.wanted.has(wanted) && read.began > since)?;
        Some(read.number)
    }
}

/// What one thread reads.
#[derive(Debug)]
struct Read {
    number: u64,
    wanted: Wanted,
    began: Duration,
    /// A command has waited for it for a whole deadline.
    hangs: bool,
}

/// What one command waits for.
struct Job {
    /// The read that it waits for, if that has begun.
    read: Option<u64>,
    wanted: Wanted,
    /// It waits for the whole deadline, until then.
    patient: bool,
    due: Duration,
    delay: Delay,
    wake: Wake,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Job({:?}, due {:?})", self.wanted, self.due)
    }
}

impl Job {
    /// The command may be carried out.
    fn end(self) {
        self.delay.end();
        (self.wake)();
    }
}

impl Crew {
    /// Threads for a disc, none of which runs yet.
    pub fn new(medium: &Arc<Medium>, clock: &Arc<dyn Clock>, patience: Patience) -> Arc<Self> {
        Arc::new(Self {
            medium: Arc::downgrade(medium),
            clock: Arc::clone(clock),
            patience,
            jobs: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Whether this is their disc.
    pub fn reads(&self, medium: &Arc<Medium>) -> bool {
        std::ptr::eq(self.medium.as_ptr(), Arc::as_ptr(medium))
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        let jobs = self.jobs();
        jobs.waiting.len() + jobs.under_way.len()
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        lock(&self.jobs)
    }

    /// Has something read; `delay` ends with that, or with the deadline. False when the disc has left, or there is no thread to be had.
    pub fn read(self: &Arc<Self>, wanted: Wanted, delay: &Delay, wake: &Wake) -> bool {
        let now = self.clock.now();
        let mut jobs = self.jobs();
        if jobs.dismissed {
            return false;
        }
        let patience = jobs.patience(self.patience);
        let (patient, due) = (patience == self.patience.deadline, now.saturating_add(patience));
        let read = jobs.read_of(wanted, now.saturating_sub(self.patience.deadline));
        let job = Job { read, wanted, patient, due, delay: delay.clone(), wake: Arc::clone(wake) };
        if read.is_some() {
            jobs.under_way.retain(|job| job.delay.is_shared());
            jobs.under_way.push(job);
        } else {
            if !self.has_thread(&mut jobs) {
                return false;
            }
            jobs.waiting.push_back(job);
        }
        let alarm = jobs.needs_alarm(due);
        drop(jobs);
        self.changed.notify_one();
        if alarm {
            self.set_alarm(due);
        }
        true
    }

    /// Whether there is a thread for one more, or will be.
    fn has_thread(self: &Arc<Self>, jobs: &mut Jobs) -> bool {
        if jobs.waiting.len() >= MANY_WAITING {
            jobs.waiting.retain(|job| job.delay.is_shared());
        }
        if jobs.waiting.len() >= jobs.idle && jobs.threads < MOST_THREADS {
            let crew = Arc::clone(self);
            match thread::Builder::new().name("fetch".to_owned()).spawn(move || crew.work()) {
                Ok(_) => jobs.threads += 1,
                Err(_) => return jobs.threads > 0,
            }
        }
        true
    }

    /// What became of something for a command that is carried out now; none when it was not asked for. Told once.
    pub fn ended(&self, wanted: Wanted) -> Option<Outcome> {
        let mut jobs = self.jobs();
        // A command whose buffer is too short reads less. What was found out last is true: before that may stand what no command came for.
        let at = jobs.ended.iter().rposition(|(other, _)| other.has(wanted))?;
        jobs.ended.remove(at).map(|(_, outcome)| outcome)
    }

    /// Has something read, and waits: what became of it, none when the disc has left. Where there is no thread to be had, it is read
    /// in place.
    pub fn read_now(self: &Arc<Self>, wanted: Wanted) -> Option<Outcome> {
        let (tell, told) = mpsc::channel();
        let delay = Delay::default();
        let wake: Wake = Arc::new(move || {
            // Whoever asked is there.
            let _ = tell.send(());
        });
        if !self.read(wanted, &delay, &wake) {
            let medium = self.medium.upgrade().filter(|_| !self.jobs().dismissed)?;
            return Some(Outcome::Read(read(&medium.disc, wanted)));
        }
        // Every job ends: when it is done, with its deadline, or with the disc.
        let _ = told.recv();
        self.ended(wanted)
    }

    /// One thread: reads what is wanted until the disc leaves.
    fn work(&self) {
        let mut jobs = self.jobs();
        loop {
            jobs.idle += 1;
            let nothing = |jobs: &mut Jobs| jobs.waiting.is_empty() && !jobs.dismissed;
            jobs = self.changed.wait_while(jobs, nothing).unwrap_or_else(PoisonError::into_inner);
            jobs.idle -= 1;
            let Some(job) = jobs.waiting.pop_front() else { return };
            jobs.last += 1;
            let (number, wanted) = (jobs.last, job.wanted);
            jobs.reads.push(Read { number, wanted, began: self.clock.now(), hangs: false });
            jobs.under_way.push(Job { read: Some(number), ..job });
            drop(jobs);
            // A defect ends the command that meets it again, and not this thread, of which there are few.
            let read =
                |medium: Arc<Medium>| catch_unwind(AssertUnwindSafe(|| read(&medium.disc, wanted))).unwrap_or_default();
            let found = self.medium.upgrade().map(read).unwrap_or_default();
            jobs = self.jobs();
            jobs.reads.retain(|read| read.number != number);
            let ended: Vec<_> = jobs.under_way.extract_if(.., |job| job.read == Some(number)).collect();
            ended.iter().for_each(|job| jobs.remember(job, Outcome::Read(found.clone())));
            drop(jobs);
            // Nobody waits for one that was overdue.
            ended.into_iter().for_each(Job::end);
            jobs = self.jobs();
        }
    }

    fn set_alarm(self: &Arc<Self>, at: Duration) {
        let crew = Arc::downgrade(self);
        self.clock.at(
            at,
            Box::new(move || {
                if let Some(crew) = crew.upgrade() {
                    crew.expire(at);
                }
            }),
        );
    }

    /// The alarm for `at` rings: ends what has waited too long, and sets the next.
    fn expire(self: &Arc<Self>, at: Duration) {
        let now = self.clock.now();
        let mut jobs = self.jobs();
        jobs.alarms.remove(&at);
        let late = |job: &Job| job.due <= now;
        let mut expired: Vec<_> = jobs.under_way.extract_if(.., |job| late(job)).collect();
        for late in expired.iter().filter(|job| job.patient) {
            jobs.reads.iter_mut().filter(|read| late.read == Some(read.number)).for_each(|read| read.hangs = true);
        }
        let (over, waiting) = std::mem::take(&mut jobs.waiting).into_iter().partition::<Vec<_>, _>(late);
        jobs.waiting = waiting.into();
        expired.extend(over);
        expired.iter().for_each(|job| jobs.remember(job, Outcome::Late));
        let next = jobs.waiting.iter().chain(&jobs.under_way).map(|job| job.due).min();
        let next = next.filter(|&next| jobs.needs_alarm(next));
        drop(jobs);
        if let Some(next) = next {
            self.set_alarm(next);
        }
        expired.into_iter().for_each(Job::end);
    }

    /// Ends everything: the commands find the drive as it is by now.
    pub fn dismiss(&self) {
        let mut jobs = self.jobs();
        jobs.dismissed = true;
        let mut all: Vec<_> = jobs.waiting.drain(..).collect();
        all.append(&mut jobs.under_way);
        drop(jobs);
        self.changed.notify_all();
        all.into_iter().for_each(Job::end);
    }
}
