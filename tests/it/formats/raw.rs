//! Sectors without an index, in every size that files have. The disc is libcdio's `isofs-m1.bin`, which a real drive read: what
//! is cut off each sector is made again, and must be what the disc had.

use std::fs;
use std::ops::Range;
use std::sync::Arc;

use spindle::disc::{Lba, TrackMode};
use spindle::image::{ImageErrorKind, OpenOptions, Opened, open_source, open_with};
use spindle::source::MemorySource;
use spindle::source::siblings::NoSiblings;

use crate::support::inputs;

const RAW: usize = 2352;

fn real() -> Vec<u8> {
    fs::read(inputs::path("libcdio/isofs-m1.bin")).unwrap()
}

fn open(bytes: Vec<u8>) -> Opened {
    open_source(Arc::new(MemorySource::new(bytes)), &OpenOptions::default()).unwrap()
}

fn refusal(name: &str, bytes: Vec<u8>) -> String {
    let source = Arc::new(MemorySource::new(bytes));
    let error = open_with(source, name, Arc::new(NoSiblings), &OpenOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ImageErrorKind::NotRecognised);
    error.to_string()
}

/// The part `keep` of every sector, with `behind` after it.
fn cut(raw: &[u8], keep: Range<usize>, behind: &[u8]) -> Vec<u8> {
    raw.chunks_exact(RAW).flat_map(|sector| [&sector[keep.clone()], behind].concat()).collect()
}

/// The same user data as Mode 2 Form 1, with zeros where EDC and parity are.
fn as_form_1(raw: &[u8]) -> Vec<u8> {
    let form_1 =
        |sector: &[u8]| [&sector[..15], &[2], &[0, 0, 8, 0, 0, 0, 8, 0], &sector[16..2064], &[0; 280]].concat();
    raw.chunks_exact(RAW).flat_map(form_1).collect()
}

/// The first sectors of the first track, whole.
fn sectors(opened: &Opened, count: i32) -> Vec<u8> {
    let mut all = Vec::new();
    for lba in 0..count {
        let mut raw = [0; RAW];
        opened.disc.read_sector(Lba(lba), &mut raw).unwrap();
        all.extend_from_slice(&raw);
    }
    all
}

fn user_data(opened: &Opened) -> Vec<u8> {
    let mut data = vec![0; opened.disc.blocks() as usize * 2048];
    opened.disc.read_blocks(Lba(0), &mut data).unwrap();
    data
}

#[test]
fn mode_1_in_every_size_is_the_same_disc() {
    let raw = real();
    let blocks = raw.len() / RAW;
    for (keep, behind) in [
        (0..RAW, 0),
        (0..RAW, 16),
        (0..RAW, 96),
        (12..RAW, 0),
        (12..RAW, 96),
        (16..RAW, 0),
        (12..2064, 0),
        (16..2064, 0),
        (16..2064, 16),
        (16..2064, 96),
    ] {
        let opened = open(cut(&raw, keep.clone(), &vec![0; behind]));
        let track = opened.disc.tracks().next().unwrap();
        assert_eq!((track.mode, track.start, track.pregap), (TrackMode::Mode1, Lba(0), 150), "{keep:?} + {behind}");
        assert_eq!(opened.disc.blocks() as usize, blocks, "{keep:?} + {behind}");
        assert!(sectors(&opened, blocks as i32) == raw, "{keep:?} + {behind}");
        assert!(opened.warnings.is_empty(), "{:?}", opened.warnings);
    }
}

#[test]
fn form_1_in_every_size_has_the_same_user_data() {
    let raw = as_form_1(&real());
    let data = cut(&raw, 24..2072, &[]);
    let whole = sectors(&open(cut(&raw, 16..2072, &[])), 50);
    for (keep, behind) in [
        (0..RAW, 0),
        (0..RAW, 96),
        (12..RAW, 0),
        (16..RAW, 0),
        (16..RAW, 16),
        (12..2072, 0),
        (16..2072, 0),
        (24..RAW, 0),
        (24..2348, 0),
        (16..2348, 0),
    ] {
        let opened = open(cut(&raw, keep.clone(), &vec![0; behind]));
        assert_eq!(opened.disc.tracks().next().unwrap().mode, TrackMode::Mode2Xa, "{keep:?} + {behind}");
        assert!(user_data(&opened) == data, "{keep:?} + {behind}");
        if keep.end <= 2072 || keep.start == 24 {
            assert!(sectors(&opened, 50) == whole, "{keep:?} + {behind}: EDC and parity are not made alike");
        }
    }
}

#[test]
fn the_sectors_are_found_behind_what_another_program_wrote() {
    let raw = real();
    for (keep, before) in [(0..RAW, 1000), (0..RAW, 20_000), (16..2064, 512), (16..2064, 2048), (12..RAW, 77)] {
        let mut file = vec![0x11; before];
        file.extend(cut(&raw, keep.clone(), &[]));
        let opened = open(file);
        assert!(sectors(&opened, 50) == raw[..50 * RAW], "{keep:?} behind {before} bytes");
        assert!(opened.warnings[0].contains(&format!("start at byte {before}")), "{:?}", opened.warnings);
    }
}

#[test]
fn a_pre_gap_that_is_stored_lies_before_address_0() {
    let raw = real();
    let mut file = Vec::new();
    for frame in 0..150_u8 {
        let mut sector = raw[..RAW].to_vec();
        sector[12..15].copy_from_slice(&[0, frame / 75, ((frame % 75 / 10) << 4) | (frame % 75 % 10)]);
        file.extend(sector);
    }
    file.extend(&raw);
    let opened = open(file);
    let track = opened.disc.tracks().next().unwrap();
    assert_eq!((track.first(), track.start, track.pregap), (Lba(-150), Lba(0), 150));
    assert!(sectors(&opened, 50) == raw[..50 * RAW]);
}

#[test]
fn a_subchannel_is_told_to_be_linear_or_interleaved_by_its_crc() {
    let raw = real();
    let plain = open(raw.clone());
    for interleaved in [false, true] {
        let mut file = Vec::new();
        for (lba, sector) in (0..).zip(raw.chunks_exact(RAW)) {
            let linear = plain.disc.read_subchannel(Lba(lba)).unwrap();
            file.extend_from_slice(sector);
            if interleaved {
                file.extend_from_slice(&spindle::disc::subchannel::interleaved(&linear));
            } else {
                file.extend_from_slice(&linear);
            }
        }
        let opened = open(file);
        for lba in [0, 7, 30] {
            let stored = opened.disc.read_subchannel(Lba(lba)).unwrap();
            assert_eq!(stored, plain.disc.read_subchannel(Lba(lba)).unwrap(), "interleaved: {interleaved}");
        }
    }
}

#[test]
fn whole_sectors_of_sound_are_an_audio_track() {
    let samples: Vec<u8> = (0..RAW * 303).map(|at| (at * 7 % 251) as u8).collect();
    let opened = open(samples.clone());
    let track = opened.disc.tracks().next().unwrap();
    assert_eq!((track.mode, track.start, track.blocks()), (TrackMode::Audio, Lba(0), 303));
    assert!(sectors(&opened, 303) == samples);
}

#[test]
fn a_disk_with_partitions_is_refused_by_name() {
    let mut disk = vec![0; 1 << 20];
    disk[446..462].copy_from_slice(&[0x80, 0, 2, 0, 0x83, 0, 2, 0, 0, 8, 0, 0, 0, 8, 0, 0]);
    disk[510..512].copy_from_slice(&[0x55, 0xAA]);
    assert!(refusal("disk.img", disk.clone()).contains("hard-disk image"));
    // A boot sector of FAT has code where the table would be.
    disk[450] = 0xB8;
    disk[446] = 0xFA;
    assert_eq!(open(disk).format.id, "iso");
}

#[test]
fn a_power2go_image_opens_when_its_sectors_can_be_found() {
    let mut file = vec![0x55; 3000];
    assert!(refusal("disc.P2I", file.clone()).contains("Power2Go"));
    file.extend(cut(&real(), 16..2064, &[]));
    let source = Arc::new(MemorySource::new(file));
    let opened = open_with(source, "disc.p2i", Arc::new(NoSiblings), &OpenOptions::default()).unwrap();
    assert!(user_data(&opened) == cut(&real(), 16..2064, &[]));
}

#[test]
fn every_length_of_a_file_is_opened_or_refused() {
    let raw = real();
    for len in (0..raw.len().min(20 * RAW)).step_by(197) {
        match open_source(Arc::new(MemorySource::new(&raw[..len])), &OpenOptions::default()) {
            Ok(opened) => assert!(opened.disc.blocks() > 0),
            Err(error) => assert_eq!(error.kind(), ImageErrorKind::NotRecognised, "{error}"),
        }
    }
}
