//! Programs that play a CD: the drive plays what they ask for, they see where it is, and the host hears exactly that.

use std::fs;
use std::ops::Range;
use std::path::Path;

use tempfile::TempDir;

use super::said::{insert, says};
use crate::support::images::described::ccd;
use crate::support::images::described::source_disc::SourceDisc;
use crate::support::images::discs::{audio, extra, put, text};
use crate::support::vm::{Daemon, Vm};

/// A WAVE file that grows, and how much of it was looked at.
struct Sound<'a> {
    file: &'a Path,
    seen: usize,
}

impl Sound<'_> {
    /// What was heard since the last look, when it is as long as these sectors.
    fn heard(&mut self, disc: &SourceDisc, sectors: Range<i32>) {
        let expected = disc.sectors(sectors.clone()).concat();
        let end = self.seen + expected.len();
        let heard = loop {
            let file = fs::read(self.file).unwrap();
            if file.len() >= end {
                break file[self.seen..].to_vec();
            }
            std::thread::yield_now();
        };
        assert_eq!(heard.len(), expected.len(), "{sectors:?}");
        assert!(heard == expected, "{sectors:?}");
        self.seen = end;
    }

    /// What was heard since the last look; the guest has stopped it.
    fn rest(&mut self) -> Vec<u8> {
        let file = fs::read(self.file).unwrap();
        let heard = file[self.seen..].to_vec();
        self.seen = file.len();
        heard
    }
}

const INFO: &str = "cdinfo -d /dev/sr0 -v";

#[test]
fn players_play_what_they_are_asked_for_and_the_host_hears_it() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let folder = folder.path();
    let wave = folder.join("heard.wav");
    let daemon = Daemon::start(&["--audio", &format!("wav:{}", wave.display())]);
    let mut sound = Sound { file: &wave, seen: 44 };
    let mut vm = Vm::with_programs(&daemon);
    let disc = audio::disc();
    insert(&daemon, &mut vm, &audio::cue(&disc, folder));
    // udev looks at a disc when a program has closed it, and ends what plays.
    vm.ok("udevadm control --stop-exec-queue");

    assert!(vm.ok(INFO).starts_with("no-status "));
    // A track; the program takes the start of the next for its end.
    let [track, next] = [1, 2].map(|at| &disc.tracks[at]);
    let shown = vm.ok(&format!("cdplay -d /dev/sr0 2 2 && {INFO}"));
    says(&shown, &["play 2 "]);
    assert_eq!(daemon.status()[0]["audio"], "playing");
    vm.until(INFO, "completed ");
    assert!(vm.ok(INFO).starts_with("no-status "));
    sound.heard(&disc, track.start..next.start);

    // Another with a pause; and at a fifth of the volume, after which it is loud again.
    let track = &disc.tracks[2];
    vm.ok("cdplay -d /dev/sr0 3 3 && cdpause -d /dev/sr0");
    let paused = vm.ok(INFO);
    assert!(paused.starts_with("paused 3 "), "{paused}");
    assert_eq!(vm.ok(INFO), paused, "the head stands still");
    vm.ok("cdplay -d /dev/sr0");
    vm.until(INFO, "completed ");
    sound.heard(&disc, track.start..track.end());
    vm.ok("cdvolume -d /dev/sr0 51 && cdplay -d /dev/sr0 3 3");
    vm.until(INFO, "completed ");
    let soft = sound.rest();
    let expected = disc.sectors(track.start..track.end()).concat();
    let fifths = expected.as_chunks::<2>().0.iter().flat_map(|&bytes| (i16::from_le_bytes(bytes) / 5).to_le_bytes());
    assert!(soft == fifths.collect::<Vec<u8>>(), "a fifth of the volume");
    vm.ok("cdvolume -d /dev/sr0 255");

    // libcdio's player, which sees track and time; it stops in the middle.
    let shown =
        vm.ok("cdda-player -t 2 /dev/sr0 2>&1 && sleep 1 && cdda-player -S /dev/sr0 2>&1 && cdda-player -s /dev/sr0");
    says(&shown, &["track  2 - 00:0", "drive state: playing"]);
    assert!(vm.ok(INFO).starts_with("no-status "));
    let heard = sound.rest();
    assert!(heard.len() >= 75 * 2352 && heard.len().is_multiple_of(2352), "{}", heard.len());
    let sectors = (heard.len() / 2352) as i32;
    assert!(heard == disc.sectors(disc.tracks[1].start..disc.tracks[1].start + sectors).concat());

    // SCAN from block 0, a fifth of every two seconds; a read ends it.
    vm.ok("sg_raw /dev/sg0 ba 00 00 00 00 00 00 00 00 00 00 00 && cdpause -d /dev/sr0");
    let time = vm.ok("cdinfo -d /dev/sr0 -a");
    let (seconds, frames) = time.trim().trim_start_matches("0:").split_once('.').unwrap();
    let at = seconds.parse::<u32>().unwrap() * 75 + frames.parse::<u32>().unwrap();
    assert!(at % 150 < 15, "{time}");
    says(&vm.ok("sg_requests /dev/sr0"), &["Audio play operation paused"]);
    vm.ok("cd-read -m audio -s 0 -e 0 -C /dev/sr0 -o /tmp/read");
    assert!(vm.ok(INFO).starts_with("no-status "));

    // The programs that tell what a drive can do.
    says(
        &vm.ok("cd-drive"),
        &["CD Audio External Play Feature", "SCAN command is supported", "muted separately", "256 volume levels"],
    );
    says(&vm.ok("sg_get_config /dev/sr0"), &["CD audio external play feature", "current=1", "Scan=1, SCM=1, SV=1"]);
    says(&vm.ok("cat /proc/sys/dev/cdrom/info"), &["Can play audio:\t\t1"]);
    says(&vm.ok("wodim -prcap dev=/dev/sr0"), &["Does play audio CDs", "Number of volume control levels: 256"]);
}

#[test]
fn a_cd_extra_plays_and_mounts() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let folder = folder.path();
    let wave = folder.join("heard.wav");
    let daemon = Daemon::start(&["--drive", &format!("name=cd0,audio=wav:{}", wave.display())]);
    let mut sound = Sound { file: &wave, seen: 44 };
    let mut vm = Vm::with_programs(&daemon);
    let disc = extra::disc();
    insert(&daemon, &mut vm, &put(folder, "extra", &ccd::files(&disc, ccd::Options::default())));
    vm.ok("udevadm control --stop-exec-queue");

    vm.ok("cdplay -d /dev/sr0 2 2");
    vm.until(INFO, "completed ");
    sound.heard(&disc, disc.tracks[1].start..disc.tracks[1].end());
    // The whole disc, as far as there is sound.
    vm.ok("cdplay -d /dev/sr0 1 2");
    vm.until(INFO, "completed ");
    sound.heard(&disc, disc.tracks[0].start..disc.tracks[1].end());
    // A file is read while it plays, and that ends the play.
    vm.ok("cdplay -d /dev/sr0 1 2 && mount -t iso9660 -o ro /dev/sr0 /mnt");
    assert_eq!(vm.ok(&format!("cat /mnt/{}", extra::FILE)).as_bytes(), text(extra::BLOCKS));
    assert!(vm.ok(INFO).starts_with("no-status "));
    assert_ne!(vm.run("cdplay -d /dev/sr0 3 3 && cdinfo -d /dev/sr0 -s | grep play").0, 0, "data do not play");
    vm.ok("umount /mnt");
}
