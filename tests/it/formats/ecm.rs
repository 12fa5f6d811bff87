//! ECM. What it leaves out is computed, and must be what real discs have: libcdio's `isofs-m1.bin` (Mode 1) and the sectors of its
//! `videocd.nrg` (Mode 2, both forms, made by vcdimager).

use std::fs;
use std::sync::Arc;

use spindle::image::{ImageErrorKind, OpenOptions, open_source};
use spindle::source::{BlockCache, MemorySource};

use crate::support::image::{every_prefix, open, sector, tracks};
use crate::support::inputs;
use spindle::disc::TrackMode::{Mode1, Mode2Xa};

/// The head of a record of `count` units.
fn head(kind: u8, count: u32) -> Vec<u8> {
    let mut number = u64::from(count.wrapping_sub(1));
    let mut bytes = vec![kind | (number as u8 & 0x1F) << 2];
    number >>= 5;
    while number > 0 {
        *bytes.last_mut().unwrap() |= 0x80;
        bytes.push(number as u8 & 0x7F);
        number >>= 7;
    }
    bytes
}

/// The end of the list, and the checksum of `content`, bit by bit.
fn end(content: &[u8]) -> Vec<u8> {
    let mut crc = 0_u32;
    for byte in content {
        crc ^= u32::from(*byte);
        (0..8).for_each(|_| crc = crc >> 1 ^ if crc & 1 == 1 { 0xD801_8001 } else { 0 });
    }
    [head(0, 0), crc.to_le_bytes().to_vec()].concat()
}

fn mode_1() -> (Vec<u8>, Vec<u8>) {
    let disc = fs::read(inputs::path("libcdio/isofs-m1.bin")).unwrap();
    let mut ecm = b"ECM\0".to_vec();
    for (number, part) in disc.chunks(100 * 2352).enumerate() {
        // A few bytes that are only bytes, in between.
        let (plain, sectors) = if number == 1 { part.split_at(2352) } else { part.split_at(0) };
        if !plain.is_empty() {
            ecm.extend([head(0, plain.len() as u32), plain.to_vec()].concat());
        }
        ecm.extend(head(1, (sectors.len() / 2352) as u32));
        sectors.chunks_exact(2352).for_each(|raw| ecm.extend([&raw[12..15], &raw[16..2064]].concat()));
    }
    ecm.extend(end(&disc));
    (disc, ecm)
}

/// The Mode 2 sectors from their sub-header on, and how many are of which kind.
fn mode_2() -> (Vec<u8>, Vec<u8>, [u32; 4]) {
    let image = fs::read(inputs::path("libcdio/videocd.nrg")).unwrap();
    let sectors = &image[..image.len() / 2336 * 2336 - 2336];
    let (mut ecm, mut kinds) = (b"ECM\0".to_vec(), [0; 4]);
    for raw in sectors.chunks_exact(2336) {
        let has_subheader = raw[..4] == raw[4..8] && raw[2328..] != [0; 8];
        let kind: u8 = match (has_subheader, raw[2] & 0x20) {
            (false, _) => 0,
            (true, 0) => 2,
            (true, _) => 3,
        };
        kinds[usize::from(kind)] += 1;
        match kind {
            0 => ecm.extend([head(0, 2336), raw.to_vec()].concat()),
            2 => ecm.extend([head(2, 1), raw[4..2056].to_vec()].concat()),
            _ => ecm.extend([head(3, 1), raw[4..2332].to_vec()].concat()),
        }
    }
    ecm.extend(end(sectors));
    (sectors.to_vec(), ecm, kinds)
}

fn decoded(ecm: &[u8]) -> (Vec<u8>, bool) {
    let options = OpenOptions { cache: BlockCache::with_workers(1 << 20, 0), ..OpenOptions::default() };
    let opened = open_source(Arc::new(MemorySource::new(ecm)), &options).unwrap();
    assert_eq!(opened.containers[0].id, "ecm");
    let check = opened.checks[0].run(&|_| {}).unwrap();
    let disc = opened.disc;
    let extent = &disc.tracks().next().unwrap().extents[0];
    let mut bytes = vec![0; extent.source.len() as usize];
    extent.source.read_exact_at(&mut bytes, 0).unwrap();
    (bytes, check)
}

#[test]
fn sectors_come_back_as_the_real_discs_have_them() {
    let (disc, ecm) = mode_1();
    assert!(ecm.len() < disc.len() / 8 * 7);
    let (content, check) = decoded(&ecm);
    assert!(content == disc && check);
    let (sectors, ecm, kinds) = mode_2();
    assert!(kinds[2] > 100 && kinds[3] > 100, "{kinds:?}");
    let (content, check) = decoded(&ecm);
    assert!(content == sectors && check);
}

#[test]
fn a_sheet_finds_its_data_under_the_name_with_ecm_added() {
    let (disc, ecm) = mode_1();
    let sheet = b"FILE disc.bin BINARY\nTRACK 1 MODE1/2352\nINDEX 1 0:0:0\n";
    let opened = open("disc.cue", sheet, &[("disc.bin.ecm", &ecm)]).unwrap();
    assert_eq!(tracks(&opened), [(1, Mode1, -150, 0, 302)]);
    for lba in [301, 99, 100, 0] {
        assert_eq!(sector(&opened, lba)[..], disc[lba as usize * 2352..][..2352]);
    }
    let (_, ecm, _) = mode_2();
    assert_eq!(tracks(&open("disc.ecm", &ecm, &[]).unwrap())[0].1, Mode2Xa);
}

#[test]
fn a_wrong_byte_is_found_by_the_checksum() {
    let (_, mut ecm) = mode_1();
    ecm[5000] ^= 1;
    assert!(!decoded(&ecm).1);
}

#[test]
fn what_no_ecm_can_be_is_refused() {
    let long = [&b"ECM\0"[..], &head(0, u32::MAX), &[0; 100]].concat();
    let endless = [&b"ECM\0"[..], &[0xFF; 100]].concat();
    let huge = [&b"ECM\0"[..], &head(0, 1)[..], &[7], &head(1, 0xF000_0000), &[0; 3000]].concat();
    let empty = [&b"ECM\0"[..], &end(&[])].concat();
    for (bytes, kind) in [(&huge, ImageErrorKind::Invalid), (&empty, ImageErrorKind::Invalid)] {
        let error = open("x.ecm", bytes, &[]).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    // Cut off, or no ECM at all: what is there can be read.
    assert!(!open("x.ecm", &long, &[]).unwrap().warnings.is_empty());
    assert!(open("x.ecm", &endless, &[]).is_ok_and(|opened| opened.containers.is_empty()));
}

#[test]
fn a_file_that_is_cut_off_gives_what_is_there() {
    let (disc, ecm) = mode_1();
    let opened = open("x.ecm", &ecm[..ecm.len() / 2], &[]).unwrap();
    assert!(opened.warnings[0].contains("cut off"), "{:?}", opened.warnings);
    assert_eq!(sector(&opened, 17)[..], disc[17 * 2352..][..2352]);
    assert!(opened.disc.read_sector(spindle::disc::Lba(199), &mut [0; 2352]).is_err());
}

#[test]
fn every_prefix_is_read_or_refused() {
    let (_, ecm) = mode_1();
    let short =
        [&ecm[..4], &head(0, 3), &[1, 2, 3], &head(1, 1), &ecm[6..6 + 2051], &head(3, 1), &[5; 2328], &end(&[])]
            .concat();
    every_prefix("x.ecm", &short, &[]);
}
