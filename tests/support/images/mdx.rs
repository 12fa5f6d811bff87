//! MDX and MDS version 2 (formats.md, 8).

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};
use pbkdf2::pbkdf2_hmac;
use ripemd::Ripemd160;
use std::io::Write;

pub struct Disc<'a> {
    pub medium: u16,
    pub sessions: Vec<Session>,
    pub cd_text: &'a [u8],
    pub structures: &'a [u8],
    /// Start, resolution, entries.
    pub dpm: Option<(u32, u32, &'a [u32])>,
    pub data_keys: Option<[u8; 512]>,
}

pub struct Session {
    pub start: i64,
    pub end: i64,
    pub tracks: Vec<Track>,
}

#[derive(Clone)]
pub struct Track {
    pub point: u8,
    pub kind: u8,
    pub subchannel: u8,
    pub bytes: u16,
    pub start: i64,
    pub offset: u64,
    pub pregap: u32,
    pub blocks: u32,
    pub footers: Vec<Footer>,
}

#[derive(Clone)]
pub struct Footer {
    pub name: &'static str,
    pub sectors: u64,
    /// Sectors of a group, and where the table is from the track's offset on.
    pub packed: Option<(u32, u64)>,
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// The descriptor as it is when nothing hides it.
pub fn descriptor(disc: &Disc<'_>) -> Vec<u8> {
    let mut out = vec![0; 96];
    put(&mut out, 0, b"MEDIA DESCRIPTOR\x02\x01");
    put(&mut out, 18, &disc.medium.to_le_bytes());
    put(&mut out, 20, &(disc.sessions.len() as u16).to_le_bytes());
    put(&mut out, 80, &96_u32.to_le_bytes());
    out.resize(96 + 32 * disc.sessions.len(), 0);
    for (number, session) in disc.sessions.iter().enumerate() {
        let tracks = out.len();
        out.resize(tracks + 80 * (session.tracks.len() + 3), 0);
        let block = 96 + 32 * number;
        put(&mut out, block, &session.start.to_le_bytes());
        put(&mut out, block + 8, &[number as u8 + 1, 0, session.tracks.len() as u8 + 3, 3]);
        put(&mut out, block + 20, &numbers(&[tracks as u32]));
        put(&mut out, block + 24, &session.end.to_le_bytes());
        for (entry, point) in [0xA0, 0xA1, 0xA2].into_iter().enumerate() {
            put(&mut out, tracks + 80 * entry + 4, &[point]);
        }
        for (entry, track) in (3..).zip(&session.tracks) {
            let at = tracks + 80 * entry;
            put(&mut out, at, &[track.kind, track.subchannel, if track.kind & 7 == 1 { 0x12 } else { 0x14 }]);
            put(&mut out, at + 4, &[track.point]);
            put(&mut out, at + 16, &track.bytes.to_le_bytes());
            put(&mut out, at + 36, &(track.start as i32).to_le_bytes());
            put(&mut out, at + 40, &track.offset.to_le_bytes());
            put(&mut out, at + 48, &numbers(&[track.footers.len() as u32]));
            put(&mut out, at + 56, &track.start.to_le_bytes());
            if disc.medium == 0 {
                let extra = out.len() as u32;
                put(&mut out, at + 12, &numbers(&[extra]));
                out.extend(numbers(&[track.pregap, track.blocks]));
            } else {
                put(&mut out, at + 64, &u64::from(track.blocks).to_le_bytes());
            }
            let footers = out.len();
            put(&mut out, at + 52, &numbers(&[footers as u32]));
            out.resize(footers + 32 * track.footers.len(), 0);
            for (number, footer) in track.footers.iter().enumerate() {
                let at = footers + 32 * number;
                if !footer.name.is_empty() {
                    let name = out.len() as u32;
                    put(&mut out, at, &numbers(&[name]));
                    out.extend(footer.name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
                }
                put(&mut out, at + 16, &footer.sectors.to_le_bytes());
                if let Some((group, table)) = footer.packed {
                    put(&mut out, at + 4, &[1]);
                    put(&mut out, at + 12, &numbers(&[group]));
                    put(&mut out, at + 24, &table.to_le_bytes());
                }
            }
        }
    }
    let mut tail = |field: usize, bytes: &[u8]| {
        let at = out.len() as u32;
        put(&mut out, field, &numbers(&[at]));
        out.extend_from_slice(bytes);
    };
    if !disc.cd_text.is_empty() {
        tail(40, disc.cd_text);
    }
    if !disc.structures.is_empty() {
        tail(64, disc.structures);
    }
    if let Some((start, resolution, entries)) = disc.dpm {
        tail(84, &[]);
        let at = out.len() as u32;
        out.extend(numbers(&[1, at + 8, 1, start, resolution, entries.len() as u32]));
        out.extend(numbers(entries));
    }
    put(&mut out, 30, &(disc.cd_text.len() as u16).to_le_bytes());
    if let Some(header) = disc.data_keys {
        let at = out.len() as u32;
        put(&mut out, 88, &numbers(&[at]));
        out.extend(header);
    }
    out
}

/// An MDX: header, `data` from byte 64 on, descriptor.
pub fn mdx(descriptor: &[u8], data: &[u8]) -> Vec<u8> {
    let hidden = hidden(descriptor);
    let mut out = [&descriptor[..18], &[b'c'; 26], &[0xFF; 4]].concat();
    out.extend((64 + data.len() as u64).to_le_bytes());
    out.extend((hidden.len() as u64 - 448).to_le_bytes());
    [out, data.to_vec(), hidden].concat()
}

/// An MDS without its data.
pub fn mds(descriptor: &[u8]) -> Vec<u8> {
    let hidden = hidden(descriptor);
    let mut out = [&descriptor[..18], &[b'c'; 26]].concat();
    out.extend((48 + hidden.len() as u32 - 512).to_le_bytes());
    [out, hidden].concat()
}

/// The descriptor without its first 18 bytes, packed and encrypted, and the header with its keys.
fn hidden(descriptor: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&descriptor[18..]).unwrap();
    let mut bytes = encoder.finish().unwrap();
    let packed = bytes.len();
    bytes.resize(packed.next_multiple_of(16), 0);
    let keys = keys(7);
    for run in bytes.chunks_mut(512) {
        cbc(&keys, run);
    }
    let (mut header, salt) = header(&keys, 1, packed as u32, descriptor.len() as u32 - 18);
    cbc(&derived(&password_of(&salt), &salt), &mut header[64..]);
    bytes.extend(header);
    bytes
}

/// The header with the keys of data that `password` opens, or the header itself.
pub fn data_keys(password: Option<&[u8]>) -> [u8; 512] {
    let (mut header, salt) = header(&keys(9), 5, 0, 0);
    let password = password.map_or_else(|| password_of(&salt), <[u8]>::to_vec);
    lrw(&derived(&password, &salt), &mut header[64..], 1);
    header
}

/// Sectors of `bytes`, encrypted one by one as the data of such a disc are.
pub fn encrypted(data: &[u8], bytes: usize) -> Vec<u8> {
    let mut data = data.to_vec();
    for (number, sector) in data.chunks_mut(bytes).enumerate() {
        lrw(&keys(9), sector, 1 + (number * (bytes / 16)) as u128);
    }
    data
}

/// Sectors of `bytes` in groups of `group`: packed, filled where all bytes are the same, stored where they do not pack. The
/// second part is the table of their lengths.
pub fn packed(data: &[u8], bytes: usize, group: usize, encrypt: bool) -> (Vec<u8>, Vec<u8>) {
    let (mut out, mut table) = (Vec::new(), Vec::new());
    for (number, sectors) in data.chunks(bytes * group).enumerate() {
        if sectors.iter().all(|&byte| byte == sectors[0]) {
            table.extend((0x8000 | u16::from(sectors[0])).to_le_bytes());
            continue;
        }
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(sectors).unwrap();
        let deflated = encoder.finish().unwrap();
        let (mut unit, size) =
            if deflated.len() < sectors.len() { (deflated.clone(), deflated.len()) } else { (sectors.to_vec(), 0) };
        table.extend(u16::try_from(size).unwrap().to_le_bytes());
        if encrypt {
            lrw(&keys(9), &mut unit, 1 + (number * group * (bytes / 16)) as u128);
        }
        out.extend(unit);
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&table).unwrap();
    (out, encoder.finish().unwrap())
}

fn keys(seed: u8) -> Vec<u8> {
    (0..=255_u8).map(|at| at.wrapping_mul(37) ^ seed).collect()
}

/// A header before it is encrypted, and its salt.
fn header(keys: &[u8], seed: u8, packed: u32, unpacked: u32) -> ([u8; 512], Vec<u8>) {
    // Words that become zeros too, which the password does not have.
    // The password that is in it has a zero to be replaced, for either seed that is used.
    let salt: Vec<u8> = (0..64_u8).map(|at| at.wrapping_mul(seed).wrapping_add(at / 8)).collect();
    let mut header = [0; 512];
    put(&mut header, 0, &salt);
    put(&mut header, 64, &numbers(&[crc32(keys, 0xEDB8_8320, u32::MAX) ^ u32::MAX, 0x5452_5545, 0x0100_0001]));
    put(&mut header, 80, keys);
    put(&mut header, 336, &numbers(&[packed, unpacked]));
    (header, salt)
}

fn crc32(bytes: &[u8], polynomial: u32, start: u32) -> u32 {
    bytes.iter().fold(start, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 != 0 { polynomial } else { 0 })
    })
}

fn password_of(salt: &[u8]) -> Vec<u8> {
    let mut m = crc32(salt, 0xD801_8001, 0) ^ 0x5673_72FF;
    let words = salt.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
    let mixed = words.flat_map(|word| {
        m = m.wrapping_mul(0x35E8_5A6D).wrapping_add(0x1548_DCE9);
        (word ^ m ^ 0xEC56_4717).to_le_bytes()
    });
    mixed.map(|byte| if byte == 0 { 0x5F } else { byte }).collect()
}

fn derived(password: &[u8], salt: &[u8]) -> Vec<u8> {
    let mut key = vec![0; 152];
    pbkdf2_hmac::<Ripemd160>(password, salt, 2000, &mut key);
    key
}

fn block(keys: &[u8], block: &mut [u8]) {
    let key: [u8; 32] = keys[32..64].try_into().unwrap();
    Aes256::new(&key.into()).encrypt_block(block.try_into().unwrap());
}

fn cbc(keys: &[u8], bytes: &mut [u8]) {
    let mut before = keys[..16].to_vec();
    for chunk in bytes.chunks_exact_mut(16) {
        chunk.iter_mut().zip(&before).for_each(|(byte, before)| *byte ^= before);
        block(keys, chunk);
        before = chunk.to_vec();
        chunk.iter_mut().enumerate().for_each(|(at, byte)| *byte ^= keys[8 + at % 8]);
    }
}

fn lrw(keys: &[u8], bytes: &mut [u8], first: u128) {
    for (index, chunk) in (first..).zip(bytes.chunks_exact_mut(16)) {
        let mut tweak = 0_u128;
        let second = u128::from_be_bytes(keys[..16].try_into().unwrap());
        for bit in (0..128).rev() {
            tweak = tweak << 1 ^ if tweak >> 127 != 0 { 0x87 } else { 0 };
            tweak ^= if index >> bit & 1 != 0 { second } else { 0 };
        }
        let tweak = tweak.to_be_bytes();
        chunk.iter_mut().zip(tweak).for_each(|(byte, tweak)| *byte ^= tweak);
        block(keys, chunk);
        chunk.iter_mut().zip(tweak).for_each(|(byte, tweak)| *byte ^= tweak);
    }
}
