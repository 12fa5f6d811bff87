//! What a daemon costs.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::daemon::{Daemon, spindled};
use crate::support::guest::{Command, Guest, Options, REQUESTS};

#[test]
fn a_drive_with_100_gb_stays_under_12_mb() {
    let image = tempfile::NamedTempFile::new().unwrap();
    image.as_file().set_len(100_000_000_000).unwrap();
    let daemon = Daemon::start(&[image.path().to_str().unwrap()]);
    let mut guest = daemon.guest(Options { request_queues: 62, ..Options::default() });
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
    for at in 0..4000_u32 {
        guest.free_all();
        let [a, b, c, d] = (at * 12_000).to_be_bytes();
        let queue = REQUESTS + at as usize % 62;
        let reply = guest.command(queue, &Command::new(&[0x28, 0, a, b, c, d, 0, 0, 32, 0], 65_536));
        assert_eq!((reply.status, reply.residual), (0, 0));
    }
    // The program's own pages and the guest's memory are not counted: they are others' too.
    assert!(daemon.memory("RssAnon:") < 12 * 1024, "{} KiB", daemon.memory("RssAnon:"));
}

#[test]
fn hundreds_of_machines_on_one_daemon_stay_under_200_mb() {
    const MACHINES: usize = 256;
    let folder = tempfile::tempdir().unwrap();
    let socket = |at: usize| folder.path().join(format!("{at}"));
    let image = folder.path().join("disc.iso");
    std::fs::write(&image, vec![5; 64 * 2048]).unwrap();
    let drive = |at: usize| format!("--drive=name=cd{at},image={},socket={}", image.display(), socket(at).display());
    let drives: Vec<String> = (0..MACHINES).map(drive).collect();
    let runtime = tempfile::tempdir().unwrap();
    let mut command = spindled(&runtime);
    command.args(&drives);
    let daemon = Daemon::run(command, runtime);
    let idle = daemon.memory("RssAnon:");
    // The guests of this process need many descriptors too.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let mut guests: Vec<_> = (0..MACHINES).map(|at| Guest::connect(&socket(at), Options::default())).collect();
    for guest in &mut guests {
        while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
        let reply = guest.command(REQUESTS, &Command::new(&[0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0], 2048));
        assert_eq!(reply.data, [5; 2048]);
    }
    let connected = daemon.memory("RssAnon:");
    assert!(idle < 12 * 1024 + MACHINES as u64 * 64, "{idle} KiB with nobody connected");
    assert!(connected < 200 * 1024, "{connected} KiB");
}

#[test]
fn the_number_of_threads_does_not_follow_the_rings() {
    let daemon = Daemon::start(&[]);
    let threads = [1, 8, 62].map(|request_queues| {
        let mut guest = daemon.guest(Options { request_queues, ..Options::default() });
        guest.command(REQUESTS, &Command::new(&[0; 6], 0));
        daemon.threads()
    });
    assert_eq!(threads, [threads[0]; 3]);
    assert!(threads[0] <= 12, "{threads:?}");
}

#[test]
fn an_idle_daemon_is_never_woken() {
    // One that polls too: it rests when the guest does.
    for arguments in [&[][..], &["--poll"]] {
        is_never_woken(&Daemon::start(arguments));
    }
}

fn is_never_woken(daemon: &Daemon) {
    let mut guest = daemon.guest(Options { request_queues: 8, ..Options::default() });
    guest.command(REQUESTS, &Command::new(&[0; 6], 0));
    // What the last request set in motion comes to rest; then nothing moves for a while.
    let mut before = daemon.wakeups();
    let still = (0..20).any(|_| {
        std::thread::sleep(Duration::from_secs(2));
        std::mem::replace(&mut before, daemon.wakeups()) == before
    });
    assert!(still, "some thread wakes up every two seconds at least");
}
