//! What the programs that list a CD say of CDs of every kind: tracks, addresses, flags, codes, sessions.

use tempfile::TempDir;

use super::said::{insert, msf, says, says_lines, table};
use crate::support::images::described::source_disc::{Mode, SourceDisc};
use crate::support::images::described::{ccd, nrg};
use crate::support::images::discs::{audio, extra, mixed, put, sessions, video_cd, xa};
use crate::support::vm::{Daemon, Vm};

#[test]
fn the_programs_that_list_a_cd_agree_with_it() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let folder = folder.path();
    let daemon = Daemon::start(&[]);
    let mut vm = Vm::with_programs(&daemon);

    let disc = audio::disc();
    for (image, languages) in [(audio::cue(&disc, folder), 1), (audio::toc(&disc, folder), 2)] {
        insert(&daemon, &mut vm, &image);
        lists(&mut vm, &disc, "audio disc");
        names(&mut vm, &disc);
        if languages == 2 {
            both_languages(&mut vm);
        }
        daemon.spindle_ok(&["eject", "--timeout", "60"]);
    }
    let disc = mixed::disc();
    insert(&daemon, &mut vm, &mixed::cue(&disc, folder));
    lists(&mut vm, &disc, "mixed type CD (data/audio)");
    says(&vm.ok("cd-info --no-cddb /dev/sr0"), &["CD-DATA (Mode 1)", "mixed mode CD", "label `MIXED"]);
    assert!(vm.ok("udevadm info /dev/sr0").contains("ID_FS_LABEL=MIXED\n"));

    let disc = extra::disc();
    insert(&daemon, &mut vm, &put(folder, "extra", &ccd::files(&disc, ccd::Options::default())));
    lists(&mut vm, &disc, "mixed type CD (data/audio)");
    says(
        &vm.ok("cd-info --no-cddb /dev/sr0"),
        &["Last CD Session LSN: 12000", "CD-Plus/Extra", "session #2 starts at track  3, LSN: 12000", "label `EXTRA"],
    );
    let properties = vm.ok("udevadm info /dev/sr0");
    says(&properties, &["ID_CDROM_MEDIA_SESSION_LAST_OFFSET=24576000\n", "ID_FS_LABEL=EXTRA\n"]);
    assert_eq!(extra::START, 12_000);

    let disc = sessions::disc();
    insert(&daemon, &mut vm, &put(folder, "sessions", &nrg::files(&disc, nrg::Options::default())));
    lists(&mut vm, &disc, "data disc type 1");
    says(
        &vm.ok("cd-info --no-cddb /dev/sr0"),
        &[
            "Last CD Session LSN: 19200",
            "label `SESSION1",
            "LSN: 11850",
            "label `SESSION2",
            "LSN: 19200",
            "label `SESSION3",
        ],
    );
    let properties = vm.ok("udevadm info /dev/sr0");
    says(&properties, &["ID_CDROM_MEDIA_SESSION_LAST_OFFSET=39321600\n", "ID_FS_LABEL=SESSION3\n"]);

    let disc = xa::disc();
    insert(&daemon, &mut vm, &xa::cue(&disc, folder));
    lists(&mut vm, &disc, "data disc type 1");
    says(&vm.ok("cd-info --no-cddb /dev/sr0"), &["CD DATA (Mode 2)", "label `XA"]);

    let [_, image] = video_cd::images(folder);
    insert(&daemon, &mut vm, &image);
    says(
        &vm.ok("cd-info --no-cddb /dev/sr0"),
        &["CD DATA (Mode 2)", "CD-RTOS and ISO 9660", "label `VIDEOCD", "XA sectors", "Video CD"],
    );
    assert!(vm.ok("udevadm info /dev/sr0").contains("ID_FS_LABEL=VIDEOCD\n"));
}

/// What can be said of every CD.
fn lists(vm: &mut Vm, disc: &SourceDisc, kind: &str) {
    cdrkit_and_libcdio(vm, disc);
    cdtool_and_setcd(vm, disc, kind);
    let last = disc.tracks.last().unwrap();
    assert_eq!(vm.ok("cd-discid /dev/sr0"), disc_id(disc));
    says(
        &vm.ok("cdrdao disk-info --device /dev/sr0"),
        &[
            "CD-R empty           : no",
            &format!(
                "Toc Type             : {}",
                if last.mode == Mode::Form2 { "CD-ROM XA" } else { "CD-DA or CD-ROM" }
            ),
            &format!("Sessions             : {}", last.session),
            &format!("Last Track           : {}", last.number),
            "Appendable           : no",
        ],
    );
    let properties = properties(disc);
    says_lines(&vm.ok("udevadm info --query=property /dev/sr0 | sort"), "ID_CDROM_MEDIA", &properties);
    says_lines(&vm.ok("/lib/udev/cdrom_id /dev/sr0 | sort"), "ID_CDROM_MEDIA", &properties);
}

fn cdrkit_and_libcdio(vm: &mut Vm, disc: &SourceDisc) {
    let table = table(disc);
    let last = disc.tracks.last().unwrap();
    let control = |number: u8| disc.tracks.iter().find(|track| track.number == number).unwrap_or(last).control();

    // The mode of a data track is in its headers.
    let lines = table.iter().map(|&(number, at, mode)| {
        let name = if number == 170 { "lout".to_owned() } else { number.to_string() };
        let mode = match mode {
            _ if number == 170 => -1,
            Mode::Audio => -1,
            Mode::Mode1 => 1,
            Mode::Form1 | Mode::Form2 | Mode::Mixed => 2,
        };
        format!(
            "track:{name:>4} lba: {at:>9} ({:>9}) {} adr: 1 control: {} mode: {mode}",
            at * 4,
            msf(at),
            control(number)
        )
    });
    let toc = vm.ok("wodim -toc dev=/dev/sr0");
    says(&toc, &[&format!("first: 1 last {}", last.number)]);
    says_lines(&toc, "track:", &lines.collect::<Vec<_>>());

    let info = vm.ok("cd-info --no-cddb --no-analyze /dev/sr0");
    for &(number, at, mode) in &table[..table.len() - 1] {
        let yes = |bit| if control(number) & bit != 0 { "yes" } else { "no" };
        // The program takes the bit for "copying permitted" for a sign of CD-i too.
        let green = control(number) & 2 != 0;
        let sound = if mode == Mode::Audio { format!("2        {}", yes(1)) } else { String::new() };
        let kind = if mode == Mode::Audio { "audio" } else { "data" };
        let line = format!("{number:>3}: {}  {at:06} {kind:<5}  {green:<5}  {:<6}{sound}", msf(at), yes(2));
        assert!(info.lines().any(|shown| shown.trim_end() == line.trim_end()), "{line}\n{info}");
    }
    says(&info, &[&format!("170: {}  {:06} leadout", msf(last.end() as u64), last.end())]);
}

fn cdtool_and_setcd(vm: &mut Vm, disc: &SourceDisc, kind: &str) {
    let table = table(disc);
    let last = disc.tracks.last().unwrap();
    let seconds = (last.end() as u64 + 150) / 75;
    let setcd = vm.ok("setcd -i /dev/sr0");
    says(&setcd, &[&format!("Disc found in drive: {kind}\n")]);
    if disc.tracks.iter().any(|track| track.mode == Mode::Audio) {
        let playing = format!("Total playing time {} minutes and {} seconds", seconds / 60, seconds % 60);
        says(&setcd, &[&format!("{} Tracks, 1--{0}\n", last.number), &playing]);
    }
    let lengths = table.windows(2).map(|pair| {
        let frames = pair[1].1 - pair[0].1;
        let data = if pair[0].2 == Mode::Audio { "" } else { " [DATA]" };
        format!("{}:{:02}.{:02} {:>2}{data}", frames / 4500, frames / 75 % 60, frames % 75, pair[0].0)
    });
    let listing = vm.ok("cdir -d /dev/sr0");
    says(&listing, &[&format!("{}:{:02} in {} tracks", seconds / 60, seconds % 60, last.number)]);
    let shown: Vec<&str> = listing.lines().skip(1).map(str::trim).collect();
    assert_eq!(shown, lengths.collect::<Vec<_>>());
}

/// What udev's program finds out about the medium.
fn properties(disc: &SourceDisc) -> Vec<String> {
    let last = disc.tracks.last().unwrap();
    let count = |audio: bool| disc.tracks.iter().filter(|track| (track.mode == Mode::Audio) == audio).count();
    let mut properties = vec!["ID_CDROM_MEDIA=1".to_owned(), "ID_CDROM_MEDIA_CD=1".to_owned()];
    properties.push(format!("ID_CDROM_MEDIA_SESSION_COUNT={}", last.session));
    if last.session > 1 {
        let first = disc.tracks.iter().find(|track| track.session == last.session).unwrap();
        properties.push(format!("ID_CDROM_MEDIA_SESSION_LAST_OFFSET={}", i64::from(first.start) * 2048));
    }
    properties.push(format!("ID_CDROM_MEDIA_TRACK_COUNT={}", last.number));
    for (audio, name) in [(true, "AUDIO"), (false, "DATA")] {
        if count(audio) > 0 {
            properties.push(format!("ID_CDROM_MEDIA_TRACK_COUNT_{name}={}", count(audio)));
        }
    }
    properties
}

/// The identification of freedb: digits of the starts in seconds, playing time, tracks; then all addresses.
fn disc_id(disc: &SourceDisc) -> String {
    let starts: Vec<u32> = disc.tracks.iter().map(|track| track.start as u32 + 150).collect();
    let end = disc.tracks.last().unwrap().end() as u32 + 150;
    let digits = |number: u32| number.to_string().bytes().map(|digit| u32::from(digit - b'0')).sum::<u32>();
    let sum: u32 = starts.iter().map(|start| digits(start / 75)).sum();
    let time = end / 75 - starts[0] / 75;
    let id = (sum % 255) << 24 | time << 8 | starts.len() as u32;
    let list = starts.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    format!("{id:08x} {} {list} {}\n", starts.len(), end / 75)
}

/// Codes and flags of an audio CD.
fn names(vm: &mut Vm, disc: &SourceDisc) {
    let mcn = String::from_utf8_lossy(&disc.mcn.unwrap()).into_owned();
    let isrcs = disc.tracks.iter().map(|track| {
        let isrc = String::from_utf8_lossy(&track.isrc.unwrap()).into_owned();
        (track.number, isrc)
    });
    let info = vm.ok("cd-info --no-cddb --no-analyze /dev/sr0");
    says(&info, &["Disc mode is listed as: CD-DA", &format!("Media Catalog Number (MCN): {mcn}\n")]);
    says_lines(
        &info,
        "TRACK",
        &isrcs.clone().map(|(number, isrc)| format!("TRACK {number:>2} ISRC: {isrc}")).collect::<Vec<_>>(),
    );

    let icedax = vm.ok("icedax dev=/dev/sr0 -J -H -g -v toc,sectors,catalog,trackid 2>&1");
    for track in &disc.tracks {
        says(&icedax, &[&format!("T{:02}: {:>7} ", track.number, track.start)]);
    }
    says(&icedax, &[&format!("Leadout: {:>7}\n", disc.tracks.last().unwrap().end())]);
    says(&icedax, &[&format!("Media catalog number: {mcn}\n")]);
    for (number, isrc) in isrcs {
        let dashed = format!("{}-{}-{}-{}", &isrc[..2], &isrc[2..5], &isrc[5..7], &isrc[7..]);
        says(&icedax, &[&format!("T: {number:>2} ISRC: {dashed}\n")]);
    }
}

/// CD-TEXT of two blocks, as libcdio and cdrdao decode it: titles in English and German. libcdio has no tables of character sets in
/// the guest, and shows the languages alone.
fn both_languages(vm: &mut Vm) {
    says(&vm.ok("cd-info --no-cddb /dev/sr0"), &["Language 0 'English':\n", "Language 1 'German':\n"]);
    let toc = vm
        .ok("cd /tmp && rm -f disc.toc && cdrdao read-toc --device /dev/sr0 disc.toc >/tmp/said 2>&1 && cat disc.toc");
    says(&toc, &["LANGUAGE_MAP {\n", "0: 9\n", "1: 8\n"]);
    let titles = audio::TEXTS.iter().zip(audio::GERMAN).flat_map(|((english, _), german)| {
        [
            "LANGUAGE 0 {\n".to_owned(),
            format!("TITLE \"{english}\""),
            "LANGUAGE 1 {\n".to_owned(),
            format!("TITLE \"{german}\""),
        ]
    });
    says(&toc, &titles.collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>());
}
