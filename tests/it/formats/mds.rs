//! MDS/MDF (Alcohol 120%).

use std::fs;

use spindle::disc::subchannel::Q;
use spindle::disc::{Dpm, Lba, MediumType, TrackMode};
use spindle::image::{ImageErrorKind, OpenOptions, open_path};

use crate::support::disc::block;
use crate::support::image::{blocks, every_cut, every_prefix, open, refused, sector, tracks};
use crate::support::images::mds::{Session, Track, build};
use crate::support::inputs;

const FIRST_GAP: i32 = 6750 + 4500;

fn track(point: u8, mode: u8, bytes: u16, start: i32, blocks: u32, file: &str) -> Track {
    Track {
        point,
        mode,
        interleaved: bytes == 2448,
        bytes,
        start,
        offset: 0,
        pregap: 150,
        blocks,
        files: vec![file.as_bytes().to_vec()],
    }
}

/// Two sessions: data of 2,048 bytes and audio with its subchannel, then Form 1 after a gap.
fn two_sessions() -> Vec<u8> {
    let second = 170 + FIRST_GAP;
    let mut late = track(3, 0xAC, 2048, second + 150, 4, "\0DISC.MDF");
    late.offset = 10 * 2048;
    let sessions = [
        Session {
            start: -150,
            end: 170,
            tracks: vec![track(1, 0xAA, 2048, 0, 10, "*.mdf"), track(2, 0xA9, 2448, 160, 10, "sub\\audio.mdf")],
        },
        Session { start: second, end: second + 154, tracks: vec![late] },
    ];
    build(0, &sessions, &[], Some((0, 2, &[100, 300, 511])))
}

fn data() -> Vec<u8> {
    (0..14).flat_map(|lba| block(1, lba)).collect()
}

/// Ten sectors of sound, each with a subchannel whose Q is sound.
fn audio() -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 0..10_i32 {
        bytes.extend([number as u8 + 1; 2352]);
        let q = Q::position(
            spindle::disc::Control::AUDIO,
            7,
            1,
            spindle::disc::Msf { minute: 0, second: 0, frame: 0 },
            Lba(160 + number),
        );
        let bit = |at: usize| q.0[at / 8] >> (7 - at % 8) & 1;
        bytes.extend((0..96).map(|at| bit(at) << 6));
    }
    bytes
}

#[test]
fn sessions_tracks_and_sectors_are_where_the_descriptor_says() {
    let (data, audio) = (data(), audio());
    let opened = open("disc.mds", &two_sessions(), &[("disc.mdf", &data), ("audio.mdf", &audio)]).unwrap();
    assert_eq!((opened.format.id, opened.disc.medium), ("mds", MediumType::CdRom));
    let second = 170 + FIRST_GAP;
    let expected = [
        (1, TrackMode::Mode1, -150, 0, 10),
        (2, TrackMode::Audio, 10, 160, 170),
        (3, TrackMode::Mode2Xa, second, second + 150, second + 154),
    ];
    assert_eq!(tracks(&opened), expected);
    assert_eq!(opened.warnings, Vec::<String>::new());
    assert_eq!(opened.disc.sessions[0].lead_out, Lba(170));
    assert!(blocks(&opened, 0, 10) == data[..10 * 2048]);
    assert!(blocks(&opened, second + 150, 4) == data[10 * 2048..]);
    assert_eq!(sector(&opened, 159), [0; 2352]);
    assert_eq!(sector(&opened, 163), [4; 2352]);
    assert_eq!(
        Q::of_linear(&opened.disc.read_subchannel(Lba(163)).unwrap()).0[1],
        7,
        "the stored subchannel names track 7"
    );
    let audio_track = opened.disc.track(2).unwrap();
    assert!(audio_track.control.copy_permitted() && !audio_track.control.pre_emphasis());
    assert_eq!(opened.disc.dpm, Some(Dpm { start: Lba(0), resolution: 2, entries: vec![100, 300, 511] }));
}

/// A DVD in three files, each of which holds another number of sectors.
fn dvd(structures: &[u8]) -> Vec<u8> {
    let files = ["*.mdf", "*.md0", "*.md1"].map(|name| name.as_bytes().to_vec());
    let track = Track { files: files.to_vec(), offset: 2048, pregap: 0, ..track(1, 2, 2048, 0, 9, "") };
    build(0x10, &[Session { start: 0, end: 9, tracks: vec![track] }], structures, None)
}

#[test]
fn a_dvd_is_split_over_files_and_keeps_its_structures() {
    let layer = |fill: u8, layers: u8| {
        let mut bytes = [&[fill; 4][..], &[fill + 1; 2048], &[fill + 2; 2048]].concat();
        bytes[4 + 2048 + 2] = layers;
        bytes
    };
    let image = dvd(&[layer(1, 0x20), layer(11, 0x20)].concat());
    let data: Vec<u8> = (0..9).flat_map(|lba| block(2, lba)).collect();
    let first = [&[0xEE; 2048], &data[..4 * 2048]].concat();
    let files: &[(&str, &[u8])] =
        &[("disc.mdf", &first), ("disc.md0", &data[4 * 2048..6 * 2048]), ("disc.md1", &data[6 * 2048..])];
    let opened = open("disc.mds", &image, files).unwrap();
    assert_eq!(opened.disc.medium, MediumType::DvdRom);
    assert_eq!(tracks(&opened), [(1, TrackMode::Mode1, 0, 0, 9)]);
    assert!(blocks(&opened, 0, 9) == data);
    assert_eq!(opened.companions.len(), 3);
    let kept: Vec<_> = opened.disc.structures.iter().map(|kept| (kept.layer, kept.format, kept.data[0])).collect();
    assert_eq!(kept, [(0, 1, 1), (0, 4, 2), (0, 0, 3), (1, 1, 11), (1, 4, 12), (1, 0, 13)]);
    let one = open("disc.mds", &dvd(&layer(1, 0)), files).unwrap();
    assert_eq!(one.disc.structures.len(), 3);
}

#[test]
fn what_a_short_data_file_lacks_is_unreadable_and_the_rest_is_not() {
    let (mut data, audio) = (data(), audio());
    data.truncate(12 * 2048 + 5);
    let opened = open("disc.mds", &two_sessions(), &[("disc.mdf", &data), ("audio.mdf", &audio)]).unwrap();
    assert_eq!(opened.warnings.len(), 1);
    let start = 170 + FIRST_GAP + 150;
    let mut block = [0; 2048];
    let readable = [0, 1, 2, 3].map(|at| opened.disc.read_block(Lba(start + at), &mut block).is_ok());
    assert_eq!(readable, [true, true, false, false]);
}

#[test]
fn a_renamed_image_finds_its_data_under_its_own_name() {
    let image =
        build(0, &[Session { start: -150, end: 10, tracks: vec![track(1, 0xAA, 2048, 0, 10, "old.mdf")] }], &[], None);
    let data = data();
    for (name, file) in [("new.mds", "new.mdf"), ("new.xmd", "NEW.XMF"), ("new.mds", "OLD.MDF")] {
        let opened = open(name, &image, &[(file, &data)]).unwrap();
        assert!(blocks(&opened, 0, 10) == data[..10 * 2048]);
    }
    assert_eq!(open("new.mds", &image, &[("other.mdf", &data)]).unwrap_err().kind(), ImageErrorKind::Missing);
}

#[test]
fn a_descriptor_that_cannot_be_true_is_refused() {
    let (data, audio) = (data(), audio());
    let files: &[(&str, &[u8])] = &[("disc.mdf", &data), ("audio.mdf", &audio)];
    let image = two_sessions();
    let first = 88 + 2 * 24 + 3 * 80;
    let changes: &[(usize, &[u8], ImageErrorKind)] = &[
        (18, &[3], ImageErrorKind::Invalid),
        (20, &[0], ImageErrorKind::Invalid),
        (20, &[100], ImageErrorKind::Invalid),
        (80, &[0xFF; 4], ImageErrorKind::Invalid),
        (88 + 10, &[0], ImageErrorKind::Invalid),
        (first, &[6], ImageErrorKind::Invalid),
        (first + 1, &[3], ImageErrorKind::Unsupported),
        (first + 4, &[9], ImageErrorKind::Invalid),
        (first + 12, &[0xFF; 4], ImageErrorKind::Invalid),
        (first + 16, &[0, 0], ImageErrorKind::Invalid),
        (first + 16, &[9, 8], ImageErrorKind::Invalid),
        (first + 48, &[0; 4], ImageErrorKind::Invalid),
        (first + 48, &[0xFF; 4], ImageErrorKind::Limit),
        (first + 52, &[0xFF; 4], ImageErrorKind::Invalid),
    ];
    for (at, bytes, kind) in changes {
        refused("disc.mds", &image, files, *at, bytes, *kind);
    }
}

#[test]
fn every_prefix_is_opened_or_refused() {
    let (data, audio) = (data(), audio());
    every_prefix("disc.mds", &two_sessions(), &[("disc.mdf", &data), ("audio.mdf", &audio)]);
    every_prefix("disc.mds", &dvd(&[0x20; 4100 * 2]), &[("disc.mdf", &data)]);
    every_prefix("disc.xmd", &two_sessions(), &[("disc.xmf", &data), ("audio.mdf", &audio)]);
}

#[test]
fn what_is_left_of_the_data_files_is_read_as_before() {
    let (data, audio) = (data(), audio());
    every_cut("disc.mds", &two_sessions(), &[("disc.mdf", &data), ("audio.mdf", &audio)]);
    every_cut("disc.xmd", &two_sessions(), &[("disc.xmf", &data), ("audio.mdf", &audio)]);
}

#[test]
fn real_files_open_with_their_track_and_subchannel() {
    for folder in ["iat", "mdf2iso"] {
        for (name, subchannel) in [("TEST.mds", false), ("TEST2.mds", true)] {
            let path = inputs::path(folder).join(name);
            let opened = open_path(&path, &OpenOptions::default()).unwrap();
            assert_eq!((opened.format.id, opened.warnings.len()), ("mds", 0));
            assert_eq!(tracks(&opened), [(1, TrackMode::Mode1, -150, 0, 181)]);
            let stored =
                opened.disc.tracks().flat_map(|track| &track.extents).all(|extent| extent.subchannel.is_some());
            assert_eq!(stored, subchannel);
            let data = fs::read(path.with_extension("mdf")).unwrap();
            let stride = if subchannel { 2448 } else { 2352 };
            for lba in [0, 16, 180] {
                assert_eq!(sector(&opened, lba)[..], data[lba as usize * stride..][..2352]);
            }
        }
    }
}

mod tools {
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn mdf2iso_and_iat_take_the_same_data_from_real_files() {
        for (folder, program) in [("mdf2iso", "mdf2iso"), ("iat", "iat")] {
            for name in ["TEST", "TEST2"] {
                let path = inputs::path(folder).join(name);
                let work = TempDir::new().unwrap();
                let iso = work.path().join("out.iso");
                let ran = Command::new(program).arg(path.with_extension("mdf")).arg(&iso).output();
                let ran = ran.unwrap_or_else(|error| panic!("{program} is missing: {error}"));
                assert!(ran.status.success(), "{program}");
                let opened = open_path(&path.with_extension("mds"), &OpenOptions::default()).unwrap();
                assert!(blocks(&opened, 0, 181) == fs::read(&iso).unwrap(), "{program} {name}");
            }
        }
    }
}
