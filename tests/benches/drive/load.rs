//! The load on a back-end: requests in flight, each sent again as soon as it is back.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Failure;
use super::histogram::Histogram;
use super::options::Options;
use super::plan::Plan;
use super::process::Process;
use super::report::{Idle, Report};
use super::ring::Ring;
use super::session::Session;

/// A request under way.
#[derive(Debug, Clone, Copy)]
struct Flight {
    lba: u32,
    since: Instant,
}

/// Runs the load that the options ask for.
///
/// # Errors
/// When there is no connection, the disc has no room for a request, or the back-end hangs. Requests that fail are counted.
pub fn run(options: &Options, socket: &Path) -> Result<Report, Failure> {
    let mut session = Session::connect(options, socket)?;
    let (blocks, block) = session.capacity()?;
    let plan = Plan::new(options, blocks, options.command.sector(block))?;
    let mut report = measure(options, &mut session, plan)?;
    let peer = session.peer;
    if let Some(idle) = options.idle {
        let before = peer.wakeups()?;
        std::thread::sleep(Duration::from_secs_f64(idle));
        // Threads of other connections may have ended, and theirs with them.
        report.idle = Some(Idle { seconds: idle, wakeups: peer.wakeups()?.saturating_sub(before) });
    }
    Ok(report)
}

/// Loads what is behind the rings of a session.
///
/// # Errors
/// When it hangs.
pub fn measure(options: &Options, session: &mut Session, mut plan: Plan) -> Result<Report, Failure> {
    let mut driver = Driver::new(options)?;
    let mut limit = options.count;
    if options.once {
        limit = Some(plan.places());
    } else if options.warmup > 0.0 {
        let mut warm = plan.clone();
        driver.drive(session, &mut warm, None, Duration::from_secs_f64(options.warmup))?;
        driver.histogram = Histogram::new();
        plan = warm;
    }
    let (this, peer) = (Process::this(), session.peer);
    let before = (this.cpu_seconds()?, peer.cpu_seconds()?);
    let start = Instant::now();
    driver.drive(session, &mut plan, limit, Duration::from_secs_f64(options.seconds))?;
    let seconds = start.elapsed().as_secs_f64();
    let resident = peer.resident()?;
    Ok(Report {
        bytes: driver.histogram.count() * options.block as u64,
        histogram: driver.histogram,
        seconds,
        driver_cpu: this.cpu_seconds()? - before.0,
        backend_cpu: Some(peer.cpu_seconds()? - before.1),
        resident: Some(resident),
        errors: driver.errors,
        mismatches: driver.mismatches,
        first_error: driver.first_error,
        stalls: session.stalls,
        idle: None,
    })
}

struct Driver {
    /// What the back-end gave and what the file has, for comparing.
    buffers: (Vec<u8>, Vec<u8>),
    verify: Option<File>,
    flights: Vec<Vec<Flight>>,
    histogram: Histogram,
    errors: u64,
    mismatches: u64,
    first_error: Option<String>,
}

impl Driver {
    fn new(options: &Options) -> Result<Self, Failure> {
        Ok(Self {
            buffers: (vec![0; options.block], vec![0; options.block]),
            verify: options.verify.as_ref().map(File::open).transpose()?,
            flights: vec![vec![Flight { lba: 0, since: Instant::now() }; usize::from(options.depth)]; options.queues],
            histogram: Histogram::new(),
            errors: 0,
            mismatches: 0,
            first_error: None,
        })
    }

    /// Keeps requests in flight until there were `limit`, or until `time` is over where there is no limit; waits for the last.
    fn drive(
        &mut self,
        session: &mut Session,
        plan: &mut Plan,
        limit: Option<u64>,
        time: Duration,
    ) -> Result<(), Failure> {
        let end = Instant::now() + time;
        let mut left = limit.unwrap_or(u64::MAX);
        let mut flying = 0_usize;
        // Queue by queue for each depth: a few requests use all queues.
        for number in 0..self.flights[0].len() {
            for queue in 0..self.flights.len() {
                if left > 0 {
                    self.submit(session, plan, queue, number as u16);
                    left -= 1;
                    flying += 1;
                }
            }
        }
        session.rings.iter_mut().for_each(Ring::kick);
        let mut last = Instant::now();
        while flying > 0 {
            let mut taken = 0;
            for queue in 0..self.flights.len() {
                while let Some((number, _)) = session.rings[queue].take() {
                    let now = Instant::now();
                    taken += 1;
                    self.complete(session, plan, queue, number, now)?;
                    if left > 0 && (limit.is_some() || now < end) {
                        self.submit(session, plan, queue, number);
                        left -= 1;
                    } else {
                        flying -= 1;
                    }
                    last = now;
                }
                session.rings[queue].kick();
            }
            if taken > 0 {
                continue;
            }
            if session.call.is_some() {
                session.wait_for_call()?;
            } else {
                session.nudge_after(&mut last)?;
            }
            std::hint::spin_loop();
        }
        Ok(())
    }

    fn submit(&mut self, session: &mut Session, plan: &mut Plan, queue: usize, number: u16) {
        let lba = plan.next();
        self.flights[queue][usize::from(number)] = Flight { lba, since: Instant::now() };
        session.submit(queue, number, &plan.cdb(lba));
    }

    fn complete(
        &mut self,
        session: &Session,
        plan: &Plan,
        queue: usize,
        number: u16,
        now: Instant,
    ) -> Result<(), Failure> {
        let flight = *self.flights[queue].get(usize::from(number)).ok_or("a chain came back that was never sent")?;
        self.histogram.add(now.duration_since(flight.since));
        if let Err(refused) = session.outcome(queue, number) {
            self.errors += 1;
            self.first_error.get_or_insert_with(|| format!("sector {}: {refused}", flight.lba));
        } else if let Some(file) = &self.verify {
            let (given, wanted) = &mut self.buffers;
            session.data(queue, number, given);
            file.read_exact_at(wanted, plan.offset(flight.lba))?;
            if given != wanted {
                self.mismatches += 1;
                self.first_error.get_or_insert_with(|| format!("sector {}: other bytes than the file", flight.lba));
            }
        }
        Ok(())
    }
}
