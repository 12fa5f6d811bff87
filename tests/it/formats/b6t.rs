//! B5T and B6T (BlindWrite 5 and 6).

use spindle::disc::subchannel::Q;
use spindle::disc::{Dpm, Lba, MediumType, TrackMode};
use spindle::image::ImageErrorKind;

use crate::support::disc::block;
use crate::support::image::{blocks, every_cut, every_prefix, open, refused, sector, tracks};

/// A run of sectors: audio, bytes of each, first, count, offset, file.
pub type Data<'a> = (bool, u32, i32, i32, u32, &'a str);
/// A track: type, number, pre-gap, start, length with pre-gap.
pub type Track = (u8, u8, u32, i32, i32);

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

pub fn image(
    profile: u16,
    data: &[Data<'_>],
    sessions: &[(i32, i32, &[Track])],
    structures: &[u8],
    dpm: &[u32],
) -> Vec<u8> {
    let mut blocks = numbers(&[data.len() as u32, 4]);
    blocks.extend(b"D\0:\0");
    for (audio, bytes, first, count, offset, name) in data {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut head = [0; 52];
        put(&mut head, 0, &numbers(&[if *audio { 0x8000 } else { 0 }, bytes * *count as u32]));
        put(&mut head, 24, &offset.to_le_bytes());
        put(&mut head, 40, &numbers(&[*first as u32, *count as u32, name.len() as u32]));
        blocks.extend([&head[..], &name, &[0; 4]].concat());
    }
    let mut table = Vec::new();
    for (number, (start, end, tracks)) in (1_u16..).zip(sessions) {
        table.extend(number.to_le_bytes());
        table.extend([tracks.len() as u8 + 1, 3]);
        table.extend(numbers(&[*start as u32, *end as u32, 0]));
        table.extend([0; 64]);
        for (kind, point, pregap, start, length) in *tracks {
            let mut entry = vec![0; if matches!(kind, 0 | 6) { 64 } else { 72 }];
            entry[0] = *kind;
            entry[10] = if *kind == 1 { 2 } else { 4 };
            entry[12] = *point;
            put(&mut entry, 22, &pregap.to_le_bytes());
            put(&mut entry, 42, &numbers(&[*start as u32, *length as u32]));
            table.extend(entry);
        }
    }
    let dpm = match dpm {
        [] => Vec::new(),
        [start, resolution, entries @ ..] => {
            [&numbers(&[1, 1, 0, 0, 0, 0, 0, 1, *start, *resolution, entries.len() as u32])[..], &numbers(entries)]
                .concat()
        }
        _ => panic!("start and resolution"),
    };
    let pack = [0x80; 18];
    let mut disc = [0; 112];
    put(&mut disc, 0, &numbers(&[2, 2, 6]));
    put(&mut disc, 32, &profile.to_le_bytes());
    put(&mut disc, 34, &(sessions.len() as u16).to_le_bytes());
    put(&mut disc, 48, b"\x010123456789012");
    put(&mut disc, 80, &[5, 0, 6, 0, 18, 0, 56, 0]);
    put(&mut disc, 88, &7_u32.to_le_bytes());
    put(&mut disc, 104, &numbers(&[structures.len() as u32, 56]));
    let lengths = numbers(&[3, 4, blocks.len() as u32, table.len() as u32, dpm.len() as u32]);
    let told = [&[0xEE; 3 + 4 + 5 + 6][..], &pack, &[0xBC; 7], structures, &[0xEE; 56]].concat();
    let mut out =
        [b"BWT5 STREAM SIGN", &disc[..], &[0xEE; 32 + 48 + 32], &lengths, &told, &blocks, &table, &dpm].concat();
    let total = out.len() as u32 + 20;
    out.extend(total.to_le_bytes());
    out.extend(b"BWT5 STREAM FOOT");
    out
}

/// Data with its subchannel, sound of two files, and a second session.
fn cd() -> Vec<u8> {
    let data = [
        (true, 2352, 20, 5, 0, "disc.i01"),
        (false, 2448, -2, 12, 100, "*.b6i"),
        (true, 2368, 25, 5, 2352 * 5, "disc.i01"),
        (false, 2048, 11_430, 4, 0, "second"),
    ];
    let first: &[Track] = &[(2, 1, 150, -150, 160), (1, 2, 10, 10, 20)];
    let second: &[Track] = &[(4, 3, 150, 11_280, 154)];
    image(8, &data, &[(-150, 30, first), (11_280, 11_434, second)], &[], &[0, 75, 10, 20, 30])
}

/// A sector of Mode 1 without EDC, and its subchannel, whose Q names its track as `track`.
fn raw(lba: u32, track: u8) -> Vec<u8> {
    let mut raw = [&[0; 16][..], &block(3, lba), &[0; 288]].concat();
    let mut subchannel = [0; 96];
    subchannel[13] = track;
    raw.extend(subchannel);
    raw
}

struct Data4 {
    data: Vec<u8>,
    sound: Vec<u8>,
    second: Vec<u8>,
}

fn files() -> Data4 {
    let mut data = vec![0xEE; 100];
    data.extend((0..12).flat_map(|lba| raw(lba, 0x42)));
    let mut sound: Vec<u8> = (0..5).flat_map(|at| [at; 2352]).collect();
    sound.extend((5..10).flat_map(|at| [&[at; 2352][..], &[0x99; 16]].concat()));
    Data4 { data, sound, second: (0..4).flat_map(|lba| block(4, lba)).collect() }
}

impl Data4 {
    fn named(&self) -> [(&str, &[u8]); 3] {
        [("disc.b6i", &self.data), ("DISC.I01", &self.sound), ("second", &self.second)]
    }
}

#[test]
fn tracks_are_put_together_from_data_blocks_in_any_order() {
    let files = files();
    let opened = open("disc.b6t", &cd(), &files.named()).unwrap();
    assert_eq!((opened.format.id, opened.disc.medium), ("b6t", MediumType::CdRom));
    assert_eq!(opened.warnings, Vec::<String>::new());
    let expected = [
        (1, TrackMode::Mode1, -150, 0, 10),
        (2, TrackMode::Audio, 10, 20, 30),
        (3, TrackMode::Mode2Xa, 11_280, 11_430, 11_434),
    ];
    assert_eq!(tracks(&opened), expected);
    assert_eq!(blocks(&opened, -2, 12), (0..12).flat_map(|lba| block(3, lba)).collect::<Vec<_>>());
    assert_eq!(blocks(&opened, -3, 1), [0; 2048]);
    for at in 0..10 {
        assert_eq!(sector(&opened, 20 + at), [at as u8; 2352]);
    }
    assert_eq!(sector(&opened, 19), [0; 2352]);
    assert_eq!(blocks(&opened, 11_430, 4), files.second);
    let q = |lba: i32| Q::of_linear(&opened.disc.read_subchannel(Lba(lba)).unwrap()).0;
    assert_eq!((q(3)[1], q(27)[1]), (0x42, 0x99));
    assert_eq!(opened.disc.mcn.unwrap(), *b"0123456789012");
    assert_eq!(opened.disc.sessions[0].cd_text, [[0x80; 18]]);
    assert_eq!(opened.disc.dpm, Some(Dpm { start: Lba(0), resolution: 75, entries: vec![10, 20, 30] }));
    assert!(opened.disc.track(2).unwrap().control.copy_permitted());
}

#[test]
fn the_measurement_beside_the_image_goes_first() {
    let files = files();
    let bwa = numbers(&[1, 8, 1, 5, 50, 2, 7, 8]);
    let beside = [&files.named()[..], &[("disc.bwa", &bwa)]].concat();
    let opened = open("disc.b6t", &cd(), &beside).unwrap();
    assert_eq!(opened.disc.dpm, Some(Dpm { start: Lba(5), resolution: 50, entries: vec![7, 8] }));
    let beside = [&files.named()[..], &[("disc.bwa", &bwa[..20])]].concat();
    let opened = open("disc.b6t", &cd(), &beside).unwrap();
    assert_eq!((opened.disc.dpm.unwrap().start, opened.warnings.len()), (Lba(0), 1));
}

#[test]
fn a_dvd_cut_into_files_keeps_its_structures() {
    let structures =
        [&[0, 0][..], &[0x10, 0, 0, 6, 0, 0, 1, 2, 3, 4], &[0, 0, 0, 4, 0, 0, 5, 6], &[0, 0, 0, 3, 0, 0, 7]].concat();
    let data = [(false, 2048, 0, 3, 0, "a"), (false, 2048, 3, 2, 2048, "b")];
    let image = image(0x10, &data, &[(0, 5, &[(6, 1, 0, 0, 5)])], &structures, &[]);
    let stored: Vec<u8> = (0..5).flat_map(|lba| block(5, lba)).collect();
    let second = [&[0xEE; 2048], &stored[3 * 2048..]].concat();
    let opened = open("disc.b6t", &image, &[("a", &stored[..3 * 2048]), ("b", &second)]).unwrap();
    assert_eq!(opened.disc.medium, MediumType::DvdRom);
    assert_eq!(tracks(&opened), [(1, TrackMode::Mode1, 0, 0, 5)]);
    assert_eq!(blocks(&opened, 0, 5), stored);
    let kept: Vec<_> = opened.disc.structures.iter().map(|kept| (kept.layer, kept.format, &kept.data[..])).collect();
    let expected: [(u8, u8, &[u8]); 4] = [(0, 0x10, &[1, 2, 3, 4]), (0, 0, &[5, 6]), (1, 0, &[7]), (0, 3, &[0xBC; 7])];
    assert_eq!(kept, expected);
}

#[test]
fn what_a_short_data_file_lacks_is_unreadable_and_the_rest_is_not() {
    let files = files();
    let named = [("disc.b6i", &files.data[..]), ("disc.i01", &files.sound), ("second", &files.second[..5000])];
    let opened = open("disc.b6t", &cd(), &named).unwrap();
    assert_eq!(opened.warnings.len(), 1);
    let mut block = [0; 2048];
    let readable = [0, 1, 2, 3].map(|at| opened.disc.read_block(Lba(11_430 + at), &mut block).is_ok());
    assert_eq!(readable, [true, true, false, false]);
}

#[test]
fn a_descriptor_that_cannot_be_true_is_refused() {
    let files = files();
    let image = cd();
    let blocks_at = 260 + 3 + 4 + 5 + 6 + 18 + 7 + 56;
    let one = 52 + 16 + 4;
    let sessions_at = blocks_at + 12 + 2 * one + 52 + 10 + 4 + 52 + 12 + 4;
    let track = sessions_at + 16 + 64;
    let changes: &[(usize, &[u8], ImageErrorKind)] = &[
        (16 + 32, &[0xFF], ImageErrorKind::Invalid),
        (16 + 32, &[0x20], ImageErrorKind::Unsupported),
        (16 + 34, &[0], ImageErrorKind::Invalid),
        (240 + 8, &[0xFF; 4], ImageErrorKind::Invalid),
        (blocks_at, &[0xFF; 4], ImageErrorKind::Limit),
        (blocks_at + 12 + 4, &[1], ImageErrorKind::Invalid),
        (blocks_at + 12 + 44, &[0xFF; 4], ImageErrorKind::Invalid),
        (blocks_at + 12 + 48, &[0xFF; 4], ImageErrorKind::Limit),
        (sessions_at + 2, &[0], ImageErrorKind::Invalid),
        (track, &[9], ImageErrorKind::Invalid),
        (track + 12, &[100], ImageErrorKind::Invalid),
        (track + 42, &[0, 0, 0, 0x80], ImageErrorKind::Invalid),
        (track + 46, &[0xFF; 4], ImageErrorKind::Invalid),
    ];
    for (at, bytes, kind) in changes {
        refused("disc.b6t", &image, &files.named(), *at, bytes, *kind);
    }
    assert_eq!(open("disc.b6t", &image, &[]).unwrap_err().kind(), ImageErrorKind::Missing);
}

#[test]
fn every_prefix_is_opened_or_refused() {
    every_prefix("disc.b6t", &cd(), &files().named());
}

#[test]
fn what_is_left_of_the_data_files_is_read_as_before() {
    every_cut("disc.b6t", &cd(), &files().named());
}
