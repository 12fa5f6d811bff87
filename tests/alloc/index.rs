//! The indexes of large images: what is read of them to open, and what is kept in memory.

use std::fmt;
use std::io::{self, Cursor};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spindle::export;
use spindle::image::{ImageError, ImageErrorKind, OpenOptions, Opened, open_source};
use spindle::source::{BlockCache, ByteSource, MemorySource, SharedSource};
use spindle::sys::counting::live;

use super::support::disc::patterned;
use super::support::images::described::source_disc::SourceDisc;
use super::support::images::described::{daa, dax, dmg, ecm, isz, jso, mdx, uif};

/// A file of any size whose bytes are made when they are read. Counts how many are.
struct Made {
    len: u64,
    byte: Box<dyn Fn(u64) -> u8 + Send + Sync>,
    read: AtomicU64,
}

impl Made {
    fn new(len: u64, byte: impl Fn(u64) -> u8 + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { len, byte: Box::new(byte), read: AtomicU64::new(0) })
    }

    fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Made({})", self.len)
    }
}

impl ByteSource for Made {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read.fetch_add(buf.len() as u64, Ordering::Relaxed);
        (offset..).zip(buf).for_each(|(at, byte)| *byte = (self.byte)(at));
        Ok(())
    }
}

fn open(source: SharedSource) -> Result<Opened, ImageError> {
    open_source(source, &OpenOptions { cache: BlockCache::with_workers(0, 0), ..OpenOptions::default() })
}

/// Blocks of 50 GB.
const BLOCKS: u64 = 50_000_000_000 / 2048;

/// Byte `at` of an ISO image of that size: a volume descriptor, the end of the list, and zeros.
fn iso(at: u64) -> u8 {
    let text = |text: &[u8], at: u64| text.get(at as usize).copied().unwrap_or(0);
    match (at / 2048, at % 2048) {
        (16, at @ 80..84) => (BLOCKS as u32).to_le_bytes()[at as usize - 80],
        (16, at @ 84..88) => (BLOCKS as u32).to_be_bytes()[at as usize - 84],
        (16, at) => text(b"\x01CD001\x01", at),
        (17, at) => text(b"\xFFCD001\x01", at),
        _ => 0,
    }
}

/// Bytes that may be read of a file beside its index: what formats are told apart by.
const PROBED: u64 = 1 << 20;

pub fn opening_reads_only_the_index() {
    let plain = Made::new(BLOCKS * 2048, iso);
    for (name, source) in [("iso", plain), ("cso", cso(b"CISO", 0)), ("zso", cso(b"ZISO", 1)), ("chd", chd())] {
        let opened = open(source.clone()).unwrap();
        let chain: Vec<_> = opened.containers.iter().map(|info| info.id).chain([opened.format.id]).collect();
        assert_eq!((chain[0], u64::from(opened.disc.blocks())), (name, BLOCKS));
        assert!(opened.warnings.is_empty(), "{name}: {:?}", opened.warnings);
        assert!(source.read() < PROBED, "{name}: {} bytes", source.read());
    }
    // Nothing but its end would tell how long it is.
    let gzip =
        Made::new(BLOCKS * 1000, |at| [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3].get(at as usize).map_or(0x55, |byte| *byte));
    let error = open(gzip.clone()).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ImageErrorKind::NeedsSpool);
    assert!(error.to_string().contains("--spool"), "{error}");
    assert!(gzip.read() < PROBED);
    println!("test opening_reads_only_the_index ... ok");
}

/// [`iso`] in blocks of one sector that are all stored, with a table of 100 MB.
fn cso(magic: &'static [u8; 4], version: u8) -> Arc<Made> {
    const SHIFT: u32 = 5;
    let data = (24 + (BLOCKS + 1) * 4).next_multiple_of(2048);
    let header =
        [magic, &[0; 4][..], &(BLOCKS * 2048).to_le_bytes(), &2048_u32.to_le_bytes(), &[version, SHIFT as u8, 0, 0]];
    let header = header.concat();
    Made::new(data + BLOCKS * 2048, move |at| match at {
        0..24 => header[at as usize],
        _ if at < 24 + (BLOCKS + 1) * 4 => {
            let (number, byte) = ((at - 24) / 4, (at - 24) % 4);
            (((data + number * 2048) >> SHIFT) as u32 | 1 << 31).to_le_bytes()[byte as usize]
        }
        _ if at < data => 0,
        _ => iso(at - data),
    })
}

/// [`iso`] in a CHD of version 5 without packing.
fn chd() -> Arc<Made> {
    const HUNK: u64 = 8 * 2048;
    const HEADER: u64 = 124;
    let (len, hunks) = (BLOCKS * 2048, (BLOCKS * 2048).div_ceil(HUNK));
    let data = (HEADER + hunks * 4).div_ceil(HUNK);
    let mut header = b"MComprHD\0\0\0\x7C\0\0\0\x05".to_vec();
    header.extend([0; 16]);
    header.extend(len.to_be_bytes());
    header.extend(HEADER.to_be_bytes());
    header.extend([0; 8]);
    header.extend((HUNK as u32).to_be_bytes());
    header.extend(2048_u32.to_be_bytes());
    header.resize(HEADER as usize, 0);
    Made::new((data + hunks) * HUNK, move |at| match at {
        0..HEADER => header[at as usize],
        _ if at < HEADER + hunks * 4 => {
            let (number, byte) = ((at - HEADER) / 4, (at - HEADER) % 4);
            ((data + number) as u32).to_be_bytes()[byte as usize]
        }
        _ if at < data * HUNK => 0,
        _ => iso(at - data * HUNK),
    })
}

/// A CD in packed hunks of eight sectors.
fn packed_chd(hunks: u64) -> SharedSource {
    let mut file = Cursor::new(Vec::new());
    export::chd::write(&patterned(1, hunks as u32 * 8).disc, &mut file, &|_| {}).unwrap();
    memory(file.into_inner())
}

/// A file with so many blocks.
type Build = fn(u64) -> SharedSource;

/// Of everything that is packed in blocks: what an image of many blocks takes more than one of few.
pub fn takes_under_8_bytes_for_a_block() {
    let builds: &[(&str, Build, u64)] = &[
        ("gzip", bgzf, 200_000),
        ("zstd", zstd, 200_000),
        ("xz", xz, 100_000),
        ("isz", |blocks| only(isz::files(&ones(blocks, 2048), ISZ)), 5000),
        ("dmg", |blocks| only(dmg::files(&ones(blocks, 4096), dmg::Options { run: 8, ..dmg::PLAIN })), 5000),
        (
            "ecm",
            |blocks| memory(ecm::file(&ones(blocks, 1 << 16), &[ecm::Record::Bytes(1 << 16)].repeat(blocks as usize))),
            500,
        ),
        ("cso", |_| cso(b"CISO", 0), BLOCKS),
        ("zso", |_| cso(b"ZISO", 1), BLOCKS),
        ("dax", |blocks| memory(dax::file(&ones(blocks, 0x2000), 1)), 5000),
        ("jso", |blocks| memory(jso::file(&ones(blocks, 2048), 2048, jso::Method::Zlib)), 5000),
        ("daa", |blocks| only(daa::files(&ones(blocks, 0x4000), daa::Options::default())), 3000),
        ("gbi", |blocks| only(daa::files(&ones(blocks, 0x4000), gbi())), 3000),
        ("uif", |blocks| memory(uif::file(&ones(blocks, 4 * 2048), uif::Options { block: 4, ..uif::PLAIN })), 3000),
        ("mdx", |groups| only(mdx::files(&SourceDisc::dvd(groups as u32 * 4), mdx())), 2000),
        ("chd", |_| chd(), BLOCKS / 8),
        ("chd", packed_chd, 1000),
    ];
    for &(name, build, many) in builds {
        let taken = |blocks| {
            let source = build(blocks);
            let before = live();
            let opened = open(source).unwrap_or_else(|error| panic!("{name}: {error}"));
            let taken = live() - before;
            assert_eq!(opened.containers.first().map_or(opened.format.id, |info| info.id), name);
            taken
        };
        // What the first one leaves behind for all is not counted.
        taken(10);
        let (few, most) = (taken(10), taken(many));
        let more = most.saturating_sub(few) as u64;
        assert!(more < 8 * (many - 10), "{name}: {more} bytes for {many} blocks");
        println!("{name}: {:.2} bytes for a block", more as f64 / many as f64);
    }
    println!("test an_index_takes_under_8_bytes_for_a_block ... ok");
}

fn memory(bytes: Vec<u8>) -> SharedSource {
    Arc::new(MemorySource::new(bytes))
}

fn only(mut files: Vec<(String, Vec<u8>)>) -> SharedSource {
    memory(files.swap_remove(0).1)
}

/// No zeros, which some formats leave out.
fn ones(blocks: u64, bytes: usize) -> Vec<u8> {
    vec![1; blocks as usize * bytes]
}

fn gbi() -> daa::Options<'static> {
    daa::Options { kind: daa::Kind::Gbi, ..daa::Options::default() }
}

fn mdx() -> mdx::Options {
    mdx::Options { compressed: true, ..mdx::Options::default() }
}

const ISZ: isz::Options = isz::Options {
    header: 64,
    chunk: 2048,
    pointer: Some(3),
    packed: isz::Packed::ByTurns,
    cipher: isz::Cipher::None,
    split: None,
    footer: false,
};

/// Members of 65,280 bytes, of various lengths.
fn bgzf(blocks: u64) -> SharedSource {
    const MEMBER: u64 = 40_000;
    let header = [0x1F, 0x8B, 8, 4, 0, 0, 0, 0, 0, 0xFF, 6, 0, b'B', b'C', 2, 0];
    Made::new(blocks * MEMBER, move |at| match at % MEMBER {
        at @ 0..16 => header[at as usize],
        at @ 16..18 => (MEMBER as u16 - 1).to_le_bytes()[at as usize - 16],
        at if at >= MEMBER - 4 => 65_280_u32.to_le_bytes()[(at + 4 - MEMBER) as usize],
        _ => 0,
    })
}

/// Frames of one stored block each.
fn zstd(blocks: u64) -> SharedSource {
    const BLOCK: u32 = 100_000;
    const FRAME: u64 = 12 + BLOCK as u64;
    let header =
        [&[0x28, 0xB5, 0x2F, 0xFD, 0xA0][..], &BLOCK.to_le_bytes(), &(BLOCK << 3 | 1).to_le_bytes()[..3]].concat();
    Made::new(blocks * FRAME, move |at| header.get((at % FRAME) as usize).copied().unwrap_or(0))
}

/// One stream whose blocks are all of another length, with a true index.
fn xz(blocks: u64) -> SharedSource {
    let varint = |mut number: u64, bytes: &mut Vec<u8>| {
        while number > 0x7F {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    };
    let mut index = vec![0];
    varint(blocks, &mut index);
    let mut packed = 0_u64;
    for number in 0..blocks {
        let unpadded = 500_000 + number % 300_000;
        varint(unpadded, &mut index);
        varint(1 << 20, &mut index);
        packed += unpadded.next_multiple_of(4);
    }
    index.resize(index.len().next_multiple_of(4), 0);
    let crc = |bytes: &[u8]| crc32fast::hash(bytes).to_le_bytes();
    index.extend(crc(&index.clone()));
    let mut footer = (index.len() as u32 / 4 - 1).to_le_bytes().to_vec();
    footer.extend([0, 1]);
    let start = [&b"\xFD7zXZ\0\0\x01"[..], &crc(&[0, 1])].concat();
    let end = [&index[..], &crc(&footer), &footer, b"YZ"].concat();
    let at_end = start.len() as u64 + packed;
    Made::new(at_end + end.len() as u64, move |at| match at.checked_sub(at_end) {
        Some(at) => end[at as usize],
        None => start.get(at as usize).copied().unwrap_or(0),
    })
}
