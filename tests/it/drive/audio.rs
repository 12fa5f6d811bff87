//! Playing sound: what plays, where the head is meanwhile, how it ends, and what is heard.

use std::sync::Arc;
use std::time::Duration;

use spindle::disc::TrackMode::{Audio, Mode1};
use spindle::disc::sector::RAW;
use spindle::disc::{Disc, Lba};
use spindle::drive::{COMMANDS, Drive, Identity, Tray};
use spindle::scsi::{LogicalUnit, Nexus, Reset};
use spindle::sound::Sample;

use crate::support::clock::ManualClock;
use crate::support::disc::{cd, of};
use crate::support::initiator::{Answer, Initiator};
use crate::support::sink::Ear;

const PLAYING: u8 = 0x11;
const PAUSED: u8 = 0x12;
const COMPLETED: u8 = 0x13;
const FAILED: u8 = 0x14;
const NONE: u8 = 0x15;

/// Session 1: track 1 sound from 0, track 2 sound from 3000 with indices at 3500 and 4000, track 3 data from 6000, track 4
/// sound from 7000 to 8000. Session 2: track 5 sound from 19,400 to 20,400.
fn disc() -> Disc {
    let mut disc = cd(1, &[&[(Audio, 3000), (Audio, 3000), (Mode1, 1000), (Audio, 1000)], &[(Audio, 1000)]]);
    disc.sessions[0].tracks[1].indices = vec![Lba(3500), Lba(4000)];
    disc
}

/// A drive with that disc by a clock that stands still, and its guest.
struct Player {
    clock: Arc<ManualClock>,
    drive: Arc<Drive>,
    guest: Initiator,
    ear: Ear,
}

impl Player {
    fn new() -> Self {
        let (clock, ear) = (ManualClock::new(), Ear::default());
        let drive = Drive::new(Identity::named("cd0"), Tray::Closed).by_clock(Arc::clone(&clock) as _);
        let drive = Arc::new(drive.heard_by(ear.sink()));
        drive.change_medium(of(disc()), false).unwrap();
        let guest = Initiator::of(Arc::clone(&drive));
        guest.settle();
        Self { clock, drive, guest, ear }
    }

    /// Time passes in which so many sectors play.
    fn sectors(&self, count: u32) {
        self.clock.advance(Duration::from_nanos((u64::from(count) * 1_000_000_000).div_ceil(75)));
    }

    /// Audio status and head, as READ SUB-CHANNEL tells them.
    fn at(&self) -> (u8, i32) {
        let data = self.guest.run(&[0x42, 0, 0x40, 1, 0, 0, 0, 0, 16, 0], 16).good();
        (data[1], i32::from_be_bytes(data[8..12].try_into().unwrap()))
    }

    fn play(&self, start: u32, blocks: u16) -> Answer {
        let ([a, b, c, d], [high, low]) = (start.to_be_bytes(), blocks.to_be_bytes());
        self.guest.run(&[0x45, 0, a, b, c, d, 0, high, low, 0], 0)
    }

    fn play_msf(&self, [a, b, c]: [u8; 3], [d, e, f]: [u8; 3]) -> Answer {
        self.guest.run(&[0x47, 0, 0, a, b, c, d, e, f, 0], 0)
    }

    fn play_index(&self, first: (u8, u8), last: (u8, u8)) -> Answer {
        self.guest.run(&[0x48, 0, 0, 0, first.0, first.1, 0, last.0, last.1, 0], 0)
    }

    fn pause(&self) -> Answer {
        self.guest.run(&[0x4B, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0)
    }

    fn resume(&self) -> Answer {
        self.guest.run(&[0x4B, 0, 0, 0, 0, 0, 0, 0, 1, 0], 0)
    }

    fn stop(&self) -> Answer {
        self.guest.run(&[0x4E, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0)
    }

    fn scan(&self, reverse: bool, start: u32) -> Answer {
        let [a, b, c, d] = start.to_be_bytes();
        self.guest.run(&[0xBA, u8::from(reverse) << 4, a, b, c, d, 0, 0, 0, 0, 0, 0], 0)
    }

    /// CD Audio Control mode page: SOTC, then channels and volume of each output.
    fn outputs(&self, stop_on_track_crossing: bool, [a, b, c, d]: [u8; 4]) {
        let mut list = vec![0; 8];
        list.extend([0x0E, 0x0E, 0x04 | u8::from(stop_on_track_crossing) << 1, 0, 0, 0, 0, 0, a, b, c, d, 0, 0, 0, 0]);
        self.guest.send(&[0x55, 0x10, 0, 0, 0, 0, 0, 0, 24, 0], 0, &list).good();
    }
}

/// What the disc holds from `from` on.
fn sound(from: i32, blocks: u32) -> Vec<Sample> {
    let disc = disc();
    let sectors = (0..blocks).flat_map(|index| {
        let mut raw = [0; RAW];
        disc.read_sector(Lba(from).plus(index), &mut raw).unwrap();
        let (words, _) = raw.as_chunks::<4>();
        words.iter().map(|&[a, b, c, d]| [i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d])]).collect::<Vec<_>>()
    });
    sectors.collect()
}

#[test]
fn the_head_moves_in_real_time_and_the_end_is_told_once() {
    let player = Player::new();
    assert_eq!(player.at(), (NONE, 0));
    player.play(100, 300).good();
    assert_eq!(player.at(), (PLAYING, 100));
    player.sectors(75);
    assert_eq!(player.at(), (PLAYING, 175));
    player.sectors(224);
    assert_eq!(player.at(), (PLAYING, 399));
    player.sectors(1000);
    assert_eq!(player.at(), (COMPLETED, 400));
    assert_eq!(player.at(), (NONE, 400));
    // 12 bytes, and from where the head is.
    player.guest.run(&[0xA5, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 50, 0, 0], 0).good();
    player.sectors(20);
    assert_eq!(player.at(), (PLAYING, 420));
    // A play in place of another; times.
    player.play_msf([0, 20, 5], [0, 20, 10]).good();
    assert_eq!(player.at(), (PLAYING, 18 * 75 + 5));
    player.sectors(5);
    assert_eq!(player.at(), (COMPLETED, 18 * 75 + 10));
    player.play_msf([0xFF; 3], [0, 30, 0]).good();
    assert_eq!(player.at(), (PLAYING, 18 * 75 + 10));
    // The two seconds before track 1.
    player.play_msf([0, 0, 0], [0, 3, 0]).good();
    player.sectors(10);
    let data = player.guest.run(&[0x42, 2, 0x40, 1, 0, 0, 0, 0, 16, 0], 16).good();
    assert_eq!(data, [0, PLAYING, 0, 12, 1, 0x10, 1, 0, 0, 0, 0, 10, 0, 0, 1, 65], "140 sectors to track 1");
}

#[test]
fn the_position_has_track_and_index() {
    let player = Player::new();
    player.play(3400, 2000).good();
    for (after, index, relative) in [(0, 1, 400), (99, 1, 499), (1, 2, 500), (500, 3, 1000)] {
        player.sectors(after);
        let data = player.guest.run(&[0x42, 0, 0x40, 1, 0, 0, 0, 0, 16, 0], 16).good();
        assert_eq!((data[6], data[7]), (2, index));
        assert_eq!(u32::from_be_bytes(data[12..].try_into().unwrap()), relative);
    }
}

#[test]
fn pause_resume_and_stop() {
    let player = Player::new();
    let sequence = (5, 0x2C, 0);
    assert_eq!((player.pause().kaq(), player.resume().kaq()), (sequence, sequence));
    player.stop().good();
    player.play(0, 1000).good();
    player.resume().good();
    player.sectors(30);
    player.pause().good();
    player.sectors(500);
    assert_eq!(player.at(), (PAUSED, 30));
    player.pause().good();
    assert_eq!(player.at(), (PAUSED, 30));
    player.resume().good();
    player.sectors(30);
    assert_eq!(player.at(), (PLAYING, 60));
    player.stop().good();
    player.sectors(30);
    assert_eq!(player.at(), (NONE, 60));
    assert_eq!(player.resume().kaq(), sequence);
    // Paused, then stopped.
    player.play(0, 10).good();
    player.pause().good();
    player.stop().good();
    assert_eq!(player.at(), (NONE, 0));
    // Over.
    player.play(0, 10).good();
    player.sectors(10);
    assert_eq!((player.pause().kaq(), player.resume().kaq()), (sequence, sequence));
    assert_eq!(player.at(), (COMPLETED, 10));
}

#[test]
fn a_play_by_track_and_index() {
    let player = Player::new();
    for (first, last, from, to) in [
        ((1, 1), (1, 99), 0, 3000),
        // Whole tracks, as programs without indices say it.
        ((1, 0), (1, 0), 0, 3000),
        ((1, 0), (2, 0), 0, 6000),
        ((2, 1), (2, 1), 3000, 3500),
        ((2, 2), (2, 2), 3500, 4000),
        ((2, 2), (2, 99), 3500, 6000),
        ((2, 3), (2, 3), 4000, 6000),
        ((1, 1), (2, 2), 0, 4000),
        ((5, 1), (99, 99), 19_400, 20_400),
    ] {
        player.play_index(first, last).good();
        assert_eq!(player.at(), (PLAYING, from), "{first:?} to {last:?}");
        player.sectors((to - from) as u32 - 1);
        assert_eq!(player.at(), (PLAYING, to - 1), "{first:?} to {last:?}");
        player.sectors(1);
        // At the end of the disc the head stays on its last sector.
        assert_eq!(player.at(), (COMPLETED, to.min(20_399)), "{first:?} to {last:?}");
    }
    for (first, last, sense) in [
        ((0, 1), (1, 1), (5, 0x24, 0)),
        ((6, 1), (7, 1), (5, 0x24, 0)),
        ((2, 4), (2, 5), (5, 0x24, 0)),
        ((2, 1), (1, 1), (5, 0x24, 0)),
        ((2, 3), (2, 2), (5, 0x24, 0)),
        ((3, 1), (4, 1), (5, 0x64, 0)),
    ] {
        assert_eq!(player.play_index(first, last).kaq(), sense, "{first:?} to {last:?}");
    }
    assert_eq!(player.at().0, NONE);
}

#[test]
fn what_cannot_be_played_is_refused_and_leaves_what_plays() {
    let player = Player::new();
    player.play(0, 2000).good();
    player.sectors(10);
    // Data, between the sessions, past the end, before the disc.
    for (start, sense) in [
        (6000, (5, 0x64, 0)),
        (6999, (5, 0x64, 0)),
        (8000, (5, 0x21, 0)),
        (20_400, (5, 0x21, 0)),
        ((-151_i32).cast_unsigned(), (5, 0x21, 0)),
        (0x8000_0000, (5, 0x21, 0)),
    ] {
        assert_eq!(player.play(start, 100).kaq(), sense, "{start}");
        assert_eq!(player.scan(false, start).kaq(), sense, "{start}");
    }
    for (from, to) in
        [([0, 60, 0], [2, 0, 0]), ([0, 2, 75], [2, 0, 0]), ([0, 2, 0], [2, 0, 75]), ([0, 5, 0], [0, 4, 74])]
    {
        assert_eq!(player.play_msf(from, to).kaq(), (5, 0x24, 0), "{from:?} to {to:?}");
    }
    assert_eq!(player.guest.run(&[0xBA, 0, 0, 0, 0, 9, 0, 0, 0, 0x80, 0, 0], 0).kaq(), (5, 0x24, 0), "track 9");
    assert_eq!(player.guest.run(&[0xBA, 0, 0, 0, 0, 0, 0, 0, 0, 0xC0, 0, 0], 0).kaq(), (5, 0x24, 0), "type 3");
    // Nothing to play is no error.
    player.play(500, 0).good();
    player.play_msf([0, 10, 0], [0, 10, 0]).good();
    assert_eq!(player.at(), (PLAYING, 10));
}

#[test]
fn a_play_ends_where_the_sound_does() {
    let player = Player::new();
    for (start, blocks, end, status) in [
        (5900, 100, 6000, COMPLETED),
        (5900, 101, 6000, FAILED),
        // The lead-out of the first session.
        (7900, 5000, 8000, COMPLETED),
        // The lead-out of the disc is as far as a play can go.
        (20_300, 100, 20_399, COMPLETED),
        (20_300, 60_000, 20_399, COMPLETED),
    ] {
        player.play(start, blocks).good();
        player.sectors(100);
        assert_eq!(player.at(), (status, end), "{blocks} from {start}");
        assert_eq!(player.at(), (NONE, end));
    }
    // Where a data track has a pre-gap, its start is no farther than that.
    let mut gap = disc();
    (gap.sessions[0].tracks[1].end, gap.sessions[0].tracks[2].pregap) = (Lba(5850), 150);
    player.drive.change_medium(of(gap), true).unwrap();
    player.guest.settle();
    for (blocks, status) in [(200, COMPLETED), (201, FAILED)] {
        player.play(5800, blocks).good();
        player.sectors(100);
        assert_eq!(player.at(), (status, 5850), "{blocks}");
    }
    // SOTC.
    player.drive.change_medium(of(disc()), true).unwrap();
    player.guest.settle();
    player.outputs(true, [1, 255, 2, 255]);
    player.play(2900, 1000).good();
    player.sectors(100);
    assert_eq!(player.at(), (COMPLETED, 3000));
    player.outputs(false, [1, 255, 2, 255]);
    player.play(2900, 1000).good();
    player.sectors(101);
    assert_eq!(player.at(), (PLAYING, 3001));
}

#[test]
fn every_command_that_moves_the_head_ends_a_play_and_no_other_does() {
    for command in COMMANDS.iter() {
        let player = Player::new();
        player.play(100, 1000).good();
        player.sectors(20);
        let mut cdb = command.usage.iter().map(|_| 0).collect::<Vec<_>>();
        (cdb[0], cdb[1]) = (command.opcode, command.service_action.unwrap_or(0));
        player.guest.send(&cdb, 4096, &[0; 64]);
        let (status, at) = player.at();
        let expected = match command.name {
            "START STOP UNIT" | "STOP PLAY/SCAN" => (NONE, 120),
            "PAUSE/RESUME" => (PAUSED, 120),
            // From the first track on: there is no track 0.
            "SCAN" => (PLAYING, 0),
            // READ (6) of no blocks is one of 256, and track 1 is sound.
            _ if command.access.ends_play => (NONE, at),
            _ => (PLAYING, 120),
        };
        assert_eq!((status, at), expected, "{}", command.name);
        // Those that need sectors of the medium.
        let reads = ["READ (", "READ CD", "READ HEADER", "SEEK", "VERIFY", "PRE-FETCH"];
        assert_eq!(
            command.access.ends_play,
            reads.iter().any(|name| command.name.starts_with(name)),
            "{}",
            command.name
        );
    }
    // Standby, and a tray that opens.
    for cdb in [[0x1B, 0, 0, 0, 0x30, 0], [0x1B, 0, 0, 0, 0x02, 0]] {
        let player = Player::new();
        player.play(100, 1000).good();
        player.guest.run(&cdb, 0).good();
        player.guest.settle();
        player.guest.run(&[0x1B, 0, 0, 0, 0x03, 0], 0).good();
        player.guest.settle();
        assert_eq!(player.at().0, NONE, "{cdb:02x?}");
    }
}

#[test]
fn a_play_ends_with_its_disc_a_reset_and_its_initiator() {
    type End = fn(&Player);
    let ends: [(&str, End); 4] = [
        ("insert", |player| player.drive.change_medium(of(disc()), true).unwrap()),
        ("power on", |player| player.drive.reset(Reset::PowerOn)),
        ("reset", |player| player.drive.reset(Reset::LogicalUnit)),
        ("nexus loss", |player| player.drive.reset(Reset::NexusLoss(player.guest.nexus))),
    ];
    for (name, end) in ends {
        let player = Player::new();
        player.play(100, 1000).good();
        player.sectors(10);
        end(&player);
        player.guest.settle();
        assert_eq!(player.at().0, NONE, "{name}");
        assert_eq!(player.ear.rests(1), [10 * 588], "{name}");
    }
    let player = Player::new();
    player.play(100, 1000).good();
    player.drive.reset(Reset::NexusLoss(Nexus(77)));
    assert_eq!(player.at(), (PLAYING, 100));
}

#[test]
fn a_scan_plays_pieces_and_goes_over_into_a_play() {
    let player = Player::new();
    player.scan(false, 1000).good();
    for (sectors, at) in [(14, 1014), (1, 1150), (15, 1300), (5, 1305)] {
        player.sectors(sectors);
        assert_eq!(player.at(), (PLAYING, at));
    }
    player.stop().good();
    player.sectors(75);
    assert_eq!(player.at(), (PLAYING, 1380));
    // Backwards; a play that it interrupts keeps its end.
    player.play(1000, 100).good();
    player.guest.run(&[0xBA, 0x10, 0, 0, 15, 25, 0, 0, 0, 0x40, 0, 0], 0).good();
    for (sectors, at) in [(14, 1014), (1, 850), (20, 705)] {
        player.sectors(sectors);
        assert_eq!(player.at(), (PLAYING, at));
    }
    player.pause().good();
    player.resume().good();
    player.sectors(395);
    assert_eq!(player.at(), (COMPLETED, 1100));
    // Out to the first sector of sound and not farther; in to where the data begin.
    player.scan(true, 300).good();
    player.sectors(1000);
    assert_eq!(player.at(), (COMPLETED, -150));
    player.scan(false, 5000).good();
    player.sectors(98);
    assert_eq!(player.at(), (PLAYING, 5908));
    player.sectors(1000);
    assert_eq!(player.at(), (FAILED, 6000));
    // By track.
    player.guest.run(&[0xBA, 0, 0, 0, 0, 4, 0, 0, 0, 0x80, 0, 0], 0).good();
    assert_eq!(player.at(), (PLAYING, 7000));
}

#[test]
fn what_plays_is_heard_to_the_sector() {
    let player = Player::new();
    player.play(100, 300).good();
    player.sectors(40);
    player.pause().good();
    assert_eq!(player.ear.rests(1), [40 * 588]);
    player.sectors(100);
    player.resume().good();
    player.sectors(1000);
    assert_eq!(player.ear.rests(2)[1], 300 * 588);
    assert_eq!(player.ear.hears(300 * 588), sound(100, 300));
    // Nothing is asked of the drive meanwhile, and a command ends it in the middle.
    player.play(3000, 1000).good();
    player.sectors(75);
    player.guest.run(&[0x2B, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0).good();
    assert_eq!(player.ear.rests(3)[2], 375 * 588);
    assert_eq!(player.ear.hears(375 * 588)[300 * 588..], sound(3000, 75));
    // Pieces of a scan.
    player.scan(true, 1000).good();
    player.sectors(20);
    player.pause().good();
    assert_eq!(player.ear.rests(4)[3], 395 * 588);
    assert_eq!(player.ear.hears(395 * 588)[375 * 588..], [sound(1000, 15), sound(850, 5)].concat());
}

#[test]
fn outputs_hold_from_when_they_are_set() {
    let player = Player::new();
    player.play(0, 100).good();
    player.sectors(10);
    player.outputs(false, [2, 255, 1, 255]);
    player.sectors(10);
    player.outputs(false, [1, 51, 2, 0]);
    player.sectors(10);
    player.stop().good();
    assert_eq!(player.ear.rests(1), [30 * 588]);
    let mut expected = sound(0, 30);
    expected[10 * 588..20 * 588].iter_mut().for_each(|sample| sample.reverse());
    expected[20 * 588..].iter_mut().for_each(|[left, right]| (*left, *right) = (*left / 5, 0));
    assert_eq!(player.ear.hears(30 * 588), expected);
}

#[test]
fn request_sense_tells_that_sound_plays() {
    let player = Player::new();
    let sense = || {
        let data = player.guest.run(&[0x03, 0, 0, 0, 18, 0], 18).good();
        (data[2], data[12], data[13])
    };
    player.play(0, 100).good();
    assert_eq!(sense(), (0, 0, 0x11));
    player.pause().good();
    assert_eq!(sense(), (0, 0, 0x12));
    player.resume().good();
    player.sectors(100);
    assert_eq!(sense(), (0, 0, 0));
    // The end is still there for READ SUB-CHANNEL.
    assert_eq!(player.at().0, COMPLETED);
}

#[test]
fn the_mechanism_tells_that_it_plays_and_where() {
    let player = Player::new();
    let mechanism = || player.guest.run(&[0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0], 8).good();
    player.play(2900, 1000).good();
    player.sectors(100);
    assert_eq!(mechanism(), [0, 0x20, 0, 0x0B, 0xB8, 1, 0, 0], "block 3000");
    player.pause().good();
    assert_eq!(mechanism(), [0, 0x20, 0, 0x0B, 0xB8, 1, 0, 0]);
    player.scan(true, 1000).good();
    player.sectors(15);
    assert_eq!(mechanism(), [0, 0x40, 0, 0x03, 0x52, 1, 0, 0], "block 850");
    player.guest.run(&[0x1B, 0, 0, 0, 0, 0], 0).good();
    assert_eq!(mechanism(), [0, 0, 0, 0x03, 0x52, 1, 0, 0]);
}

#[test]
fn a_play_that_nobody_hears_wakes_nobody() {
    let clock = ManualClock::new();
    let drive = Drive::new(Identity::named("cd0"), Tray::Closed).by_clock(Arc::clone(&clock) as _);
    drive.change_medium(of(disc()), false).unwrap();
    let guest = Initiator::of(Arc::new(drive));
    guest.settle();
    guest.run(&[0x45, 0, 0, 0, 0, 0, 0, 10, 0, 0], 0).good();
    assert_eq!(clock.next(), None);
}

#[test]
fn other_media_have_no_sound() {
    for blocks in [1_000_000, 12_000_000] {
        let (_drive, guest) = Initiator::with(crate::support::disc::patterned(1, blocks));
        for command in COMMANDS.iter().filter(|command| command.standard == "MMC-5" || command.standard == "SCSI-2") {
            let mut cdb = vec![0; command.usage.len()];
            cdb[0] = command.opcode;
            assert_eq!(guest.run(&cdb, 0).kaq(), (5, 0x30, 2), "{}", command.name);
        }
    }
}
