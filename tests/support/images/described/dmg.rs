//! DMG, after section 20 of the formats' description; the binary resource fork after Inside Macintosh.

use std::io::Write;

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};
use des::TdesEde3;
use hmac::{Hmac, Mac};
use lzma_rust2::{XzOptions, XzWriter};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;

use super::dmg_codecs::{adc, lzfse};
use super::pack;
use crate::support::python;

/// How the runs are packed; zeros are left out in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    Stored,
    Adc,
    Zlib,
    Bzip2,
    Lzfse,
    /// As Apple's own encoder packs it.
    ReferenceLzfse,
    Lzma,
}

#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// One after another.
    pub codecs: &'a [Codec],
    /// Where the partitions after the first begin, in sectors of 512 bytes.
    pub partitions: &'a [u64],
    /// Sectors of a run.
    pub run: u64,
    /// Offsets of runs count from here in their partition's data.
    pub data_start: u64,
    /// The tables in a binary resource fork.
    pub resource_fork: bool,
    /// The trailer at the front.
    pub front: bool,
    /// Bytes of data in each file.
    pub split: Option<usize>,
    /// Bits of the key.
    pub encrypted: Option<u32>,
}

/// Nothing special.
pub const PLAIN: Options<'static> = Options {
    codecs: &[Codec::Zlib],
    partitions: &[],
    run: 64,
    data_start: 0,
    resource_fork: false,
    front: false,
    split: None,
    encrypted: None,
};

pub const PASSWORD: &[u8] = b"secret";
const SECTOR: usize = 512;

/// Numbers with their highest byte first.
trait PutBig {
    fn be16s(&mut self, values: &[u16]);
    fn be32s(&mut self, values: &[u32]);
    fn be64s(&mut self, values: &[u64]);
}

impl PutBig for Vec<u8> {
    fn be16s(&mut self, values: &[u16]) {
        values.iter().for_each(|value| self.extend(value.to_be_bytes()));
    }

    fn be32s(&mut self, values: &[u32]) {
        values.iter().for_each(|value| self.extend(value.to_be_bytes()));
    }

    fn be64s(&mut self, values: &[u64]) {
        values.iter().for_each(|value| self.extend(value.to_be_bytes()));
    }
}

pub fn files(data: &[u8], options: Options<'_>) -> Vec<(String, Vec<u8>)> {
    let sectors = (data.len() / SECTOR) as u64;
    let starts: Vec<u64> = std::iter::once(0).chain(options.partitions.iter().copied()).collect();
    let ends = options.partitions.iter().copied().chain([sectors]);
    let mut fork = vec![0; options.data_start as usize];
    let mut tables = Vec::new();
    let mut sums = Vec::new();
    for (number, (&start, end)) in starts.iter().zip(ends).enumerate() {
        let bytes = &data[start as usize * SECTOR..end as usize * SECTOR];
        sums.be32s(&[crc32fast::hash(bytes)]);
        tables.push(table(number, start, bytes, &mut fork, options));
    }
    let resources = if options.resource_fork { resource_fork(&tables) } else { plist(&tables).into_bytes() };
    let pieces: Vec<&[u8]> = options.split.map_or(vec![&fork[..]], |size| fork.chunks(size).collect());
    let mut files = Vec::new();
    let mut running = 0;
    for (number, piece) in pieces.iter().enumerate() {
        let from = if options.front { SECTOR as u64 } else { 0 };
        let after = from + piece.len() as u64;
        let first = number == 0;
        let here = |is: bool| if is && first { [after, resources.len() as u64] } else { [0, 0] };
        let mut koly = b"koly".to_vec();
        koly.be32s(&[4, 512, 1]);
        koly.be64s(&[running, from, piece.len() as u64]);
        koly.be64s(&here(options.resource_fork));
        koly.be32s(&[number as u32 + 1, pieces.len() as u32]);
        koly.extend(*b"sixteen bytes id");
        checksum(&mut koly, crc32fast::hash(piece));
        koly.be64s(&here(!options.resource_fork));
        koly.resize(352, 0);
        checksum(&mut koly, crc32fast::hash(&sums));
        koly.be32s(&[if starts.len() > 1 { 1 } else { 2 }]);
        koly.be64s(&[sectors]);
        koly.resize(512, 0);
        let resources = if first { &resources[..] } else { &[] };
        let file = if options.front { [&koly, *piece, resources].concat() } else { [piece, resources, &koly].concat() };
        let name = if first { "disc.dmg".to_owned() } else { format!("disc.{:03}.dmgpart", number + 1) };
        files.push((name, options.encrypted.map_or(file.clone(), |bits| encrypt(&file, bits))));
        running += piece.len() as u64;
    }
    files
}

/// CRC-32, as type and bits tell.
fn checksum(out: &mut Vec<u8>, sum: u32) {
    let end = out.len() + 136;
    out.be32s(&[2, 32, sum]);
    out.resize(end, 0);
}

/// The table of a partition; what its runs hold goes to the end of `fork`.
fn table(number: usize, start: u64, bytes: &[u8], fork: &mut Vec<u8>, options: Options<'_>) -> Vec<u8> {
    let mut runs = Vec::new();
    let mut count = 0;
    let mut run = |kind: u32, first: u64, sectors: u64, offset: usize, length: usize| {
        runs.be32s(&[kind, 0]);
        runs.be64s(&[first, sectors, (offset as u64).wrapping_sub(options.data_start), length as u64]);
        count += 1;
    };
    run(0x7FFF_FFFE, 0, 0, fork.len(), 0);
    let size = options.run as usize * SECTOR;
    for (at, chunk) in bytes.chunks(size).enumerate() {
        let (kind, packed) = if chunk.iter().all(|&byte| byte == 0) {
            (if at % 8 < 4 { 0 } else { 2 }, Vec::new())
        } else {
            pack_run(chunk, options.codecs[at % options.codecs.len()])
        };
        run(kind, at as u64 * options.run, (chunk.len() / SECTOR) as u64, fork.len(), packed.len());
        fork.extend(packed);
    }
    run(0xFFFF_FFFF, (bytes.len() / SECTOR) as u64, 0, fork.len(), 0);

    let mut table = b"mish".to_vec();
    table.be32s(&[1]);
    table.be64s(&[start, (bytes.len() / SECTOR) as u64, options.data_start]);
    // Sectors of the largest run and some room.
    table.be32s(&[options.run as u32 + 8, number as u32]);
    table.resize(64, 0);
    checksum(&mut table, crc32fast::hash(bytes));
    table.be32s(&[count]);
    table.extend(runs);
    table
}

fn pack_run(chunk: &[u8], codec: Codec) -> (u32, Vec<u8>) {
    let (kind, packed) = match codec {
        Codec::Stored => (1, chunk.to_vec()),
        Codec::Adc => (0x8000_0004, adc(chunk)),
        Codec::Zlib => (0x8000_0005, pack::zlib(chunk)),
        Codec::Bzip2 => (0x8000_0006, pack::bzip2(chunk)),
        Codec::Lzfse => (0x8000_0007, lzfse(chunk)),
        Codec::ReferenceLzfse => {
            let script = "import lzfse, sys; sys.stdout.buffer.write(lzfse.compress(sys.stdin.buffer.read()))";
            (0x8000_0007, python::output(&["-c", script], chunk))
        }
        Codec::Lzma => {
            let mut encoder = XzWriter::new(Vec::new(), XzOptions::with_preset(1)).unwrap();
            encoder.write_all(chunk).unwrap();
            (0x8000_0008, encoder.finish().unwrap())
        }
    };
    if packed.len() < chunk.len() || kind == 0x8000_0007 { (kind, packed) } else { (1, chunk.to_vec()) }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (number, three) in bytes.chunks(3).enumerate() {
        if number > 0 && number.is_multiple_of(13) {
            text += "\n\t\t\t\t";
        }
        let word = (0..3).fold(0_u32, |word, at| word << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * at)) as usize & 63];
            text.push(if at > three.len() { '=' } else { letter.into() });
        }
    }
    text
}

fn plist(tables: &[Vec<u8>]) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <!DOCTYPE plist PUBLIC \"-//Apple Computer//DTD PLIST 1.0//EN\" \"PropertyList-1.0.dtd\">\n\
        <plist version=\"1.0\">\n<dict>\n\t<key>resource-fork</key>\n\t<dict>\n\t\t<key>blkx</key>\n\t\t<array>\n"
        .to_owned();
    for (number, table) in tables.iter().enumerate() {
        text += &format!(
            "\t\t\t<dict>\n\t\t\t\t<key>Attributes</key>\n\t\t\t\t<string>0x0050</string>\n\
             \t\t\t\t<key>CFName</key>\n\t\t\t\t<string>part {number}</string>\n\
             \t\t\t\t<key>Data</key>\n\t\t\t\t<data>\n\t\t\t\t{}\n\t\t\t\t</data>\n\
             \t\t\t\t<key>ID</key>\n\t\t\t\t<string>{number}</string>\n\
             \t\t\t\t<key>Name</key>\n\t\t\t\t<string>part {number}</string>\n\t\t\t</dict>\n",
            base64(table)
        );
    }
    text + "\t\t</array>\n\t</dict>\n</dict>\n</plist>\n"
}

fn resource_fork(tables: &[Vec<u8>]) -> Vec<u8> {
    let (mut data, mut references) = (Vec::new(), Vec::new());
    for (number, table) in tables.iter().enumerate() {
        references.be16s(&[number as u16, 0xFFFF]);
        references.be32s(&[0x5000_0000 | data.len() as u32]);
        references.be32s(&[0]);
        data.be32s(&[table.len() as u32]);
        data.extend(table);
    }
    let map_length = 28 + 2 + 8 + references.len();
    let mut fork = Vec::new();
    let header = [256, 256 + data.len(), data.len(), map_length].map(|word| word as u32);
    fork.be32s(&header);
    fork.resize(256, 0);
    fork.extend(data);
    fork.be32s(&header);
    fork.extend([0; 8]);
    fork.be16s(&[28, map_length as u16, 0]);
    fork.extend(b"blkx");
    fork.be16s(&[tables.len() as u16 - 1, 10]);
    fork.extend(references);
    fork
}

/// The key of a disk that is encrypted, and the one that makes the first vectors of its blocks.
pub fn keys(bits: u32) -> [Vec<u8>; 2] {
    [(0..bits / 8).map(|at| (at * 11 + 3) as u8).collect(), (0..20).map(|at| (at * 17 + 5) as u8).collect()]
}

fn encrypt(file: &[u8], bits: u32) -> Vec<u8> {
    const BLOCK: usize = 4096;
    const ITERATIONS: u32 = 1000;
    const DATA_AT: u64 = 122_880;
    let [key, hmac_key] = keys(bits);
    let salt: Vec<u8> = (0..20).map(|at| (at * 5 + 1) as u8).collect();
    let iv: [u8; 8] = *b"eight iv";

    let mut blob = [&key[..], &hmac_key, b"CKIE\0"].concat();
    let padding = 8 - blob.len() % 8;
    blob.resize(blob.len() + padding, padding as u8);
    let mut wrapping = [0; 24];
    pbkdf2_hmac::<Sha1>(PASSWORD, &salt, ITERATIONS, &mut wrapping);
    let wrapping = TdesEde3::new(&wrapping.into());
    let mut before = iv;
    for block in blob.as_chunks_mut::<8>().0 {
        block.iter_mut().zip(before).for_each(|(byte, with)| *byte ^= with);
        wrapping.encrypt_block(block.into());
        before = *block;
    }

    let mut record = Vec::new();
    record.be32s(&[0x67, 0, ITERATIONS, 20]);
    record.extend([&salt[..], &[0; 12]].concat());
    record.be32s(&[8]);
    record.extend([&iv[..], &[0; 24]].concat());
    record.be32s(&[192, 0x11, 7, 6, blob.len() as u32]);
    record.extend(blob);
    record.resize(record.len().max(616), 0);

    let mut out = b"encrcdsa".to_vec();
    out.be32s(&[2, 16, 5, 0x8000_0001, bits, 0x5B, 160]);
    out.extend(*b"sixteen more bytes".first_chunk::<16>().unwrap());
    out.be32s(&[BLOCK as u32]);
    out.be64s(&[file.len() as u64, DATA_AT]);
    out.be32s(&[1, 1]);
    // Where disks that others made have it.
    const RECORD_AT: usize = 680;
    out.be64s(&[RECORD_AT as u64, record.len() as u64]);
    out.resize(RECORD_AT, 0);
    out.extend(record);
    out.resize(DATA_AT as usize, 0);
    for (number, block) in file.chunks(BLOCK).enumerate() {
        let mut mac = Hmac::<Sha1>::new_from_slice(&hmac_key).unwrap();
        mac.update(&(number as u32).to_be_bytes());
        let mut before: [u8; 16] = *mac.finalize().into_bytes().first_chunk().unwrap();
        let mut block = block.to_vec();
        block.resize(BLOCK, 0);
        for part in block.as_chunks_mut::<16>().0 {
            part.iter_mut().zip(before).for_each(|(byte, with)| *byte ^= with);
            match bits {
                128 => Aes128::new_from_slice(&key).unwrap().encrypt_block(part.into()),
                _ => Aes256::new_from_slice(&key).unwrap().encrypt_block(part.into()),
            }
            before = *part;
        }
        out.extend(block);
    }
    out
}
