//! `spindle convert` and `spindle extract --track`, against the programs that read what they write.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::{inside, spindle, stderr, stdout};
use crate::support::disk::SmallDisk;
use crate::support::inputs;

/// What a program says on standard output.
///
/// # Panics
/// When it is missing or fails.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

fn convert(arguments: &[&str]) {
    let output = spindle(&[&["convert"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
}

/// A raw image of a real disc without its sheet, and its blocks as libcdio's own reader would give them: bytes 16 to 2,063 of each sector.
fn real(folder: &TempDir) -> (String, Vec<u8>, Vec<u8>) {
    let path = inside(folder, "isofs-m1.bin");
    fs::copy(inputs::path("libcdio/isofs-m1.bin"), &path).unwrap();
    let raw = fs::read(&path).unwrap();
    let blocks = raw.chunks_exact(2352).flat_map(|sector| &sector[16..2064]).copied().collect();
    (path, raw, blocks)
}

/// An image of sound alone.
fn sound(folder: &TempDir) -> (String, Vec<u8>) {
    let samples: Vec<u8> = (0..2352 / 2 * 307_u32)
        .flat_map(|at| (((f64::from(at) / 37.0).sin() * 20_000.0) as i16 ^ (at % 5) as i16).to_le_bytes())
        .collect();
    let path = inside(folder, "sound.bin");
    fs::write(&path, &samples).unwrap();
    (path, samples)
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn tools_read_every_target_and_find_the_same_disc() {
    let shelf = TempDir::new().unwrap();
    let (image, raw, blocks) = real(&shelf);
    let folder = TempDir::new().unwrap();
    let out = |name: &str| inside(&folder, name);
    for name in ["a.iso", "b.cue", "c.ccd", "d.chd", "e.cso", "f.zso"] {
        convert(&[&image, &out(name)]);
    }
    assert_eq!(files(folder.path()), ["a.iso", "b.bin", "b.cue", "c.ccd", "c.img", "c.sub", "d.chd", "e.cso", "f.zso"]);
    assert!(fs::read(out("a.iso")).unwrap() == blocks);
    assert!(fs::read(out("b.bin")).unwrap() == raw && fs::read(out("c.img")).unwrap() == raw);
    let listed = run("cd-info", &["--no-header", "--no-device-info", &format!("--cue-file={}", out("b.cue"))]);
    assert!(listed.contains("1: 00:02:00  000000 data") && listed.contains("00:06:02  000302 leadout"), "{listed}");
    run("ccd2iso", &[&out("c.img"), &out("c.iso")]);
    assert!(fs::read(out("c.iso")).unwrap() == blocks);
    run("chdman", &["verify", "-i", &out("d.chd")]);
    run("chdman", &["extractcd", "-i", &out("d.chd"), "-o", &out("g.cue")]);
    assert!(fs::read(out("g.bin")).unwrap() == raw);
    // Nobody here has another program for these two: what they unpack to is what counts.
    for name in ["e.cso", "f.zso"] {
        convert(&[&out(name), &out("again.iso"), "--force"]);
        assert!(fs::read(out("again.iso")).unwrap() == blocks, "{name}");
        assert!(fs::metadata(out(name)).unwrap().len() < blocks.len() as u64 / 10, "{name}");
    }
}

#[test]
fn tools_read_the_sound_of_a_track() {
    let folder = TempDir::new().unwrap();
    let (image, samples) = sound(&folder);
    let out = |name: &str| inside(&folder, name);
    for name in ["one.wav", "one.flac"] {
        let output = spindle(&["extract", &image, "--track", "1", "-o", &out(name)]);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    run("flac", &["--test", "--silent", &out("one.flac")]);
    run(
        "flac",
        &[
            "--decode",
            "--silent",
            "--force-raw-format",
            "--endian=little",
            "--sign=signed",
            "-o",
            &out("flac.raw"),
            &out("one.flac"),
        ],
    );
    run("sox", &[&out("one.wav"), &out("wav.raw")]);
    assert!(fs::read(out("flac.raw")).unwrap() == samples);
    assert!(fs::read(out("wav.raw")).unwrap() == samples);
    assert!(fs::metadata(out("one.flac")).unwrap().len() < samples.len() as u64);
    // A folder gets a file with the track's number; WAVE for sound.
    let output = spindle(&["extract", &image, "--track", "1", "-o", folder.path().to_str().unwrap()]);
    assert!(output.status.success() && folder.path().join("sound (Track 01).wav").exists(), "{}", stderr(&output));
    let new = out("new folder");
    let output = spindle(&["extract", &image, "--track", "1", "-o", &new]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(files(Path::new(&new)), ["sound (Track 01).wav"]);
    let no_such = spindle(&["extract", &image, "--track", "1", "-o", &out("song.mp3")]);
    assert_eq!(no_such.status.code(), Some(2), "{}", stderr(&no_such));
    let no_sound = spindle(&["extract", &image, "--track", "1", "-o", &out("one.iso")]);
    assert_eq!(no_sound.status.code(), Some(2), "{}", stderr(&no_sound));
    let no_track = spindle(&["extract", &image, "--track", "2", "-o", &out("two.wav")]);
    assert_eq!(no_track.status.code(), Some(1), "{}", stderr(&no_track));
}

#[test]
fn what_a_target_cannot_hold_is_refused_unless_it_may_be_left_out() {
    let folder = TempDir::new().unwrap();
    let (image, _) = sound(&folder);
    let out = inside(&folder, "sound.iso");
    let refused = spindle(&["convert", &image, &out]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("no data track"), "{}", stderr(&refused));

    // A disc that stores its subchannel.
    let shelf = TempDir::new().unwrap();
    let (_, raw, _) = real(&shelf);
    let with_subchannel: Vec<u8> = raw.chunks_exact(2352).flat_map(|sector| [sector, &[0; 96]].concat()).collect();
    let image = inside(&folder, "sub.bin");
    fs::write(&image, with_subchannel).unwrap();
    for name in ["sub.cue", "sub.cso"] {
        let out = inside(&folder, name);
        let refused = spindle(&["convert", &image, &out]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(
            stderr(&refused).contains("subchannel") && stderr(&refused).contains("--lossy"),
            "{}",
            stderr(&refused)
        );
        assert!(!Path::new(&out).exists());
    }
    convert(&[&image, &inside(&folder, "sub.ccd")]);
    let output = spindle(&["convert", &image, &inside(&folder, "sub.iso"), "--lossy", "--json"]);
    let summary: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((summary["format"].as_str(), summary["losses"].as_array().unwrap().len()), (Some("iso"), 1));
}

#[test]
fn what_is_no_file_is_never_replaced_and_a_link_leads_to_what_is() {
    let shelf = TempDir::new().unwrap();
    let (image, _, blocks) = real(&shelf);
    let folder = TempDir::new().unwrap();
    let out = |name: &str| inside(&folder, name);
    mkfifoat(CWD, out("pipe.iso"), Mode::RUSR).unwrap();
    symlink("pipe.iso", out("to-pipe.iso")).unwrap();
    symlink("nothing", out("to-nothing.iso")).unwrap();
    for name in ["pipe.iso", "to-pipe.iso", "to-nothing.iso"] {
        let refused = spindle(&["convert", "--force", &image, &out(name)]);
        assert_eq!(refused.status.code(), Some(1), "{name}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(name), "{}", stderr(&refused));
    }
    assert!(fs::metadata(out("pipe.iso")).unwrap().file_type().is_fifo());

    fs::create_dir(out("elsewhere")).unwrap();
    fs::write(out("elsewhere/disc.iso"), "before").unwrap();
    symlink("elsewhere/disc.iso", out("link.iso")).unwrap();
    convert(&["--force", &image, &out("link.iso")]);
    assert!(fs::read(out("elsewhere/disc.iso")).unwrap() == blocks);
    assert!(fs::symlink_metadata(out("link.iso")).unwrap().is_symlink());
    assert_eq!(files(&folder.path().join("elsewhere")), ["disc.iso"]);
    assert_eq!(files(folder.path()), ["elsewhere", "link.iso", "pipe.iso", "to-nothing.iso", "to-pipe.iso"]);
}

#[test]
fn a_sheet_names_only_what_it_can() {
    let shelf = TempDir::new().unwrap();
    let (image, ..) = real(&shelf);
    let folder = TempDir::new().unwrap();
    for name in ["a\"b.cue", "a\nb.cue", "a\\b.cue"] {
        let refused = spindle(&["convert", &image, &inside(&folder, name)]);
        assert_eq!(refused.status.code(), Some(1), "{name:?}");
        assert!(stderr(&refused).contains("cannot be named in a CUE sheet"), "{}", stderr(&refused));
        assert_eq!(stderr(&refused).lines().count(), 1);
    }
    assert_eq!(files(folder.path()), [""; 0]);
}

/// What is left of a long conversion to disc.cso that gets a signal once it writes: what is in the folder, and how it ended.
fn ended_by(signal: Signal) -> (Vec<String>, Output) {
    let folder = TempDir::new().unwrap();
    fs::File::create(inside(&folder, "disc.iso")).unwrap().set_len(4 << 30).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
    command.args(["convert", &inside(&folder, "disc.iso"), &inside(&folder, "disc.cso")]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    while files(folder.path()).len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), signal).unwrap();
    let output = child.wait_with_output().unwrap();
    (files(folder.path()), output)
}

#[test]
fn a_terminal_that_is_closed_leaves_no_part_of_an_image() {
    let (left, output) = ended_by(Signal::HUP);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(left, ["disc.iso"]);
}

#[test]
fn a_conversion_that_is_killed_leaves_nothing_under_its_final_name() {
    let (left, output) = ended_by(Signal::KILL);
    assert_eq!(output.status.signal(), Some(Signal::KILL.as_raw()));
    assert!(left.len() == 2 && left[0].ends_with(".partial") && left[1] == "disc.iso", "{left:?}");
}

#[test]
fn nothing_is_replaced_unasked_and_the_source_never() {
    let shelf = TempDir::new().unwrap();
    let (image, raw, _) = real(&shelf);
    let folder = TempDir::new().unwrap();
    let source = inside(&folder, "disc.bin");
    fs::copy(&image, &source).unwrap();
    fs::write(inside(&folder, "there.iso"), "mine").unwrap();

    let there = spindle(&["convert", &source, &inside(&folder, "there.iso")]);
    assert_eq!(there.status.code(), Some(1));
    assert!(stderr(&there).contains("--force"), "{}", stderr(&there));
    assert_eq!(fs::read(inside(&folder, "there.iso")).unwrap(), b"mine");
    // disc.cue would bring a disc.bin with it, which is the source.
    let own = spindle(&["convert", &source, &inside(&folder, "disc.cue"), "--force"]);
    assert_eq!(own.status.code(), Some(1));
    assert!(stderr(&own).contains("the image that is read"), "{}", stderr(&own));
    assert!(fs::read(&source).unwrap() == raw);
    assert_eq!(files(folder.path()), ["disc.bin", "there.iso"]);

    for arguments in [&[source.as_str(), "disc.xyz"][..], &[&source, "disc.iso", "--to", "nrg"]] {
        assert_eq!(spindle(&[&["convert"], arguments].concat()).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn an_image_that_cannot_be_read_to_its_end_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let shelf = TempDir::new().unwrap();
    let (image, _, _) = real(&shelf);
    let whole = inside(&folder, "whole.cso");
    convert(&[&image, &whole]);
    let mut bytes = fs::read(&whole).unwrap();
    let at = bytes.len() - 100;
    bytes[at..].fill(0xFF);
    let broken = inside(&folder, "broken.cso");
    fs::write(&broken, bytes).unwrap();
    for name in ["out.iso", "out.cue", "out.ccd", "out.chd", "out.zso"] {
        let output = spindle(&["convert", &broken, &inside(&folder, name)]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(stderr(&output).contains("cannot be read"), "{name}: {}", stderr(&output));
    }
    assert_eq!(files(folder.path()), ["broken.cso", "whole.cso"]);
}

#[test]
fn a_disk_that_is_full_is_told_and_nothing_stays_on_it() {
    let (shelf, disk) = (TempDir::new().unwrap(), SmallDisk::new(64 << 10));
    let (image, _, _) = real(&shelf);
    let (noise, _) = sound(&shelf);
    // Packed it is as long.
    let blocks = inside(&shelf, "noise.iso");
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (state >> 56) as u8
    };
    fs::write(&blocks, (0..1024 * 2048).map(|_| random()).collect::<Vec<_>>()).unwrap();
    for (from, name) in [
        (&image, "out.iso"),
        (&image, "out.cue"),
        (&image, "out.ccd"),
        (&noise, "out.cue"),
        (&noise, "out.chd"),
        (&blocks, "out.cso"),
        (&blocks, "out.zso"),
    ] {
        let output = spindle(&["convert", from, &inside(&disk.0, name)]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(stderr(&output).contains("No space left on device"), "{name}: {}", stderr(&output));
        assert_eq!(files(disk.0.path()), [""; 0], "{name}");
    }
}

/// From as many as the program starts with to as many as it takes.
#[test]
fn descriptors_that_run_out_are_told_and_nothing_stays() {
    let shelf = TempDir::new().unwrap();
    let (image, _, blocks) = real(&shelf);
    let folder = TempDir::new().unwrap();
    for name in ["out.iso", "out.cue", "out.ccd", "out.chd", "out.cso"] {
        let out = inside(&folder, name);
        let limited = |count: u32, arguments: &[&str]| {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("ulimit -n {count} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_spindle")]);
            command.args(arguments).output().unwrap()
        };
        let starts = (3..20).find(|&count| limited(count, &["--version"]).status.success()).unwrap();
        let mut refusals = 0;
        for count in starts.. {
            let output = limited(count, &["convert", &image, &out]);
            if output.status.success() {
                break;
            }
            refusals += 1;
            let words = stderr(&output);
            assert_eq!(output.status.code(), Some(1), "{name}, {count}: {words}");
            let named = words.contains(&image) || words.contains(&inside(&folder, "out"));
            assert!(named && words.contains("Too many open files"), "{name}, {count}: {words}");
            assert_eq!(files(folder.path()), [""; 0], "{name}, {count}");
        }
        assert!(refusals > 0, "{name}: {refusals}");
        convert(&[&out, &inside(&shelf, "again.iso"), "--force", "--lossy"]);
        assert!(fs::read(inside(&shelf, "again.iso")).unwrap() == blocks, "{name}");
        files(folder.path()).iter().for_each(|name| fs::remove_file(inside(&folder, name)).unwrap());
    }
}

#[test]
fn a_sheet_tells_titles_to_programs_that_know_no_packs() {
    let shelf = TempDir::new().unwrap();
    let (_, samples) = sound(&shelf);
    fs::copy(inputs::path("libcdio/cdtext.cdt"), inside(&shelf, "disc.cdt")).unwrap();
    let sheet =
        "CDTEXTFILE disc.cdt\nFILE sound.bin BINARY\nTRACK 1 AUDIO\nINDEX 1 0:0:0\nTRACK 2 AUDIO\nINDEX 1 0:2:0\n";
    fs::write(inside(&shelf, "disc.cue"), sheet).unwrap();
    let folder = TempDir::new().unwrap();
    let out = inside(&folder, "out.cue");
    convert(&[&inside(&shelf, "disc.cue"), &out]);
    let text = fs::read_to_string(&out).unwrap();
    assert!(fs::read(inside(&folder, "out.bin")).unwrap() == samples);
    // Such files can have a byte more at the end.
    let packs = fs::read(inside(&shelf, "disc.cdt")).unwrap();
    assert!(fs::read(inside(&folder, "out.cdt")).unwrap() == packs[..packs.len() / 18 * 18]);
    // Without the packs what the sheet says is all there is.
    fs::write(&out, text.lines().filter(|line| !line.starts_with("CDTEXTFILE")).collect::<Vec<_>>().join("\n"))
        .unwrap();
    let listed = run("cd-info", &["--no-header", "--no-device-info", &format!("--cue-file={out}")]);
    for said in
        ["TITLE: Joyful Nights", "TITLE: Song of Joy", "PERFORMER: Catwalk Beauties", "SONGWRITER: Mother Goose"]
    {
        assert!(listed.contains(said), "{said}: {listed}");
    }
}
