//! MDX and MDS version 2 (DAEMON Tools).

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use spindle::disc::subchannel::Q;
use spindle::disc::{Disc, Dpm, Lba, MediumType, TrackMode};
use spindle::image::{ImageError, ImageErrorKind, NoPassword, OpenContext, OpenOptions, mdx, open_source};
use spindle::source::siblings::NamedSources;
use spindle::source::{BlockCache, ByteSource, MemorySource};

use crate::support::disc::block;
use crate::support::image::{Files, blocks, every_cut, every_prefix, open, open_locked, refused, sector, tracks};
use crate::support::images::mdx as build;
use crate::support::images::mdx::{Footer, Session, Track};

const KEPT: &[&str] = &["secret"];
/// Data of an MDX begin here.
const DATA: u64 = 64;

fn whole(name: &'static str, sectors: u64) -> Vec<Footer> {
    vec![Footer { name, sectors, packed: None }]
}

/// A data track in `data` from `DATA` on, alone on its disc.
fn single(kind: u8, bytes: u16, count: u32) -> Track {
    let footers = whole("", u64::from(count));
    Track { point: 1, kind, subchannel: 0, bytes, start: 0, offset: DATA, pregap: 150, blocks: count, footers }
}

fn disc_of(track: Track) -> build::Disc<'static> {
    let sessions = vec![Session { start: -150, end: i64::from(track.blocks), tracks: vec![track] }];
    build::Disc { medium: 0, sessions, cd_text: &[], structures: &[], dpm: None, data_keys: None }
}

/// Ten blocks, sound with its pre-gap of four and subchannel, and a second session whose sectors have their headers and Q.
fn two_sessions(names: [&'static str; 2]) -> (build::Disc<'static>, [Vec<u8>; 2]) {
    let data: Vec<u8> = (0..10).flat_map(|lba| block(1, lba)).collect();
    let sound = (0..16).flat_map(|at| [&[at; 2352][..], &[0x40; 96]].concat());
    let first: Vec<u8> = data.into_iter().chain(sound).collect();
    let second =
        (0..5).flat_map(|at: u8| [&[at; 4][..], &[0, 0, 8, 0, 0, 0, 8, 0], &block(2, 7), &[at + 1; 16]].concat());
    let second: Vec<u8> = second.collect();
    let at = if names[0].is_empty() { [DATA, DATA + 10 * 2048, DATA + first.len() as u64] } else { [0, 10 * 2048, 0] };
    let track = |point, kind, subchannel, bytes, start, offset, pregap, blocks, footers| Track {
        point,
        kind,
        subchannel,
        bytes,
        start,
        offset,
        pregap,
        blocks,
        footers,
    };
    let tracks = vec![
        track(1, 0x02, 0, 2048, 0, at[0], 150, 10, whole(names[0], 10)),
        track(2, 0xA9, 8, 2448, 10, at[1], 4, 12, whole(names[0], 16)),
    ];
    let later = vec![track(3, 0x64, 0x10, 2076, 11_426, at[2], 150, 5, whole(names[1], 5))];
    let sessions =
        vec![Session { start: -150, end: 26, tracks }, Session { start: 11_276, end: 11_431, tracks: later }];
    let disc = build::Disc {
        medium: 0,
        sessions,
        cd_text: &[0x80; 36],
        structures: &[],
        dpm: Some((5, 75, &[10, 20, 30])),
        data_keys: None,
    };
    (disc, [first, second])
}

fn holds_both_sessions(opened: &spindle::image::Opened) {
    assert_eq!((opened.format.id, opened.disc.medium), ("mdx", MediumType::CdRom));
    assert_eq!(opened.warnings, Vec::<String>::new());
    let expected = [
        (1, TrackMode::Mode1, -150, 0, 10),
        (2, TrackMode::Audio, 10, 14, 26),
        (3, TrackMode::Mode2Xa, 11_276, 11_426, 11_431),
    ];
    assert_eq!(tracks(opened), expected);
    assert_eq!(opened.disc.sessions[0].cd_text, [[0x80; 18]; 2]);
    assert_eq!(opened.disc.dpm, Some(Dpm { start: Lba(5), resolution: 75, entries: vec![10, 20, 30] }));
    assert_eq!(blocks(opened, 9, 1), block(1, 9));
    assert_eq!(sector(opened, 10), [0; 2352]);
    assert_eq!(sector(opened, 25), [15; 2352]);
    // Q is bit 6 of every byte.
    assert_eq!(opened.disc.read_subchannel(Lba(12)).unwrap()[12..24], [0xFF; 12]);
    assert_eq!(blocks(opened, 11_430, 1), block(2, 7));
    assert_eq!(sector(opened, 11_430)[12..24], [4, 4, 4, 4, 0, 0, 8, 0, 0, 0, 8, 0]);
    assert_eq!(Q::of_linear(&opened.disc.read_subchannel(Lba(11_430)).unwrap()), Q([5; 12]));
    assert_eq!(sector(opened, 11_300)[16..24], [0, 0, 8, 0, 0, 0, 8, 0]);
}

#[test]
fn one_file_has_descriptor_and_data() {
    let (disc, data) = two_sessions(["", ""]);
    holds_both_sessions(&open("disc.mdx", &build::mdx(&build::descriptor(&disc), &data.concat()), &[]).unwrap());
}

#[test]
fn a_descriptor_names_its_data_files() {
    let (disc, [first, second]) = two_sessions(["*.mdf", "Second.bin"]);
    let image = build::mds(&build::descriptor(&disc));
    holds_both_sessions(&open("disc.mds", &image, &[("disc.mdf", &first), ("second.bin", &second)]).unwrap());
    let missing = open("disc.mds", &image, &[("other.mdf", &first)]).unwrap_err();
    assert_eq!(missing.kind(), ImageErrorKind::Missing);
    let cut = open("disc.mds", &image, &[("disc.mdf", &first[..first.len() - 1]), ("second.bin", &second)]).unwrap();
    assert!(matches!(&cut.warnings[..], [text] if text.contains("cut off: 1 bytes")), "{:?}", cut.warnings);
    assert_eq!(sector(&cut, 24), [14; 2352]);
    assert!(cut.disc.read_subchannel(Lba(25)).is_err());
}

#[test]
fn every_part_of_a_sector_that_is_stored_is_taken_and_the_others_are_made() {
    // Flags, where the stored part begins and ends in the sector, and flags of one with user data alone.
    let forms: &[(u8, usize, usize, u8)] = &[
        (0x0A, 16, 2352, 0x02),
        (0x22, 12, 2064, 0x02),
        (0x2A, 12, 2352, 0x02),
        (0xA2, 0, 2064, 0x02),
        (0xAA, 0, 2352, 0x02),
        (0x0C, 24, 2352, 0x04),
        (0x44, 16, 2072, 0x04),
        (0x64, 12, 2072, 0x04),
        (0xEC, 0, 2352, 0x04),
        // As version 1 has it for whole sectors.
        (0xAC, 0, 2352, 0x04),
        (0x03, 16, 2352, 0x04),
        (0x23, 12, 2352, 0x04),
        (0xAB, 0, 2352, 0x04),
        (0x0D, 24, 2352, 0x05),
        (0x4D, 16, 2352, 0x05),
        (0xED, 0, 2352, 0x05),
    ];
    for &(flags, start, end, plain) in forms {
        let user = if plain == 0x05 { 2324 } else { 2048 };
        let data: Vec<u8> = (0..3).flat_map(|lba| [block(4, lba), block(5, lba)].concat()[..user].to_vec()).collect();
        let descriptor = build::descriptor(&disc_of(single(plain, user as u16, 3)));
        let made = open_plain(&descriptor, &[&[0; 64], &data[..]].concat()).unwrap();
        let mut raw = [[0; 2352]; 3];
        for (lba, raw) in (0..).zip(&mut raw) {
            made.read_sector(Lba(lba), raw).unwrap();
        }
        for (subchannel, behind) in [(0, 0), (0, 16), (0x10, 16), (0, 96), (8, 96), (0x20, 96)] {
            let stored = raw.iter().flat_map(|raw| [&raw[start..end], &vec![0xAA; behind][..]].concat());
            let stored: Vec<u8> = [0; 64].into_iter().chain(stored).collect();
            let track = Track { subchannel, ..single(flags, (end - start + behind) as u16, 3) };
            let disc = open_plain(&build::descriptor(&disc_of(track)), &stored).unwrap();
            for (lba, expected) in (0..).zip(&raw) {
                let mut got = [0; 2352];
                disc.read_sector(Lba(lba), &mut got).unwrap();
                assert!(got == *expected, "{flags:#x} and {behind} bytes: sector {lba}");
            }
            let q = Q::of_linear(&disc.read_subchannel(Lba(2)).unwrap());
            assert_eq!(q.is_sound(), behind == 0, "{flags:#x} and {behind} bytes");
        }
    }
}

#[test]
fn groups_are_packed_filled_or_stored() {
    let noise = |at: u32| at.wrapping_mul(0x9E37_79B9).to_be_bytes();
    let mut data: Vec<u8> = (0..300).flat_map(|lba| block(3, lba)).collect();
    data[16 * 2048..20 * 2048].fill(0xA5);
    for (at, word) in (1..).zip(data[8 * 2048..12 * 2048].chunks_exact_mut(4)) {
        word.copy_from_slice(&noise(at * at));
    }
    data.truncate(299 * 2048);
    for encrypt in [false, true] {
        let (stored, table) = build::packed(&data, 2048, 4, encrypt);
        let track = Track {
            footers: vec![Footer { name: "", sectors: 299, packed: Some((4, stored.len() as u64)) }],
            ..single(0x02, 2048, 299)
        };
        let mut disc = disc_of(track);
        disc.data_keys = encrypt.then(|| build::data_keys(None));
        let image = build::mdx(&build::descriptor(&disc), &[&stored[..], &table].concat());
        let opened = open("disc.mdx", &image, &[]).unwrap();
        assert_eq!(opened.warnings, Vec::<String>::new());
        for (lba, expected) in (0..299).zip(data.chunks_exact(2048)).rev() {
            assert!(blocks(&opened, lba, 1) == expected, "{lba}, {encrypt}");
        }
        assert!(blocks(&opened, 0, 299) == data);
    }
}

#[test]
fn groups_that_are_damaged_or_cut_off_fail_where_they_are() {
    let data: Vec<u8> = (0..8).flat_map(|lba| block(3, lba)).collect();
    let (stored, table) = build::packed(&data, 2048, 4, false);
    let image = |table_first: bool| {
        let (at, table_at) = if table_first { (DATA + table.len() as u64, 0) } else { (DATA, stored.len() as u64) };
        let footers = vec![Footer { name: "*.mdf", sectors: 8, packed: Some((4, table_at)) }];
        build::mds(&build::descriptor(&disc_of(Track { footers, offset: at, ..single(0x02, 2048, 8) })))
    };
    let file = [&[0; 64], &stored[..], &table].concat();
    let mut damaged = file.clone();
    damaged[70] ^= 0xFF;
    let opened = open("disc.mds", &image(false), &[("disc.mdf", &damaged)]).unwrap();
    assert!(opened.disc.read_block(Lba(3), &mut [0; 2048]).is_err());
    assert_eq!(blocks(&opened, 4, 4), data[4 * 2048..]);
    let cut = &file[..file.len() - table.len() - 1];
    assert_eq!(open("disc.mds", &image(false), &[("disc.mdf", cut)]).unwrap_err().kind(), ImageErrorKind::Invalid);
}

#[test]
fn data_without_packing_can_be_encrypted() {
    let data: Vec<u8> = (0..20).flat_map(|lba| [&block(6, lba)[..], &[lba as u8; 304], &[9; 5]].concat()).collect();
    let raw: Vec<u8> = data.chunks_exact(2357).flat_map(|sector| sector[..2352].to_vec()).collect();
    let stored = build::encrypted(&raw, 2352);
    let mut disc = disc_of(single(0xA9, 2352, 20));
    disc.data_keys = Some(build::data_keys(Some(b"secret")));
    let image = build::mdx(&build::descriptor(&disc), &stored);
    let opened = open_locked("disc.mdx", &image, &[], KEPT).unwrap();
    for (lba, expected) in (0..).zip(raw.chunks_exact(2352)) {
        assert!(sector(&opened, lba)[..] == *expected, "{lba}");
    }
    // A file that is cut off loses the sectors that are not there and no other.
    let footers = whole("*.mdf", 20);
    let mut disc = disc_of(Track { footers, offset: 0, ..single(0xA9, 2352, 20) });
    disc.data_keys = Some(build::data_keys(None));
    let image = build::mds(&build::descriptor(&disc));
    let opened = open("disc.mds", &image, &[("disc.mdf", &stored[..2352 * 7 + 2351])]).unwrap();
    assert!(sector(&opened, 6)[..] == raw[6 * 2352..7 * 2352]);
    assert!(opened.disc.read_sector(Lba(7), &mut [0; 2352]).is_err());
}

#[test]
fn passwords_are_tried_until_one_fits() {
    let data: Vec<u8> = (0..4).flat_map(|lba| block(6, lba)).collect();
    let mut disc = disc_of(single(0x02, 2048, 4));
    disc.data_keys = Some(build::data_keys(Some(b"secret")));
    let image = build::mdx(&build::descriptor(&disc), &build::encrypted(&data, 2048));
    let kind = |passwords| open_locked("disc.mdx", &image, &[], passwords).unwrap_err().kind();
    assert_eq!(kind(&[]), ImageErrorKind::NeedsPassword);
    assert_eq!(kind(&["", "Secret", "secret "]), ImageErrorKind::WrongPassword);
    let opened = open_locked("disc.mdx", &image, &[], &["wrong", "secret"]).unwrap();
    assert_eq!(blocks(&opened, 0, 4), data);
}

#[test]
fn a_dvd_has_structures_and_its_length_in_the_track() {
    let structures: Vec<u8> = [&[1; 4][..], &[4; 2048], &[0; 2048]].concat();
    let footer = |sectors| Footer { name: "*.mdf", sectors, packed: None };
    let footers = vec![footer(3), Footer { name: "part two", ..footer(4) }];
    let track = Track { start: 0, pregap: 0, footers, ..single(0xAA, 2048, 7) };
    let sessions = vec![Session { start: 0, end: 7, tracks: vec![Track { offset: 10, ..track }] }];
    let disc = build::Disc { medium: 3, sessions, cd_text: &[], structures: &structures, dpm: None, data_keys: None };
    let data: Vec<u8> = (0..7).flat_map(|lba| block(8, lba)).collect();
    let (first, second) = ([&[0; 10], &data[..3 * 2048]].concat(), &data[3 * 2048..]);
    let image = build::mds(&build::descriptor(&disc));
    let opened = open("disc.mds", &image, &[("disc.mdf", &first), ("part two", second)]).unwrap();
    assert_eq!((opened.disc.medium, opened.warnings.len()), (MediumType::DvdRom, 0));
    assert_eq!(tracks(&opened), [(1, TrackMode::Mode1, 0, 0, 7)]);
    assert_eq!(blocks(&opened, 0, 7), data);
    let found: Vec<_> = opened.disc.structures.iter().map(|s| (s.layer, s.format, s.data.len())).collect();
    assert_eq!(found, [(0, 1, 4), (0, 4, 2048), (0, 0, 2048)]);
}

#[test]
fn sectors_that_a_protection_has_twice_are_told_of() {
    let footers = whole("", 5);
    let descriptor = build::descriptor(&disc_of(Track { footers, ..single(0x02, 2048, 3) }));
    let image = build::mdx(&descriptor, &[7; 5 * 2048]);
    let opened = open("disc.mdx", &image, &[]).unwrap();
    assert_eq!(tracks(&opened), [(1, TrackMode::Mode1, -150, 0, 3)]);
    assert!(matches!(&opened.warnings[..], [text] if text.contains("2 sectors more")), "{:?}", opened.warnings);
}

#[test]
fn tracks_that_share_their_footers_do_not_make_endless_lists() {
    let footers = [whole("", 1), vec![Footer { name: "", sectors: 0, packed: None }; 599]].concat();
    let mut disc = disc_of(single(0x02, 2048, 1));
    let track = Track { footers, pregap: 0, ..disc.sessions[0].tracks[0].clone() };
    disc.sessions[0].tracks = (1..=20).map(|point| Track { point, ..track.clone() }).collect();
    let error = open_plain(&build::descriptor(&disc), &[0; 4096]).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ImageErrorKind::Limit, "{error}");
}

#[test]
fn the_checksums_of_a_descriptor_that_is_damaged_later_are_wrong() {
    /// One byte turns when it is told to.
    #[derive(Debug)]
    struct Turning(Vec<u8>, AtomicUsize);
    impl ByteSource for Turning {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }
        fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
            let mut bytes = self.0.clone();
            if let Some(byte) = bytes.get_mut(self.1.load(Ordering::Relaxed)) {
                *byte ^= 1;
            }
            MemorySource::new(bytes).read_exact_at(buf, offset)
        }
    }
    let image = build::mdx(&build::descriptor(&disc_of(single(0x02, 2048, 1))), &[7; 2048]);
    let (start, end) = (64 + 2048, image.len());
    let source = Arc::new(Turning(image, AtomicUsize::new(usize::MAX)));
    let opened = open_source(Arc::<Turning>::clone(&source), &OpenOptions::default()).unwrap();
    let [check] = &opened.checks[..] else { panic!("{:?}", opened.checks) };
    let told = AtomicU64::new(0);
    let progress = |bytes| {
        told.fetch_add(bytes, Ordering::Relaxed);
    };
    assert!(check.run(&progress).unwrap());
    assert_eq!((told.into_inner(), check.bytes()), ((end - start) as u64, (end - start) as u64));
    for damaged in [start, start + 100, end - 500, end - 400] {
        source.1.store(damaged, Ordering::Relaxed);
        assert!(!check.run(&|_| ()).unwrap(), "{damaged}");
    }
}

/// The disc of a descriptor that nothing hides.
fn open_plain(descriptor: &[u8], data: &[u8]) -> Result<Disc, ImageError> {
    let (cache, notes) = (BlockCache::with_workers(1 << 20, 0), RefCell::default());
    let cx = OpenContext::new("", Arc::new(NamedSources(Vec::new())), &NoPassword, &cache, None, &notes);
    mdx::disc(Arc::new(MemorySource::new(descriptor)), Some(Arc::new(MemorySource::new(data))), &cx)
}

#[test]
fn a_descriptor_that_cannot_be_true_is_refused() {
    let (disc, data) = two_sessions(["", ""]);
    let (plain, data) = (build::descriptor(&disc), [&[0; 64], &data.concat()[..]].concat());
    assert!(open_plain(&plain, &data).is_ok());
    let session = 96;
    let track = session + 2 * 32 + 3 * 80;
    let footer = track + 2 * 80 + 8;
    let changes: &[(usize, &[u8], ImageErrorKind)] = &[
        (18, &[1], ImageErrorKind::Invalid),
        (20, &[0], ImageErrorKind::Invalid),
        (20, &[100], ImageErrorKind::Invalid),
        (80, &[0xFF; 4], ImageErrorKind::Invalid),
        (88, &[0xFF; 4], ImageErrorKind::Invalid),
        (88, &[96], ImageErrorKind::NeedsPassword),
        (session, &[0; 5], ImageErrorKind::Invalid),
        (session + 10, &[0], ImageErrorKind::Invalid),
        (track, &[6], ImageErrorKind::Invalid),
        (track, &[0x82], ImageErrorKind::Invalid),
        (track + 1, &[8], ImageErrorKind::Invalid),
        (track + 1, &[0x18], ImageErrorKind::Unsupported),
        (track + 4, &[9], ImageErrorKind::Invalid),
        (track + 12, &[0xFF; 4], ImageErrorKind::Invalid),
        (track + 16, &[0, 0], ImageErrorKind::Invalid),
        (track + 48, &[0; 4], ImageErrorKind::Invalid),
        (track + 48, &[0xFF; 4], ImageErrorKind::Limit),
        (track + 52, &[0xFF; 4], ImageErrorKind::Invalid),
        (footer + 4, &[1], ImageErrorKind::Limit),
        (footer + 16, &[9], ImageErrorKind::Invalid),
        (footer + 16, &[0xFF; 4], ImageErrorKind::Limit),
        (footer + 16, &[0xFF; 8], ImageErrorKind::Limit),
    ];
    for (at, bytes, kind) in changes {
        let mut changed = plain.clone();
        changed[*at..*at + bytes.len()].copy_from_slice(bytes);
        let error = open_plain(&changed, &data).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), *kind, "{bytes:?} at {at}: {error}");
    }
}

#[test]
fn a_file_whose_descriptor_cannot_be_opened_is_refused() {
    let (disc, data) = two_sessions(["", ""]);
    let descriptor = build::descriptor(&disc);
    let (mdx, mds) = (build::mdx(&descriptor, &data.concat()), build::mds(&descriptor));
    let invalid = ImageErrorKind::Invalid;
    let no_files: Files<'_> = &[];
    for at in [44, 48, 56] {
        refused("disc.mdx", &mdx, no_files, at, &[0; 4], invalid);
    }
    refused("disc.mdx", &mdx, no_files, 48, &[0xFF; 16], invalid);
    for at in [44, 48, mds.len() - 512, mds.len() - 400] {
        refused("disc.mds", &mds, no_files, at, &[0; 4], invalid);
    }
}

#[test]
fn every_prefix_is_opened_or_refused() {
    let (disc, data) = two_sessions(["", ""]);
    let plain = build::descriptor(&disc);
    let file = [&[0; 64], &data.concat()[..]].concat();
    for len in 0..plain.len() {
        if let Ok(disc) = open_plain(&plain[..len], &file) {
            disc.tracks().for_each(|track| drop(disc.read_sector(track.end.minus(1), &mut [0; 2352])));
        }
    }
    every_prefix("disc.mdx", &build::mdx(&plain, &[]), &[]);
    every_prefix("disc.mds", &build::mds(&plain), &[]);
}

#[test]
fn what_is_left_of_the_data_files_is_read_as_before() {
    let (disc, [first, second]) = two_sessions(["*.mdf", "second"]);
    every_cut("disc.mds", &build::mds(&build::descriptor(&disc)), &[("disc.mdf", &first), ("second", &second)]);
}
