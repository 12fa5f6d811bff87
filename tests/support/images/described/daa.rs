//! DAA and GBI, after section 16 and appendix A of the formats' description.

use super::pack;
use super::put::Put;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Daa,
    Gbi,
}

/// What each chunk becomes if it becomes shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Deflate,
    /// Deflate with the types of its blocks in another order: one of the three.
    Permuted(u8),
    /// By turns LZMA, through a filter if true, and deflate.
    Lzma(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// .part01.daa
    Part2,
    /// .part001.daa
    Part3,
    /// .daa, .d00
    Suffix,
}

#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    pub kind: Kind,
    /// Version 0x110; else 0x100.
    pub new: bool,
    /// Bytes of a chunk, of the newer version a multiple of 16 KiB.
    pub chunk: usize,
    pub packing: Packing,
    /// Bits of a length, 0 for those that the chunk size tells, and of a type.
    pub bits: (u32, u32),
    pub table_packed: bool,
    pub bits_hidden: bool,
    pub bytes_hidden: bool,
    pub password: Option<&'a str>,
    /// Bytes of each file.
    pub split: Option<(usize, Names)>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            kind: Kind::Daa,
            new: true,
            chunk: 0x4000,
            packing: Packing::Deflate,
            bits: (0, 1),
            table_packed: false,
            bits_hidden: false,
            bytes_hidden: false,
            password: None,
            split: None,
        }
    }
}

const LZMA: u32 = 0;
const DEFLATE: u32 = 1;

struct Chunk {
    kind: u32,
    bytes: Vec<u8>,
}

pub fn files(data: &[u8], options: Options<'_>) -> Vec<(String, Vec<u8>)> {
    let mut chunks: Vec<Chunk> =
        (0..).zip(data.chunks(options.chunk)).map(|(at, bytes)| pack_chunk(at, bytes, options)).collect();
    if let Some(password) = options.password {
        let tables: Vec<Vec<usize>> = (0..=128).map(|size| password_table(size, password.as_bytes())).collect();
        chunks.iter_mut().for_each(|chunk| encrypt(&mut chunk.bytes, &tables));
    }
    let stored: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes.clone()).collect();
    let table_bytes = plain_table(&chunks, options).len();
    // Where the first file's data begin, and how many files there are, do not depend on what the table says.
    let layout = |table: usize, parts: usize| {
        let descriptors = descriptors(parts, &[], 0, options).len();
        (76 + descriptors, 76 + descriptors + table)
    };
    let packed_size = |parts| {
        let (table, _) = hidden_table(&chunks, data, table_bytes, 0, options);
        layout(table.len(), parts).1
    };
    // A packed table may change its length with the sum of the header, of which it is made for GBI: leave room.
    let room = if options.table_packed { 64 } else { 0 };
    let mut parts = 1;
    let data_at = loop {
        let data_at = packed_size(parts) + room;
        let needed = options
            .split
            .map_or(1, |(size, _)| 1 + stored.len().saturating_sub(size - data_at).div_ceil(size - PART_DATA_AT));
        if needed == parts {
            break data_at;
        }
        parts = needed;
    };
    let (table_at, _) = layout(0, parts);
    let mut sizes = Vec::new();
    let mut pieces = Vec::new();
    let mut rest = &stored[..];
    for part in 0..parts {
        let from = if part == 0 { data_at } else { PART_DATA_AT };
        let here = options.split.map_or(rest.len(), |(size, _)| rest.len().min(size - from));
        let (piece, after) = rest.split_at(here);
        sizes.push(from + here);
        pieces.push(piece);
        rest = after;
    }

    // The sum covers the size of the packed table, and the table of GBI the sum: look for a size that fits.
    let attempt = |packed_table: usize| {
        let header = header(data, &sizes, [table_at, data_at, packed_table], options);
        let (table, size) = hidden_table(&chunks, data, table_bytes, crc32fast::hash(&header), options);
        (size == packed_table).then_some((header, table))
    };
    let (header, table) = (0..=table_bytes + 64).find_map(attempt).expect("a size of the packed table");
    let tail = header[56..72].to_vec();
    let mut first = header;
    let sum = crc32fast::hash(&first);
    first.le32(sum);
    first.put(&descriptors(parts, &sizes, 0, options));
    first.put(&table);
    first.resize(data_at, 0);
    let mut files = Vec::new();
    for (part, piece) in pieces.iter().enumerate() {
        let mut file = if part == 0 { first.clone() } else { part_header(part, parts, &sizes, &tail, options) };
        file.put(piece);
        files.push((name(part, options), file));
    }
    files
}

const PART_DATA_AT: usize = 40 + 20;

fn magic(text: &str) -> Vec<u8> {
    let mut magic = text.as_bytes().to_vec();
    magic.resize(16, 0);
    magic
}

fn suffix(options: Options<'_>) -> &'static str {
    if options.kind == Kind::Daa { "daa" } else { "gbi" }
}

fn name(part: usize, options: Options<'_>) -> String {
    let suffix = suffix(options);
    match options.split {
        Some((_, Names::Part2)) => format!("disc.part{:02}.{suffix}", part + 1),
        Some((_, Names::Part3)) => format!("disc.part{:03}.{suffix}", part + 1),
        _ if part > 0 => format!("disc.{}{:02}", &suffix[..1], part - 1),
        _ => format!("disc.{suffix}"),
    }
}

/// The 72 bytes that the sum covers; `[table_at, data_at, packed_table]`.
fn header(
    data: &[u8],
    sizes: &[usize],
    [table_at, data_at, packed_table]: [usize; 3],
    options: Options<'_>,
) -> Vec<u8> {
    let mut header = magic(if options.kind == Kind::Daa { "DAA" } else { "GBI" });
    header.le32s(&[table_at as u32, if options.new { 0x110 } else { 0x100 }, data_at as u32, 1, 0]);
    header.le32(if options.new { chunk_word(options) } else { options.chunk as u32 });
    header.le64(data.len() as u64);
    header.le64(sizes.iter().sum::<usize>() as u64);
    header.put(&[1]);
    header.le32(packed_table as u32);
    let (length, kind) = options.bits;
    header.put(&[if !options.new {
        0
    } else if length == 0 {
        kind as u8
    } else {
        ((length - 10) << 3 | kind) as u8
    }]);
    match options.packing {
        Packing::Lzma(filter) => {
            header.put(&[filter.into()]);
            header.put(&pack::lzma_properties());
        }
        _ => header.zeros(6),
    }
    header.zeros(4);
    header
}

fn chunk_word(options: Options<'_>) -> u32 {
    let mut word = (options.chunk >> 14) as u32;
    let permutation = match options.packing {
        Packing::Permuted(permutation) => permutation,
        _ => 0,
    };
    let code = if options.kind == Kind::Gbi { permutation ^ 1 } else { permutation };
    word |= u32::from(code) << 23;
    let flags = [
        (options.table_packed, 0x4000),
        (options.bits_hidden, 0x2_0000),
        (matches!(options.packing, Packing::Lzma(_)), 0x10_0000),
        (options.bytes_hidden, 0x800_0000),
    ];
    flags.iter().filter(|(set, _)| *set).for_each(|(_, flag)| word |= flag);
    word
}

fn descriptors(parts: usize, sizes: &[usize], part: usize, options: Options<'_>) -> Vec<u8> {
    let mut all = Vec::new();
    if options.split.is_some() {
        all.le32s(&[1, 20, part as u32, part as u32 + 1, sizes.get(part).map_or(0, |&size| size as u32)]);
        if part == 0 {
            all.le32s(&[2, 16 + 5 * 99, parts as u32, 1]);
            for number in 0..99 {
                let size = sizes.get(number).map_or(0, |&size| size as u64);
                all.put(&size.to_le_bytes()[..5]);
            }
        }
    }
    if let Some(password) = options.password.filter(|_| part == 0) {
        let mut key: Vec<u8> = (0..128_u8).map(|at| at.wrapping_mul(29) ^ 0x5A).collect();
        let sum = crc32fast::hash(&key);
        let tables: Vec<Vec<usize>> = (0..=128).map(|size| password_table(size, password.as_bytes())).collect();
        encrypt(&mut key, &tables);
        all.le32s(&[3, 16 + 128, 0, sum]);
        all.put(&key);
    }
    if part == 0 {
        all.le32s(&[4, 8 + 12]);
        all.put(b"A comment.\0\0");
    }
    all
}

fn part_header(part: usize, parts: usize, sizes: &[usize], tail: &[u8], options: Options<'_>) -> Vec<u8> {
    let mut header = magic(if options.kind == Kind::Daa { "DAA VOL" } else { "GBI VOL" });
    header.le32(PART_DATA_AT as u32);
    header.put(tail);
    let sum = crc32fast::hash(&header);
    header.le32(sum);
    header.put(&descriptors(parts, sizes, part, options));
    header
}

fn pack_chunk(at: usize, bytes: &[u8], options: Options<'_>) -> Chunk {
    let (kind, packed) = match options.packing {
        Packing::Lzma(filter) if at.is_multiple_of(2) => (LZMA, pack::lzma(bytes, filter)),
        Packing::Permuted(permutation) => (DEFLATE, permuted(bytes, permutation)),
        _ => (DEFLATE, pack::deflate(bytes)),
    };
    if packed.len() < options.chunk && packed.len() >= 5 || !options.new {
        return Chunk { kind, bytes: packed };
    }
    // The whole chunk and four bytes that mean nothing.
    let mut stored = bytes.to_vec();
    stored.resize(options.chunk + 4, 0);
    Chunk { kind, bytes: stored }
}

/// A stream of blocks of all three types: a short one with fixed codes, a stored one, and one as the library makes it.
fn permuted(bytes: &[u8], permutation: u8) -> Vec<u8> {
    const CODES: [[u32; 3]; 4] = [[0, 1, 2], [1, 2, 0], [0, 2, 1], [1, 0, 2]];
    let code = |kind: u8| CODES[usize::from(permutation)][usize::from(kind)];
    let mut out = Bits::default();
    out.put(0, 1);
    out.put(code(1), 2);
    let (fixed, rest) = bytes.split_at(bytes.len().min(400) / 4);
    for &byte in fixed {
        // Huffman codes begin with their highest bit.
        match byte {
            0..144 => out.put((0x30 + u32::from(byte)).reverse_bits() >> 24, 8),
            _ => out.put((0x190 + u32::from(byte) - 144).reverse_bits() >> 23, 9),
        }
    }
    out.put(0, 7);
    let (stored, rest) = rest.split_at(rest.len().min(1000) / 2);
    out.put(0, 1);
    out.put(code(0), 2);
    let mut out = out.finish();
    out.le16(stored.len() as u16);
    out.le16(!stored.len() as u16);
    out.put(stored);
    let mut last = pack::deflate(rest);
    assert_eq!(last[0] & 1, 1, "more than one block");
    last[0] = 1 | (code(last[0] >> 1 & 3) << 1) as u8 | last[0] & !7;
    out.put(&last);
    out
}

/// Bits, the lowest first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, bits: u32) {
        self.held |= u64::from(value) << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.bytes.push(self.held as u8);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.bytes.push(self.held as u8);
        }
        self.bytes
    }
}

fn plain_table(chunks: &[Chunk], options: Options<'_>) -> Vec<u8> {
    if !options.new {
        let entry = |chunk: &Chunk| {
            let [low, middle, high, _] = (chunk.bytes.len() as u32).to_le_bytes();
            [high, low, middle]
        };
        return chunks.iter().flat_map(entry).collect();
    }
    let (length_bits, type_bits) = options.bits;
    let shifts = || (0..).find(|&shift| options.chunk >> shift <= type_bits as usize).unwrap();
    let length_bits = if length_bits == 0 { shifts() } else { length_bits };
    let mut bits = Bits::default();
    for (number, chunk) in (0..).zip(chunks) {
        for (value, width) in [(chunk.bytes.len() as u32 - 5, length_bits), (chunk.kind, type_bits)] {
            const MASKS: [u32; 8] = [0x0A, 0x35, 0x2D, 0x3F, 0x08, 0x33, 0x09, 0x15];
            let mask = ((number ^ MASKS[number as usize % 8]) & 0xFF) * 0x0101_0101;
            let hidden = if options.bits_hidden { value ^ mask } else { value };
            assert!(value < 1 << width, "{value} in {width} bits");
            bits.put(hidden & ((1 << width) - 1), width);
        }
    }
    bits.finish()
}

/// The table as it lies in the file, and the packed size that the header tells.
fn hidden_table(chunks: &[Chunk], data: &[u8], bytes: usize, sum: u32, options: Options<'_>) -> (Vec<u8>, usize) {
    let mut table = plain_table(chunks, options);
    if options.bytes_hidden {
        let blocks = data.len() / 2048;
        let (minus, plus) = (blocks as u8, (blocks >> 8) as u8);
        let mut minus = minus;
        for byte in &mut table {
            *byte = byte.wrapping_add(minus);
            minus = minus.wrapping_add(plus);
        }
    }
    if options.kind == Kind::Gbi {
        table.iter_mut().for_each(|byte| *byte = (*byte ^ (bytes / 4) as u8).wrapping_add(sum as u8));
    }
    if !options.table_packed {
        return (table, 0);
    }
    let packed = match options.packing {
        Packing::Permuted(permutation) => permuted(&table, permutation),
        _ => pack::deflate(&table),
    };
    let size = packed.len();
    (packed, size)
}

/// Appendix A: where the nibbles of a block of `size` bytes go.
fn password_table(size: usize, password: &[u8]) -> Vec<usize> {
    let count = 2 * size;
    let first = usize::from(password[0]);
    let mut walk = Walk { taken: vec![false; count], at: (first >> 5).min(count.saturating_sub(1)), low: 0 };
    if count <= 64 {
        return (0..count).map(|_| walk.advance(11)).collect();
    }
    let mut slots = vec![walk.at + 32];
    walk.taken[slots[0]] = true;
    walk.low = 32;
    for slot in 1..=count - 33 {
        let step = password.get(slot).copied().filter(|&byte| byte != 0).unwrap_or(11);
        slots.push(walk.advance(step.into()));
    }
    walk.low = 0;
    let step = if first & 7 == 0 { 7 } else { first & 7 };
    (count - 32..count).for_each(|_| slots.push(walk.advance(step)));
    let step = first & 24;
    if step == 0 {
        return slots;
    }
    let mut walk = Walk { taken: vec![false; count], at: 0, low: 0 };
    (0..count).map(|_| slots[walk.advance(step)]).collect()
}

/// A walk in circles over positions that are not taken.
struct Walk {
    taken: Vec<bool>,
    at: usize,
    low: usize,
}

impl Walk {
    fn advance(&mut self, count: usize) -> usize {
        let mut left = count;
        while left > 0 {
            self.at += 1;
            if self.at == self.taken.len() {
                self.at = self.low;
            }
            left -= usize::from(!self.taken[self.at]);
        }
        self.taken[self.at] = true;
        self.at
    }
}

fn encrypt(bytes: &mut [u8], tables: &[Vec<usize>]) {
    for block in bytes.chunks_mut(128) {
        let plain = block.to_vec();
        let nibble = |at: usize| plain[at >> 1] >> (4 * (at & 1)) & 15;
        for (byte, places) in block.iter_mut().zip(tables[plain.len()].chunks_exact(2)) {
            *byte = nibble(places[0]) | nibble(places[1]) << 4;
        }
    }
}
