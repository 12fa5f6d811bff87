//! A command that meets a defect of ours: the connection of its machine ends, and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use spindle::drive::{Drive, Identity, Medium, Tray};
use spindle::image::{OpenOptions, open_source};
use spindle::source::ByteSource;
use vhost::VhostBackend;

use crate::support::backend::Backend;
use crate::support::clock::ManualClock;
use crate::support::disc::{Patterned, block, of, patterned};
use crate::support::guest::{Command, Guest, Options, REQUESTS};

const READ: [u8; 10] = [0x28, 0, 0, 0, 0, 200, 0, 0, 1, 0];

/// Reached only when it does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A disc that cannot be read without a panic, once that is wanted.
#[derive(Debug)]
struct Defect {
    good: Patterned,
    wanted: AtomicBool,
    /// A read has begun, and may go on.
    reached: Option<Barrier>,
}

impl Defect {
    fn meet(&self) {
        self.reached.as_ref().map(Barrier::wait);
    }
}

impl ByteSource for Defect {
    fn len(&self) -> u64 {
        self.good.len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        if self.wanted.load(Ordering::SeqCst) {
            self.meet();
            self.meet();
            panic!("a defect that is made up");
        }
        self.good.read_exact_at(buf, offset)
    }
}

fn settle(guest: &mut Guest) {
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
}

/// A medium of it, and what makes it fail: at once, or where the test waits for it.
fn defective(reached: Option<Barrier>) -> (Arc<Defect>, Arc<Medium>) {
    let good = Patterned { seed: 1, blocks: 300 };
    let source = Arc::new(Defect { good, wanted: AtomicBool::new(false), reached });
    let disc = open_source(Arc::clone(&source) as _, &OpenOptions::default()).unwrap().disc;
    (source, of(disc))
}

/// Waits until the server hangs up.
fn is_told(guest: &mut Guest) {
    let deadline = Instant::now() + PATIENCE;
    while guest.frontend.get_features().is_ok() {
        assert!(Instant::now() < deadline, "the machine was not told");
    }
}

/// Whether or not the driver kicks the ring once more meanwhile, whose lock the defect leaves poisoned.
#[test]
fn a_defect_ends_the_connection_of_its_machine_and_the_next_one_is_served() {
    for is_kicked in [false, true] {
        let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
        let (source, medium) = defective(Some(Barrier::new(2)));
        drive.change_medium(medium, false).unwrap();
        let backend = Backend::serve(&[Arc::clone(&drive)]);
        let mut guest = backend.guest(Options::default());
        settle(&mut guest);
        source.wanted.store(true, Ordering::SeqCst);
        guest.begin(REQUESTS, &Command::new(&READ, 2048));
        source.meet();
        if is_kicked {
            guest.kick(REQUESTS);
        }
        source.meet();
        is_told(&mut guest);
        drop(guest);
        drive.change_medium(patterned(2, 300), true).unwrap();
        let mut guest = backend.guest(Options::default());
        settle(&mut guest);
        assert_eq!(guest.command(REQUESTS, &Command::new(&READ, 2048)).data, block(2, 200));
    }
}

/// Of a disc on storage that may not answer few threads read: none is lost.
#[test]
fn defects_take_no_thread_from_those_that_read_with_a_deadline() {
    let (source, medium) = defective(None);
    let mut medium = Arc::into_inner(medium).unwrap();
    medium.remote = true;
    let drive = Drive::new(Identity::named("cd0"), Tray::Closed).with_read_deadline(Duration::from_secs(20));
    // It stands still, so no read is late.
    let drive = Arc::new(drive.by_clock(ManualClock::new()));
    drive.change_medium(Arc::new(medium), false).unwrap();
    let backend = Backend::serve(&[drive]);
    // As many as there are threads, and one more.
    for _ in 0..5 {
        let mut guest = backend.guest(Options::default());
        settle(&mut guest);
        source.wanted.store(true, Ordering::SeqCst);
        guest.begin(REQUESTS, &Command::new(&READ, 2048));
        is_told(&mut guest);
        source.wanted.store(false, Ordering::SeqCst);
    }
    let mut guest = backend.guest(Options::default());
    settle(&mut guest);
    assert_eq!(guest.command(REQUESTS, &Command::new(&READ, 2048)).data, block(1, 200));
}
