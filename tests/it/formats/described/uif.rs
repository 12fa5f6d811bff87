//! UIF.

use sha2::{Digest, Sha256};
use spindle::disc::Lba;
use spindle::image::ImageErrorKind;

use super::{Subchannel, check as check_disc, check_volume, open};
use crate::support::image::open_locked;
use crate::support::images::described::blocks::volume;
use crate::support::images::described::source_disc::Detail::{CdText, Dpm, Indices, Isrc, Mcn, Pregaps};
use crate::support::images::described::source_disc::{Mode, SourceDisc};
use crate::support::images::described::source_sector::RAW;
use crate::support::images::described::uif::{Cipher, Descriptor, Options, PLAIN, file};
use crate::support::images::described::uif_ciphers::{encrypt, key};
use crate::support::images::described::{ccd, mds, nrg};

/// What the description says of decryption of the bytes 0 to 255: what is first with key 0, and the sum of all with keys 0
/// and 3 for ciphers that are their own inverse.
#[test]
fn ciphers_undo_the_test_vectors() {
    let vectors = [
        (0x01, "ed7c35ff668f17e855de973114e64b07"),
        (0x80, "fb9f56f7e8a53b7d4d86fd70514fa272"),
        (0x40, "eb453fe83298cb2c015fc875aac54b52"),
        (0x20, "8dcece1f4abefb45a1bbb54c44f9ac62"),
        (0x10, "73f50b28cf59f969e334b74490d4dfbd"),
        (0x08, "424cd4b57e3fd8e0a12a40841b481751"),
        (0x04, "cdc892c756e9ab1d408a6bada7c894fe"),
        (0x02, "a7fd7aa06b5e54ef46d95ee3bac8841b"),
        (0xFF, "ea8b84b3f3fa471e6a9c1760916c8f84"),
    ];
    for (flags, first) in vectors {
        let byte = |at: usize| u8::from_str_radix(&first[2 * at..2 * at + 2], 16).unwrap();
        let mut data: Vec<u8> = (0..16).map(byte).collect();
        encrypt(&mut data, &key(0), flags);
        // The first cipher takes whole blocks of twelve bytes.
        let whole = match flags {
            0x01 => 12,
            0xFF => 8,
            _ => 16,
        };
        assert_eq!(data[..whole], (0..16).collect::<Vec<u8>>()[..whole], "{flags:02X}");
    }
    for (flags, number, sum) in [
        (0x80, 0, "c510c5980042159b"),
        (0x80, 3, "df84a948a178e973"),
        (0x02, 0, "ebfc9e5716ca727e"),
        (0x02, 3, "a4a03c04fd1821c6"),
    ] {
        let mut data: Vec<u8> = (0..5120).map(|at| at as u8).collect();
        encrypt(&mut data, &key(number), flags);
        let hash: String = Sha256::digest(&data)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, sum, "{flags:02X}, key {number}");
    }
}

#[test]
fn zlib_and_lzma_packed_or_not() {
    let data = volume(141, 16);
    for (version, filter) in [(1, false), (2, false), (3, false), (3, true)] {
        for packed_lists in [true, false] {
            check(&data, Options { version, filter, packed_lists, ..PLAIN });
        }
    }
    check(&data, Options { block: 5, ..PLAIN });
}

#[test]
fn every_fixed_string_and_a_password() {
    let data = volume(91, 16);
    for number in 1..=16 {
        for packed_lists in [true, false] {
            let options = Options { cipher: Cipher::Fixed(number), packed_lists, version: 2, ..PLAIN };
            check(&data, options);
            check(&data, Options { password: Some(b"secret"), version: 3, ..options });
        }
    }
    check(&data, Options { password: Some(b"secret"), ..PLAIN });
}

#[test]
fn every_stacked_cipher() {
    let data = volume(91, 16);
    for flags in (0..8).map(|bit| 1 << bit).chain([0xFF, 0x5A, 0]) {
        // Key 1 is the one whose lists have the flags of the data.
        for key in [0, 1, 9, 0x23] {
            check(&data, Options { cipher: Cipher::Stacked(flags, key), ..PLAIN });
        }
    }
    for key in 0..15 {
        check(&data, Options { cipher: Cipher::Stacked(0xFF, key), version: 2, packed_lists: false, ..PLAIN });
    }
}

#[test]
fn a_cue_sheet_and_its_sectors() {
    let disc = SourceDisc::cd(&[(1, Mode::Mode1, 150, 40), (1, Mode::Audio, 0, 24)]);
    let disc = disc.without(&[CdText, Dpm, Indices, Isrc, Mcn]);
    let data =
        disc.tracks.iter().flat_map(|track| track.stored(track.start, 0..RAW, |_| Vec::new())).collect::<Vec<u8>>();
    let sheet = b"FILE \"disc.bin\" BINARY\r\n  TRACK 01 MODE1/2352\r\n    INDEX 01 00:00:00\r\n  TRACK 02 AUDIO\r\n    INDEX 01 00:00:40\r\n";
    let descriptor = Some(Descriptor { kind: 1, bytes: sheet });
    for cipher in [Cipher::None, Cipher::Fixed(4), Cipher::Stacked(0xFF, 3)] {
        let file = file(&data, Options { sector: 2352, descriptor, cipher, ..PLAIN });
        check_disc("cue", &format!("{cipher:?}"), &disc, &vec![("disc.uif".to_owned(), file)], Subchannel::None);
    }
}

/// Descriptors of other formats, by builders of their own.
#[test]
fn mds_ccd_and_nrg() {
    let disc = SourceDisc::mixed().without(&[CdText, Dpm]);
    let plain = disc.clone().without(&[Indices, Isrc, Mcn, Pregaps]);
    let uif = |kind, bytes: &[u8], sector, data: &[u8]| {
        let descriptor = Some(Descriptor { kind, bytes });
        vec![("disc.uif".to_owned(), file(data, Options { sector, descriptor, ..PLAIN }))]
    };
    let parts = mds::files(&plain, mds::Options::default());
    check_disc("mds", "in UIF", &plain, &uif(2, &parts[0].1, 2352, &parts[1].1), Subchannel::None);
    let parts = ccd::files(&disc, ccd::Options { subchannel: true, ..ccd::Options::default() });
    let lengths = [parts[0].1.len() as u32, parts[2].1.len() as u32].map(u32::to_le_bytes).concat();
    let descriptor = [&lengths[..], &parts[0].1, &parts[2].1].concat();
    check_disc("ccd", "in UIF", &disc, &uif(3, &descriptor, 2352, &parts[1].1), Subchannel::All);
    let parts = nrg::files(&disc, nrg::Options::default());
    check_disc("nrg", "in UIF", &disc, &uif(4, &[], 2048, &parts[0].1), Subchannel::None);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let data = volume(40, 4);
    let whole = file(&data, PLAIN);
    let trailer = whole.len() - 64;
    let rows: [(usize, &[u8], ImageErrorKind); 6] = [
        (16, &[0; 4], ImageErrorKind::Limit),
        (16, &[0xFF; 8], ImageErrorKind::Limit),
        (16, &[1, 0, 0, 0], ImageErrorKind::Invalid),
        (28, &[0; 8], ImageErrorKind::Invalid),
        (10, &[7], ImageErrorKind::Unsupported),
        // The key that nobody knows.
        (56, &[0, 2, 15], ImageErrorKind::Unsupported),
    ];
    for (at, bytes, kind) in rows {
        let mut bad = whole.clone();
        bad[trailer + at..][..bytes.len()].copy_from_slice(bytes);
        let error = open(&vec![("disc.uif".to_owned(), bad)]).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), kind, "{at}: {error}");
    }
    let locked = file(&data, Options { password: Some(b"secret"), ..PLAIN });
    let locked_by = |password| open_locked("disc.uif", &locked, &[], password).map(|_| ()).unwrap_err().kind();
    assert_eq!(locked_by(&[]), ImageErrorKind::NeedsPassword);
    assert_eq!(locked_by(&["wrong"]), ImageErrorKind::WrongPassword);
}

/// The trailer is at the end: a file that is cut off is known no more. What is gone from its middle is an error there.
#[test]
fn every_prefix_is_another_file_and_what_is_gone_is_an_error() {
    let data = volume(20, 100);
    let whole = file(&data, PLAIN);
    for len in 0..whole.len() {
        let opened = open(&vec![("disc.uif".to_owned(), whole[..len].to_vec())]);
        assert!(opened.is_err() || opened.unwrap().containers.is_empty(), "{len} bytes");
    }
    for at in (0..whole.len() - 64).step_by(3) {
        let mut bad = whole.clone();
        bad[at] ^= 0x55;
        let Ok(opened) = open(&vec![("disc.uif".to_owned(), bad)]) else { continue };
        for lba in 0..opened.disc.blocks() {
            let _ = opened.disc.read_block(Lba(lba as i32), &mut [0; 2048]);
        }
    }
}

fn check(data: &[u8], options: Options<'_>) {
    check_volume("uif", &format!("{options:?}"), data, &vec![("disc.uif".to_owned(), file(data, options))]);
}
