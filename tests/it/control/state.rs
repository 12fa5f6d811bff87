//! The state of a drive as a text: what it fits, and texts that nobody saved.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use spindle::disc::Lba;
use spindle::disc::TrackMode::{Audio, Mode1};
use spindle::drive::{AudioStatus, Drive, Identity, MOST_SAVED, Tray};

use super::guest;
use crate::support::clock::ManualClock;
use crate::support::control::Control;
use crate::support::disc::{cd, of, patterned};
use crate::support::initiator::Initiator;

/// A drive with a disc of sound and data.
fn drive() -> Drive {
    let drive = Drive::new(Identity::named("cd0"), Tray::Closed);
    drive.change_medium(of(cd(1, &[&[(Audio, 3000), (Mode1, 1000)]])), false).unwrap();
    drive
}

/// The text with other JSON in it, and the checksum of that.
fn with(json: &Value) -> String {
    let json = json.to_string();
    format!("spindle-state 1 {:08x}\n{json}\n", crc32fast::hash(json.as_bytes()))
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text.lines().nth(1).unwrap()).unwrap()
}

#[test]
fn a_state_fits_the_same_drive_with_the_same_disc_alone() {
    let control = Control::start(&["cd0", "cd1"]);
    let mut client = control.client();
    let [cd0, cd1] = [0, 1].map(|at| &control.drives[at]);
    cd0.change_medium(patterned(1, 300), false).unwrap();
    cd1.change_medium(patterned(1, 300), false).unwrap();
    let answer = client.ok("state-save", json!({ "drive": "cd0" }));
    assert_eq!(answer["drive"], "cd0");
    let state = answer["state"].as_str().unwrap().to_owned();
    assert_eq!(client.ok("state-load", json!({ "drive": "cd0", "state": state })), json!({ "drive": "cd0" }));
    let mut refused = |drive: &str, state: &str, why: &str| {
        let (class, description) = client.refused("state-load", json!({ "drive": drive, "state": state }));
        assert_eq!((class.as_str(), description.as_str()), ("GenericError", format!("Drive {drive}: {why}").as_str()));
    };
    let serial = "the saved drive has serial \"SP-cd0\" and this one \"SP-cd1\": \
                  start spindled with --drive name=cd1,serial=SP-cd0";
    refused("cd1", &state, serial);
    let mut elsewhere = json_of(&state);
    elsewhere["lun"] = 1.into();
    let place = "the saved drive was LUN 1 and this one is LUN 0: give spindled its --drive options in the same order";
    refused("cd0", &with(&elsewhere), place);

    // Discs that differ in one thing each.
    let other = |what| {
        format!(
            "another disc is in the drive, with {what}: put the disc of the saved drive in (spindle insert) and load again"
        )
    };
    for (disc, what) in [
        (patterned(2, 300), "other contents"),
        (patterned(1, 301), "301 blocks and not 300"),
        (patterned(1, 500_000), "a DVD-ROM and not a CD-ROM"),
        (of(cd(1, &[&[(Mode1, 100), (Mode1, 200)]])), "2 tracks and not 1"),
        (of(cd(1, &[&[(Audio, 300)]])), "other tracks, or another CD-TEXT"),
    ] {
        cd0.change_medium(disc, true).unwrap();
        refused("cd0", &state, &other(what));
    }
    cd0.open_tray(true).unwrap();
    cd0.remove_medium();
    refused(
        "cd0",
        &state,
        "the saved drive has a disc in it and this one has none: put it in (spindle insert) and load again",
    );
    let empty = cd0.save(0);
    cd0.change_medium(patterned(1, 300), true).unwrap();
    refused(
        "cd0",
        &empty,
        "the saved drive has no disc in it and this one has: take it out (spindle eject) and load again",
    );
}

#[test]
fn texts_that_are_cut_off_or_changed_are_refused() {
    let drive = drive();
    let text = drive.save(0);
    assert!(text.len() < 4096 && drive.load(0, &text) == Ok(()), "{text}");
    for end in 0..text.len() - 1 {
        assert!(drive.load(0, &text[..end]).is_err(), "{end} bytes");
    }
    for at in 0..text.len() - 1 {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        assert!(drive.load(0, &String::from_utf8(bytes).unwrap()).is_err(), "byte {at}");
    }
    let refused = |text: &str| drive.load(0, text).unwrap_err().to_string();
    let damaged = "the state is damaged, its checksum does not fit: save it again";
    assert_eq!(refused(&text[..text.len() - 5]), damaged);
    let newer = text.replacen("spindle-state 1", "spindle-state 2", 1);
    assert_eq!(
        refused(&newer),
        "the state has version 2 and this spindled loads version 1: run the same version of Spindle on both hosts"
    );
    let long = format!("{}{}", text.trim_end(), " ".repeat(MOST_SAVED));
    assert!(refused(&long).starts_with("this is no saved state"));
    assert!(refused(&with(&json!({}))).starts_with("the state says what no drive can say (missing field"));
    // Nothing of a text moves the cursor of whoever reads the line.
    let mut made = json_of(&text);
    made["serial"] = "\u{1b}[2J".into();
    assert!(refused(&with(&made)).starts_with("the saved drive has serial \"?[2J\" and"));
    let mut without = json_of(&text);
    without["disc"] = Value::Null;
    assert!(refused(&with(&without)).contains("a disc that is there and is not"));
}

/// Everything in the text, replaced by what does not belong there, with the right checksum: refused or taken as far as a drive can
/// have it. The drive works afterwards.
#[test]
fn texts_that_somebody_made_up_leave_the_drive_sound() {
    let control = Control::start(&["cd0"]);
    let drive = control.drive();
    drive.change_medium(of(cd(1, &[&[(Audio, 3000), (Mode1, 1000)]])), false).unwrap();
    let guest = guest(&control);
    guest.run(&[0x45, 0, 0, 0, 0, 0, 0, 0, 75, 0], 0).good();
    guest.run(&[0x1E, 0, 0, 0, 1, 0], 0).good();
    drive.request_eject();
    let text = drive.save(0);
    let whole = json_of(&text);
    let mut paths = Vec::new();
    paths_of(&whole, String::new(), &mut paths);
    assert!(paths.iter().any(|path| path.contains("run")) && paths.len() > 60, "{paths:?}");
    let strange = [
        json!(-1),
        json!(u64::MAX),
        json!(70_000),
        json!("x".repeat(9)),
        json!([]),
        json!({}),
        json!(true),
        json!([[[]]]),
        Value::Null,
    ];
    for path in paths.iter().filter(|path| !path.starts_with("/disc")) {
        for value in &strange {
            let mut made = whole.clone();
            *made.pointer_mut(path).unwrap() = value.clone();
            let _ = drive.load(0, &with(&made));
            for cdb in [&[0; 6][..], &[0x5A, 0, 0x3F, 0, 0, 0, 0, 1, 0, 0], &[0x42, 0, 0x40, 1, 0, 0, 0, 0, 16, 0]] {
                guest.run(cdb, 256);
            }
            assert!(drive.save(0).len() < MOST_SAVED);
        }
    }
    drive.load(0, &text).unwrap();
    assert_eq!(guest.run(&[0x1B, 0, 0, 0, 2, 0], 0).kaq(), (5, 0x53, 2));
}

/// A play from one end of all addresses to the other: each value is one that some drive can have.
#[test]
fn a_play_that_somebody_made_up_counts_no_further_than_a_disc_goes() {
    let clock = ManualClock::new();
    let mut disc = cd(1, &[&[(Audio, 3000), (Mode1, 1000)]]);
    disc.sessions[0].lead_out = Lba(i32::MAX);
    let drive = Drive::new(Identity::named("cd0"), Tray::Closed).by_clock(Arc::clone(&clock) as _);
    drive.change_medium(of(disc), false).unwrap();
    for (first, expected) in [(i32::MIN, AudioStatus::None), (-150, AudioStatus::Completed)] {
        for motion in ["forward", "reverse", "play"] {
            let span = json!({ "first": first, "end": i32::MAX, "completes": true });
            let mut made = json_of(&drive.save(0));
            let at = if motion == "reverse" { i32::MAX } else { first };
            made["drive"]["audio"] =
                json!({ "status": "playing", "run": { "by": 0, "motion": motion, "span": span, "at": at } });
            drive.load(0, &with(&made)).unwrap();
            clock.advance(Duration::from_secs(400 * 24 * 3600));
            assert_eq!(drive.snapshot().audio, expected, "{motion} from {first}");
        }
    }
}

/// The play of the machine that was here ends with the tray that is open there.
#[test]
fn a_state_with_an_open_tray_ends_a_play() {
    let drive = Arc::new(drive());
    let guest = Initiator::of(Arc::clone(&drive));
    guest.settle();
    let mut made = json_of(&drive.save(0));
    guest.run(&[0x45, 0, 0, 0, 0, 0, 0, 0, 75, 0], 0).good();
    made["drive"]["tray-open"] = true.into();
    drive.load(0, &with(&made)).unwrap();
    assert_eq!(drive.snapshot().audio, AudioStatus::None);
}

fn paths_of(value: &Value, at: String, paths: &mut Vec<String>) {
    let members = value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value));
    let items = value.as_array().into_iter().flatten().enumerate().map(|(index, value)| (index.to_string(), value));
    for (name, value) in members.chain(items) {
        paths_of(value, format!("{at}/{name}"), paths);
    }
    if !at.is_empty() {
        paths.push(at);
    }
}

/// Clocks of two hosts differ, and the machine stands still for a while: a play goes on from where it was saved.
#[test]
fn a_play_goes_on_from_where_it_was_saved() {
    let [clock, other] = [0, 1].map(|_| ManualClock::new());
    let [here, there] = [&clock, &other].map(|clock| Arc::new(drive().by_clock(Arc::clone(clock) as _)));
    let position = |guest: &Initiator| {
        let data = guest.run(&[0x42, 0, 0x40, 1, 0, 0, 0, 0, 16, 0], 16).good();
        (data[1], i32::from_be_bytes(data[8..12].try_into().unwrap()))
    };
    let guest = Initiator::of(Arc::clone(&here));
    guest.settle();
    guest.run(&[0x45, 0, 0, 0, 0, 100, 0, 3, 0xE8, 0], 0).good();
    clock.advance(std::time::Duration::from_secs(2));
    let text = here.save(0);
    assert_eq!(position(&guest), (0x11, 250));
    clock.advance(std::time::Duration::from_secs(3));
    let guest = Initiator::of(Arc::clone(&there));
    let aged = text.lines().nth(1).unwrap().replace("\"milliseconds\":1", "\"milliseconds\":");
    there.load(0, &format!("spindle-state 1 {:08x}\n{aged}\n", crc32fast::hash(aged.as_bytes()))).unwrap();
    assert_eq!(position(&guest), (0x11, 250));
    other.advance(std::time::Duration::from_secs(1));
    assert_eq!(position(&guest), (0x11, 325));
}
