//! Containers that say in few bytes, or in a sparse file, what takes much memory or much time to believe. Each is refused at once.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use spindle::image::ImageErrorKind::{self, Invalid, Limit, NeedsSpool};
use spindle::image::{ImageError, OpenOptions, open_path, open_with};
use spindle::source::{MemorySource, SharedSource, Siblings};

/// Far longer than any of them takes to be refused, on a machine that is busy with other tests.
const DEADLINE: Duration = Duration::from_secs(60);

/// What opening a file says that is called `name` and has what `write` puts into it.
#[track_caller]
fn refused(name: &str, write: impl FnOnce(&mut File)) -> ImageError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write(&mut File::create(&path).unwrap());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let result = open_path(&path, &OpenOptions::default());
        let _ = sender.send(result.map(|opened| opened.format.id));
    });
    let result = receiver.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("{name} is not refused in {DEADLINE:?}"));
    let error = result.map(|format| panic!("{name} was opened as {format}")).unwrap_err();
    assert!(error.to_string().contains(name), "{error}");
    error
}

/// Holds an error against its kind and a part of what it says.
#[track_caller]
fn says(error: &ImageError, kind: ImageErrorKind, part: &str) {
    assert!(error.kind() == kind && error.to_string().contains(part), "{:?}: {error}", error.kind());
}

fn put(bytes: &mut [u8], at: usize, number: &[u8]) {
    bytes[at..at + number.len()].copy_from_slice(number);
}

/// The numbers of an xz index.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7F {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn checked(bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc32fast::hash(&bytes);
    [bytes, crc.to_le_bytes().to_vec()].concat()
}

/// The index and the footer of an xz stream with these records.
fn xz_end(records: &[(u64, u64)]) -> Vec<u8> {
    let mut index = vec![0, records.len() as u8];
    for (unpadded, decoded) in records {
        index.extend([varint(*unpadded), varint(*decoded)].concat());
    }
    index.resize(index.len().next_multiple_of(4), 0);
    let footer = [&(index.len() as u32 / 4).to_le_bytes()[..], &[0, 1]].concat();
    let crc = crc32fast::hash(&footer).to_le_bytes();
    [checked(index), crc.to_vec(), footer, b"YZ".to_vec()].concat()
}

fn xz_start() -> Vec<u8> {
    [&b"\xFD7zXZ\0"[..], &checked(vec![0, 1])].concat()
}

/// The trailer of a DMG of four sectors whose property list has `len` bytes.
fn koly(len: usize) -> Vec<u8> {
    let mut trailer = vec![0; 512];
    put(&mut trailer, 0, b"koly\0\0\0\x04\0\0\x02\0");
    put(&mut trailer, 224, &(len as u64).to_be_bytes());
    put(&mut trailer, 492, &4_u64.to_be_bytes());
    trailer
}

/// A prefix does not hide from the guard what the parser takes for an array.
#[test]
fn arrays_nested_deep_under_a_prefix() {
    const DEPTH: usize = 500_000;
    let xml = ["<plist>", &"<a:array>".repeat(DEPTH), &"</a:array>".repeat(DEPTH), "</plist>"].concat();
    let error = refused("disc.dmg", |file| file.write_all(&[xml.as_bytes(), &koly(xml.len())].concat()).unwrap());
    says(&error, Limit, "too many parts (at byte 0)");
}

/// A value of a few bytes takes ten times as many in memory.
#[test]
fn a_property_list_of_millions_of_values() {
    const COUNT: usize = 9_000_000;
    let xml = ["<plist><array>", &"<true/>".repeat(COUNT), "</array></plist>"].concat();
    let error = refused("disc.dmg", |file| file.write_all(&[xml.as_bytes(), &koly(xml.len())].concat()).unwrap());
    says(&error, Limit, "too many parts (at byte 0)");
}

#[test]
fn an_xz_block_far_longer_than_what_it_decodes_to() {
    const PACKED: u64 = 4 << 30;
    let error = refused("disc.xz", |file| {
        file.write_all(&xz_start()).unwrap();
        file.write_all_at(&xz_end(&[(PACKED, 65536)]), 12 + PACKED).unwrap();
    });
    says(&error, NeedsSpool, "--spool");
}

#[test]
fn xz_streams_without_blocks() {
    // 4 million of them.
    let some = [xz_start(), xz_end(&[])].concat().repeat(1 << 15);
    let error = refused("disc.xz", |file| (0..1 << 7).for_each(|_| file.write_all(&some).unwrap()));
    says(&error, NeedsSpool, "--spool");
}

/// A frame that says that it decodes to one byte.
const ZSTD_FRAME: [u8; 6] = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 1];

#[test]
fn a_zstd_frame_far_longer_than_what_it_decodes_to() {
    const PACKED: u64 = 4 << 30;
    let error = refused("disc.zst", |file| {
        file.write_all(&ZSTD_FRAME).unwrap();
        let mut at = ZSTD_FRAME.len() as u64;
        while at < PACKED {
            // A block that is stored and is not the last.
            file.write_all_at(&[0xF8, 0xFF, 0xFF], at).unwrap();
            at += 3 + 0x1F_FFFF;
        }
        file.write_all_at(&[1, 0, 0], at).unwrap();
    });
    says(&error, NeedsSpool, "--spool");
}

/// Three zeros are a block that holds nothing.
#[test]
fn a_zstd_frame_of_empty_blocks() {
    let error = refused("disc.zst", |file| {
        file.write_all(&ZSTD_FRAME).unwrap();
        file.set_len(1 << 37).unwrap();
    });
    says(&error, NeedsSpool, "--spool");
}

/// The end of a UIF of 1024 sectors, before it a list of data: its bytes in the file, whether they are packed, its entries.
fn uif(stored: u32, packed: bool, entries: u32) -> [Vec<u8>; 2] {
    let numbers = [stored + 8, u32::from(packed), entries].map(u32::to_le_bytes);
    let mut trailer = vec![0; 64];
    put(&mut trailer, 0, b"bbis");
    put(&mut trailer, 8, &[1, 0, 8, 0]);
    put(&mut trailer, 16, &[1024_u32.to_le_bytes(), 2048_u32.to_le_bytes()].concat());
    [[&b"blhr"[..], &numbers.concat()].concat(), trailer]
}

#[test]
fn a_list_of_a_uif_of_4_gib_that_is_not_packed() {
    const STORED: u32 = u32::MAX - 8;
    let error = refused("disc.uif", |file| {
        let [list, trailer] = uif(STORED, false, 0);
        file.write_all(&list).unwrap();
        file.write_all_at(&trailer, 16 + u64::from(STORED)).unwrap();
    });
    says(&error, Limit, "a description of 4294967287 bytes: the file is damaged");
}

#[test]
fn a_list_of_a_uif_that_unpacks_to_1_gib() {
    const ENTRIES: u32 = 44_000_000;
    let entry = [&[0; 20][..], &[3, 0, 0, 0]].concat();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    let some = entry.repeat(1 << 12);
    (0..ENTRIES >> 12).for_each(|_| encoder.write_all(&some).unwrap());
    encoder.write_all(&entry.repeat(ENTRIES as usize % (1 << 12))).unwrap();
    let packed = encoder.finish().unwrap();
    let error = refused("disc.uif", |file| {
        let [list, trailer] = uif(packed.len() as u32, true, ENTRIES);
        file.write_all(&[list, packed, trailer].concat()).unwrap();
    });
    says(&error, Limit, "a description of 1056000000 bytes");
}

#[test]
fn ecm_records_of_one_byte_each() {
    let error = refused("disc.ecm", |file| {
        file.write_all(b"ECM\0").unwrap();
        file.set_len(1 << 33).unwrap();
    });
    says(&error, Limit, "more than 4194304 records: the file is damaged");
}

/// The header of a DAA: version, where the chunks begin, settings.
fn daa(version: u32, data: u32, settings: u32) -> Vec<u8> {
    let mut header = vec![0; 76];
    put(&mut header, 0, b"DAA");
    for (at, number) in [(16, 76), (20, version), (24, data), (36, settings)] {
        put(&mut header, at, &number.to_le_bytes());
    }
    put(&mut header, 40, &(1_u64 << 37).to_le_bytes());
    header
}

/// Zeros are empty blocks of fixed codes, where the types of blocks have other numbers.
#[test]
fn a_table_of_a_daa_in_empty_blocks() {
    const TABLE: u32 = 0xFF_FFFF;
    let error = refused("disc.daa", |file| {
        let mut header = daa(0x110, TABLE, 0x180_0000 | 0x4000 | 1);
        put(&mut header, 57, &TABLE.to_le_bytes());
        header[61] = 0xFF;
        file.write_all(&header).unwrap();
        file.set_len(TABLE.into()).unwrap();
    });
    says(&error, Invalid, "hold hardly anything");
}

#[test]
fn a_daa_in_chunks_of_512_bytes() {
    const TABLE: u32 = 3 << 28;
    let error = refused("disc.daa", |file| {
        file.write_all(&daa(0x100, 76 + TABLE, 512)).unwrap();
        file.set_len(u64::from(TABLE) + 4096).unwrap();
    });
    says(&error, Limit, "in chunks of 512: the file is damaged");
}

/// An ISZ of as many sectors of this size, in chunks of this size, with a table of one byte for each.
fn isz(sector: u16, sectors: u32, chunk: u32) -> ImageError {
    let chunks = (u64::from(sector) * u64::from(sectors)).div_ceil(u64::from(chunk)) as u32;
    refused("disc.isz", |file| {
        let mut header = vec![0; 64];
        put(&mut header, 0, b"IsZ!\x40\x01");
        put(&mut header, 10, &sector.to_le_bytes());
        for (at, number) in [(12, sectors), (25, chunks), (29, chunk), (35, 64), (43, 64)] {
            put(&mut header, at, &number.to_le_bytes());
        }
        header[33] = 1;
        file.write_all(&header).unwrap();
        file.set_len(64 + u64::from(chunks)).unwrap();
    })
}

#[test]
fn an_isz_longer_than_any_disc() {
    let error = isz(65535, u32::MAX, 65536);
    says(&error, Limit, "which no disc has (at byte 12)");
}

#[test]
fn an_isz_in_chunks_of_512_bytes() {
    let error = isz(2048, 1 << 26, 512);
    says(&error, Limit, "268435456 chunks: the file is damaged");
}

#[test]
fn a_map_of_a_chd_of_4_gib_for_256_hunks() {
    let error = refused("disc.chd", |file| {
        let mut header = vec![0; 124];
        put(&mut header, 0, b"MComprHD");
        for (at, number) in [(8, 124), (12, 5), (36, 1 << 20), (44, 124), (56, 4096), (60, 2048)] {
            put(&mut header, at, &u32::to_be_bytes(number));
        }
        put(&mut header, 16, b"zlib");
        file.write_all(&[&header[..], &[0xFF; 4], &[0; 12]].concat()).unwrap();
        file.set_len(124 + 16 + 0xFFFF_FFFF).unwrap();
    });
    says(&error, Invalid, "longer than its hunks need (at byte 124)");
}

/// 64 records of 20 million rounds each take a quarter of an hour to hold a password against: nobody is asked for one.
#[test]
fn an_encrypted_dmg_of_a_billion_rounds() {
    const RECORDS: u32 = 64;
    let error = refused("disc.dmg", |file| {
        let mut header = vec![0; 76];
        put(&mut header, 0, b"encrcdsa\0\0\0\x02");
        for (at, number) in [(16, 5), (20, 0x8000_0001), (24, 128), (52, 4096), (60, 4096), (68, 8192), (72, RECORDS)] {
            put(&mut header, at, &u32::to_be_bytes(number));
        }
        let mut entry = vec![0; 20];
        put(&mut entry, 0, &1_u32.to_be_bytes());
        put(&mut entry, 8, &4096_u32.to_be_bytes());
        let mut record = vec![0; 104];
        for (at, number) in [(0, 0x67), (8, 20_000_000), (12, 20), (84, 192), (88, 0x11), (100, 48)] {
            put(&mut record, at, &u32::to_be_bytes(number));
        }
        file.write_all(&[header, entry.repeat(RECORDS as usize)].concat()).unwrap();
        file.seek(SeekFrom::Start(4096)).unwrap();
        file.write_all(&record).unwrap();
        file.set_len(16384).unwrap();
    });
    says(&error, Limit, "rounds: the file is damaged (at most 4000000 are made) (at byte 4096)");
}

/// A folder in which opening a file panics, as a parser of another crate can.
#[derive(Debug)]
struct Trap;

impl Siblings for Trap {
    fn open(&self, _name: &[u8]) -> io::Result<SharedSource> {
        panic!("a parser that gives up")
    }

    fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
}

#[test]
fn a_parser_that_panics_refuses_the_file() {
    let mut dmg = koly(0);
    put(&mut dmg, 60, &2_u32.to_be_bytes());
    let cue = b"FILE \"disc.bin\" BINARY\n  TRACK 01 MODE1/2352\n    INDEX 01 00:00:00\n".to_vec();
    for (name, bytes) in [("disc.dmg", dmg), ("disc.cue", cue)] {
        let result = open_with(Arc::new(MemorySource::new(bytes)), name, Arc::new(Trap), &OpenOptions::default());
        says(&result.map(|_| ()).unwrap_err(), Invalid, "gave up: the file is damaged");
    }
}
