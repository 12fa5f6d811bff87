//! A daemon that may have no more threads when a front-end comes.

use std::thread;

use tempfile::TempDir;

use crate::support::daemon::{Daemon, spindled_of};
use crate::support::guest::{Command, Guest, Options, REQUESTS};
use crate::support::wait::wait_until;

/// The limit is of all that a user runs, and root has none.
const USER: u32 = 65_533;

/// Needs root, to become somebody else.
#[test]
fn a_front_end_that_there_are_no_threads_for_waits_and_leaves_none_behind() {
    let folder = TempDir::new().unwrap();
    let mut command = spindled_of(USER, &folder);
    command.arg("--socket-path").arg(folder.path().join("socket"));
    let mut daemon = Daemon::run(command, folder);
    let before = daemon.threads();
    // Enough for one worker, and there are two at least.
    daemon.limit_threads(USER, before + 1);
    let path = daemon.path();
    let guest = thread::spawn(move || Guest::connect(&path, Options::default()));
    for _ in 0..3 {
        daemon.wait_for_line("a front-end cannot be served now");
    }
    wait_until("the worker that there was a thread for has ended", || daemon.threads() == before);
    daemon.limit_threads(USER, before + 100);
    let mut guest = guest.join().unwrap();
    assert_eq!(guest.command(REQUESTS, &Command::new(&[0x12, 0, 0, 0, 36, 0], 36)).status, 0);
}
