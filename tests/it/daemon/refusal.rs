//! What `spindled` refuses, and how it says so: one line on stderr, before there is any socket.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::daemon::spindled;
use crate::support::disc::block;
use crate::support::fuse::Fuse;

fn run(folder: &TempDir, arguments: &[&str]) -> Output {
    spindled(folder).args(arguments).output().unwrap()
}

#[test]
fn every_refusal_is_one_line_and_a_status() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let socket = at("socket");
    let _used = UnixListener::bind(folder.path().join("used")).unwrap();
    std::fs::write(folder.path().join("file"), "not a socket").unwrap();
    std::fs::write(folder.path().join("empty.iso"), "").unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let long = at(&"x".repeat(108));
    let many: Vec<String> = (0..257).map(|at| format!("--drive=name=cd{at}")).collect();
    let many: Vec<&str> = ["--socket-path", &socket].into_iter().chain(many.iter().map(String::as_str)).collect();
    for (status, arguments, reason) in [
        (2, &[][..], "--socket-path"),
        (2, &["--socket-path", &socket, "--fd", "3"], "cannot be used with"),
        (2, &["--socket-path", &socket, "--wat"], "--wat"),
        (2, &["--socket-path", &socket, "a", "b"], "unexpected argument"),
        (2, &["--socket-path", &socket, "--log-level", "loud"], "off, error, warn, info, debug, trace"),
        (1, &["--socket-path", &long], "longer than the 107 bytes"),
        (1, &["--socket-path", &at("used")], "in use"),
        (1, &["--socket-path", &at("file")], "not a socket"),
        (1, &["--socket-path", &at("no/such/folder")], "No such file"),
        (1, &["--socket-path", &socket, "--control", &long], "longer than the 107 bytes"),
        (1, &["--socket-path", &socket, "--control", &at("used")], "in use"),
        (1, &["--socket-path", &socket, "--socket-group", "no-such-group"], "no-such-group"),
        (1, &["--socket-path", &socket, &at("missing.iso")], "missing.iso"),
        (5, &["--socket-path", &socket, &at("empty.iso")], "empty"),
        (1, &["--socket-path", &socket, &at("folder")], "folder"),
        (1, &["--socket-path", &socket, "--drive", "name=a,image=/nonexistent"], "/nonexistent"),
        (2, &["--socket-path", &socket, "--drive", "name=a", "--drive", "name=a"], "two drives are named a"),
        (2, &["--socket-path", &socket, "--drive", "name=a,serial=X", "--drive", "name=b,serial=X"], "drives a and b"),
        (2, &["--socket-path", &socket, "--drive", "name=a", "--drive", "name=b,serial=SP-a"], "same serial number"),
        // A default serial number holds 17 characters of the name.
        (
            2,
            &["--socket-path", &socket, "--drive=name=a2345678901234567b", "--drive=name=a2345678901234567c"],
            "serial=",
        ),
        (2, &["--socket-path", &socket, "--drive", "name=a b"], "name"),
        (2, &["--socket-path", &socket, "--drive", "tray=open"], "name is missing"),
        (
            2,
            &["--socket-path", &socket, "--drive", "name=a,image=b,c.iso"],
            "a comma that belongs to a value is written twice",
        ),
        (2, &["--socket-path", &socket, "--behaviour", "none+seek-delay"], "or none alone"),
        (2, &["--socket-path", &socket, "--behaviour", "fast"], "real-speed, seek-delay, edc-errors"),
        (2, &["--socket-path", &socket, "--drive", "name=a,behaviour=fast"], "real-speed, seek-delay, edc-errors"),
        (2, &["--socket-path", &socket, "--audio", "speaker"], "none, wav:FILE, host or host:DEVICE"),
        (
            1,
            &["--socket-path", &socket, "--audio", "wav:/nonexistent/a.wav"],
            "audio wav:/nonexistent/a.wav: No such file",
        ),
        (1, &["--socket-path", &socket, "--audio", &format!("wav:{}", at("file"))], "left as it is"),
        (
            1,
            &["--socket-path", &socket, "--audio", &format!("wav:{}", at("a.wav")), "--drive=name=a", "--drive=name=b"],
            "drive b: audio",
        ),
        (2, &["--socket-path", &socket, "--poll=20000"], "--poll"),
        (1, &["--socket-path", &socket, "--media-root", "/nonexistent"], "--media-root /nonexistent: "),
        (1, &["--socket-path", &socket, "--media-root", &at("file")], "not a directory"),
        (2, &["--socket-path", &socket, "--sandbox", "half"], "on, none"),
        (1, &["--fd", "0"], "--fd 0"),
        (1, &["--fd", "999"], "--fd 999"),
        (2, &["--fd", "-1"], "-1"),
        (2, &many, "at most 256"),
        (2, &["--drive", "name=a"], "--socket-path"),
        (2, &["--socket-path", &socket, "--drive", &format!("name=a,socket={}", at("own"))], "socket= of its own"),
        (2, &["--socket-path", &socket, "--drive", "name=a,socket="], "socket is empty"),
        (1, &["--drive", &format!("name=a,socket={}", at("used"))], "in use"),
    ] {
        let output = run(&folder, arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("spindled: ") && stderr.contains(reason), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
        assert!(!Path::new(&socket).exists(), "{arguments:?}");
    }
    assert_eq!(std::fs::read(folder.path().join("file")).unwrap(), b"not a socket");
}

#[test]
fn capabilities_are_printed_whatever_else_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["--print-capabilities"][..], &["--wat", "--print-capabilities", "--fd", "x", "missing.iso"]] {
        let output = run(&folder, arguments);
        assert!(output.status.success());
        let capabilities: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(capabilities, serde_json::json!({"type": "scsi"}));
    }
}

#[test]
fn capabilities_that_cannot_be_printed_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = spindled(&folder).arg("--print-capabilities").stdout(full).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), words.lines().count()), (Some(1), 1), "{words}");
}

#[test]
fn the_descriptor_for_management_programs_agrees_with_the_binary() {
    let folder = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("qemu-scripts/50-spindled.json");
    let descriptor: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let capabilities: Value = serde_json::from_slice(&run(&folder, &["--print-capabilities"]).stdout).unwrap();
    assert_eq!(descriptor["type"], capabilities["type"]);
    assert!(descriptor["description"].as_str().is_some_and(|text| !text.is_empty()));
    assert!(descriptor["binary"].as_str().is_some_and(|path| path.starts_with('/') && path.ends_with("/spindled")));
    let keys: Vec<_> = descriptor.as_object().unwrap().keys().map(String::as_str).collect();
    // The members of VHostUserBackend (vhost-user.json), which has one more that is optional.
    assert!(keys.iter().all(|key| ["type", "description", "binary"].contains(key)), "{keys:?}");
}

#[test]
fn help_and_version_go_to_stdout() {
    let folder = tempfile::tempdir().unwrap();
    for argument in ["--help", "--version"] {
        let output = run(&folder, &[argument]);
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(String::from_utf8(output.stdout).unwrap().contains("spindled"));
    }
}

/// 20 seconds are less than the 30 after which Linux gives up on a command (docs/adr/0015).
#[test]
fn the_deadline_for_reads_is_20_seconds_unless_another_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let help = String::from_utf8(run(&folder, &["--help"]).stdout).unwrap();
    let (_, from_there) = help.split_once("--read-deadline <SECONDS>").unwrap();
    let of_it = from_there.split("\n      --").next().unwrap();
    assert!(of_it.contains("[default: 20]"), "{of_it}");
}

/// Neither its bytes nor, at worst, its name. A drive that has had it before is started without it instead.
#[test]
fn an_image_whose_storage_is_silent_is_refused_after_the_deadline() {
    let fuse = Fuse::mount((0..300).flat_map(|lba| block(4, lba)).collect());
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    for sandbox in ["on", "none"] {
        for mute in [false, true] {
            let _patience = fuse.patience();
            if mute {
                fuse.set_mute();
            } else {
                fuse.set_hanging(0..300 * 2048);
            }
            let image = fuse.path();
            let paths = [socket.to_str().unwrap(), image.to_str().unwrap()];
            let arguments = ["--sandbox", sandbox, "--read-deadline", "1", "--socket-path", paths[0], paths[1]];
            let mut daemon = spindled(&folder).args(arguments).stderr(Stdio::piped()).spawn().unwrap();
            let mut said = String::new();
            BufReader::new(daemon.stderr.take().unwrap()).read_line(&mut said).unwrap();
            let expected = format!("spindled: {}: its storage has not answered for 1 s (--read-deadline)\n", paths[1]);
            assert_eq!(said, expected, "sandbox {sandbox}, mute {mute}");
            // The kernel lets no process end that has a request at such a file system.
            fuse.release();
            assert_eq!(daemon.wait().unwrap().code(), Some(1));
            assert!(!socket.exists());
        }
    }
}
