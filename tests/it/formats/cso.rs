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

mod tools {
    //! Blocks that the programs lzop and lz4 packed.

    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    const BLOCK: usize = 32 << 10;

    /// What `program` makes of `input`.
    fn packed(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{program} (package {program}): {error}"));
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success(), "{program}");
        output.stdout
    }

    /// The only block of a file that lzop wrote without a name: its header has 38 bytes, its block three numbers.
    fn lzo_block(file: &[u8]) -> &[u8] {
        let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!((&file[..4], number(38)), (&b"\x89LZO"[..], BLOCK));
        &file[50..50 + number(42)]
    }

    /// The only block of a file that lz4 wrote: its header has 7 bytes, its block one number.
    fn lz4_block(file: &[u8]) -> &[u8] {
        let number = u32::from_le_bytes(file[7..11].try_into().unwrap());
        &file[11..11 + (number & 0x7FFF_FFFF) as usize]
    }

    /// Text, text that repeats itself, and bytes that nothing makes shorter.
    fn content() -> Vec<u8> {
        let mut content = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
        content.truncate(content.len() / BLOCK * BLOCK);
        assert!(!content.is_empty());
        let mut state = 1_u32;
        content.extend((0..BLOCK).map(|at| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Runs of noise between runs of one byte, and matches from far away.
            if at / 700 % 3 == 0 { (state >> 24) as u8 } else { (at / 5000) as u8 }
        }));
        content.extend((0..BLOCK).map(|at| (at * at / 77) as u8));
        content.extend(vec![0; BLOCK]);
        content
    }

    fn table(first: usize, blocks: &[Vec<u8>]) -> Vec<u32> {
        let ends = blocks.iter().scan(first as u32, |at, block| {
            *at += block.len() as u32;
            Some(*at)
        });
        std::iter::once(first as u32).chain(ends).collect()
    }

    #[test]
    fn what_lzop_packs_is_unpacked() {
        let content = content();
        for level in ["-1", "-9"] {
            let chunks = content.chunks(BLOCK);
            let blocks: Vec<_> =
                chunks.map(|chunk| lzo_block(&packed("lzop", &[level, "-c"], chunk)).to_vec()).collect();
            let mut image = b"JISO\x03\x01".to_vec();
            image.extend((BLOCK as u16).to_le_bytes());
            image.resize(12, 0);
            image.extend((content.len() as u32).to_le_bytes());
            image.resize(48, 0);
            let first = 48 + (blocks.len() + 1) * 4;
            table(first, &blocks).iter().for_each(|entry| image.extend(entry.to_le_bytes()));
            image.extend(blocks.concat());
            let opened = open(image).unwrap();
            assert!(read(&opened) == content, "{level}");
        }
    }

    #[test]
    fn what_lz4_packs_is_unpacked() {
        const STORED: u32 = 1 << 31;
        let content = content();
        for level in ["-1", "-12"] {
            let args = [level, "-c", "--no-frame-crc", "-B4"];
            let chunks = content.chunks(BLOCK);
            let blocks: Vec<_> = chunks.map(|chunk| lz4_block(&packed("lz4", &args, chunk)).to_vec()).collect();
            let mut image = b"ZISO\x18\0\0\0".to_vec();
            image.extend((content.len() as u64).to_le_bytes());
            image.extend((BLOCK as u32).to_le_bytes());
            image.extend([1, 0, 0, 0]);
            let first = 24 + (blocks.len() + 1) * 4;
            let stored = blocks.iter().map(|block| block.len() == BLOCK).chain([false]);
            for (entry, stored) in table(first, &blocks).iter().zip(stored) {
                image.extend((entry | if stored { STORED } else { 0 }).to_le_bytes());
            }
            image.extend(blocks.concat());
            let opened = open(image).unwrap();
            assert!(read(&opened) == content, "{level}");
        }
    }
}
