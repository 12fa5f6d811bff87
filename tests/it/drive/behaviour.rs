//! What a drive does only when it is asked to: real speed, seek delays, errors by EDC.

use std::sync::Arc;
use std::time::Duration;

use spindle::disc::sector::RAW;
use spindle::disc::{Disc, Dpm, Lba, MediumType, TrackMode};
use spindle::drive::{Drive, Identity, Medium, Tray};
use spindle::source::MemorySource;

use crate::support::backend::Backend;
use crate::support::clock::ManualClock;
use crate::support::disc::{block, cd, of, patterned};
use crate::support::guest::{Command, Guest, Options, REQUESTS, lun};
use crate::support::initiator::Initiator;

const MS: Duration = Duration::from_millis(1);

const QUERY_TASK: u32 = 6;

fn drive(behaviours: &str, clock: &Arc<ManualClock>, medium: Arc<Medium>) -> Arc<Drive> {
    let drive = Drive::new(Identity::named("cd0"), Tray::Closed);
    let drive = drive.behaving(behaviours.parse().unwrap()).by_clock(Arc::clone(clock) as _);
    drive.change_medium(medium, false).unwrap();
    Arc::new(drive)
}

/// A guest of one slow drive, and its clock. No unit attention is pending.
pub(super) struct Slow {
    pub clock: Arc<ManualClock>,
    drive: Arc<Drive>,
    pub guest: Guest,
    _backend: Backend,
}

impl Slow {
    pub fn new(behaviours: &str, medium: Arc<Medium>) -> Self {
        let clock = ManualClock::new();
        let drive = drive(behaviours, &clock, medium);
        let backend = Backend::serve(&[Arc::clone(&drive)]);
        let mut guest = backend.guest(Options { request_queues: 2, ..Options::default() });
        while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
        Self { clock, drive, guest, _backend: backend }
    }

    /// How long a read takes.
    pub fn read(&mut self, lba: u32, blocks: u16) -> Duration {
        let cdb = read_10(lba, blocks);
        self.guest.free_all();
        let pending = self.guest.begin(REQUESTS, &Command::new(&cdb, usize::from(blocks) * 2048));
        let time = self.clock.wait_for_alarm();
        assert_eq!(self.guest.poll(REQUESTS), None);
        self.clock.advance(time);
        let reply = self.guest.finish(pending);
        assert_eq!((reply.status, reply.data.len()), (0, usize::from(blocks) * 2048));
        time
    }

    /// A command that takes no time, whatever waits on the first request queue.
    fn at_once(&mut self, cdb: &[u8], room: usize) -> Vec<u8> {
        let reply = self.guest.command(REQUESTS + 1, &Command::new(cdb, room));
        assert_eq!(reply.status, 0);
        reply.data
    }

    pub fn set_cd_speed(&mut self, speed: u16) {
        let [high, low] = speed.to_be_bytes();
        self.at_once(&[0xBB, 0, high, low, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0], 0);
    }

    /// The performance descriptors from `start` on.
    fn performance(&mut self, start: u32) -> Vec<[u32; 4]> {
        let [a, b, c, d] = start.to_be_bytes();
        let data = self.at_once(&[0xAC, 0x10, a, b, c, d, 0, 0, 0, 20, 0, 0], 512);
        let words = data[8..].chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap()));
        words.collect::<Vec<_>>().as_chunks::<4>().0.to_vec()
    }
}

pub(super) fn read_10(lba: u32, blocks: u16) -> [u8; 10] {
    let ([a, b, c, d], [high, low]) = (lba.to_be_bytes(), blocks.to_be_bytes());
    [0x28, 0, a, b, c, d, 0, high, low, 0]
}

fn close(time: Duration, expected: Duration) {
    let off = time.abs_diff(expected).as_secs_f64() / expected.as_secs_f64();
    assert!(off < 0.02, "{time:?} instead of {expected:?}");
}

#[test]
fn a_cd_at_single_speed_plays_75_sectors_a_second() {
    let mut slow = Slow::new("real-speed", patterned(1, 300_000));
    slow.set_cd_speed(176);
    for lba in [0, 75, 150, 299_925] {
        close(slow.read(lba, 75), 1000 * MS);
    }
    // Twice as fast when an initiator says so; SET STREAMING says it as kilobytes per time.
    slow.set_cd_speed(353);
    close(slow.read(1000, 75), 500 * MS);
    let mut list = [0; 28];
    list[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
    list[12..16].copy_from_slice(&706_u32.to_be_bytes());
    list[16..20].copy_from_slice(&1000_u32.to_be_bytes());
    let set = Command { out: &list, ..Command::new(&[0xB6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 28, 0], 0) };
    assert_eq!(slow.guest.command(REQUESTS, &set).status, 0);
    close(slow.read(2000, 75), 250 * MS);
}

/// A disc of constant linear density that turns at a constant rate is read faster outside.
#[test]
fn the_fastest_speed_grows_with_the_radius() {
    for (blocks, inner, most) in [(330_000, 3954, 9173), (2_250_000, 9170, 22_160), (12_000_000, 22_322, 53_946)] {
        let mut slow = Slow::new("real-speed", patterned(1, blocks));
        let curve = slow.performance(0);
        let [start, first, end, last] = curve[0];
        assert_eq!((start, end), (0, blocks - 1));
        assert_eq!(first, inner);
        assert!((most * 98 / 100..=most).contains(&last), "{last} of {most}");
        // What is told is what is measured.
        let kilobytes = if blocks < 1_000_000 { 2.352 } else { 2.048 };
        for lba in [0, blocks / 2, blocks - 32] {
            let [_, speed, ..] = slow.performance(lba)[0];
            close(slow.read(lba, 32), Duration::from_secs_f64(32.0 * kilobytes / f64::from(speed)));
        }
    }
}

#[test]
fn a_chosen_speed_holds_where_the_rotation_allows_it() {
    let mut slow = Slow::new("real-speed", patterned(1, 330_000));
    slow.set_cd_speed(7000);
    let curve = slow.performance(0);
    let [[start, first, turn, there], [after, from, end, last]] = curve[..] else { panic!("{curve:?}") };
    assert_eq!((start, first, after, end), (0, 3954, turn + 1, 329_999));
    assert!(there.abs_diff(7000) < 5 && from.abs_diff(7000) < 5, "{curve:?}");
    assert_eq!(last, 7000);
    // Below what the inner edge gives, it holds everywhere.
    slow.set_cd_speed(706);
    assert_eq!(slow.performance(9), [[9, 706, 329_999, 706]]);
}

#[test]
fn the_second_layer_runs_inwards() {
    let mut slow = Slow::new("real-speed", patterned(1, 4_000_000));
    let curve = slow.performance(0);
    let [[0, first, 1_999_999, top], [2_000_000, back, 3_999_999, last]] = curve[..] else { panic!("{curve:?}") };
    assert!(top.abs_diff(back) < 5 && last.abs_diff(first) < 5 && top > 2 * first, "{curve:?}");
}

#[test]
fn what_was_read_ahead_takes_no_time() {
    let mut slow = Slow::new("real-speed", patterned(1, 300_000));
    slow.set_cd_speed(176);
    close(slow.read(0, 75), 1000 * MS);
    // Half of the second that the next 75 sectors take has passed.
    slow.clock.advance(500 * MS);
    close(slow.read(75, 75), 500 * MS);
    slow.clock.advance(Duration::from_secs(100));
    let pending = slow.guest.begin(REQUESTS, &Command::new(&read_10(150, 75), 75 * 2048));
    assert_eq!(slow.guest.finish(pending).status, 0);
    assert_eq!(slow.clock.next(), None);
}

#[test]
fn a_seek_takes_the_longer_the_farther_it_goes() {
    let mut slow = Slow::new("seek-delay", patterned(1, 300_000));
    // One turn at 52x takes 6 ms.
    let turn = Duration::from_micros(6200);
    let mut before = Duration::ZERO;
    for (from, to, least) in [(10_000, 10_400, 8), (10_000, 30_000, 20), (0, 299_000, 80)] {
        slow.read(from, 1);
        // To the nearest block, then the one that is meant; the disc may have to turn once.
        let time = slow.read(to, 1);
        assert!(
            time >= before.saturating_sub(turn) && time >= least * MS && time < 120 * MS,
            "{from} to {to}: {time:?}"
        );
        before = time;
    }
    // Blocks that follow one another take no time: speed is another behaviour.
    let pending = slow.guest.begin(REQUESTS, &Command::new(&read_10(299_001, 30), 30 * 2048));
    assert_eq!(slow.guest.finish(pending).status, 0);
    assert_eq!(slow.clock.next(), None);
}

/// A disc whose sectors from 10,000 on lie twice as close, as some protections have it, and one that is even.
#[test]
fn measured_angles_decide_how_long_sectors_take() {
    let measured = |step: fn(u32) -> u32| {
        let entries = (1..=400).scan(0, |angle, entry| {
            *angle += step(entry);
            Some(*angle)
        });
        let dpm = Dpm { start: Lba(0), resolution: 50, entries: entries.collect() };
        of(Disc { dpm: Some(dpm), ..cd(1, &[&[(TrackMode::Mode1, 20_000)]]) })
    };
    // 2,560 is ten turns for 50 sectors.
    let mut even = Slow::new("seek-delay", measured(|_| 2560));
    let mut dense = Slow::new("seek-delay", measured(|entry| if entry > 200 { 1280 } else { 2560 }));
    for slow in [&mut even, &mut dense] {
        slow.read(5000, 50);
    }
    let usual = even.read(5050, 50);
    close(dense.read(5050, 50), usual);
    for slow in [&mut even, &mut dense] {
        slow.read(12_000, 50);
    }
    close(dense.read(12_050, 50) * 2, even.read(12_050, 50));
}

#[test]
fn nothing_waits_unless_it_is_asked_to() {
    let clock = ManualClock::new();
    for behaviours in ["none", "edc-errors"] {
        let guest = Initiator::of(drive(behaviours, &clock, patterned(1, 300_000)));
        guest.settle();
        for lba in [0, 299_990, 5] {
            assert_eq!(guest.run(&read_10(lba, 1), 2048).good(), block(1, lba));
        }
        assert_eq!(clock.next(), None);
    }
    // Nor does what is answered without a look at the disc.
    let guest = Initiator::of(drive("real-speed+seek-delay", &clock, patterned(1, 300_000)));
    assert_eq!(guest.run(&read_10(5, 1), 2048).kaq().0, 6);
    guest.settle();
    assert_eq!(guest.run(&read_10(300_000, 1), 2048).kaq(), (5, 0x21, 0));
    guest.run(&[0x12, 0, 0, 0, 36, 0], 36).good();
    guest.run(&[0x2B, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0).good();
    assert_eq!(clock.next(), None);
}

#[test]
fn what_waits_stalls_no_other_ring_and_no_person() {
    let mut slow = Slow::new("real-speed", patterned(1, 300_000));
    slow.set_cd_speed(176);
    let pending = slow.guest.begin(REQUESTS, &Command::new(&read_10(0, 75), 75 * 2048));
    let time = slow.clock.wait_for_alarm();
    // Commands of another ring, and the control queue.
    assert_eq!(slow.at_once(&[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8).len(), 8);
    slow.clock.advance(time / 2);
    // FUNCTION SUCCEEDED: it waits.
    assert_eq!(slow.guest.task_management(QUERY_TASK, lun(0)), 10);
    // A person changes the disc.
    slow.drive.change_medium(patterned(2, 5000), false).unwrap();
    assert_eq!(slow.guest.poll(REQUESTS), None);
    slow.clock.advance(time / 2 + MS);
    // The command that waited finds what happened meanwhile.
    let reply = slow.guest.finish(pending);
    assert_eq!((reply.status, reply.sense[2], reply.sense[12]), (2, 6, 0x3A));
}

#[test]
fn commands_of_a_ring_keep_their_order() {
    let mut slow = Slow::new("real-speed", patterned(1, 300_000));
    slow.set_cd_speed(176);
    let read = slow.guest.begin(REQUESTS, &Command::new(&read_10(0, 75), 75 * 2048));
    let ready = slow.guest.begin(REQUESTS, &Command::new(&[0; 6], 0));
    let second = slow.guest.begin(REQUESTS, &Command::new(&read_10(75, 75), 75 * 2048));
    close(slow.clock.wait_for_alarm(), 1000 * MS);
    slow.clock.advance(1100 * MS);
    assert_eq!(slow.guest.finish(read).data.len(), 75 * 2048);
    assert_eq!(slow.guest.finish(ready).status, 0);
    close(slow.clock.wait_for_alarm(), 1000 * MS - 100 * MS);
    slow.clock.advance(1000 * MS);
    assert_eq!(slow.guest.finish(second).data[..2048], block(1, 75));
}

#[test]
fn a_ring_that_stops_while_a_command_waits_loses_nothing() {
    let mut slow = Slow::new("real-speed", patterned(1, 300_000));
    slow.set_cd_speed(176);
    let read = slow.guest.begin(REQUESTS, &Command::new(&read_10(0, 75), 75 * 2048));
    slow.clock.wait_for_alarm();
    let base = slow.guest.stop_ring(REQUESTS);
    // It would be over while the ring stands still.
    slow.clock.advance(2000 * MS);
    slow.at_once(&[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8);
    assert_eq!(slow.guest.poll(REQUESTS), None);
    slow.guest.start_ring(REQUESTS, base);
    slow.guest.enable_ring(REQUESTS, true);
    // What the ring goes on with may be another driver's: it waits for its own sake.
    slow.clock.wait_for_alarm();
    slow.clock.advance(2000 * MS);
    assert_eq!(slow.guest.finish(read).data.len(), 75 * 2048);
}

/// A CD of whole sectors; the EDC of sector 7 does not fit its bytes, the ECC of sector 9 neither.
fn damaged() -> Arc<Medium> {
    let mut disc = cd(1, &[&[(TrackMode::Mode1, 20)]]);
    let mut bytes = Vec::new();
    for lba in 0..20 {
        let mut raw = [0; RAW];
        disc.read_sector(Lba(lba), &mut raw).unwrap();
        raw[100] ^= u8::from(lba == 7);
        raw[2300] ^= u8::from(lba == 9);
        bytes.extend(raw);
    }
    let extent = &mut disc.sessions[0].tracks[0].extents[0];
    (extent.source, extent.stride, extent.stored) = (Arc::new(MemorySource::new(bytes)), RAW as u32, 0..RAW);
    of(disc)
}

#[test]
fn a_wrong_edc_is_an_error_when_that_is_asked_for() {
    let clock = ManualClock::new();
    let guest = Initiator::of(drive("edc-errors", &clock, damaged()));
    guest.settle();
    let answer = guest.run(&read_10(3, 10), 10 * 2048);
    // UNRECOVERED READ ERROR at block 7, and the blocks before it.
    assert_eq!((answer.kaq(), &answer.sense[..7]), ((3, 0x11, 0), &[0xF0, 0, 3, 0, 0, 0, 7][..]));
    assert_eq!(answer.data, (3..7).flat_map(|lba| block(1, lba)).collect::<Vec<_>>());
    assert_eq!(guest.run(&read_10(8, 12), 12 * 2048).good().len(), 12 * 2048, "the EDC of 9 is right");
    let verify = |lba: u8, blocks: u8| guest.run(&[0x2F, 0, 0, 0, 0, lba, 0, 0, blocks, 0], 0);
    assert_eq!((verify(0, 20).kaq(), verify(0, 20).sense[6]), ((3, 0x11, 0), 7));
    verify(8, 12).good();
    // READ CD: whole sectors, as they are stored, and user data alone.
    for (fields, len) in [(0xF8, 2352), (0x10, 2048)] {
        let read_cd = |lba: u8, blocks: u8| {
            let cdb = [0xBE, 0, 0, 0, 0, lba, 0, 0, blocks, fields, 0, 0];
            guest.run(&cdb, usize::from(blocks) * len)
        };
        let answer = read_cd(3, 10);
        assert_eq!((answer.kaq(), answer.sense[6], answer.data.len()), ((3, 0x11, 0), 7, 4 * len));
        assert_eq!((read_cd(7, 1).kaq(), read_cd(7, 1).data.len()), ((3, 0x11, 0), 0));
        assert_eq!(read_cd(8, 12).good().len(), 12 * len);
    }

    // TB: the block comes with the error.
    guest.send(&[0x55, 0x10, 0, 0, 0, 0, 0, 0, 20, 0], 0, &transfer_block(true)).good();
    let mut damaged_block = block(1, 7);
    damaged_block[100 - 16] ^= 1;
    let answer = guest.run(&read_10(3, 10), 10 * 2048);
    assert_eq!((answer.kaq(), answer.sense[6], answer.data.len()), ((3, 0x11, 0), 7, 5 * 2048));
    assert_eq!(answer.data[4 * 2048..], damaged_block);
    let answer = guest.run(&[0xBE, 0, 0, 0, 0, 3, 0, 0, 10, 0x10, 0, 0], 10 * 2048);
    assert_eq!((answer.kaq(), answer.sense[6], answer.data.len()), ((3, 0x11, 0), 7, 5 * 2048));
    assert_eq!(answer.data[4 * 2048..], damaged_block);
    // Its C2 pointers, and the block error byte with its pad before them, tell which sector it is.
    for (errors, flags) in [(2, vec![0xFF; 294]), (4, [vec![0xFF, 0], vec![0xFF; 294]].concat())] {
        let answer = guest.run(&[0xBE, 0, 0, 0, 0, 6, 0, 0, 2, 0x10 | errors, 0, 0], 5000);
        assert_eq!(answer.kaq(), (3, 0x11, 0));
        let sectors: Vec<_> = answer.data.chunks(2048 + flags.len()).collect();
        assert_eq!(sectors.len(), 2);
        assert_eq!((&sectors[0][..2048], &sectors[1][..2048]), (&block(1, 6)[..], &damaged_block[..]));
        assert!(sectors[0][2048..].iter().all(|&byte| byte == 0), "sector 6 has no error");
        assert_eq!(sectors[1][2048..], flags);
    }
    guest.send(&[0x55, 0x10, 0, 0, 0, 0, 0, 0, 20, 0], 0, &transfer_block(false)).good();
    assert_eq!(guest.run(&read_10(3, 10), 10 * 2048).data.len(), 4 * 2048);

    let guest = Initiator::of(drive("none", &clock, damaged()));
    guest.settle();
    let mut expected = block(1, 7);
    expected[100 - 16] ^= 1;
    assert_eq!(guest.run(&read_10(7, 1), 2048).good(), expected);
    assert_eq!(guest.run(&[0xBE, 0, 0, 0, 0, 7, 0, 0, 1, 0x10, 0, 0], 2048).good(), expected);
}

/// A list of mode parameters with the Read/Write Error Recovery page.
fn transfer_block(wanted: bool) -> [u8; 20] {
    let mut list = [0; 20];
    list[8..10].copy_from_slice(&[0x01, 0x0A]);
    list[10] = if wanted { 0x20 } else { 0 };
    list
}

/// A block that dvdisaster could not read: `dvdisaster -i image --debug --erase 7` writes the same but for what lies between.
fn dead_block() -> [u8; 2048] {
    let (mark, end) = (b"dvdisaster dead sector marker\n", b"dvdisaster dead sector end marker\n\0\0");
    let mut block = [0; 2048];
    block[..mark.len()].copy_from_slice(mark);
    block[2048 - end.len()..].copy_from_slice(end);
    block
}

#[test]
fn a_block_that_the_image_marks_as_unreadable_is_an_error_when_that_is_asked_for() {
    let blocks: Vec<u8> = (0..20).flat_map(|lba| if lba == 7 { dead_block() } else { block(1, lba) }).collect();
    let disc = |medium: MediumType| {
        let mut disc = cd(1, &[&[(TrackMode::Mode1, 20)]]);
        disc.medium = medium;
        disc.sessions[0].tracks[0].extents[0].source = Arc::new(MemorySource::new(blocks.clone()));
        of(disc)
    };
    let clock = ManualClock::new();
    for medium in [MediumType::CdRom, MediumType::DvdRom, MediumType::BdRom] {
        let guest = Initiator::of(drive("edc-errors", &clock, disc(medium)));
        guest.settle();
        let answer = guest.run(&read_10(3, 10), 10 * 2048);
        assert_eq!((answer.kaq(), answer.sense[6], &answer.data[..]), ((3, 0x11, 0), 7, &blocks[3 * 2048..7 * 2048]));
        assert_eq!(guest.run(&read_10(8, 12), 12 * 2048).good(), blocks[8 * 2048..]);
        assert_eq!(guest.run(&[0x2F, 0, 0, 0, 0, 0, 0, 0, 20, 0], 0).kaq(), (3, 0x11, 0));
    }
    // Whole sectors with the mark in them: its EDC is right.
    let mut whole = cd(1, &[&[(TrackMode::Mode1, 20)]]);
    let sectors: Vec<u8> = (0..20)
        .flat_map(|lba| {
            let mut raw = [0; RAW];
            disc(MediumType::CdRom).disc.read_sector(Lba(lba), &mut raw).unwrap();
            raw
        })
        .collect();
    let extent = &mut whole.sessions[0].tracks[0].extents[0];
    (extent.source, extent.stride, extent.stored) = (Arc::new(MemorySource::new(sectors)), RAW as u32, 0..RAW);
    let guest = Initiator::of(drive("edc-errors", &clock, of(whole)));
    guest.settle();
    let answer = guest.run(&[0xBE, 0, 0, 0, 0, 6, 0, 0, 2, 0xF8, 0, 0], 2 * RAW);
    assert_eq!((answer.kaq(), answer.sense[6], answer.data.len()), ((3, 0x11, 0), 7, RAW));

    let guest = Initiator::of(drive("none", &clock, disc(MediumType::CdRom)));
    guest.settle();
    assert_eq!(guest.run(&read_10(7, 1), 2048).good(), dead_block());
}
