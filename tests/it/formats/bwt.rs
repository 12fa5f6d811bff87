//! BWT (BlindWrite 4).

use spindle::disc::subchannel::Q;
use spindle::disc::{Dpm, Lba, MediumType, TrackMode};
use spindle::image::ImageErrorKind;

use crate::support::disc::block;
use crate::support::image::{blocks, every_cut, every_prefix, open, refused, sector, tracks};

/// A descriptor: file, offset, subchannel, session, CONTROL, mode, point, adjustment, end, index 0, index 1, code.
type Entry<'a> = (&'a str, u32, u8, u8, u8, u8, u8, u32, u32, i32, i32, &'a str);

const HEADER: usize = 19 + 12 + 3 * 5 + 4 + (4 + 5) + (4 + 8) + 4 + 3;

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

fn image(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut out = b"BLINDWRITE TOC FILE\x02\0\0\0\xEE\xEE\xEE\xEE\xEE\xEE\xEE\xEE".to_vec();
    out.extend([string("V"), string("S"), string("C")].concat());
    out.extend((entries.len() as u32).to_le_bytes());
    out.extend([string("*.bwi"), string("disc.bws")].concat());
    out.extend([0xEE, 0xEE, 0xEE, 0xEE, 2, 0xEE, 0xEE]);
    assert_eq!(out.len(), HEADER);
    for (file, offset, subchannel, session, control, mode, point, adjustment, end, index_0, index_1, code) in entries {
        out.extend(string(file));
        out.extend(offset.to_le_bytes());
        out.extend([*subchannel, 1, 2, 3, 4, 5, 6, 7, 8, *session, 9, 0x10 | control, 9, *mode, 9, *point]);
        out.extend([9; 8]);
        out.extend(adjustment.to_le_bytes());
        out.extend([9; 6]);
        out.extend(end.to_le_bytes());
        out.push(9);
        out.extend(index_0.to_le_bytes());
        out.extend(index_1.to_le_bytes());
        out.extend([9; 8]);
        (0..14).for_each(|_| out.extend(string("t")));
        out.extend(string(code));
    }
    out
}

/// Data, sound after a stored pre-gap in the same file, and data of a second session in a file of its own.
fn cd() -> Vec<u8> {
    image(&[
        ("", 0, 1, 1, 4, 1, 0xA0, 150, 0, 0, 0, "0123456789012"),
        ("", 0, 1, 1, 4, 1, 1, 150, 10, 0, 0, ""),
        ("", 12 * 2352, 1, 1, 2, 0, 2, 150, 20, 10, 12, "DEABC1234567"),
        ("late.bwi", 0, 0, 2, 4, 2, 3, 148, 11_424, 0, 11_420, ""),
    ])
}

/// The sector at `lba` with sync, header and a sub-header where it is of Mode 2.
fn raw(lba: u32, mode: u8) -> Vec<u8> {
    let bcd = |number: u32| (number / 10 * 16 + number % 10) as u8;
    let frames = lba + 150;
    let mut raw = vec![0xFF; 12];
    (raw[0], raw[11]) = (0, 0);
    raw.extend([bcd(frames / 4500), bcd(frames / 75 % 60), bcd(frames % 75), mode]);
    raw.resize(raw.len() + if mode == 2 { 8 } else { 0 }, 0);
    raw.extend(block(6, lba));
    raw.resize(2352, 0);
    raw
}

struct Stored {
    main: Vec<u8>,
    subchannel: Vec<u8>,
    late: Vec<u8>,
}

fn stored() -> Stored {
    let mut main: Vec<u8> = (0..10).flat_map(|lba| raw(lba, 1)).collect();
    main.extend((10..20).flat_map(|lba| [lba; 2352]));
    let subchannel = (0..20).flat_map(|lba| [lba; 96]).collect();
    let late = [vec![0xEE; 2 * 2352], (11_420..11_424).flat_map(|lba| raw(lba, 2)).collect()].concat();
    Stored { main, subchannel, late }
}

impl Stored {
    fn named(&self) -> [(&str, &[u8]); 3] {
        [("disc.bwi", &self.main), ("disc.bws", &self.subchannel), ("LATE.BWI", &self.late)]
    }
}

#[test]
fn tracks_lie_where_offset_and_indices_say() {
    let stored = stored();
    let opened = open("disc.bwt", &cd(), &stored.named()).unwrap();
    assert_eq!((opened.format.id, opened.disc.medium), ("bwt", MediumType::CdRom));
    assert_eq!((&opened.warnings[..], &opened.missing[..]), (&[][..], &[][..]));
    let expected = [
        (1, TrackMode::Mode1, -150, 0, 10),
        (2, TrackMode::Audio, 10, 12, 20),
        (3, TrackMode::Mode2Xa, 11_270, 11_420, 11_424),
    ];
    assert_eq!(tracks(&opened), expected);
    assert_eq!(opened.disc.sessions.len(), 2);
    assert_eq!(blocks(&opened, 0, 10), (0..10).flat_map(|lba| block(6, lba)).collect::<Vec<_>>());
    assert_eq!(blocks(&opened, 11_420, 4), (11_420..11_424).flat_map(|lba| block(6, lba)).collect::<Vec<_>>());
    for lba in 10..20 {
        assert_eq!(sector(&opened, lba), [lba as u8; 2352]);
        assert_eq!(Q::of_linear(&opened.disc.read_subchannel(Lba(lba)).unwrap()).0, [lba as u8; 12]);
    }
    assert_eq!(opened.disc.mcn.unwrap(), *b"0123456789012");
    assert_eq!(opened.disc.track(2).unwrap().isrc.unwrap(), *b"DEABC1234567");
    assert!(opened.disc.track(2).unwrap().control.copy_permitted());
}

#[test]
fn a_data_track_is_where_its_headers_say() {
    let stored = stored();
    let image = image(&[("", 2352, 0, 1, 4, 1, 1, 150, 8, 0, 0, "")]);
    let opened = open("disc.bwt", &image, &stored.named()).unwrap();
    assert_eq!(opened.warnings.len(), 1);
    assert_eq!(blocks(&opened, 0, 8), (0..8).flat_map(|lba| block(6, lba)).collect::<Vec<_>>());
}

#[test]
fn the_subchannel_may_be_missing_and_the_measurement_be_there() {
    let stored = stored();
    let bwa: Vec<u8> = [1_u32, 8, 1, 0, 100, 1, 77].iter().flat_map(|number| number.to_le_bytes()).collect();
    let files = [("disc.bwi", &stored.main[..]), ("late.bwi", &stored.late), ("disc.bwa", &bwa)];
    let opened = open("disc.bwt", &cd(), &files).unwrap();
    assert_eq!(opened.missing, ["disc.bws"]);
    assert_eq!(opened.disc.dpm, Some(Dpm { start: Lba(0), resolution: 100, entries: vec![77] }));
}

#[test]
fn what_a_short_data_file_lacks_is_unreadable_and_the_rest_is_not() {
    let mut stored = stored();
    stored.late.truncate(4 * 2352 + 100);
    let opened = open("disc.bwt", &cd(), &stored.named()).unwrap();
    assert_eq!(opened.warnings.len(), 1);
    let mut block = [0; 2048];
    let readable = [0, 1, 2, 3].map(|at| opened.disc.read_block(Lba(11_420 + at), &mut block).is_ok());
    assert_eq!(readable, [true, true, false, false]);
}

#[test]
fn a_descriptor_that_cannot_be_true_is_refused() {
    let stored = stored();
    let image = cd();
    let entry = 4 + 59 + 14 * 5 + 4;
    let first = HEADER + entry + 13 + 4;
    let second = first + entry;
    let changes: &[(usize, &[u8], ImageErrorKind)] = &[
        (19, &[1], ImageErrorKind::Unsupported),
        (31, &[0xFF; 4], ImageErrorKind::Invalid),
        (19 + 12 + 15, &[0xFF; 4], ImageErrorKind::Limit),
        (19 + 12 + 15, &[1], ImageErrorKind::Invalid),
        (19 + 12 + 19, &[0xFF; 4], ImageErrorKind::Limit),
        (first + 17, &[3], ImageErrorKind::Invalid),
        (first + 19, &[0], ImageErrorKind::Invalid),
        (first + 28, &[0xFF; 4], ImageErrorKind::Invalid),
        (first + 38, &[0; 4], ImageErrorKind::Invalid),
        (second + 47, &[1], ImageErrorKind::Invalid),
    ];
    for (at, bytes, kind) in changes {
        refused("disc.bwt", &image, &stored.named(), *at, bytes, *kind);
    }
    assert_eq!(open("disc.bwt", &image, &[]).unwrap_err().kind(), ImageErrorKind::Missing);
}

#[test]
fn every_prefix_is_opened_or_refused() {
    every_prefix("disc.bwt", &cd(), &stored().named());
}

#[test]
fn what_is_left_of_the_data_files_is_read_as_before() {
    every_cut("disc.bwt", &cd(), &stored().named());
}
