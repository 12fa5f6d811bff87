//! Programs that rip sound: every track comes out as exactly the samples of the image, with its texts and codes.

use tempfile::TempDir;

use super::said::{insert, says, sha256_of};
use crate::support::images::described::ccd;
use crate::support::images::described::source_disc::{Mode, SourceDisc};
use crate::support::images::discs::{audio, extra, mixed, put};
use crate::support::vm::{Daemon, Vm};

#[test]
fn every_ripper_gets_exactly_the_samples() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let folder = folder.path();
    let daemon = Daemon::start(&[]);
    let mut vm = Vm::with_programs(&daemon);

    let disc = audio::disc();
    insert(&daemon, &mut vm, &audio::cue(&disc, folder));
    rips(&mut vm, &disc);
    // What is hidden before track 1.
    let hidden = sha256_of(disc.sectors(0..disc.tracks[0].start).as_flattened());
    for program in ["cdparanoia", "cd-paranoia"] {
        assert_eq!(ripped(&mut vm, &format!("{program} {PARANOIA} 0 -")), hidden, "{program}");
    }
    texts_and_codes(&mut vm, &disc);
    layout(&mut vm, &disc);

    let disc = mixed::disc();
    insert(&daemon, &mut vm, &mixed::cue(&disc, folder));
    rips(&mut vm, &disc);

    let disc = extra::disc();
    insert(&daemon, &mut vm, &put(folder, "extra", &ccd::files(&disc, ccd::Options::default())));
    rips(&mut vm, &disc);
}

/// What `cdparanoia` and `cd-paranoia` are told: the drive's samples have their low byte first. They would guess it from the
/// sound, and this is noise.
const PARANOIA: &str = "-c -q -d /dev/sr0 -r";

/// Every audio track, from its index 1 to that of the next.
fn rips(vm: &mut Vm, disc: &SourceDisc) {
    for (at, track) in disc.tracks.iter().enumerate().filter(|(_, track)| track.mode == Mode::Audio) {
        let next = disc.tracks.get(at + 1).filter(|next| next.session == track.session);
        let sectors = track.start..next.map_or(track.end(), |next| next.start);
        let samples = sha256_of(disc.sectors(sectors.clone()).as_flattened());
        let number = track.number;
        for program in [
            format!("cdparanoia {PARANOIA} {number} -"),
            format!("cd-paranoia {PARANOIA} {number} -"),
            format!("icedax -D /dev/sr0 -H -q -t {number} -O raw -E little -"),
        ] {
            assert_eq!(ripped(vm, &program), samples, "{program}");
        }
        for mode in ["audio", "red", "any"] {
            let read =
                format!("cd-read -m {mode} -s {} -e {} -C /dev/sr0 -o /tmp/read", sectors.start, sectors.end - 1);
            vm.ok(&read);
            assert_eq!(ripped(vm, "cat /tmp/read"), samples, "{read}");
        }
    }
}

/// The SHA-256 of what a program writes.
fn ripped(vm: &mut Vm, program: &str) -> String {
    let sum = vm.ok(&format!("(cd /tmp && {program} 2>/tmp/said) | sha256sum"));
    sum.split(' ').next().unwrap().to_owned()
}

/// CD-TEXT, ISRCs, catalogue number and indices, as cdda2wav (icedax) finds them.
fn texts_and_codes(vm: &mut Vm, disc: &SourceDisc) {
    let shown = vm.ok("cd /tmp && icedax -D /dev/sr0 -H -J -v titles,indices,catalog,trackid 2>&1");
    let [album, ..] = audio::TEXTS;
    says(&shown, &["CD-Text: detected", &format!("Album title: '{}'", album.0), &format!("[from {}]", album.1)]);
    says(&shown, &["Media catalog number: 4012345678901"]);
    for (track, (title, performer)) in disc.tracks.iter().zip(&audio::TEXTS[1..]) {
        let line = shown.lines().find(|line| line.starts_with(&format!("Track  {}: ", track.number)));
        let line = line.unwrap_or_else(|| panic!("no title of track {}: {shown}", track.number));
        assert!(line.contains(&format!("'{title}'")), "{line}");
        assert!(*performer == album.1 || line.contains(&format!("[from {performer}]")), "{line}");
        says(&shown, &[&format!("T:  {} ISRC: DE-SPN-26-0000{0}", track.number)]);
        if !track.indices.is_empty() {
            let starts: String = (2..).zip(&track.indices).map(|(index, at)| format!("{index:>2}:{at:>6} ")).collect();
            let table = format!("track {:>2} has {} indices", track.number, track.indices.len() + 1);
            says(&shown, &[&table, &format!(" 0: N/A    1:     0 {starts}")]);
        }
    }
}

/// Pre-gaps, indices, flags, codes and texts, as cdrdao finds them in the sub-channel.
fn layout(vm: &mut Vm, disc: &SourceDisc) {
    let toc = vm
        .ok("cd /tmp && rm -f disc.toc && cdrdao read-toc --device /dev/sr0 disc.toc >/tmp/said 2>&1 && cat disc.toc");
    let time = |frames: u32| format!("{:02}:{:02}:{:02}", frames / 4500, frames / 75 % 60, frames % 75);
    says(&toc, &["CD_DA", "CATALOG \"4012345678901\"", "TITLE \"Real Programs\"", "PERFORMER \"The Spindles\""]);
    let mut rest = toc.as_str();
    for (track, (title, performer)) in disc.tracks.iter().zip(&audio::TEXTS[1..]) {
        let from = rest.find(&format!("// Track {}\n", track.number)).unwrap();
        let until = rest.find(&format!("// Track {}\n", track.number + 1)).unwrap_or(rest.len());
        let part = &rest[from..until];
        rest = &rest[until..];
        let flag = |bit, word: &str| format!("{}{word}\n", if track.flags & bit == 0 { "NO " } else { "" });
        let title = format!("TITLE \"{title}\"");
        let performer = format!("PERFORMER \"{performer}\"");
        let isrc = format!("ISRC \"{}\"", String::from_utf8_lossy(&track.isrc.unwrap()));
        says(part, &["TRACK AUDIO\n", &flag(2, "COPY"), &flag(1, "PRE_EMPHASIS"), &isrc, &title, &performer]);
        // Of track 1 the pre-gap from address 0 on.
        let pregap = if track.number == 1 { track.start as u32 } else { track.pregap };
        let starts = part.lines().filter_map(|line| line.strip_prefix("START ")).collect::<Vec<_>>();
        assert_eq!(starts, if pregap == 0 { vec![] } else { vec![time(pregap)] }, "{part}");
        let indices: Vec<_> = part.lines().filter_map(|line| line.strip_prefix("INDEX ")).collect();
        assert_eq!(indices, track.indices.iter().map(|&at| time(at)).collect::<Vec<_>>(), "{part}");
    }
}
