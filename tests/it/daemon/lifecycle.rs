//! From start to end.

use std::os::unix::net::UnixStream;

use rustix::process::Signal;

use crate::support::daemon::{Daemon, spindled};
use crate::support::guest::{Command, NOWHERE, Options, Piece, REQUESTS};
use crate::support::message::{SET_VRING_CALL, message, send_to_the_end};

const READ: [u8; 10] = [0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0];

#[test]
fn signals_end_it_with_status_0_with_and_without_a_front_end() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let daemon = Daemon::start(&[]);
        daemon.signal(signal);
        assert!(daemon.end().0.success());

        let daemon = Daemon::start(&[]);
        let mut guest = daemon.guest(Options::default());
        guest.command(REQUESTS, &Command::new(&[0; 6], 0));
        daemon.signal(signal);
        let (status, _, folder) = daemon.end_in_folder();
        assert!(status.success());
        assert!(!folder.path().join("socket").exists());
    }
}

#[test]
fn it_serves_the_disc_to_one_machine_after_the_other() {
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), (0..8_u8).flat_map(|block| [block; 2048]).collect::<Vec<_>>()).unwrap();
    let daemon = Daemon::start(&[image.path().to_str().unwrap()]);
    for _ in 0..3 {
        let mut guest = daemon.guest(Options::default());
        let reply = std::iter::repeat_with(|| guest.command(REQUESTS, &Command::new(&READ, 2048)))
            .find(|reply| reply.status == 0)
            .unwrap();
        assert_eq!(reply.data, [1; 2048]);
    }
}

#[test]
fn once_means_one_machine() {
    let daemon = Daemon::start(&["--once"]);
    let mut guest = daemon.guest(Options::default());
    guest.command(REQUESTS, &Command::new(&[0; 6], 0));
    drop(guest);
    let (status, _, folder) = daemon.end_in_folder();
    assert!(status.success());
    assert!(!folder.path().join("socket").exists());
}

#[test]
fn another_start_on_its_socket_is_refused_and_is_no_machine() {
    let daemon = Daemon::start(&["--once"]);
    let runtime = tempfile::tempdir().unwrap();
    let output = spindled(&runtime).arg("--socket-path").arg(daemon.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("in use by another process"));
    let mut guest = daemon.guest(Options::default());
    guest.command(REQUESTS, &Command::new(&[0; 6], 0));
    drop(guest);
    let (status, log) = daemon.end();
    assert!(status.success());
    assert_eq!(log.iter().filter(|line| line.contains("a front-end connected")).count(), 1, "{log:#?}");
}

#[test]
fn the_end_of_a_terminal_does_not_end_it_where_that_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_spindled")).arg("--socket-path").arg(folder.path().join("socket"));
    command.env("XDG_RUNTIME_DIR", folder.path()).env_remove("RUST_LOG").stdin(std::process::Stdio::null());
    let daemon = Daemon::run(command, folder);
    daemon.signal(Signal::HUP);
    let mut guest = daemon.guest(Options::default());
    guest.command(REQUESTS, &Command::new(&[0; 6], 0));
    drop(guest);
    daemon.signal(Signal::TERM);
    let (status, log) = daemon.end();
    assert!(status.success() && !log.iter().any(|line| line.ends_with("signal 1")), "{log:#?}");
}

#[test]
fn a_guest_that_breaks_the_rules_is_named_once() {
    let daemon = Daemon::start(&["--once"]);
    let mut guest = daemon.guest(Options::default());
    for _ in 0..100 {
        guest.submit(REQUESTS, &[Piece { at: NOWHERE, len: 51, write: false }]);
        guest.wait(REQUESTS);
    }
    drop(guest);
    let (status, log) = daemon.end();
    assert!(status.success());
    assert_eq!(log.iter().filter(|line| line.contains("breaks the rules")).count(), 1, "{log:#?}");
    assert!(log.len() < 10, "{log:#?}");
}

#[test]
fn too_many_processors_name_the_property_to_set() {
    let mut daemon = Daemon::start(&[]);
    // What QEMU says about ring 64 with -smp 63: there is no such ring.
    send_to_the_end(UnixStream::connect(daemon.path()).unwrap(), &message(SET_VRING_CALL, &[0x100 | 64, 0]));
    assert!(daemon.wait_for_line("num_queues").contains("num_queues=62"));
}

#[test]
fn the_log_says_as_much_as_it_was_asked_to() {
    let daemon = Daemon::start(&["--log-level", "debug", "--once"]);
    drop(daemon.guest(Options::default()));
    assert!(daemon.end().1.iter().any(|line| line.contains("DEBUG")));
    let daemon = Daemon::start(&["--once"]);
    drop(daemon.guest(Options::default()));
    let (_, log) = daemon.end();
    assert!(log.iter().all(|line| !line.contains("DEBUG")), "{log:#?}");
}
