//! DVD and BD: a DVD-Video read by the programs that know its files and titles; media of one and two layers.

use std::fs;

use tempfile::TempDir;

use super::said::{insert, says, says_lines};
use crate::support::host::{CHECKSUMS, checksums, sparse_file};
use crate::support::images::discs::dvd::{TITLES, video};
use crate::support::vm::{Daemon, Vm};

#[test]
fn a_dvd_video_is_listed_and_copied() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let iso = video(folder.path());
    let dvd = folder.path().join("dvd.iso").to_str().unwrap().to_owned();
    let blocks = 2_000_000_u64;
    sparse_file(dvd.as_ref(), iso.as_ref(), blocks * 2048);
    let daemon = Daemon::start(&[]);
    let mut vm = Vm::with_programs(&daemon);
    insert(&daemon, &mut vm, &dvd);

    // A unit of twelve pictures is 480 ms.
    let length =
        |units: u32| format!("00:{:02}:{:02}.{:03}", units * 480 / 60_000, units * 480 / 1000 % 60, units * 480 % 1000);
    let mut lines = Vec::new();
    for (title, chapters) in (1..).zip(TITLES) {
        let (count, total) = (chapters.len(), length(chapters.iter().sum()));
        lines.push(format!(
            "Title: {title:02}, Length: {total} Chapters: {count:02}, Cells: {count:02}, Audio streams: 00, Subpictures: 00"
        ));
        for (number, units) in (1..).zip(chapters) {
            lines.push(format!("Chapter: {number:02}, Length: {}, Start Cell: {number:02}", length(*units)));
        }
    }
    let listing = vm.ok("lsdvd -c -v /dev/sr0");
    says(&listing, &["Disc Title: SPINDLE_DVD\n", "Format: PAL, Aspect ratio: 4/3, Width: 720, Height: 576"]);
    let found =
        listing.lines().map(str::trim).filter(|line| line.starts_with("Title: ") || line.starts_with("Chapter: "));
    assert_eq!(found.collect::<Vec<_>>(), lines);
    says_lines(&listing, "Longest track", &["Longest track: 01".to_owned()]);

    vm.ok("mkdir /tmp/copy && dvdbackup -M -i /dev/sr0 -o /tmp/copy -n FILM");
    let copied = vm.ok(&format!("cd /tmp/copy/FILM/VIDEO_TS && {CHECKSUMS}"));
    assert_eq!(copied, checksums(&folder.path().join("video/VIDEO_TS")));
    assert_eq!(copied.lines().count(), 8);
    for (title, chapters) in (1..).zip(TITLES) {
        says(&vm.ok("dvdbackup -I -i /dev/sr0"), &[&format!("Title {title} has {} chapter", chapters.len())]);
    }

    let mut paths: Vec<String> = vm.ok("isoinfo -f dev=/dev/sr0").lines().map(str::to_owned).collect();
    paths.retain(|path| path.contains(';'));
    let mut expected: Vec<String> = fs::read_dir(folder.path().join("video/VIDEO_TS"))
        .unwrap()
        .map(|entry| format!("/VIDEO_TS/{};1", entry.unwrap().file_name().display()))
        .collect();
    expected.sort();
    assert_eq!(paths, expected);
    says(&vm.ok("isoinfo -d -i /dev/sr0"), &["Volume id: SPINDLE_DVD\n", "Volume size is: "]);
    says(&vm.ok("isoinfo -R -x '/VIDEO_TS/VIDEO_TS.IFO;1' -i /dev/sr0 | head -c 12"), &["DVDVIDEO-VMG"]);
}

#[test]
fn media_of_one_and_more_layers_are_what_their_size_says() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let start = folder.path().join("start");
    fs::write(&start, vec![0; 2048]).unwrap();
    let daemon = Daemon::start(&[]);
    let mut vm = Vm::with_programs(&daemon);
    for (blocks, medium) in [
        (2_100_000_u64, "10h, DVD-ROM"),
        (4_100_000, "10h, DVD-ROM"),
        (11_000_000, "40h, BD-ROM"),
        (24_000_000, "40h, BD-ROM"),
        (48_000_000, "40h, BD-ROM"),
        (62_000_000, "40h, BD-ROM"),
    ] {
        let path = folder.path().join("large");
        let _ = fs::remove_file(&path);
        sparse_file(&path, &start, blocks * 2048);
        insert(&daemon, &mut vm, path.to_str().unwrap());
        let info = vm.ok("dvd+rw-mediainfo /dev/sr0 2>&1");
        says(&info, &["[SPINDLE ][Virtual Optical ]", &format!("Mounted Media:         {medium}")]);
        // So it begins what it does not like.
        assert!(!info.contains(":-("), "{info}");
        let kind = if medium.ends_with("DVD-ROM") { "DVD" } else { "BD" };
        let properties = [
            "ID_CDROM_MEDIA=1".to_owned(),
            format!("ID_CDROM_MEDIA_{kind}=1"),
            "ID_CDROM_MEDIA_SESSION_COUNT=1".to_owned(),
            "ID_CDROM_MEDIA_STATE=complete".to_owned(),
            "ID_CDROM_MEDIA_TRACK_COUNT=1".to_owned(),
            "ID_CDROM_MEDIA_TRACK_COUNT_DATA=1".to_owned(),
        ];
        says_lines(&vm.ok("/lib/udev/cdrom_id /dev/sr0 | sort"), "ID_CDROM_MEDIA", &properties);
        says_lines(&vm.ok("udevadm info --query=property /dev/sr0 | sort"), "ID_CDROM_MEDIA", &properties);
        if medium.ends_with("DVD-ROM") {
            // Layers of one DVD have the same length; the program shows where the first ends.
            let layers = if blocks < 2_300_000 { 1 } else { 2 };
            let first = blocks.div_ceil(layers);
            says(&info, &[&format!("Legacy lead-out at:    {first}*2KB={}", first * 2048)]);
        } else {
            says(
                &info,
                &[
                    "Disc status:           complete",
                    "Number of Sessions:    1",
                    "State of Last Session: complete",
                    "Number of Tracks:      1",
                    "Track State:           complete",
                    "Track Start Address:   0*2KB",
                    "Free Blocks:           0*2KB",
                    &format!("Track Size:            {blocks}*2KB"),
                    "Track#1  :             14@0",
                    &format!("Track#AA :             14@{blocks}"),
                    &format!("READ CAPACITY:          {blocks}*2048={}", blocks * 2048),
                ],
            );
        }
        says(&vm.ok("wodim -toc dev=/dev/sr0"), &["first: 1 last 1", &format!("track:lout lba: {blocks:>9}")]);
    }
}
