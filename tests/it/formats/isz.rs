//! ISZ (UltraISO): what the independent builder's files do not show.

use std::io::Write;

use aes::Aes192;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use bzip2::Compression;
use bzip2::write::BzEncoder;
use flate2::write::ZlibEncoder;
use spindle::disc::Lba;
use spindle::image::{ImageErrorKind, Opened};

use crate::support::image::{blocks, every_prefix, open, open_locked, refused};

const CHUNK: usize = 4096;
const SECRET: &[u8] = b"secret";

/// Zeros, stored, zlib, bzip2, and half a chunk of zlib; a volume descriptor is in the eighth.
fn content() -> Vec<u8> {
    let mut content: Vec<u8> = (0..9 * CHUNK / 2 * 2).map(|at| (at / 7 * (at / CHUNK)) as u8).collect();
    content[..CHUNK].fill(0);
    content[16 * 2048..][..8].copy_from_slice(b"\x01CD001\x01\0");
    content.truncate(17 * 2048);
    content
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    let mut packed = encoder.finish().unwrap();
    packed[..3].copy_from_slice(b"???");
    packed
}

fn encrypted(mut bytes: Vec<u8>, kind: u8) -> Vec<u8> {
    match kind {
        1 => bytes.iter_mut().zip(SECRET.iter().cycle()).for_each(|(byte, key)| *byte ^= key),
        3 => {
            let mut key = [0; 24];
            key[..SECRET.len()].copy_from_slice(SECRET);
            Aes192::new(&key.into()).encrypt_blocks(Array::slice_as_chunks_mut(&mut bytes).0);
        }
        _ => {}
    }
    bytes
}

/// The content with checksums; chunk n is stored in the way `kinds[n % kinds.len()]`.
fn isz(kinds: &[u32], encryption: u8) -> Vec<u8> {
    let content = content();
    let (mut table, mut data) = (Vec::new(), Vec::new());
    for (chunk, kind) in content.chunks(CHUNK).zip(kinds.iter().cycle()) {
        let packed = match if chunk.iter().all(|&byte| byte == 0) { 0 } else { *kind } {
            0 => Vec::new(),
            1 => chunk.to_vec(),
            2 => zlib(chunk),
            _ => bzip2(chunk),
        };
        // The length of a chunk of zeros says nothing.
        let pointer = if packed.is_empty() { CHUNK as u32 } else { packed.len() as u32 | kind << 22 };
        table.extend(&pointer.to_le_bytes()[..3]);
        data.extend(encrypted(packed, encryption));
    }
    table.iter_mut().zip([0xB6, 0x8C, 0xA5, 0xDE].iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    let mut image = b"IsZ!\x40\x01\0\0\0\0\0\x08".to_vec();
    image.extend((content.len() as u32 / 2048).to_le_bytes());
    image.push(encryption);
    image.extend([0; 8]);
    image.extend((content.chunks(CHUNK).len() as u32).to_le_bytes());
    image.extend((CHUNK as u32).to_le_bytes());
    image.extend([3, 0, 64, 0, 0, 0, 0, 0, 0, 0]);
    image.extend((64 + table.len() as u32).to_le_bytes());
    image.push(0);
    image.extend((!crc32fast::hash(&content)).to_le_bytes());
    image.extend([0; 8]);
    image.extend((!crc32fast::hash(&data)).to_le_bytes());
    [image, table, data].concat()
}

fn whole(opened: &Opened) -> Vec<u8> {
    assert_eq!(opened.containers.iter().map(|info| info.id).collect::<Vec<_>>(), ["isz"]);
    blocks(opened, 0, opened.disc.blocks())
}

fn verified(opened: &Opened) -> Vec<bool> {
    opened.checks.iter().map(|check| check.run(&|_| {}).unwrap()).collect()
}

#[test]
fn chunks_of_every_kind_decode_and_are_verified() {
    for kinds in [&[1, 2, 3][..], &[1], &[2], &[3]] {
        let mut image = isz(kinds, 0);
        let opened = open("x.isz", &image, &[]).unwrap();
        assert!(whole(&opened) == content(), "{kinds:?}");
        assert_eq!(verified(&opened), [true, true]);
        image[49] ^= 1;
        image[63] ^= 1;
        assert_eq!(verified(&open("x.isz", &image, &[]).unwrap()), [false, false]);
    }
}

#[test]
fn the_right_password_opens_and_others_do_not() {
    // Without a packed chunk the volume descriptor tells.
    for kinds in [&[1, 2, 3][..], &[1]] {
        for encryption in [1, 3] {
            let image = isz(kinds, encryption);
            let missing = open("x.isz", &image, &[]).unwrap_err();
            assert_eq!(missing.kind(), ImageErrorKind::NeedsPassword);
            for wrong in [&["Secret"][..], &["secre"], &[""]] {
                let error = open_locked("x.isz", &image, &[], wrong).unwrap_err();
                assert_eq!(error.kind(), ImageErrorKind::WrongPassword, "{wrong:?}");
            }
            let opened = open_locked("x.isz", &image, &[], &["first", "secret"]).unwrap();
            assert!(whole(&opened) == content());
            assert_eq!(verified(&opened), [true]);
        }
    }
}

#[test]
fn a_file_in_parts_without_a_list_of_them_is_one() {
    let image = isz(&[1, 2, 3], 0);
    for size in [1500, 4000, 9000] {
        let mut parts = vec![image.clone()];
        parts[0][17..19].copy_from_slice(&(size as u16).to_le_bytes());
        let rest = parts[0].split_off(size);
        for data in rest.chunks(size - 64) {
            let mut part = parts[0][..64].to_vec();
            part[34] = parts.len() as u8;
            part[35..47].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0]);
            parts.push([&part, data].concat());
        }
        for name in [|n: usize| format!("x.i{n:02}"), |n| format!("x.part{:03}.isz", n + 1)] {
            let names: Vec<_> = (0..parts.len()).map(name).collect();
            let mut files: Vec<_> =
                names.iter().zip(&parts).skip(1).map(|(name, part)| (&name[..], &part[..])).collect();
            let first = if names[0].ends_with("isz") { &names[0] } else { "x.isz" };
            let opened = open(first, &parts[0], &files).unwrap();
            assert!(whole(&opened) == content(), "{size}");
            assert_eq!((opened.companions.len(), verified(&opened)), (files.len(), vec![true, true]));

            files[0].1 = &parts[0];
            assert_eq!(open(first, &parts[0], &files).unwrap_err().kind(), ImageErrorKind::Invalid);
            files.remove(0);
            assert_eq!(open(first, &parts[0], &files).unwrap_err().kind(), ImageErrorKind::Missing);
        }
        let later = open("x.i01", &parts[1], &[]).unwrap_err();
        assert!(later.to_string().contains("part 2"), "{later}");
    }
}

#[test]
fn a_header_that_cannot_be_true_is_refused() {
    let image = isz(&[1, 2, 3], 0);
    let changes: &[(usize, &[u8], ImageErrorKind)] = &[
        (5, &[2], ImageErrorKind::Unsupported),
        (12, &[0], ImageErrorKind::Invalid),
        (16, &[5], ImageErrorKind::Unsupported),
        (25, &[8], ImageErrorKind::Invalid),
        (29, &[0, 0], ImageErrorKind::Limit),
        (29, &[0, 0, 0, 2], ImageErrorKind::Limit),
        (33, &[0], ImageErrorKind::Invalid),
        (33, &[9], ImageErrorKind::Invalid),
        (35, &[255, 255, 255, 255], ImageErrorKind::Invalid),
        (35, &[32], ImageErrorKind::Invalid),
        (39, &[255, 255, 255, 255], ImageErrorKind::Invalid),
        (39, &[64], ImageErrorKind::Invalid),
        (17, &[64], ImageErrorKind::Invalid),
        (17, &[0, 2], ImageErrorKind::Missing),
    ];
    for (at, bytes, kind) in changes {
        refused("x.isz", &image, &[], *at, bytes, *kind);
    }
}

#[test]
fn what_a_cut_takes_away_cannot_be_read_and_all_before_it_can() {
    let image = isz(&[1, 2, 3], 0);
    let opened = open("x.isz", &image[..image.len() - 20], &[]).unwrap();
    assert!(matches!(&opened.warnings[..], [text] if text.contains("20 bytes are missing")), "{:?}", opened.warnings);
    let content = content();
    assert_eq!(blocks(&opened, 0, 16), content[..16 * 2048]);
    assert!(opened.disc.read_block(Lba(16), &mut [0; 2048]).is_err());
}

#[test]
fn every_prefix_is_opened_or_refused() {
    every_prefix("x.isz", &isz(&[1, 2, 3], 0), &[]);
}
