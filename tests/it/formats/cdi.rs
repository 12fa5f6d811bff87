//! CDI, as its description has it, in each version.

use spindle::disc::TrackMode::{Audio, Mode1, Mode2Xa};
use spindle::disc::{Control, Lba, MediumType};
use spindle::image::{ImageErrorKind, Opened};

use crate::support::image::{blocks, every_prefix, open, probe, sector, tracks};

struct Track {
    indices: &'static [u32],
    mode: u32,
    read_mode: u32,
    control: u32,
}

const MARK: [u8; 12] = [0xFF, 0xFF, 0, 0, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];

/// What every record begins with; `medium` follows in version 3.5 only.
fn header(version: u8, medium: u16) -> Vec<u8> {
    let mut out = [&MARK[..], &[1, 2, 3, 9, 5], b"a.cdi", &[7; 11], &[2], &[7; 7]].concat();
    if version == 6 {
        out.extend([0, 0, 0, 0x80, 1, 2, 3, 4, 0, 0]);
        out.extend(medium.to_le_bytes());
    } else {
        out.extend([0; 4]);
    }
    out
}

fn track(version: u8, medium: u16, track: &Track, is_last: bool) -> Vec<u8> {
    let mut out = header(version, medium);
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let blocks: u32 = track.indices.iter().sum();
    out.extend((track.indices.len() as u16).to_le_bytes());
    out.extend(words(track.indices));
    if version == 6 {
        // One block of texts: a title and nothing else.
        out.extend(words(&[1]));
        out.extend([&[3][..], b"one", &[0; 17]].concat());
    } else {
        out.extend(words(&[0]));
    }
    out.extend([0; 2]);
    out.extend(words(&[track.mode, 0, 0, 0, 777, blocks, 0, 0, 0, 0, track.read_mode, track.control]));
    out.push(0);
    out.extend(words(&[blocks, 0]));
    out.extend(b"DEABC1234567");
    out.extend(words(&[1]));
    match version {
        // Nothing; a flag that is not set; 99 bytes, of which one tells the last track of a session.
        4 => out.extend([0; 12]),
        5 => out.extend([[0; 5].as_slice(), &[0; 4], &[0; 12]].concat()),
        _ => out.extend((0..99).map(|at| if at == 93 { u8::from(!is_last) } else { 0 })),
    }
    out
}

fn session(tracks: u8) -> Vec<u8> {
    vec![0, tracks, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0xFF, 0xFF]
}

fn image(version: u8, medium: u16, sectors: &[u8], sessions: &[&[Track]]) -> Vec<u8> {
    let mut text = vec![sessions.len() as u8];
    for tracks in sessions {
        text.extend(session(tracks.len() as u8));
        for (position, of_session) in tracks.iter().enumerate() {
            text.extend(track(version, medium, of_session, position + 1 == tracks.len()));
        }
    }
    text.extend(session(0));
    text.extend(header(version, medium));
    text.extend([&1000_u32.to_le_bytes()[..], &[3], b"VOL", &[0; 9], b"0123456789012", &1_u32.to_le_bytes()].concat());
    let pack = [&[0x80, 0, 0, 0][..], b"TITLE\0......", &[0, 0]].concat();
    text.extend([&18_u32.to_le_bytes()[..], &pack, &[0; 8]].concat());
    let position = if version == 6 { text.len() + 8 } else { sectors.len() };
    let version = 0x8000_0000 + u32::from(version);
    [sectors, &text, &version.to_le_bytes(), &(position as u32).to_le_bytes()].concat()
}

fn sectors(bytes: &[(u8, u8, usize)]) -> Vec<u8> {
    bytes.iter().flat_map(|&(first, count, size)| (first..first + count).flat_map(move |n| vec![n; size])).collect()
}

/// Two sessions; the pre-gaps of their first tracks have 150 sectors.
fn cd(version: u8) -> Vec<u8> {
    let bytes = sectors(&[(0, 150, 2352), (1, 8, 2352), (10, 6, 2448), (0, 150, 2336), (20, 5, 2336)]);
    let first = [
        Track { indices: &[150, 5, 3], mode: 0, read_mode: 2, control: 2 },
        Track { indices: &[2, 4], mode: 0, read_mode: 4, control: 0 },
    ];
    let first_old = [
        Track { indices: &[150, 8], mode: 0, read_mode: 2, control: 2 },
        Track { indices: &[2, 4], mode: 0, read_mode: 4, control: 0 },
    ];
    let second = [Track { indices: &[150, 5], mode: 2, read_mode: 1, control: 4 }];
    image(version, 0x98, &bytes, &[if version == 6 { &first } else { &first_old }, &second])
}

fn check(opened: &Opened) {
    let start = 8 + 6 + 11_250 + 150;
    assert_eq!(
        tracks(opened),
        [(1, Audio, -150, 0, 8), (2, Audio, 8, 10, 14), (3, Mode2Xa, start - 150, start, start + 5)]
    );
    assert_eq!(opened.disc.sessions.len(), 2);
    for (lba, byte) in [(-150, 0), (-1, 149), (0, 1), (7, 8), (8, 10), (13, 15)] {
        assert_eq!(sector(opened, lba), [byte; 2352], "{lba}");
    }
    assert_eq!(sector(opened, start + 4)[16..], [24; 2336]);
    assert_eq!(opened.disc.tracks().next().unwrap().control, Control(2));
    assert_eq!(opened.disc.tracks().next().unwrap().isrc.as_ref(), Some(b"DEABC1234567"));
}

#[test]
fn every_version_has_its_tracks() {
    for version in [4, 5, 6] {
        let file = cd(version);
        let opened = open("a.cdi", &file, &[]).unwrap_or_else(|error| panic!("version {version}: {error}"));
        assert_eq!(opened.format.id, "cdi");
        check(&opened);
    }
    let opened = open("a.cdi", &cd(6), &[]).unwrap();
    assert_eq!(opened.disc.tracks().next().unwrap().indices, [Lba(5)]);
    assert_eq!(opened.disc.mcn.as_ref(), Some(b"0123456789012"));
    assert_eq!(opened.disc.sessions[0].cd_text.len(), 1);
}

#[test]
fn a_dvd_begins_behind_the_sectors_that_stand_for_a_pre_gap() {
    let bytes = sectors(&[(0, 150, 2048), (5, 20, 2048)]);
    let track = [Track { indices: &[150, 20], mode: 1, read_mode: 0, control: 4 }];
    let opened = open("a.cdi", &image(6, 0x38, &bytes, &[&track]), &[]).unwrap();
    assert_eq!(opened.disc.medium, MediumType::DvdRom);
    assert_eq!(tracks(&opened), [(1, Mode1, 0, 0, 20)]);
    assert_eq!(blocks(&opened, 19, 1), [24; 2048]);
}

#[test]
fn sixteen_bytes_of_subchannel_are_those_of_q() {
    let sector_with_q: Vec<u8> = [vec![7; 2352], (1..=12).collect(), vec![0; 4]].concat();
    let track = [Track { indices: &[150, 4], mode: 0, read_mode: 3, control: 0 }];
    let opened = open("a.cdi", &image(6, 0x98, &sector_with_q.repeat(154), &[&track]), &[]).unwrap();
    assert_eq!(sector(&opened, 3), [7; 2352]);
    let q: Vec<u8> = (1..=12).collect();
    assert_eq!(opened.disc.read_subchannel(Lba(2)).unwrap()[12..24], q);
}

#[test]
fn what_no_cdi_can_be_is_refused() {
    let file = cd(6);
    let start = file.len() - {
        let tail: [u8; 4] = file[file.len() - 4..].try_into().unwrap();
        u32::from_le_bytes(tail) as usize
    };
    let change = |at: usize, bytes: &[u8]| {
        let mut file = file.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        open("a.cdi", &file, &[]).map(|_| ()).unwrap_err().kind()
    };
    let field = start + 1 + 15 + 12 + 5 + 5 + 19 + 12;
    assert_eq!(change(start, &[200]), ImageErrorKind::Invalid);
    assert_eq!(change(start + 2, &[200]), ImageErrorKind::Invalid);
    assert_eq!(change(field, &[1]), ImageErrorKind::Invalid);
    assert_eq!(change(field + 2, &[0, 0, 0, 1]), ImageErrorKind::Invalid);
    let cut = [&file[..start + 200], &file[file.len() - 8..file.len() - 4], &208_u32.to_le_bytes()].concat();
    assert_eq!(open("a.cdi", &cut, &[]).map(|_| ()).unwrap_err().kind(), ImageErrorKind::Invalid);
}

/// More tracks than a byte counts.
#[test]
fn tracks_without_end_are_refused() {
    let tracks: Vec<_> = (0..99).map(|_| Track { indices: &[0, 1], mode: 0, read_mode: 2, control: 0 }).collect();
    let error = open("a.cdi", &image(4, 0, &[], &[&tracks, &tracks, &tracks]), &[]).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ImageErrorKind::Limit, "{error}");
}

#[test]
fn every_prefix_is_read_or_refused() {
    for version in [4, 5, 6] {
        let track = [Track { indices: &[0, 1], mode: 0, read_mode: 2, control: 0 }];
        let file = image(version, 0x98, &[], &[&track]);
        every_prefix("a.cdi", &file, &[]);
        let footer = &file[file.len() - 8..];
        for len in 0..file.len() - 8 {
            let position = if version == 6 { len as u32 + 8 } else { 0 };
            let cut = [&file[..len], &footer[..4], &position.to_le_bytes()].concat();
            if let Ok(opened) = open("a.cdi", &cut, &[]) {
                probe(&opened);
            }
        }
    }
}
