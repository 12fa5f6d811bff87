//! CSO, ZSO, DAX and JSO.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use spindle::disc::Lba;
use spindle::image::{ImageError, ImageErrorKind, OpenOptions, Opened, open_source};
use spindle::source::{BlockCache, MemorySource};

/// A file of the fuzz corpora, which zlib and hand-written LZ4 and LZO packed.
fn seed(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name)).unwrap()
}

fn open(bytes: Vec<u8>) -> Result<Opened, ImageError> {
    let options = OpenOptions { cache: BlockCache::with_workers(1 << 20, 0), ..OpenOptions::default() };
    open_source(Arc::new(MemorySource::new(bytes)), &options)
}

fn read(opened: &Opened) -> Vec<u8> {
    let mut bytes = vec![0; opened.disc.blocks() as usize * 2048];
    opened.disc.read_blocks(Lba(0), &mut bytes).unwrap();
    bytes
}

fn counting(len: usize) -> Vec<u8> {
    (0..len).map(|n| n as u8).collect()
}

#[test]
fn packed_and_stored_blocks_decode_to_the_image() {
    let sevens = vec![7; 2048];
    let lzo = [&[1, 2, 3, 4][..], &[4; 2044]].concat();
    let mut descriptor = b"\x01CD001\x01\0".to_vec();
    descriptor.resize(8 + 64, b' ');
    descriptor.resize(2048, 0);
    let mut dax = vec![5; 0x2000];
    dax.extend([3; 0x2000]);
    dax.extend([6; 100]);
    dax.resize(9 * 2048, 0);
    let expected = [
        ("cso/v1", "cso", [sevens.repeat(16), descriptor, counting(2048)].concat()),
        ("cso/v2", "cso", [&sevens[..], &sevens, &counting(2048)].concat()),
        ("zso/v1", "zso", [&sevens[..], &counting(2048), &sevens].concat()),
        ("dax/areas", "dax", dax),
        ("jso/deflate", "jso", [&sevens[..], &sevens, &counting(2048)].concat()),
        ("jso/lzo", "jso", lzo.repeat(2)),
    ];
    for (name, id, content) in expected {
        let opened = open(seed(name)).unwrap();
        assert_eq!(opened.containers.iter().map(|info| info.id).collect::<Vec<_>>(), [id], "{name}");
        assert!(read(&opened) == content, "{name}");
    }
}

#[test]
fn a_header_that_cannot_be_true_is_refused() {
    let changes: &[(&str, usize, &[u8], ImageErrorKind)] = &[
        ("cso/v1", 20, &[3], ImageErrorKind::Unsupported),
        ("cso/v1", 21, &[32], ImageErrorKind::Invalid),
        ("cso/v1", 16, &[0; 4], ImageErrorKind::Limit),
        ("cso/v1", 16, &[0, 0, 0, 2], ImageErrorKind::Limit),
        ("cso/v1", 8, &[0; 8], ImageErrorKind::Invalid),
        ("cso/v1", 8, &[0xFF; 8], ImageErrorKind::Invalid),
        ("zso/v1", 20, &[2], ImageErrorKind::Unsupported),
        ("zso/v1", 13, &[1], ImageErrorKind::Invalid),
        ("dax/areas", 12, &[4], ImageErrorKind::Invalid),
        ("dax/areas", 50, &[9], ImageErrorKind::Invalid),
        ("dax/areas", 7, &[9], ImageErrorKind::Invalid),
        ("jso/lzo", 10, &[2], ImageErrorKind::Unsupported),
        ("jso/lzo", 6, &[0, 0], ImageErrorKind::Limit),
        ("jso/lzo", 15, &[1], ImageErrorKind::Invalid),
    ];
    for (name, at, bytes, kind) in changes {
        let mut image = seed(name);
        image[*at..at + bytes.len()].copy_from_slice(bytes);
        assert_eq!(open(image).unwrap_err().kind(), *kind, "{name} with {bytes:?} at {at}");
    }
}

#[test]
fn a_game_disc_with_the_signature_of_cso_is_refused_by_its_name() {
    let mut image = b"CISO\0\0\x20\0".to_vec();
    image.resize(0x8000, 0);
    image[8] = 1;
    image.resize(0x8000 + 0x20_0000, 0);
    let error = open(image).unwrap_err();
    assert_eq!(error.kind(), ImageErrorKind::Unsupported);
    assert!(error.to_string().contains("GameCube"), "{error}");
}

#[test]
fn what_a_cut_takes_away_cannot_be_read_and_all_before_it_can() {
    for (name, intact) in [("cso/v1", 17), ("jso/deflate", 2)] {
        let mut image = seed(name);
        image.truncate(image.len() - 700);
        let opened = open(image).unwrap();
        assert_eq!(opened.warnings.len(), 1, "{name}");
        let mut block = [0; 2048];
        for lba in 0..opened.disc.blocks() {
            let read = opened.disc.read_block(Lba(lba as i32), &mut block);
            assert_eq!(read.is_ok(), lba < intact, "{name} {lba}");
        }
    }
}

#[test]
fn every_prefix_is_opened_or_refused() {
    for name in ["cso/v1", "cso/v2", "zso/v1", "dax/areas", "jso/deflate", "jso/lzo"] {
        let whole = seed(name);
        for len in 0..whole.len() {
            let Ok(opened) = open(whole[..len].to_vec()) else { continue };
            let mut block = [0; 2048];
            for lba in 0..opened.disc.blocks().min(32) {
                let _ = opened.disc.read_block(Lba(lba as i32), &mut block);
            }
        }
    }
}
