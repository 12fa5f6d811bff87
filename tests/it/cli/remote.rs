//! The verbs that talk to a daemon: `insert`, `eject`, `tray`, `status`, `watch`.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::{stderr, stdout};
use crate::support::daemon::Daemon;
use crate::support::guest::{self, Guest, Options, REQUESTS};

/// A daemon in a runtime folder of its own, and two images beside it.
struct Room {
    daemon: Daemon,
    images: [String; 2],
}

impl Room {
    fn new(arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let images = [1_u8, 2].map(|byte| {
            let path = folder.path().join(format!("{byte}.iso"));
            std::fs::write(&path, vec![byte; 10 * 2048]).unwrap();
            path.to_str().unwrap().to_owned()
        });
        Self { daemon: Daemon::start_in(folder, arguments), images }
    }

    /// `spindle` as the user who started the daemon runs it.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
        command.env("XDG_RUNTIME_DIR", self.daemon.folder.path()).env_remove("SPINDLE_CONTROL").args(arguments);
        command
    }

    fn spindle(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The same, which must succeed; returns what it printed.
    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.spindle(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        stdout(&output)
    }

    /// The same, which must fail with this exit status; returns what it said, one line.
    #[track_caller]
    fn fails(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.spindle(arguments);
        let words = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {words}");
        assert_eq!((stdout(&output).as_str(), words.lines().count()), ("", 1), "{words}");
        words
    }

    fn drive(&self) -> Value {
        serde_json::from_str::<Value>(&self.ok(&["status", "--json"])).unwrap()[0].take()
    }

    /// A guest that holds the lock and does not answer.
    fn locking_guest(&self) -> Guest {
        let mut guest = self.daemon.guest(Options::default());
        let mut run = |cdb: &[u8]| guest.command(REQUESTS, &guest::Command::new(cdb, 0)).status;
        while run(&[0; 6]) != 0 {}
        assert_eq!(run(&[0x1E, 0, 0, 0, 1, 0]), 0);
        guest
    }
}

#[test]
fn a_disc_goes_in_and_out_and_the_tray_moves() {
    let room = Room::new(&[]);
    let [first, second] = &room.images;
    assert_eq!(room.ok(&["status"]), "cd0: empty, tray closed\n");
    assert_eq!(room.ok(&["insert", first]), format!("cd0: {first} (CD-ROM)\n"));
    assert_eq!(room.ok(&["insert", second]), format!("cd0: {second} (CD-ROM)\n"));
    assert_eq!(room.ok(&["status"]), format!("cd0: {second} (CD-ROM, 10 blocks), tray closed\n"));
    room.ok(&["tray", "open"]);
    assert_eq!(room.ok(&["status"]), format!("cd0: {second} (CD-ROM, 10 blocks), tray open\n"));
    room.ok(&["tray", "close"]);
    assert_eq!(room.ok(&["eject"]), format!("cd0: {second} is out\n"));
    assert_eq!(room.ok(&["status"]), "cd0: empty, tray open\n");
    assert!(room.fails(4, &["eject"]).contains("no medium"));
}

#[test]
fn an_image_is_passed_open_so_the_daemon_needs_no_path_to_it() {
    let room = Room::new(&[]);
    // A name that is relative to where `spindle` runs, not the daemon.
    let output = room.command(&["insert", "1.iso"]).current_dir(room.daemon.folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(room.drive()["medium"]["locator"], room.images[0].as_str());
    // A file that has no name any more, behind a descriptor of the shell's.
    let script = "exec 9<\"$1\"; rm \"$1\"; exec \"$0\" insert /proc/self/fd/9";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_spindle"), &room.images[1]])
        .env("XDG_RUNTIME_DIR", room.daemon.folder.path())
        .env_remove("SPINDLE_CONTROL")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(room.drive()["medium"]["blocks"], 10);
}

#[test]
fn an_image_that_cannot_be_opened_changes_nothing() {
    let room = Room::new(&[]);
    let [first, _] = &room.images;
    room.ok(&["insert", first]);
    let empty = room.daemon.folder.path().join("empty");
    std::fs::write(&empty, []).unwrap();
    assert!(room.fails(5, &["insert", empty.to_str().unwrap()]).contains("the file is empty"));
    assert!(room.fails(1, &["insert", "/no/such/disc.iso"]).contains("/no/such/disc.iso"));
    let drive = room.drive();
    assert_eq!((&drive["medium"]["locator"], &drive["tray"]), (&first.as_str().into(), &"closed".into()));
}

#[test]
fn a_locked_tray_is_waited_for_and_taken_only_by_force() {
    let room = Room::new(&[]);
    let [first, second] = &room.images;
    room.ok(&["insert", first]);
    let _guest = room.locking_guest();
    assert!(room.ok(&["status"]).ends_with(", tray closed, locked by the guest\n"));
    for arguments in [
        &["eject", "--timeout", "0"][..],
        &["insert", second, "--timeout", "0.01"],
        &["tray", "open", "--timeout", "0"],
    ] {
        let words = room.fails(3, arguments);
        assert!(words.contains("the guest has locked the tray") && words.contains("force"), "{words}");
    }
    assert_eq!(room.drive()["medium"]["locator"], first.as_str());
    room.ok(&["insert", second, "--timeout", "0", "--force"]);
    assert_eq!(room.drive()["medium"]["locator"], second.as_str());
}

#[test]
fn a_socket_that_is_no_control_socket_is_told_and_an_empty_variable_is_none() {
    let room = Room::new(&[]);
    let vhost_user = room.daemon.path();
    let words = room.fails(1, &["status", "--control", vhost_user.to_str().unwrap()]);
    assert!(words.contains("does not answer as a control socket does"), "{words}");
    let empty = room.command(&["status"]).env("SPINDLE_CONTROL", "").output().unwrap();
    assert!(empty.status.success(), "{}", stderr(&empty));
}

#[test]
fn text_of_a_disc_does_nothing_to_a_terminal() {
    let room = Room::new(&[]);
    let sheet = room.daemon.folder.path().join("disc.cue");
    std::fs::write(&sheet, "FILE \"\x1B[31mred.bin\" BINARY\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n").unwrap();
    for verb in ["insert", "info", "verify"] {
        let output = room.spindle(&[verb, sheet.to_str().unwrap()]);
        assert!(!output.status.success());
        assert!(
            stderr(&output).contains("\\u{1b}[31mred.bin") && !stderr(&output).contains('\x1B'),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn wrong_usage_is_told_by_its_status() {
    let room = Room::new(&[]);
    for arguments in
        [&["tray", "sideways"][..], &["eject", "--timeout", "soon"], &["insert"], &["tray", "close", "--force"]]
    {
        assert_eq!(room.spindle(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_drive_is_chosen_by_name_when_there_are_several() {
    let room = Room::new(&["--drive", "name=left", "--drive", "name=right"]);
    let [first, _] = &room.images;
    for arguments in [&["insert", first][..], &["eject"], &["tray", "open"], &["tray", "close"]] {
        assert!(room.fails(1, arguments).contains("left, right"), "{arguments:?}");
    }
    room.ok(&["insert", "--drive", "right", first]);
    assert_eq!(
        room.ok(&["status"]),
        format!("left: empty, tray closed\nright: {first} (CD-ROM, 10 blocks), tray closed\n")
    );
    assert!(room.fails(1, &["eject", "--drive", "up"]).contains("'up' not found"));
}

#[test]
fn the_only_daemon_is_found_and_several_are_asked_about() {
    let room = Room::new(&[]);
    room.ok(&["status"]);
    let sockets = room.daemon.folder.path().join("spindled");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let only = std::fs::read_dir(&sockets).unwrap().next().unwrap().unwrap().path();
    assert_eq!((mode(&sockets), mode(&only)), (0o700, 0o600));

    // A second one, in the same runtime folder.
    let other = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindled"));
    command.env("XDG_RUNTIME_DIR", room.daemon.folder.path()).arg("--socket-path").arg(other.path().join("socket"));
    let second = Daemon::run(command, other);
    let words = stderr(&room.spindle(&["status"]));
    assert!(words.contains("which spindled? give --control") && words.contains(only.to_str().unwrap()), "{words}");
    let path = only.to_str().unwrap();
    room.ok(&["status", "--control", path]);
    let output = room.command(&["status"]).env("SPINDLE_CONTROL", path).output().unwrap();
    assert!(output.status.success());
    drop(second);
    // The second was killed, so its socket file is still there, and nobody listens: one daemon is left.
    room.ok(&["status"]);

    let nobody = TempDir::new().unwrap();
    let output = room.command(&["status"]).env("XDG_RUNTIME_DIR", nobody.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no spindled is running here; give --control PATH or set SPINDLE_CONTROL"));
    assert!(room.fails(1, &["status", "--control", "/no/such/socket"]).contains("/no/such/socket"));
}

#[test]
fn status_as_json_has_every_field() {
    let room = Room::new(&["--drive", "name=cd1,serial=S1,vendor=ACME,product=Reader"]);
    room.ok(&["insert", &room.images[0]]);
    let drive = room.drive();
    for (field, value) in
        [("name", "cd1"), ("serial", "S1"), ("vendor", "ACME"), ("product", "Reader"), ("tray", "closed")]
    {
        assert_eq!(drive[field], value, "{drive}");
    }
    assert_eq!((drive["lun"].as_u64(), &drive["locked-by"]), (Some(0), &serde_json::json!([])));
    let medium = &drive["medium"];
    assert_eq!((&medium["type"], &medium["format"]), (&"CD-ROM".into(), &"iso".into()));
    for (field, value) in [("blocks", 10), ("bytes", 20_480), ("sessions", 1), ("tracks", 1), ("layers", 1)] {
        assert_eq!(medium[field], value, "{field}: {medium}");
    }
}

#[test]
fn watch_prints_what_happens_until_the_daemon_ends() {
    let room = Room::new(&[]);
    let start = |arguments: &[&str]| {
        let mut child = room.command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (child, lines)
    };
    let (mut people, mut text) = start(&["watch"]);
    let (mut programs, mut json) = start(&["watch", "--json"]);
    // It has connected when it hears of the tray.
    let moves = std::thread::scope(|scope| {
        let heard = scope.spawn(|| (text.next().unwrap().unwrap(), json.next().unwrap().unwrap()));
        while !heard.is_finished() {
            room.ok(&["tray", "open"]);
            room.ok(&["tray", "close"]);
        }
        heard.join().unwrap()
    });
    assert!(moves.0.ends_with(" cd0: tray opened") || moves.0.ends_with(" cd0: tray closed"), "{}", moves.0);
    let event: Value = serde_json::from_str(&moves.1).unwrap();
    assert_eq!(event["event"], "DEVICE_TRAY_MOVED");
    room.ok(&["insert", &room.images[0]]);
    let wanted = format!("cd0: {} put in", room.images[0]);
    assert!(text.any(|line| line.unwrap().ends_with(&wanted)));
    assert!(json.any(|line| line.unwrap().contains("SPINDLE_MEDIUM_CHANGED")));
    let Room { daemon, .. } = room;
    daemon.signal(rustix::process::Signal::TERM);
    assert_eq!(daemon.end().0.code(), Some(0));
    assert_eq!((people.wait().unwrap().code(), programs.wait().unwrap().code()), (Some(0), Some(0)));
}

#[test]
fn seconds_are_what_the_verbs_take() {
    let room = Room::new(&[]);
    for wrong in ["nan", "-1", "3601", "inf", "x"] {
        let output = room.spindle(&["eject", &format!("--timeout={wrong}")]);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {}", stderr(&output));
    }
    assert_eq!(room.spindle(&["eject", "--timeout", "0.5"]).status.code(), Some(4));
}

#[test]
fn an_output_that_takes_nothing_is_an_error_and_no_panic() {
    let room = Room::new(&[]);
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for verb in [&["insert", &room.images[0]][..], &["eject"]] {
        let output = room.command(verb).stdout(full()).output().unwrap();
        assert_eq!((output.status.code(), stderr(&output).lines().count()), (Some(1), 1), "{}", stderr(&output));
    }
}

#[test]
fn faults_come_and_go() {
    let room = Room::new(&["--drive", "name=cd0", "--drive", "name=cd1"]);
    let on = |arguments: &[&str]| room.ok(&[&["fault"], arguments].concat());
    room.ok(&["insert", "--drive", "cd0", &room.images[0]]);
    assert_eq!(on(&["read-error", "--drive", "cd0", "--blocks", "3-5"]), "cd0: fault 1\n");
    assert_eq!(on(&["delay", "--drive", "cd0", "--seconds", "1.5", "--blocks", "7"]), "cd0: fault 2\n");
    assert_eq!(on(&["tray-stuck", "--drive", "cd1"]), "cd1: fault 1\n");
    let listed =
        "cd0: fault 1: read-error, blocks 3-5\ncd0: fault 2: delay, block 7, 1.5 s\ncd1: fault 1: tray-stuck\n";
    assert_eq!(on(&["list"]), listed);
    let json: Value = serde_json::from_str(&on(&["list", "--json", "--drive", "cd1"])).unwrap();
    assert_eq!(json[0]["kind"], "tray-stuck");
    assert!(room.ok(&["status"]).contains("cd0: ") && room.ok(&["status"]).contains(", 2 injected faults\n"));
    assert!(room.fails(1, &["tray", "open", "--drive", "cd1", "--force"]).contains("stuck"));
    assert_eq!(on(&["clear", "--drive", "cd0", "1"]), "cd0: 1 ended\n");
    assert!(room.fails(1, &["fault", "clear", "--drive", "cd0", "1"]).contains("no fault 1"));
    assert_eq!(on(&["clear", "--drive", "cd1"]), "cd1: 1 ended\n");
    assert_eq!(on(&["medium-gone", "--drive", "cd0"]), "cd0: the disc is gone\n");
    assert!(room.fails(4, &["fault", "medium-gone", "--drive", "cd0"]).contains("no medium in drive cd0"));
    assert!(room.ok(&["status"]).contains("cd0: empty, tray closed, 1 injected fault\n"));
    for wrong in [&["read-error", "--blocks", "5-3"][..], &["read-error", "--blocks", "x"], &["delay"], &["smoke"], &[]]
    {
        assert_eq!(room.spindle(&[&["fault"], wrong].concat()).status.code(), Some(2), "{wrong:?}");
    }
}
