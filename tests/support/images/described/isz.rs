//! ISZ, after section 15 of the formats' description.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};

use super::pack;
use super::put::Put;

/// How chunks are hidden; the byte of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    None = 0,
    Xor = 1,
    Aes128 = 2,
    Aes192 = 3,
    Aes256 = 4,
}

/// How the files of a split image are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// .isz, .i01
    Suffix,
    /// .part01.isz
    Part2,
    /// .part001.isz
    Part3,
}

/// How chunks are packed that are not all zeros and get shorter by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packed {
    Zlib,
    Bzip2,
    /// The first with zlib, the next with bzip2.
    ByTurns,
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes of the header: 48 or 64.
    pub header: u8,
    pub chunk: usize,
    /// Bytes of a chunk pointer; without pointers all chunks are stored.
    pub pointer: Option<usize>,
    pub packed: Packed,
    pub cipher: Cipher,
    /// Bytes of each file, how they are called, and whether a table lists them.
    pub split: Option<(usize, Names, bool)>,
    /// The header again at the end.
    pub footer: bool,
}

/// An image under a password, in chunks of which every other is packed.
pub const LOCKED: Options = Options {
    header: 64,
    chunk: 16384,
    pointer: Some(3),
    packed: Packed::ByTurns,
    cipher: Cipher::Aes256,
    split: None,
    footer: false,
};

pub const PASSWORD: &[u8] = b"secret";

struct Chunk {
    kind: u32,
    /// What the pointer tells.
    length: usize,
    bytes: Vec<u8>,
}

/// A file of a split image.
#[derive(Default)]
struct Part {
    data: Vec<u8>,
    chunks: u32,
    first: u32,
    /// Bytes at the beginning that belong to the last chunk of the file before.
    spilt: usize,
}

pub fn files(data: &[u8], options: Options) -> Vec<(String, Vec<u8>)> {
    let chunks: Vec<Chunk> =
        (0..).zip(data.chunks(options.chunk)).map(|(at, bytes)| pack_chunk(at, bytes, options)).collect();
    let tables = usize::from(options.header) + chunks.len() * options.pointer.unwrap_or(0);
    let listed = options.split.is_some_and(|(_, _, table)| table);
    // Room for more entries than there are files.
    let data_at = (tables + if listed { 24 * 100 } else { 0 }).next_multiple_of(4);
    let parts = distribute(&chunks, data_at, options);
    let stored: Vec<u8> = parts.iter().flat_map(|part| part.data.clone()).collect();

    let mut pointers = Vec::new();
    for chunk in &chunks {
        let width = options.pointer.unwrap_or(0);
        let value = (chunk.length as u64) | u64::from(chunk.kind) << (8 * width).saturating_sub(2);
        pointers.put(&value.to_le_bytes()[..width]);
    }
    let mut segments = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let from = if number == 0 { data_at } else { options.header.into() };
        let spills = parts.get(number + 1).map_or(0, |next| next.spilt);
        segments.le64((from + part.data.len()) as u64);
        segments.le32s(&[part.chunks, part.first, (from + part.spilt) as u32, spills as u32]);
    }
    segments.zeros(24);

    let header = |number: u8, data_at: usize, first: bool| {
        let mut header = b"IsZ!".to_vec();
        header.put(&[options.header, 1]);
        header.le32(0x4D18_8484);
        header.le16(2048);
        header.le32((data.len() / 2048) as u32);
        header.put(&[options.cipher as u8]);
        header.le64(options.split.map_or(0, |(size, _, _)| size as u64));
        header.le32s(&[chunks.len() as u32, options.chunk as u32]);
        header.put(&[options.pointer.unwrap_or(0) as u8, number]);
        header.le32(if first && options.pointer.is_some() { options.header.into() } else { 0 });
        header.le32(if first && listed { tables as u32 } else { 0 });
        header.le32(data_at as u32);
        header.put(&[0]);
        header.le32s(&[!crc32fast::hash(data), data.len() as u32, 0, !crc32fast::hash(&stored)]);
        header.truncate(options.header.into());
        header
    };
    let mut files = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let mut file = header(number as u8, if number == 0 { data_at } else { options.header.into() }, number == 0);
        if number == 0 {
            file.put(&masked(&pointers));
            if listed {
                file.put(&masked(&segments));
            }
            file.resize(data_at, 0);
        }
        file.put(&part.data);
        if options.footer {
            let header = file[..options.header.into()].to_vec();
            file.put(&header);
            file.le32(options.header.into());
        }
        files.push((name(number, options), file));
    }
    files
}

fn name(number: usize, options: Options) -> String {
    match options.split {
        Some((_, Names::Part2, _)) => format!("disc.part{:02}.isz", number + 1),
        Some((_, Names::Part3, _)) => format!("disc.part{:03}.isz", number + 1),
        _ if number > 0 => format!("disc.i{number:02}"),
        _ => "disc.isz".to_owned(),
    }
}

/// A table as it lies in the file.
fn masked(table: &[u8]) -> Vec<u8> {
    table.iter().zip([0xB6, 0x8C, 0xA5, 0xDE].iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
}

fn pack_chunk(at: usize, bytes: &[u8], options: Options) -> Chunk {
    let chunk = |kind, length, bytes: Vec<u8>| Chunk { kind, length, bytes: hidden(bytes, options.cipher) };
    if options.pointer.is_none() {
        return chunk(1, bytes.len(), bytes.to_vec());
    }
    if bytes.iter().all(|&byte| byte == 0) {
        return chunk(0, bytes.len(), Vec::new());
    }
    let zlib = match options.packed {
        Packed::Zlib => true,
        Packed::Bzip2 => false,
        Packed::ByTurns => at.is_multiple_of(2),
    };
    let (kind, packed) = if zlib {
        (2, pack::zlib(bytes))
    } else {
        let mut packed = pack::bzip2(bytes);
        packed[..3].fill(0);
        (3, packed)
    };
    if packed.len() < bytes.len() { chunk(kind, packed.len(), packed) } else { chunk(1, bytes.len(), bytes.to_vec()) }
}

fn hidden(mut bytes: Vec<u8>, cipher: Cipher) -> Vec<u8> {
    let mut key = PASSWORD.to_vec();
    key.resize(32, 0);
    let aes = |each: &dyn Fn(&mut [u8; 16]), bytes: &mut [u8]| bytes.as_chunks_mut().0.iter_mut().for_each(each);
    match cipher {
        Cipher::None => {}
        Cipher::Xor => bytes.iter_mut().zip(PASSWORD.iter().cycle()).for_each(|(byte, with)| *byte ^= with),
        Cipher::Aes128 => {
            let key = Aes128::new_from_slice(&key[..16]).unwrap();
            aes(&|block| key.encrypt_block(block.into()), &mut bytes);
        }
        Cipher::Aes192 => {
            let key = Aes192::new_from_slice(&key[..24]).unwrap();
            aes(&|block| key.encrypt_block(block.into()), &mut bytes);
        }
        Cipher::Aes256 => {
            let key = Aes256::new_from_slice(&key).unwrap();
            aes(&|block| key.encrypt_block(block.into()), &mut bytes);
        }
    }
    bytes
}

/// Chunks one after another through files of one size; only the last chunk of a file goes on in the next.
fn distribute(chunks: &[Chunk], data_at: usize, options: Options) -> Vec<Part> {
    let size = options.split.map_or(usize::MAX, |(size, _, _)| size);
    let mut room = size.saturating_sub(data_at);
    let mut parts = vec![Part::default()];
    for (number, chunk) in (0..).zip(chunks) {
        if room == 0 {
            parts.push(Part { first: number, ..Part::default() });
            room = size - usize::from(options.header);
        }
        let part = parts.last_mut().unwrap();
        part.chunks += 1;
        let here = chunk.bytes.len().min(room);
        let (first, rest) = chunk.bytes.split_at(here);
        part.data.put(first);
        room -= here;
        if !rest.is_empty() {
            parts.push(Part { data: rest.to_vec(), first: number + 1, spilt: rest.len(), ..Part::default() });
            room = size - usize::from(options.header) - rest.len();
        }
    }
    parts
}
