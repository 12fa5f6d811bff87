//! The two sockets: their modes, their removal, and those that are inherited.

use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::process::{Signal, getgid};

use crate::support::daemon::Daemon;
use crate::support::guest::{Command, Guest, Options, REQUESTS};

const INQUIRY: [u8; 6] = [0x12, 0, 0, 0, 36, 0];

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn both_sockets_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control");
    let daemon = Daemon::start(&["--control", control.to_str().unwrap()]);
    assert_eq!((mode(&daemon.path()), mode(&control)), (0o600, 0o600));
    daemon.signal(Signal::TERM);
    let (_, _, runtime) = daemon.end_in_folder();
    assert!(!runtime.path().join("socket").exists() && !control.exists());
}

#[test]
fn a_group_may_be_let_in_to_the_rings_but_not_to_the_control_socket() {
    let group = getgid().as_raw().to_string();
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control");
    let daemon = Daemon::start(&["--socket-group", &group, "--control", control.to_str().unwrap()]);
    assert_eq!((mode(&daemon.path()), mode(&control)), (0o660, 0o600));
    assert_eq!(std::fs::metadata(daemon.path()).unwrap().gid().to_string(), group);
}

#[test]
fn the_control_socket_is_in_the_runtime_folder_by_default() {
    let daemon = Daemon::start(&[]);
    let folder = daemon.folder.path().join("spindled");
    assert_eq!(mode(&folder), 0o700);
    let sockets: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [socket] = &sockets[..] else { panic!("{sockets:?}") };
    assert_eq!(mode(socket), 0o600);
    daemon.signal(Signal::TERM);
    let (_, _, runtime) = daemon.end_in_folder();
    assert_eq!(std::fs::read_dir(runtime.path().join("spindled")).unwrap().count(), 0);
}

#[test]
fn a_runtime_folder_that_cannot_be_used_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = folder.path().join("runtime");
    std::fs::create_dir(&runtime).unwrap();
    // A file where the folder should be.
    std::fs::write(runtime.join("spindled"), "").unwrap();
    let mut command = crate::support::daemon::spindled(&folder);
    command.env("XDG_RUNTIME_DIR", &runtime).arg("--socket-path").arg(folder.path().join("socket"));
    let daemon = Daemon::run(command, folder);
    daemon.signal(Signal::TERM);
    let (status, log) = daemon.end();
    assert!(status.success());
    assert!(log.iter().any(|line| line.contains("control socket")), "{log:#?}");
}

#[test]
fn a_socket_that_nobody_listens_on_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let daemon = Daemon::start_in(folder, &[]);
    let mut guest = daemon.guest(Options::default());
    assert_eq!(guest.command(REQUESTS, &Command::new(&INQUIRY, 36)).data.len(), 36);
}

/// Another process has made them, and is gone.
#[test]
fn who_connects_is_told_the_daemons_process() {
    let daemon = Daemon::start(&[]);
    let stream = UnixStream::connect(daemon.path()).unwrap();
    let peer = rustix::net::sockopt::socket_peercred(&stream).unwrap();
    let name = std::fs::read_to_string(format!("/proc/{}/comm", peer.pid.as_raw_nonzero())).unwrap();
    assert_eq!(name, "spindled\n");
}

#[test]
fn a_socket_that_another_has_put_in_its_place_is_not_removed() {
    let daemon = Daemon::start(&[]);
    std::fs::remove_file(daemon.path()).unwrap();
    let _other = UnixListener::bind(daemon.path()).unwrap();
    daemon.signal(Signal::TERM);
    let (status, _, folder) = daemon.end_in_folder();
    assert!(status.success());
    assert!(folder.path().join("socket").exists());
}

#[test]
fn a_listening_socket_can_be_inherited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    // As an event loop leaves it.
    listener.set_nonblocking(true).unwrap();
    let daemon = Daemon::on_descriptor(OwnedFd::from(listener), &[]);
    for _ in 0..2 {
        let mut guest = Guest::connect(&path, Options::default());
        assert_eq!(guest.command(REQUESTS, &Command::new(&INQUIRY, 36)).data.len(), 36);
    }
    daemon.signal(Signal::TERM);
    assert!(daemon.end().0.success());
    // It is the parent's to remove.
    assert!(path.exists());
}

#[test]
fn a_connected_socket_can_be_inherited_and_is_the_only_one() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let daemon = Daemon::on_descriptor(OwnedFd::from(theirs), &[]);
    let mut guest = Guest::over(ours, Options::default());
    assert_eq!(guest.command(REQUESTS, &Command::new(&INQUIRY, 36)).data.len(), 36);
    drop(guest);
    assert!(daemon.end().0.success());
}

#[test]
fn what_is_inherited_must_be_a_unix_stream_socket() {
    let folder = tempfile::tempdir().unwrap();
    let shell = |redirect: &str| {
        let script = format!("exec \"$0\" --fd 3 {redirect}");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_spindled")]).env("XDG_RUNTIME_DIR", folder.path());
        command.output().unwrap()
    };
    let output = shell("3</dev/null");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && stderr.starts_with("spindled: --fd 3: "), "{stderr}");
}

/// Whose it is nobody but its user can find out. Needs root, to become somebody else.
#[test]
fn a_socket_of_another_user_is_not_said_to_be_in_use() {
    let folder = tempfile::tempdir().unwrap();
    // The programs that are tested may lie where nobody else may look.
    let program = folder.path().join("program");
    std::fs::copy(env!("CARGO_BIN_EXE_spindled"), &program).unwrap();
    let socket = folder.path().join("socket");
    drop(UnixListener::bind(&socket).unwrap());
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::chown(folder.path(), Some(65_534), Some(65_534)).unwrap();
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]).arg(program);
    command.env("XDG_RUNTIME_DIR", folder.path()).env("TMPDIR", folder.path()).arg("--socket-path").arg(&socket);
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && stderr.contains("cannot be found out: Permission denied"), "{stderr}");
    assert!(!stderr.contains("in use by") && socket.exists(), "{stderr}");
}
