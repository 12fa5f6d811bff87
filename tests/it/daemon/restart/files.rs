//! The state folder itself: who may use it, and what is made of files that are not as they should be.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Restarted, TEST_UNIT_READY, folder_with_image, good, read, sense};
use crate::support::daemon::Daemon;
use crate::support::disc::block;
use crate::support::host;

/// The two places of a state file, as `src/cli/daemon/state/slots.rs` has them.
const SLOT: usize = 16 << 20;
const HEAD: usize = 24;

fn crc(bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(bytes).to_le_bytes()
}

/// The newest record of a state file: where its place begins, and the record.
pub(super) fn newest(file: &[u8]) -> (usize, Vec<u8>) {
    let number =
        |at: usize, len: usize| file[at..at + len].iter().rev().fold(0_u64, |n, &byte| n << 8 | u64::from(byte));
    let place = if number(8, 8) > number(SLOT + 8, 8) { 0 } else { SLOT };
    let len = number(place + 16, 4) as usize;
    (place, file[place + HEAD..place + HEAD + len].to_vec())
}

/// The file with another record in place of the newest.
fn with_record(file: &[u8], record: &[u8]) -> Vec<u8> {
    let (place, _) = newest(file);
    let mut file = file.to_vec();
    file[place + 16..place + 20].copy_from_slice(&(record.len() as u32).to_le_bytes());
    let head = file[place..place + 20].to_vec();
    file[place + 20..place + 24].copy_from_slice(&crc(&[&head[..], record].concat()));
    file[place + HEAD..place + HEAD + record.len()].copy_from_slice(record);
    file
}

#[test]
fn the_folder_is_for_one_user_and_one_daemon() {
    let mut here = Restarted::start(&[]);
    let state = here.folder.path().join("state");
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
    let file = state.join("cd0.state");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let refusal = |path: &Path| {
        let runtime = TempDir::new().unwrap();
        // One that is not refused would run for ever.
        let mut command = std::process::Command::new("timeout");
        command.args(["60", env!("CARGO_BIN_EXE_spindled")]).env("XDG_RUNTIME_DIR", runtime.path());
        command.arg("--socket-path").arg(runtime.path().join("socket")).arg("--state-dir").arg(path);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refusal(&state).contains("is in use by another spindled"));
    here.restart();
    let log = here.daemon.as_ref().map(|daemon| daemon.log().join("\n")).unwrap_or_default();
    assert!(!log.contains("damaged"), "{log}");
    here.kill();
    for mode in [0o710, 0o701, 0o770] {
        fs::set_permissions(&state, Permissions::from_mode(mode)).unwrap();
        assert!(refusal(&state).contains("is not a private folder of this user"), "{mode:o}");
    }
    fs::write(here.path("file"), "").unwrap();
    assert!(refusal(&here.folder.path().join("file/there")).contains("Not a directory"));
    // A folder that is not there is made, and those that it is in.
    let folder = TempDir::new().unwrap();
    let new = folder.path().join("not/there");
    drop(Daemon::start(&["--state-dir", new.to_str().unwrap()]));
    assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o700);
    // A link in place of the file.
    let linked = here.folder.path().join("linked");
    DirBuilder::new().mode(0o700).create(&linked).unwrap();
    std::os::unix::fs::symlink(here.path("elsewhere"), linked.join("cd0.state")).unwrap();
    assert!(refusal(&linked).contains("cd0.state"));
    assert!(!here.folder.path().join("elsewhere").exists());
}

#[test]
fn a_write_that_was_cut_off_leaves_what_was_before_it() {
    let (folder, image) = folder_with_image(3);
    let mut here = Restarted::start_in(folder, &[&image]);
    let mut guest = here.guest();
    good(&mut guest, &[0x1E, 0, 0, 0, 1, 0], 0);
    let locked = fs::read(here.path("state/cd0.state")).unwrap();
    good(&mut guest, &[0x1E, 0, 0, 0, 0, 0], 0);
    let runtime = here.kill();
    let unlocked = fs::read(here.path("state/cd0.state")).unwrap();
    let (place, record) = newest(&unlocked);
    assert_ne!(place, newest(&locked).0, "the records take turns");
    // As much of the last write as there may be; what follows is of the write before the last.
    let mut torn = locked;
    torn[place..place + HEAD + record.len() / 2].copy_from_slice(&unlocked[place..place + HEAD + record.len() / 2]);
    fs::write(here.path("state/cd0.state"), torn).unwrap();
    here.start_again(runtime);
    guest.reconnect(&here.daemon().path());
    assert_eq!(here.query()["locked-by"], json!([0]));
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (0, 0, 0));
}

#[test]
fn a_file_that_is_no_state_is_said_and_the_drive_starts_anew() {
    let (folder, image) = folder_with_image(3);
    let mut here = Restarted::start_in(folder, &[&image]);
    let good_file = {
        here.guest();
        fs::read(here.path("state/cd0.state")).unwrap()
    };
    let wrong: [Vec<u8>; 6] = [
        vec![0xFF; 2 * SLOT],
        b"{}".to_vec(),
        with_record(&good_file, b"{}"),
        with_record(&good_file, b"[[[[[[[["),
        with_record(&good_file, "[".repeat(200_000).as_bytes()),
        with_record(&good_file, b"\xFF\xFE"),
    ];
    for bytes in wrong {
        let runtime = here.kill();
        fs::write(here.path("state/cd0.state"), &bytes).unwrap();
        here.start_again(runtime);
        let log = here.daemon().log().join("\n");
        assert!(log.contains("is damaged") && log.contains("starts anew"), "{log}");
        let mut guest = here.guest();
        assert_eq!(read(&mut guest, 9), block(3, 9));
        guest.hang_up();
    }
}

/// Values that no drive has: each is left out, and the drive is one that it could be.
#[test]
fn a_state_that_was_made_up_harms_nobody() {
    let (folder, image) = folder_with_image(3);
    let mut here = Restarted::start_in(folder, &[&image]);
    here.guest();
    // Its machine has left, and its last answers with it, once the next connection is served.
    drop(here.daemon().guest(Default::default()));
    here.kill();
    let file = fs::read(here.path("state/cd0.state")).unwrap();
    let record: Value = serde_json::from_slice(&newest(&file).1).unwrap();
    here.start_again(TempDir::new().unwrap());
    let run = json!({"by": 65535, "motion": "reverse", "at": i32::MAX, "span": {"first": i32::MAX, "end": i32::MIN, "completes": true}});
    let changes: Vec<(&str, Value)> = vec![
        ("/drive/nexuses/0/attentions", json!([[255, 255], [0x29, 0], [0x29, 0], [0x3A, 7]])),
        ("/drive/nexuses/0/media-events", json!(vec!["new-media"; 1000])),
        ("/drive/modes", json!({"1": vec![255; 4000], "42": [], "63": [1], "10": [255]})),
        ("/drive/speed", json!(u32::MAX)),
        ("/drive/reservation", json!(9)),
        ("/drive/audio", json!({"status": "playing", "run": run})),
        ("/drive/audio", json!({"status": "paused", "run": null})),
        ("/drive/milliseconds", json!(u64::MAX)),
        ("/notes", json!({"2": "zz", "3": "", "65535": "00".repeat(50_000)})),
        ("/identity/vendor", json!("a name that is too long")),
        ("/identity/serial", json!("\u{0}")),
        ("/medium/files", json!([])),
        ("/medium/files/0/path", json!("/dev/zero")),
        ("/medium/files/0/path", json!("/proc/self/mem")),
        ("/medium/files/0/path", json!("/")),
        ("/medium/files/0/name", json!("%00")),
        ("/medium/files/0/stored", json!("spindle.cd0.1.0")),
        ("/medium/format", json!("nrg")),
        ("/medium/files/0/identity/size", json!(u64::MAX)),
    ];
    for (place, value) in changes {
        let runtime = here.kill();
        let mut changed = record.clone();
        *changed.pointer_mut(place).unwrap_or_else(|| panic!("{place} in {record}")) = value;
        fs::write(here.path("state/cd0.state"), with_record(&file, changed.to_string().as_bytes())).unwrap();
        here.start_again(runtime);
        let query = here.query();
        assert!(query["vendor"].as_str().unwrap().len() <= 8, "{query}");
        let lost = query.get("absent").is_some();
        let about_medium = place.starts_with("/medium/f") && !place.ends_with("name") && !place.ends_with("stored");
        assert_eq!(lost, about_medium, "{place}: {query}");
        let mut guest = here.daemon().guest(Default::default());
        // Another nexus may hold the reservation that was made up: until a reset.
        let first = super::run(&mut guest, &TEST_UNIT_READY, 0);
        if place.ends_with("reservation") {
            assert_eq!(first.status, 0x18);
        } else {
            super::settle(&mut guest);
            assert_eq!(sense(&mut guest, &[0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0]).0, if lost { 2 } else { 0 }, "{place}");
            good(&mut guest, &[0x5A, 0, 0x3F, 0, 0, 0, 0, 0, 255, 0], 255);
        }
    }
}

#[test]
fn the_example_of_a_unit_names_options_that_there_are() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/qemu-scripts/spindled@.service");
    let unit = fs::read_to_string(unit).unwrap();
    let start = unit.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
    let help = host::run(env!("CARGO_BIN_EXE_spindled"), &["--help"]);
    let options: Vec<_> = start.split(' ').filter(|word| word.starts_with("--")).collect();
    assert!(options.contains(&"--state-dir"), "{start}");
    assert!(options.iter().all(|option| help.contains(&format!("{option} <"))), "{options:?}");
    // What the sandbox takes away, a unit must not be needed for; what it leaves, the unit must leave too.
    assert!(unit.lines().any(|line| line == "RestrictAddressFamilies=AF_UNIX"));
    assert!(unit.lines().any(|line| line == "StateDirectoryMode=0700"), "--state-dir refuses any other");
}
