//! Programs that read whole sectors: what an image stores comes out as it is, and what it does not store as it would be.

use std::fs;
use std::ops::Range;

use spindle::disc::subchannel::Q;
use spindle::disc::{Control, Lba};
use tempfile::TempDir;

use super::said::{insert, says, says_lines, sha256_of};
use crate::support::images::described::readcd;
use crate::support::images::described::source_disc::{Mode, SourceDisc, interleaved};
use crate::support::images::discs::forms::Stored;
use crate::support::images::discs::{audio, forms, mixed, put, xa};
use crate::support::vm::{Daemon, Vm};

/// Writes `$count` whole sectors from address `$lba` on, a few at a time, as sg_raw gets them by READ CD.
const READ_CD: &str = r"
while [ $count -gt 0 ]; do
    some=$((count < 27 ? count : 27))
    sg_raw -b -r $((some * 2352)) -o - /dev/sg0 be 00 $(printf '%08x' $lba | sed 's/../& /g') 00 00 $(printf %02x $some) f8 00 00
    lba=$((lba + some)) count=$((count - some))
done 2>/tmp/said | sha256sum";

/// The SHA-256 of the sectors of each track, as the guest reads them.
fn sectors(vm: &mut Vm, disc: &SourceDisc) -> Vec<String> {
    let scripts = disc.tracks.iter().map(|track| format!("lba={} count={}{READ_CD}", track.start, track.blocks()));
    scripts.map(|script| vm.ok(&script).split(' ').next().unwrap().to_owned()).collect()
}

/// The same of the disc.
fn stored(disc: &SourceDisc) -> Vec<String> {
    disc.tracks.iter().map(|track| sha256_of(disc.sectors(track.start..track.end()).as_flattened())).collect()
}

#[test]
fn sectors_that_are_made_equal_those_that_are_stored() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let folder = folder.path();
    let daemon = Daemon::start(&[]);
    let mut vm = Vm::with_programs(&daemon);

    // Mode 1: an ISO file, and the data track of whole sectors that has the same blocks.
    let disc = mixed::disc();
    insert(&daemon, &mut vm, &mixed::cue(&disc, folder));
    let whole = sectors(&mut vm, &disc);
    assert_eq!(whole, stored(&disc));
    any_type(&mut vm, &disc, 20..28);
    insert(&daemon, &mut vm, &mixed::iso(&disc, folder));
    let alone = SourceDisc { tracks: disc.tracks[..1].to_vec(), ..disc };
    assert_eq!(sectors(&mut vm, &alone), whole[..1]);

    // Form 1 and Form 2.
    let disc = forms::disc();
    for files in [Stored::Sectors, Stored::FromSubheader, Stored::UserData] {
        daemon.spindle_ok(&["eject", "--timeout", "60"]);
        insert(&daemon, &mut vm, &forms::cue(&disc, folder, files));
        assert_eq!(sectors(&mut vm, &disc), stored(&disc), "{files:?}");
        cd_read(&mut vm, &disc);
    }
}

/// The data of each track, as libcdio's program reads them: of Form 2, with the sub-header before and without the end. Its modes m1f1 and m1f2 fail with every drive, QEMU's own too: it
/// takes the number of bytes that were read for an error.
fn cd_read(vm: &mut Vm, disc: &SourceDisc) {
    for track in &disc.tracks {
        let (mode, from, len) = if track.mode == Mode::Form2 { ("m2f2", 16, 2324) } else { ("m2f1", 24, 2048) };
        let read = format!("cd-read -m {mode} -s {} -e {} -C /dev/sr0 -o /tmp/read", track.start, track.end() - 1);
        let said = vm.ok(&format!("{read} 2>&1"));
        assert!(!said.contains("error"), "{said}");
        let data: Vec<_> =
            disc.sectors(track.start..track.end()).iter().flat_map(|s| s[from..from + len].to_vec()).collect();
        assert_eq!(vm.ok("sha256sum </tmp/read").split(' ').next(), Some(sha256_of(&data).as_str()), "{read}");
        any_type(vm, disc, track.start..track.start + 8);
    }
}

/// Sectors of any type: the program asks for all but the sync pattern, and fills up what it writes to 2,352 bytes.
fn any_type(vm: &mut Vm, disc: &SourceDisc, sectors: Range<i32>) {
    let Range { start, end } = sectors;
    let one = "cd-read -m any -s $lba -e $lba -C /dev/sr0 -o /tmp/any >/tmp/said 2>&1 && head -c 2340 /tmp/any";
    let sum = vm.ok(&format!("for lba in $(seq {start} {}); do {one}; done | sha256sum", end - 1));
    let data: Vec<u8> = disc.sectors(sectors).iter().flat_map(|sector| sector[12..].to_vec()).collect();
    assert_eq!(sum.split(' ').next(), Some(sha256_of(&data).as_str()), "{start} to {end}");
}

#[test]
fn copies_of_a_disc_with_its_sub_channels_are_the_disc() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let folder = folder.path();
    let daemon = Daemon::start(&[]);
    let mut vm = Vm::with_programs(&daemon);
    for (name, disc) in [("audio", audio::disc()), ("mixed", mixed::disc()), ("xa", xa::disc())] {
        let files = readcd::files(&disc, false);
        let folder = folder.join(name);
        fs::create_dir(&folder).unwrap();
        insert(&daemon, &mut vm, &put(&folder, "disc", &files));
        clone(&mut vm, name, &files);
        cdrdao(&mut vm, name, &disc);
    }
}

#[test]
fn codes_that_the_sub_channel_alone_tells_reach_the_programs() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let disc = audio::disc();
    let mut files = readcd::files(&disc, false);
    let mcn = disc.mcn.unwrap();
    // readcd stores no other codes than those of the sub-channel: a sector of each track has the ISRC, one of the first the number.
    for track in &disc.tracks {
        let (control, start) = (Control(track.control()), track.start);
        let mut put = |lba: i32, q: Q| {
            let mut channels = track.subchannel(lba);
            channels[12..24].copy_from_slice(&q.0);
            let at = lba as usize * (2352 + 96) + 2352;
            files[1].1[at..at + 96].copy_from_slice(&interleaved(&channels));
        };
        put(start + 60, Q::isrc(control, &track.isrc.unwrap(), Lba(start + 60)));
        if track.number == 1 {
            put(start + 90, Q::mcn(control, &mcn, Lba(start + 90)));
        }
    }
    let daemon = Daemon::start(&[]);
    let mut vm = Vm::with_programs(&daemon);
    insert(&daemon, &mut vm, &put(folder.path(), "disc", &files));
    let info = vm.ok("cd-info --no-cddb --no-analyze /dev/sr0");
    says(&info, &["Disc mode is listed as: CD-DA", "Media Catalog Number (MCN): 4012345678901\n"]);
    let isrcs = disc.tracks.iter().map(|track| {
        let isrc = String::from_utf8_lossy(&track.isrc.unwrap()).into_owned();
        format!("TRACK {:>2} ISRC: {isrc}", track.number)
    });
    says_lines(&info, "TRACK", &isrcs.collect::<Vec<_>>());
    says(&vm.ok("mmc-tool --mcn /dev/sr0"), &["4012345678901"]);
    // cdrdao looks into the sub-channel by itself.
    let toc = vm
        .ok("cd /tmp && rm -f disc.toc && cdrdao read-toc --device /dev/sr0 disc.toc >/tmp/said 2>&1 && cat disc.toc");
    says(&toc, &["CATALOG \"4012345678901\"", "ISRC \"DESPN2600001\"", "ISRC \"DESPN2600004\""]);
}

/// What readom writes is what such an image is made of.
fn clone(vm: &mut Vm, name: &str, files: &[(String, Vec<u8>)]) {
    let said = vm.ok("cd /tmp && rm -f clone* && readom -clone dev=/dev/sr0 f=clone 2>&1");
    assert!(!said.contains("Errno") || name == "mixed", "{said}");
    for (file, bytes) in files {
        // The last two bytes of the table tell how the program read it.
        let (copy, len) = if file.ends_with(".toc") { ("clone.toc", bytes.len() - 2) } else { ("clone", bytes.len()) };
        let sum = vm.ok(&format!("head -c {len} /tmp/{copy} | sha256sum"));
        assert_eq!(sum.split(' ').next(), Some(sha256_of(&bytes[..len]).as_str()), "{name}: {file}\n{said}");
        assert_eq!(vm.ok(&format!("stat -c %s /tmp/{copy}")), format!("{}\n", bytes.len()), "{name}: {file}");
    }
}

/// Every sector from address 0 on with its sub-channels, sound with the high byte of each sample first. Between data and sound cdrdao
/// leaves the two seconds of the pre-gap out.
fn cdrdao(vm: &mut Vm, name: &str, disc: &SourceDisc) {
    let said = vm.ok("cd /tmp && rm -f copy* && cdrdao read-cd --read-raw --read-subchan rw_raw --device /dev/sr0 --datafile copy copy.toc 2>&1");
    let mut expected = Vec::new();
    for (at, track) in disc.tracks.iter().enumerate() {
        let after_data = at > 0 && track.mode == Mode::Audio && disc.tracks[at - 1].mode != Mode::Audio;
        let from = if after_data { track.start } else { track.first().max(0) };
        for (lba, mut sector) in (from..).zip(disc.sectors(from..track.end())) {
            if track.mode == Mode::Audio {
                sector.as_chunks_mut::<2>().0.iter_mut().for_each(|sample| sample.reverse());
            }
            expected.extend(sector);
            expected.extend(interleaved(&track.subchannel(lba)));
        }
    }
    let sum = vm.ok("sha256sum </tmp/copy");
    assert_eq!(sum.split(' ').next(), Some(sha256_of(&expected).as_str()), "{name}\n{said}");
}
