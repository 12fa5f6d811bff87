//! READ CD and READ CD MSF, held against sectors that another hand than the reader's made.

use std::sync::Arc;

use spindle::disc::sector::Form;
use spindle::disc::{Disc, Extent, Lba, TrackMode};
use spindle::source::MemorySource;

use crate::support::disc::{cd, of, patterned, with_bad_block};
use crate::support::failing::failing_sectors;
use crate::support::image::open;
use crate::support::images::described::ccd;
use crate::support::images::described::source_disc::{Mode, SourceDisc, interleaved, q16};
use crate::support::initiator::{Answer, Initiator};

/// Sectors of each form: audio from 0, Mode 1 from 174, Form 1 and Form 2 in turns from 344, Form 2 from 514; pre-gaps of 150.
fn source() -> SourceDisc {
    SourceDisc::cd(&[
        (1, Mode::Audio, 150, 24),
        (1, Mode::Mode1, 150, 20),
        (1, Mode::Form1, 150, 20),
        (1, Mode::Form2, 150, 20),
    ])
}

/// `disc` in a drive, with the subchannel that its tracks say.
fn drive(disc: &SourceDisc) -> Initiator {
    let files = ccd::files(disc, ccd::Options { subchannel: true, ..ccd::Options::default() });
    let beside: Vec<_> = files[1..].iter().map(|(name, bytes)| (&name[..], &bytes[..])).collect();
    Initiator::with(of(open(&files[0].0, &files[0].1, &beside).unwrap().disc)).1
}

fn read(guest: &Initiator, expected: u8, lba: i32, blocks: u32, main: u8, sub: u8, room: usize) -> Answer {
    let ([a, b, c, d], [_, e, f, g]) = (lba.to_be_bytes(), blocks.to_be_bytes());
    guest.run(&[0xBE, expected << 2, a, b, c, d, e, f, g, main, sub, 0], room)
}

/// The sector of `disc` at `lba`.
fn sector(disc: &SourceDisc, lba: i32) -> [u8; 2352] {
    let track = disc.tracks.iter().find(|track| (track.first()..track.end()).contains(&lba)).unwrap();
    track.sectors[(lba - track.first()) as usize]
}

type Returned = fn(&[u8; 96]) -> Vec<u8>;

/// What byte 10 asks for, made from the channels one after another.
const SUB_CHANNELS: [(u8, Returned); 3] = [(0, |_| Vec::new()), (1, interleaved), (2, q16)];

/// Where index 1 of each track lies.
const AUDIO: i32 = 0;
const MODE_1: i32 = 174;
const FORM_1: i32 = 344;
const FORM_2: i32 = 514;

/// MMC-6, READ CD, "Number of Bytes Returned Based on Data Selection Field": bytes of CD-DA, Mode 1, Mode 2 without form, Form 1,
/// Form 2. Nothing stands for what is illegal.
const COUNTS: [(u8, [Option<usize>; 5]); 19] = [
    (0x00, [Some(0), Some(0), Some(0), Some(0), Some(0)]),
    (0x10, [Some(2352), Some(2048), Some(2336), Some(2048), Some(2328)]),
    (0x18, [Some(2352), Some(2336), Some(2336), Some(2328), Some(2328)]),
    (0x20, [Some(2352), Some(4), Some(4), Some(4), Some(4)]),
    (0x30, [Some(2352), Some(2052), Some(2340), None, None]),
    (0x38, [Some(2352), Some(2340), Some(2340), None, None]),
    (0x40, [Some(2352), Some(0), Some(0), Some(8), Some(8)]),
    (0x50, [Some(2352), Some(2048), Some(2336), Some(2056), Some(2336)]),
    (0x58, [Some(2352), Some(2336), Some(2336), Some(2336), Some(2336)]),
    (0x60, [Some(2352), Some(4), Some(4), Some(12), Some(12)]),
    (0x70, [Some(2352), Some(2052), Some(2340), Some(2060), Some(2340)]),
    (0x78, [Some(2352), Some(2340), Some(2340), Some(2340), Some(2340)]),
    (0x80, [Some(2352), Some(12), Some(12), Some(12), Some(12)]),
    (0xA0, [Some(2352), Some(16), Some(16), Some(16), Some(16)]),
    (0xB0, [Some(2352), Some(2064), Some(2352), None, None]),
    (0xB8, [Some(2352), Some(2352), Some(2352), None, None]),
    (0xE0, [Some(2352), Some(16), Some(16), Some(24), Some(24)]),
    (0xF0, [Some(2352), Some(2064), Some(2352), Some(2072), Some(2352)]),
    (0xF8, [Some(2352), Some(2352), Some(2352), Some(2352), Some(2352)]),
];

/// Where what a selection returns of a data sector begins.
fn begins(main: u8, form: usize) -> usize {
    let has_subheader = form > 2;
    match main {
        _ if main & 0x80 != 0 => 0,
        _ if main & 0x20 != 0 => 12,
        _ if main & 0x40 != 0 && has_subheader => 16,
        _ if has_subheader => 24,
        _ => 16,
    }
}

#[test]
fn every_selection_of_every_sector_type() {
    let disc = source();
    let guest = drive(&disc);
    let (_, formless) = Initiator::with(of(formless()));
    let raw = |lba| read(&formless, 0, lba, 1, 0xF8, 0, 2352).good();
    let rows: [(&Initiator, i32, Vec<u8>); 5] = [
        (&guest, AUDIO + 5, sector(&disc, AUDIO + 5).to_vec()),
        (&guest, MODE_1 + 5, sector(&disc, MODE_1 + 5).to_vec()),
        (&formless, 5, raw(5)),
        (&guest, FORM_1 + 5, sector(&disc, FORM_1 + 5).to_vec()),
        (&guest, FORM_2 + 5, sector(&disc, FORM_2 + 5).to_vec()),
    ];
    for main in (0..=0xF8).step_by(8) {
        let counts = COUNTS.iter().find(|(defined, _)| *defined == main).map(|(_, counts)| counts);
        for (form, (guest, lba, whole)) in rows.iter().enumerate() {
            // The type may be named, or any.
            for expected in [0, form as u8 + 1] {
                let answer = read(guest, expected, *lba, 1, main, 0, 3000);
                let what = format!("selection {main:02x} of type {form}, {expected} expected");
                match counts.and_then(|counts| counts[form]) {
                    Some(count) => {
                        let begin = if form == 0 { 0 } else { begins(main, form) };
                        assert_eq!(answer.good(), whole[begin..begin + count], "{what}");
                    }
                    None => {
                        assert_eq!((answer.kaq(), answer.data.len()), ((5, 0x24, 0), 0), "{what}");
                        assert_eq!(answer.sense[15..18], [0xCF, 0, 9], "{what}");
                    }
                }
            }
        }
    }
}

/// One track of Mode 2 without a form.
fn formless() -> Disc {
    cd(7, &[&[(TrackMode::Mode2Formless, 100)]])
}

#[test]
fn sectors_of_another_type_than_expected_end_it() {
    let disc = source();
    let guest = drive(&disc);
    let places = [AUDIO, MODE_1, FORM_1, FORM_2];
    for (expected, own) in [(1, Some(AUDIO)), (2, Some(MODE_1)), (3, None), (4, Some(FORM_1)), (5, Some(FORM_2))] {
        for lba in places {
            let answer = read(&guest, expected, lba + 2, 3, 0xF8, 0, 3 * 2352);
            if own == Some(lba) {
                assert_eq!(answer.good(), (2..5).flat_map(|at| sector(&disc, lba + at)).collect::<Vec<_>>());
            } else {
                assert_eq!((answer.kaq(), answer.data.len()), ((5, 0x64, 0), 0), "{expected} at {lba}");
                assert_eq!(answer.sense[3..7], (lba + 2).to_be_bytes());
            }
        }
    }
    for reserved in [6, 7] {
        assert_eq!(read(&guest, reserved, 0, 1, 0xF8, 0, 2352).kaq(), (5, 0x24, 0));
    }
    // Form 1 ends where Form 2 begins.
    let mixed = SourceDisc::forms();
    let guest = drive(&mixed);
    let first_2 = (0..20).find(|lba| sector(&mixed, *lba)[18] & 0x20 != 0).unwrap();
    let answer = read(&guest, 4, 0, 20, 0x10, 0, 20 * 2048);
    assert_eq!((answer.kaq(), answer.data.len()), ((5, 0x64, 0), first_2 as usize * 2048));
    // Of any type both are returned, each as long as it is.
    let expected: Vec<u8> = (0..20)
        .flat_map(|lba| {
            sector(&mixed, lba)[24..][..if sector(&mixed, lba)[18] & 0x20 != 0 { 2328 } else { 2048 }].to_vec()
        })
        .collect();
    assert_eq!(read(&guest, 0, 0, 20, 0x10, 0, 20 * 2352).good(), expected);
}

#[test]
fn a_command_ends_where_sound_and_data_meet() {
    let disc = source();
    let guest = drive(&disc);
    // The pre-gap of a track belongs to it.
    for (from, meet) in [(10, 24), (0, 24)] {
        let answer = read(&guest, 0, from, 40, 0xF8, 0, 40 * 2352);
        assert_eq!(answer.kaq(), (5, 0x64, 0));
        assert_eq!(answer.sense[3..7], (meet as u32).to_be_bytes());
        assert_eq!(answer.data, (from..meet).flat_map(|lba| sector(&disc, lba)).collect::<Vec<_>>());
    }
    // Modes of data do not end it.
    let answer = read(&guest, 0, MODE_1, 170 + 20, 0xF8, 0, 190 * 2352);
    assert_eq!(answer.good(), (MODE_1..MODE_1 + 190).flat_map(|lba| sector(&disc, lba)).collect::<Vec<_>>());
}

#[test]
fn gaps_before_and_after_the_tracks() {
    let disc = source();
    let guest = drive(&disc);
    // The pre-gap of the first track: two seconds that images rarely keep.
    assert_eq!(read(&guest, 0, -150, 150, 0xF8, 0, 150 * 2352).good(), vec![0; 150 * 2352]);
    let before: Vec<u8> = [vec![0; 2 * 2352], sector(&disc, 0).to_vec()].concat();
    assert_eq!(read(&guest, 1, -2, 3, 0x10, 0, 3 * 2352).good(), before);
    let wrong = read(&guest, 2, -2, 3, 0x10, 0, 3 * 2352);
    assert_eq!((wrong.kaq(), &wrong.sense[..7]), ((5, 0x64, 0), &[0xF0, 0, 5, 0xFF, 0xFF, 0xFF, 0xFE][..]));
    let end = disc.tracks.last().unwrap().end();
    for (lba, blocks) in [(-151, 1), (end, 1), (end - 1, 2), (i32::MAX, 1), (i32::MIN, 1), (0, 0xFF_FFFF)] {
        let answer = read(&guest, 0, lba, blocks, 0xF8, 0, 2352);
        assert_eq!((answer.kaq(), answer.data.len()), ((5, 0x21, 0), 0), "{blocks} at {lba}");
    }
    assert_eq!(read(&guest, 0, end - 1, 1, 0xF8, 0, 2352).good(), sector(&disc, end - 1));
    // Between two sessions there is no track.
    let (_drive, guest) = Initiator::with(of(cd(1, &[&[(TrackMode::Mode1, 100)], &[(TrackMode::Mode1, 100)]])));
    let answer = read(&guest, 0, 98, 4, 0x10, 0, 4 * 2048);
    assert_eq!((answer.kaq(), answer.data.len()), ((5, 0x21, 0), 2 * 2048));
}

#[test]
fn error_flags_and_sub_channels_follow_the_sector() {
    let disc = source();
    let guest = drive(&disc);
    for (lba, main, bytes) in [(AUDIO + 6, 0x10, 0..2352), (MODE_1 + 4, 0x10, 16..2064), (FORM_2 + 3, 0, 0..0)] {
        let track = disc.tracks.iter().find(|track| (track.first()..track.end()).contains(&lba)).unwrap();
        for (errors, flags) in [(0, 0), (2, 294), (4, 296)] {
            for (sub, wanted) in SUB_CHANNELS {
                let of = |lba| {
                    [sector(&disc, lba)[bytes.clone()].to_vec(), vec![0; flags], wanted(&track.subchannel(lba))]
                        .concat()
                };
                let expected = [of(lba), of(lba + 1)].concat();
                let answer = read(&guest, 0, lba, 2, main | errors, sub, 6000);
                assert_eq!(answer.good(), expected, "{lba}, {errors}, {sub}");
            }
        }
    }
    for (main, sub) in [(0x16, 0), (0x10, 3), (0x10, 5), (0x10, 6), (0x10, 7)] {
        assert_eq!(read(&guest, 0, 0, 1, main, sub, 3000).kaq(), (5, 0x24, 0), "{main:02x}, {sub}");
    }
    // R to W in packs: six bits in each byte. What the disc has is no pack, so it is given as it lies there.
    let packs = read(&guest, 0, AUDIO + 6, 1, 0, 4, 96).good();
    assert!(packs.len() == 96 && packs.iter().all(|symbol| symbol & 0xC0 == 0));
    let raw = |lba| interleaved(&disc.tracks[0].subchannel(lba));
    assert_eq!(packs[0], raw(AUDIO + 6)[0] & 0x3F);
    assert_eq!(packs[24 + 7], raw(AUDIO + 8)[7] & 0x3F);
}

#[test]
fn what_a_file_does_not_store_is_made() {
    let disc = source();
    for (at, mode, stored) in [
        (MODE_1, TrackMode::Mode1, Form::Mode1.user_data()),
        (FORM_1, TrackMode::Mode2Xa, Form::Form1.user_data()),
        (FORM_1, TrackMode::Mode2Xa, 16..2352),
        (FORM_2, TrackMode::Mode2Xa, 16..2348),
        (FORM_2, TrackMode::Mode2Xa, 16..2352),
    ] {
        // As a file of their own, at the same addresses.
        let bytes: Vec<u8> = (at..at + 20).flat_map(|lba| sector(&disc, lba)[stored.clone()].to_vec()).collect();
        let mut made = cd(1, &[&[(mode, at as u32 + 20)]]);
        made.sessions[0].tracks[0].extents = vec![Extent {
            first: Lba(at),
            blocks: 20,
            source: Arc::new(MemorySource::new(bytes)),
            offset: 0,
            stride: stored.len() as u32,
            stored: stored.clone(),
            subchannel: None,
        }];
        let (_drive, guest) = Initiator::with(of(made));
        let whole = read(&guest, 0, at, 20, 0xF8, 0, 20 * 2352).good();
        let expected: Vec<u8> = (at..at + 20).flat_map(|lba| sector(&disc, lba)).collect();
        let sub = |bytes: &[u8]| -> Vec<u8> {
            // A sub-header that is not stored says no more than the form.
            bytes
                .chunks(2352)
                .flat_map(|sector| {
                    if stored.start > 16 && mode == TrackMode::Mode2Xa {
                        sector[24..2072].to_vec()
                    } else {
                        sector.to_vec()
                    }
                })
                .collect()
        };
        assert_eq!(sub(&whole), sub(&expected), "{mode:?}, {stored:?}");
    }
}

#[test]
fn times_name_the_same_sectors() {
    let disc = source();
    let guest = drive(&disc);
    let msf = |from: [u8; 3], to: [u8; 3], main: u8| {
        let [a, b, c] = from;
        let [d, e, f] = to;
        guest.run(&[0xB9, 0, 0, a, b, c, d, e, f, main, 0, 0], 4 * 2352)
    };
    // 00:02:00 is block 0.
    assert_eq!(msf([0, 2, 3], [0, 2, 6], 0xF8).good(), read(&guest, 0, 3, 3, 0xF8, 0, 3 * 2352).good());
    assert_eq!(msf([0, 1, 74], [0, 2, 1], 0x10).good(), read(&guest, 0, -1, 2, 0x10, 0, 2 * 2352).good());
    assert_eq!(msf([0, 2, 3], [0, 2, 3], 0xF8).good(), [0; 0]);
    for (from, to, byte) in [([0, 2, 4], [0, 2, 3], 3), ([0, 60, 0], [1, 2, 0], 3), ([0, 2, 0], [0, 2, 75], 6)] {
        let answer = msf(from, to, 0xF8);
        assert_eq!((answer.kaq(), &answer.sense[15..18]), ((5, 0x24, 0), &[0xC0, 0, byte][..]), "{from:?} {to:?}");
    }
    assert_eq!(msf([79, 0, 0], [79, 0, 1], 0xF8).kaq(), (5, 0x21, 0));
}

#[test]
fn a_bad_sector_keeps_what_came_before_it() {
    let (_drive, guest) = Initiator::with(with_bad_block(1, 100, 7));
    let good = read(&guest, 0, 0, 7, 0xF8, 0, 7 * 2352).good();
    let answer = read(&guest, 0, 0, 10, 0xF8, 0, 10 * 2352);
    assert_eq!((answer.kaq(), &answer.sense[3..7]), ((3, 0x11, 0), &[0, 0, 0, 7][..]));
    assert_eq!(answer.data, good);
    // In a file of whole sectors that ends too early too: sectors are read many at once there.
    let raw = good.repeat(2);
    let mut disc = cd(1, &[&[(TrackMode::Mode1, 20)]]);
    disc.sessions[0].tracks[0].extents = vec![Extent {
        first: Lba(0),
        blocks: 20,
        source: Arc::new(MemorySource::new(raw.clone())),
        offset: 0,
        stride: 2352,
        stored: 0..2352,
        subchannel: None,
    }];
    let (_drive, guest) = Initiator::with(of(disc));
    let answer = read(&guest, 0, 2, 15, 0xF8, 0, 15 * 2352);
    assert_eq!((answer.kaq(), &answer.sense[3..7]), ((3, 0x11, 0), &[0, 0, 0, 14][..]));
    assert_eq!(answer.data, raw[2 * 2352..]);
}

/// A scratched disc is not read over and over up to the scratch.
#[test]
fn sectors_before_a_bad_one_are_read_once_more_and_no_oftener() {
    let (storage, medium) = failing_sectors(100, 60);
    let (_drive, guest) = Initiator::with(medium);
    for (lba, blocks, before) in [(0, 100, 60), (55, 20, 5), (60, 10, 0)] {
        storage.take_reads();
        let answer = read(&guest, 0, lba, blocks, 0xF8, 0, blocks as usize * 2352);
        assert_eq!((answer.kaq(), &answer.sense[3..7]), ((3, 0x11, 0), &[0, 0, 0, 60][..]));
        assert_eq!(answer.data.len(), before * 2352);
        // All at once, then one by one.
        assert_eq!(storage.take_reads(), (1 + before + 1, 2), "from {lba}");
    }
    // The run after a good one begins anew.
    storage.take_reads();
    assert_eq!(read(&guest, 0, 61, 39, 0xF8, 0, 39 * 2352).status, 0);
    assert_eq!(storage.take_reads(), (1, 0));
}

#[test]
fn nothing_asked_for_moves_nothing_but_the_head() {
    let disc = source();
    let guest = drive(&disc);
    assert_eq!(read(&guest, 0, 5, 0, 0xF8, 0, 2352).good(), [0; 0]);
    assert_eq!(read(&guest, 0, 5, 6, 0, 0, 2352).good(), [0; 0]);
    assert_eq!(guest.run(&[0x42, 0, 0x40, 1, 0, 0, 0, 0, 16, 0], 16).good()[8..12], [0, 0, 0, 11]);
}

#[test]
fn a_buffer_that_is_too_short_gets_what_fits() {
    let disc = source();
    let guest = drive(&disc);
    for (lba, main) in [(AUDIO, 0x10), (MODE_1, 0xF8), (MODE_1, 0x10)] {
        let full = read(&guest, 0, lba, 5, main, 0, 5 * 2352).good();
        for room in [0, 1, 2047, 2352, 2353, full.len() - 1] {
            let answer = read(&guest, 0, lba, 5, main, 0, room);
            assert_eq!((answer.status, &answer.data[..]), (0, &full[..room]), "{lba}, {room}");
            assert!(answer.overrun);
        }
    }
}

#[test]
fn other_media_have_no_such_sectors() {
    for blocks in [1_000_000, 12_000_000] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        assert_eq!(read(&guest, 0, 0, 1, 0xF8, 0, 2352).kaq(), (5, 0x30, 2));
    }
}
