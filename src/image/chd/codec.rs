//! The codecs of a CHD (formats.md, 13.4): a hunk's stored bytes to the hunk.

use std::io::{self, Cursor, Read};

use claxon::frame::FrameReader;
use lzma_rust2::LzmaReader;
use ruzstd::decoding::StreamingDecoder;

use super::bits::Bits;
use super::huffman::Huffman;
use crate::container::damaged;
use crate::container::inflate::inflate;
use crate::disc::edc::write_ecc;
use crate::disc::sector::{RAW, SYNC};
use crate::disc::subchannel::SUBCHANNEL;

/// Bytes of a CD's sector in a CHD: the sector, and its subchannel.
pub const FRAME: usize = RAW + SUBCHANNEL;

/// How a hunk is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    Zlib,
    Lzma,
    Huffman,
    Flac,
    Zstd,
    CdZlib,
    CdLzma,
    CdFlac,
    CdZstd,
}

impl Codec {
    /// The codec of a tag of version 5.
    pub fn of(tag: [u8; 4]) -> Option<Self> {
        Some(match &tag {
            b"zlib" => Self::Zlib,
            b"lzma" => Self::Lzma,
            b"huff" => Self::Huffman,
            b"flac" => Self::Flac,
            b"zstd" => Self::Zstd,
            b"cdzl" => Self::CdZlib,
            b"cdlz" => Self::CdLzma,
            b"cdfl" => Self::CdFlac,
            b"cdzs" => Self::CdZstd,
            _ => return None,
        })
    }

    /// Fills `out`, a hunk.
    pub fn decode(self, packed: &[u8], out: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Zlib => inflate(packed, false, out).map(drop),
            Self::Lzma => lzma(packed, out),
            Self::Huffman => huffman(packed, out),
            Self::Flac => {
                let (order, frames) = packed.split_first().ok_or_else(|| damaged("a hunk has no bytes"))?;
                let to_bytes = match order {
                    b'L' => i16::to_le_bytes,
                    b'B' => i16::to_be_bytes,
                    _ => return Err(damaged("a FLAC hunk does not say its byte order")),
                };
                flac(frames, out, to_bytes).map(drop)
            }
            Self::Zstd => zstd(packed, out),
            Self::CdZlib | Self::CdLzma | Self::CdZstd => self.cd(packed, out),
            Self::CdFlac => {
                let (mut sound, mut subchannel) = split(out)?;
                let used = flac(packed, &mut sound, i16::to_be_bytes)?;
                inflate(packed.get(used..).unwrap_or_default(), false, &mut subchannel)?;
                join(&sound, &subchannel, out);
                Ok(())
            }
        }
    }

    /// Sectors and subchannel packed one after the other; sync and ECC are left out where they can be made.
    fn cd(self, packed: &[u8], out: &mut [u8]) -> io::Result<()> {
        let short = || damaged("a hunk is too short");
        let (mut sectors, mut subchannel) = split(out)?;
        let length_bytes = if out.len() < 1 << 16 { 2 } else { 3 };
        let (made, rest) = packed.split_at_checked((out.len() / FRAME).div_ceil(8)).ok_or_else(short)?;
        let (length, rest) = rest.split_at_checked(length_bytes).ok_or_else(short)?;
        let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
        let (base, rest) = rest.split_at_checked(length).ok_or_else(short)?;
        match self {
            Self::CdLzma => {
                lzma(base, &mut sectors)?;
                inflate(rest, false, &mut subchannel)?;
            }
            Self::CdZstd => {
                zstd(base, &mut sectors)?;
                zstd(rest, &mut subchannel)?;
            }
            _ => {
                inflate(base, false, &mut sectors)?;
                inflate(rest, false, &mut subchannel)?;
            }
        }
        let (frames, _) = sectors.as_chunks_mut::<RAW>();
        for (number, sector) in frames.iter_mut().enumerate() {
            if made.get(number / 8).is_some_and(|bits| bits >> (number % 8) & 1 != 0) {
                sector[..SYNC.len()].copy_from_slice(&SYNC);
                write_ecc(sector, sector[15] != 2);
            }
        }
        join(&sectors, &subchannel, out);
        Ok(())
    }
}

/// Room for the sectors of a hunk and for their subchannel.
fn split(out: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
    if !out.len().is_multiple_of(FRAME) {
        return Err(damaged("a CD's codec in hunks that are no whole number of sectors"));
    }
    let frames = out.len() / FRAME;
    Ok((vec![0; frames * RAW], vec![0; frames * SUBCHANNEL]))
}

fn join(sectors: &[u8], subchannel: &[u8], out: &mut [u8]) {
    let parts = sectors.chunks_exact(RAW).zip(subchannel.chunks_exact(SUBCHANNEL));
    for (frame, (sector, subchannel)) in out.chunks_exact_mut(FRAME).zip(parts) {
        frame[..RAW].copy_from_slice(sector);
        frame[RAW..].copy_from_slice(subchannel);
    }
}

fn lzma(packed: &[u8], out: &mut [u8]) -> io::Result<()> {
    let size = out.len();
    let mut reader = LzmaReader::new(packed, size as u64, 3, 0, 2, size as u32, None)?;
    reader.read_exact(out).map_err(|_| damaged("an LZMA stream is damaged"))
}

fn zstd(packed: &[u8], out: &mut [u8]) -> io::Result<()> {
    let broken = || damaged("a zstd frame is damaged");
    // A window larger than the hunk helps nobody, but encoders round it up.
    let window = (out.len() as u64).next_power_of_two().max(8 << 20);
    let mut reader = StreamingDecoder::new_with_max_window_size(packed, window).map_err(|_| broken())?;
    reader.read_exact(out).map_err(|_| broken())
}

fn huffman(packed: &[u8], out: &mut [u8]) -> io::Result<()> {
    let mut bits = Bits::new(packed, 0);
    let code = Huffman::of_bytes(&mut bits)?;
    for byte in out {
        *byte = code.symbol(&mut bits)? as u8;
    }
    Ok(())
}

/// FLAC frames without a stream around them, stereo, 16 bits. Returns how many bytes they had.
fn flac(packed: &[u8], out: &mut [u8], to_bytes: fn(i16) -> [u8; 2]) -> io::Result<usize> {
    let mut input = Cursor::new(packed);
    let mut left = out.chunks_exact_mut(4);
    let mut buffer = Vec::new();
    while left.len() > 0 {
        let block = FrameReader::new(&mut input).read_next_or_eof(buffer);
        let block = block.ok().flatten().ok_or_else(|| damaged("a FLAC frame is damaged"))?;
        if block.channels() != 2 || block.duration() as usize > left.len() {
            return Err(damaged("a FLAC frame has other than stereo sound, or too much of it"));
        }
        for ((left, right), out) in block.stereo_samples().zip(&mut left) {
            out[..2].copy_from_slice(&to_bytes(left as i16));
            out[2..].copy_from_slice(&to_bytes(right as i16));
        }
        buffer = block.into_buffer();
    }
    Ok(input.position() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2,352 times `A`, and 96 zeros, packed by the program zstd.
    const SECTOR: &[u8] =
        &[0x28, 0xB5, 0x2F, 0xFD, 0x60, 0x30, 0x08, 0x45, 0, 0, 8, 0x41, 1, 0, 0x2C, 0xF1, 0x81, 0x10];
    const SUBCHANNEL_ZEROS: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x60, 0x3D, 0, 0, 8, 0, 1, 0, 0x3C, 0x01, 0x21];

    #[test]
    fn zstd_as_the_program_writes_it() {
        let mut sector = [0; RAW];
        Codec::Zstd.decode(SECTOR, &mut sector).unwrap();
        assert_eq!(sector, [b'A'; RAW]);
        assert!(Codec::Zstd.decode(&SECTOR[..10], &mut sector).is_err());
        assert!(Codec::Zstd.decode(SECTOR, &mut [0; RAW + 1]).is_err());

        let packed = [&[0, 0, SECTOR.len() as u8][..], SECTOR, SUBCHANNEL_ZEROS].concat();
        let mut frame = [1; FRAME];
        Codec::CdZstd.decode(&packed, &mut frame).unwrap();
        assert_eq!(frame[..RAW], [b'A'; RAW]);
        assert_eq!(frame[RAW..], [0; SUBCHANNEL]);
    }

    #[test]
    fn sync_and_parity_that_were_left_out_are_made() {
        let packed = [&[1, 0, SECTOR.len() as u8][..], SECTOR, SUBCHANNEL_ZEROS].concat();
        let mut frame = [1; FRAME];
        Codec::CdZstd.decode(&packed, &mut frame).unwrap();
        let (sectors, _) = frame.as_chunks::<RAW>();
        assert_eq!(sectors[0][..SYNC.len()], SYNC);
        assert!(crate::disc::edc::ecc_is_right(&sectors[0], true));
        assert_eq!(sectors[0][2000], b'A');
    }
}
