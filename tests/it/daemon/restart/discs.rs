//! Which disc is in the drive afterwards, and which is not and why.

use std::fmt::Write;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::files::newest;
use super::{
    EJECT, Restarted, TEST_UNIT_READY, events, folder_with_image, good, read, sense, under_a_password, write_image,
};
use crate::support::disc::block;
use crate::support::fuse::Fuse;
use crate::support::host::run;

const SPINDLE: &str = env!("CARGO_BIN_EXE_spindle");

/// `spindle insert`, which passes the files open.
fn insert(here: &Restarted, image: &str) {
    run(SPINDLE, &["insert", "--control", &here.path("control"), image]);
}

fn status(here: &Restarted) -> String {
    run(SPINDLE, &["status", "--control", &here.path("control")])
}

/// A CUE sheet with its data file in another folder than the daemon's; its path.
fn sheet(folder: &Path, seed: u32) -> String {
    write_image(folder.join("disc.bin"), seed);
    let sheet = folder.join("disc.cue");
    fs::write(&sheet, "FILE disc.bin BINARY\nTRACK 01 MODE1/2048\nINDEX 01 00:00:00\n").unwrap();
    sheet.to_str().unwrap().to_owned()
}

#[test]
fn a_disc_that_was_passed_open_is_found_again_with_all_its_files() {
    let mut here = Restarted::start(&[]);
    let images = TempDir::new().unwrap();
    let sheet = sheet(images.path(), 5);
    insert(&here, &sheet);
    let mut guest = here.guest();
    for _ in 0..2 {
        here.restart_under(&mut guest);
        assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (0, 0, 0));
        assert_eq!(read(&mut guest, 63), block(5, 63));
        let query = here.query();
        assert_eq!((&query["medium"]["locator"], &query["medium"]["format"]), (&json!(sheet), &json!("cue")));
        assert_eq!(query.get("absent"), None);
    }
    // A data file, whose descriptor is found beside it.
    insert(&here, images.path().join("disc.bin").to_str().unwrap());
    here.restart();
    assert_eq!(here.query()["medium"]["format"], "cue");
}

#[test]
fn a_path_in_a_media_root_is_opened_again() {
    let folder = TempDir::new().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    let sheet = sheet(&images, 6);
    let mut here = Restarted::start_in(folder, &["--media-root", images.to_str().unwrap()]);
    here.client().ok("media-insert", json!({"file": sheet}));
    let mut guest = here.guest();
    here.restart_under(&mut guest);
    assert_eq!(read(&mut guest, 7), block(6, 7));
}

/// Of hundreds of files whose paths are long: what is kept of them is longer than most records.
#[test]
fn an_image_of_many_files_is_opened_again() {
    let folder = TempDir::new().unwrap();
    let images =
        folder.path().join("folder with a long name, for one of many ".repeat(5)).join("and another ".repeat(20));
    let images = images.join("the third ".repeat(20)).join("the fourth ".repeat(20));
    fs::create_dir_all(&images).unwrap();
    let mut sheet = String::from("CD_ROM\nTRACK MODE1\n");
    for part in 0..400_u32 {
        fs::write(images.join(format!("part {part}")), block(part, 0)).unwrap();
        writeln!(sheet, "DATAFILE \"part {part}\"").unwrap();
    }
    fs::write(images.join("disc.toc"), sheet).unwrap();
    let mut here = Restarted::start_in(folder, &["--media-root", images.to_str().unwrap()]);
    here.client().ok("media-insert", json!({"file": images.join("disc.toc")}));
    let mut guest = here.guest();
    here.restart_under(&mut guest);
    assert_eq!(here.query()["medium"]["format"], "toc");
    assert_eq!(read(&mut guest, 255), block(255, 0));
    let kept = fs::read(here.path("state/cd0.state")).unwrap();
    assert!(newest(&kept).1.len() > 256 << 10);
}

/// Neither its bytes nor, at worst, its name.
#[test]
fn storage_that_does_not_answer_at_a_start_holds_up_no_other_drive_and_nobody_at_the_control_socket() {
    for mute in [false, true] {
        let fuse = Fuse::mount((0..300).flat_map(|lba| block(4, lba)).collect());
        let (folder, local) = folder_with_image(5);
        let remote = format!("--drive=name=cd0,image={}", fuse.path().display());
        // All of which come too late if they are looked for after the first.
        let locals: Vec<_> = (1..20).map(|number| format!("--drive=name=cd{number},image={local}")).collect();
        let drives = [&remote].into_iter().chain(&locals).map(String::as_str);
        let arguments: Vec<_> = ["--read-deadline", "1"].into_iter().chain(drives).collect();
        let mut here = Restarted::start_in(folder, &arguments);
        drop(here.guest());
        let _patience = fuse.patience();
        if mute {
            fuse.set_mute();
        } else {
            fuse.set_hanging(0..300 * 2048);
        }
        here.restart();
        let drives = here.client().ok("drive-query", json!({}));
        assert!(drives[0]["absent"]["reason"].as_str().unwrap().contains("has not answered in time"), "{drives}");
        assert_eq!(drives[0].get("medium"), None);
        assert!((1..20).all(|number| drives[number]["medium"]["format"] == "iso"), "{drives}");
        // Whoever looks for it is left behind, and nobody looks for it again.
        let opens = |status: &&String| status.starts_with("Name:\topening\n");
        let deadline = Instant::now() + Duration::from_secs(60);
        while here.daemon().statuses().iter().filter(opens).count() != 1 {
            assert!(Instant::now() < deadline, "two look for it");
            std::thread::sleep(Duration::from_millis(10));
        }
        let log = here.daemon().log().join("\n");
        assert!(mute || !log.contains("thread(s)"), "{log}");
        // It can be put in again when it answers.
        fuse.release();
        let image = fuse.path();
        run(SPINDLE, &["insert", "--control", &here.path("control"), "--drive", "cd0", image.to_str().unwrap()]);
        let mut guest = here.guest();
        assert_eq!(read(&mut guest, 7), block(4, 7));
    }
}

/// A disc that is decoded to its end before it is in the drive.
#[test]
fn storage_that_is_slow_at_a_start_is_waited_for_and_no_disc_waits_for_one_that_is_silent() {
    // Nothing that can be packed.
    let next = |last: &u32| Some(last.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let bytes: Vec<_> =
        std::iter::successors(Some(1), next).map(|number| (number >> 24) as u8).take(300 * 2048).collect();
    let packed = TempDir::new().unwrap();
    let iso = packed.path().join("disc.iso");
    fs::write(&iso, &bytes).unwrap();
    run("bzip2", &[iso.to_str().unwrap()]);
    let fuse = Fuse::mount(fs::read(iso.with_extension("iso.bz2")).unwrap());
    let (folder, local) = folder_with_image(5);
    let first = format!("--drive=name=cd0,image={}", fuse.path().display());
    let second = format!("--drive=name=cd1,image={local}");
    let mut here = Restarted::start_in(folder, &["--read-deadline", "1", "--spool", &first, &second]);
    drop(here.guest());
    let _patience = fuse.patience();
    // Several deadlines, and never silent for one.
    fuse.set_slow(Duration::from_millis(40));
    here.restart();
    let drives = here.client().ok("drive-query", json!({}));
    assert_eq!(drives[0]["medium"]["format"], "iso", "{drives}");
    let mut guest = here.guest();
    assert_eq!(read(&mut guest, 7), bytes[7 * 2048..8 * 2048]);
    drop(guest);
    fuse.release();
    let half = fs::metadata(fuse.path()).unwrap().len() / 2;
    fuse.set_hanging(half..half + 1);
    here.restart();
    let drives = here.client().ok("drive-query", json!({}));
    assert!(drives[0]["absent"]["reason"].as_str().unwrap().contains("has not answered in time"), "{drives}");
    assert_eq!(drives[1]["medium"]["format"], "iso", "{drives}");
}

/// Changed, replaced, cut, gone: the image itself, or a file that it names.
#[test]
fn a_file_that_changed_meanwhile_is_not_put_in_and_the_guest_and_the_log_say_so() {
    type Change = fn(&Path);
    let written: Change = |file| {
        let mut bytes = fs::read(file).unwrap();
        bytes[0] ^= 1;
        fs::write(file, bytes).unwrap();
    };
    let replaced: Change = |file| {
        let copy = file.with_extension("copy");
        let times = fs::FileTimes::new().set_modified(fs::metadata(file).unwrap().modified().unwrap());
        fs::copy(file, &copy).unwrap();
        File::options().write(true).open(&copy).unwrap().set_times(times).unwrap();
        fs::rename(copy, file).unwrap();
    };
    let cut: Change = |file| {
        let times = fs::FileTimes::new().set_modified(fs::metadata(file).unwrap().modified().unwrap());
        let file = File::options().write(true).open(file).unwrap();
        file.set_len(file.metadata().unwrap().len() - 1).unwrap();
        file.set_times(times).unwrap();
    };
    let removed: Change = |file| fs::remove_file(file).unwrap();
    for (name, change, reason) in [
        ("disc.bin", written, "has changed"),
        ("disc.cue", replaced, "has changed"),
        ("disc.bin", cut, "has changed"),
        ("disc.cue", removed, "No such file"),
        ("disc.bin", removed, "No such file"),
    ] {
        let images = TempDir::new().unwrap();
        let sheet = sheet(images.path(), 5);
        for by_command_line in [true, false] {
            let sheet = if by_command_line { sheet.clone() } else { self::sheet(images.path(), 5) };
            let arguments = if by_command_line { vec![sheet.as_str()] } else { Vec::new() };
            let mut here = Restarted::start(&arguments);
            if !by_command_line {
                insert(&here, &sheet);
            }
            let mut guest = here.guest();
            let runtime = here.kill();
            change(&images.path().join(name));
            here.start_again(runtime);
            let said = here.daemon().log().join("\n");
            assert!(said.contains("is not put into its drive again") && said.contains(reason), "{name}: {said}");
            guest.reconnect(&here.daemon().path());
            assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (6, 0x3A, 0));
            assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (2, 0x3A, 1));
            assert_eq!(events(&mut guest), (3, 0));
            let absent = here.query()["absent"].take();
            assert_eq!(absent["locator"], sheet);
            assert!(absent["reason"].as_str().unwrap().contains(name), "{absent}");
            let shown = status(&here);
            assert!(shown.contains("empty (not put in again: ") && shown.contains(reason), "{shown}");
            // It is said until there is another disc.
            here.restart();
            assert_eq!(here.query()["absent"], absent);
            let other = here.image("other.iso", 7);
            insert(&here, &other);
            assert_eq!(here.query().get("absent"), None);
            guest.reconnect(&here.daemon().path());
            super::settle(&mut guest);
            assert_eq!(read(&mut guest, 2), block(7, 2));
        }
    }
}

#[test]
fn a_disc_that_no_machine_has_seen_yet_is_remembered() {
    let (folder, image) = folder_with_image(5);
    let mut here = Restarted::start_in(folder, &[&image]);
    let runtime = here.kill();
    fs::remove_file(&image).unwrap();
    write_image(image.into(), 7);
    here.start_again(runtime);
    let query = here.query();
    assert!(query["absent"]["reason"].as_str().unwrap().contains("has changed"), "{query}");
}

/// It lay in an open tray: nothing moves when another is put in its place.
#[test]
fn a_disc_that_is_missing_from_an_open_tray_is_missed_until_there_is_another() {
    let images = TempDir::new().unwrap();
    let sheet = sheet(images.path(), 5);
    let mut here = Restarted::start(&[&sheet]);
    let mut guest = here.guest();
    good(&mut guest, &EJECT, 0);
    let runtime = here.kill();
    fs::remove_file(images.path().join("disc.bin")).unwrap();
    here.start_again(runtime);
    let query = here.query();
    assert_eq!((&query["absent"]["locator"], &query["tray"]), (&json!(sheet), &json!("open")));
    insert(&here, &here.image("other.iso", 7));
    assert_eq!(here.query().get("absent"), None);
}

/// No password is kept anywhere. Where somebody can be asked, they are asked again.
#[test]
fn an_image_under_a_password_asks_for_it_again() {
    let images = TempDir::new().unwrap();
    let locked = images.path().join("disc.isz");
    fs::write(&locked, under_a_password(9)).unwrap();
    let password = images.path().join("password");
    fs::write(&password, "secret\n").unwrap();
    let insert_locked = |here: &Restarted| {
        let arguments = ["insert", "--control", &here.path("control"), "--password-file", password.to_str().unwrap()];
        run(SPINDLE, &[&arguments[..], &[locked.to_str().unwrap()]].concat());
    };
    // Nobody is at a terminal.
    let mut here = Restarted::start(&[]);
    insert_locked(&here);
    let mut guest = here.guest();
    assert_eq!(read(&mut guest, 63), block(9, 63));
    for entry in fs::read_dir(here.path("state")).unwrap() {
        let kept = fs::read(entry.unwrap().path()).unwrap();
        assert!(!kept.windows(6).any(|window| window == b"secret"), "the password is in the state");
    }
    here.restart_under(&mut guest);
    assert_eq!(here.query()["absent"]["reason"], "it needs its password again");
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (6, 0x3A, 0));
    insert_locked(&here);
    super::settle(&mut guest);
    assert_eq!(read(&mut guest, 63), block(9, 63));
    // The daemon has it from a file, at each start.
    here.arguments = vec!["--password-file".to_owned(), password.to_str().unwrap().to_owned()];
    here.restart_under(&mut guest);
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (0, 0, 0));
    assert_eq!(read(&mut guest, 63), block(9, 63));
}

#[test]
fn another_image_on_the_command_line_is_what_its_writer_wants() {
    let (folder, image) = folder_with_image(3);
    let mut here = Restarted::start_in(folder, &[&image]);
    let inserted = here.image("inserted.iso", 4);
    insert(&here, &inserted);
    here.restart();
    assert_eq!(here.query()["medium"]["locator"], inserted);
    let asked = here.image("asked.iso", 5);
    here.arguments = vec![asked.clone()];
    here.restart();
    assert_eq!(here.query()["medium"]["locator"], asked);
}

/// Nothing is kept of what no drive holds.
#[test]
fn fd_sets_and_open_media_end_with_the_daemon() {
    let mut here = Restarted::start(&[]);
    let image = File::open(here.image("disc.iso", 1)).unwrap();
    let mut client = here.client();
    client.send_with(b"{\"execute\": \"add-fd\", \"arguments\": {\"fdset-id\": 1}}", &[image.as_fd()]);
    assert!(client.answer().get("return").is_some());
    client.ok("media-open", json!({"file": "/dev/fdset/1", "node-name": "next"}));
    here.restart();
    assert_eq!(here.client().ok("query-fdsets", json!({})), json!([]));
    here.client().refused("media-close", json!({"node-name": "next"}));
}
