//! Packing a hunk by the codecs that chdman uses for the same content (formats.md, 13.4).

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use lzma_rust2::{LzmaOptions, LzmaWriter};
use sha1::{Digest, Sha1};

use crate::disc::edc::ecc_is_right;
use crate::disc::sector::{RAW, SYNC};
use crate::disc::subchannel::SUBCHANNEL;
use crate::export::flac;
use crate::image::chd::crc16;

/// Bytes of a CD's sector in a CHD: the sector, and its subchannel.
pub const FRAME: usize = RAW + SUBCHANNEL;
/// Frames of a hunk.
pub const FRAMES: usize = 8;
/// Where P and Q parity begin in a sector.
const PARITY: usize = 2076;

/// What a hunk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Blocks,
    Frames,
    /// Frames of nothing but sound.
    Sound,
}

/// The codecs that the header lists, in the order of its numbers.
pub fn codecs(cd: bool) -> [&'static [u8; 4]; 3] {
    if cd { [b"cdlz", b"cdzl", b"cdfl"] } else { [b"lzma", b"zlib", &[0; 4]] }
}

/// A packed hunk.
pub struct Packed {
    /// The codec's number and its bytes; nothing where the hunk is best left as it is.
    pub packed: Option<(u8, Vec<u8>)>,
    /// The hunk itself.
    pub hunk: Vec<u8>,
    /// CRC and SHA-1 of the hunk.
    pub crc: u16,
    pub sha1: [u8; 20],
}

/// Packs a hunk by the codec that makes it shortest.
pub fn pack(kind: Kind, hunk: Vec<u8>) -> io::Result<Packed> {
    let ways = match kind {
        Kind::Blocks => vec![(0, lzma(&hunk)?), (1, deflate(&hunk)?)],
        Kind::Frames => {
            let (made, sectors, subchannel) = split(&hunk, true);
            let subchannel = deflate(&subchannel)?;
            vec![
                (0, joined(&made, &lzma(&sectors)?, &subchannel)),
                (1, joined(&made, &deflate(&sectors)?, &subchannel)),
            ]
        }
        Kind::Sound => {
            let (made, sectors, subchannel) = split(&hunk, false);
            let subchannel = deflate(&subchannel)?;
            let flac = [sound(&sectors), subchannel.clone()].concat();
            let mut ways = vec![(1, joined(&made, &deflate(&sectors)?, &subchannel)), (2, flac)];
            // Silence, and what repeats itself.
            if ways[0].1.len() < ways[1].1.len() {
                ways.push((0, joined(&made, &lzma(&sectors)?, &subchannel)));
            }
            ways
        }
    };
    let packed = ways.into_iter().min_by_key(|(_, bytes)| bytes.len()).filter(|(_, bytes)| bytes.len() < hunk.len());
    Ok(Packed { packed, crc: crc16::crc16(&hunk), sha1: Sha1::digest(&hunk).into(), hunk })
}

fn deflate(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn lzma(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut options = LzmaOptions::with_preset(6);
    options.dict_size = (bytes.len() as u32).next_power_of_two().max(4096);
    let mut encoder = LzmaWriter::new_no_header(Vec::new(), &options, false)?;
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Sectors and subchannel of the frames, and a bit for each sector whose sync and parity are left out as they can be made.
fn split(hunk: &[u8], data: bool) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let frames = hunk.len() / FRAME;
    let mut made = vec![0_u8; frames.div_ceil(8)];
    let mut sectors = vec![0; frames * RAW];
    let mut subchannel = Vec::with_capacity(frames * SUBCHANNEL);
    let (parts, _) = sectors.as_chunks_mut::<RAW>();
    for (number, (frame, sector)) in hunk.chunks_exact(FRAME).zip(parts).enumerate() {
        let (raw, rest) = frame.split_at(RAW);
        sector.copy_from_slice(raw);
        subchannel.extend(rest);
        if data && sector[..SYNC.len()] == SYNC && ecc_is_right(sector, sector[15] != 2) {
            sector[..SYNC.len()].fill(0);
            sector[PARITY..].fill(0);
            made[number / 8] |= 1 << (number % 8);
        }
    }
    (made, sectors, subchannel)
}

fn joined(made: &[u8], sectors: &[u8], subchannel: &[u8]) -> Vec<u8> {
    // Two bytes of length, as hunks are shorter than 64 KiB.
    let length = u16::try_from(sectors.len()).unwrap_or(u16::MAX).to_be_bytes();
    [made, &length, sectors, subchannel].concat()
}

/// FLAC frames of 2,352 samples, of samples with their high byte first.
fn sound(sectors: &[u8]) -> Vec<u8> {
    let (samples, _) = sectors.as_chunks::<4>();
    let samples: Vec<[i16; 2]> =
        samples.iter().map(|&[a, b, c, d]| [i16::from_be_bytes([a, b]), i16::from_be_bytes([c, d])]).collect();
    let mut out = Vec::with_capacity(sectors.len());
    for (number, block) in (0..).zip(samples.chunks(RAW)) {
        flac::put_frame(block, number, &mut out);
    }
    out
}
