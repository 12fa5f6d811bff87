//! One data track as CSO (version 1: raw deflate) or ZSO (LZ4), blocks compressed by all processors.
//!
//! Layout: 24 bytes of header, an index of `u32` with one entry more than blocks, then the blocks. Bit 31 of an entry says that
//! the block is stored as it is. From 2 GiB of compressed bytes on, blocks are aligned, and entries are shifted by that.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use flate2::{Compress, Compression, FlushCompress, Status};

use super::iso::{Chunks, Iso};
use super::ordered::ordered;
use super::{ExportError, Job, Output, Target, losses_of_one_track};
use crate::disc::BLOCK_SIZE;
use crate::image::FormatInfo;

/// A variant of the format.
pub struct Ciso {
    info: &'static FormatInfo,
    magic: &'static [u8; 4],
    compress: fn(&[u8], &mut Vec<u8>),
}

/// Deflate.
pub static CSO: Ciso = Ciso {
    info: &FormatInfo { id: "cso", name: "one data track, compressed (deflate)", extensions: &["cso", "ciso"] },
    magic: b"CISO",
    compress: deflate,
};
/// LZ4.
pub static ZSO: Ciso = Ciso {
    info: &FormatInfo { id: "zso", name: "one data track, compressed (LZ4)", extensions: &["zso"] },
    magic: b"ZISO",
    compress: lz4,
};

const HEADER: u64 = 24;
const STORED: u32 = 1 << 31;
const BLOCK: usize = BLOCK_SIZE as usize;

impl Target for Ciso {
    fn info(&self) -> &'static FormatInfo {
        self.info
    }

    fn losses(&self, job: &Job<'_>) -> Result<Vec<String>, ExportError> {
        losses_of_one_track(job)
    }

    fn bytes(&self, job: &Job<'_>) -> u64 {
        Iso.bytes(job)
    }

    fn write(&self, job: &Job<'_>, out: &mut Output) -> Result<(), ExportError> {
        let total = self.bytes(job);
        let blocks = total / u64::from(BLOCK_SIZE);
        let first = HEADER + (blocks + 1) * 4;
        // The worst case decides, so that the alignment is known before the first block is written.
        let shift = (0..32).find(|shift| first + total + (blocks << shift) < u64::from(STORED) << shift).unwrap_or(31);
        let mut file = out.main()?;
        file.seek(SeekFrom::Start(first))?;

        let mut at = first;
        let mut entry_at = HEADER;
        let compress = self.compress;
        let mut chunks = Chunks::new(job)?;
        ordered(
            || {
                let mut chunk = Vec::new();
                Ok(chunks.read(&mut chunk).map_err(io::Error::other)?.then_some(chunk))
            },
            |chunk: Vec<u8>| {
                (chunk.chunks(BLOCK).map(|block| packed(block, compress)).collect::<Vec<_>>(), chunk.len())
            },
            |(packed, bytes)| {
                let mut entries = Vec::with_capacity(packed.len() * 4);
                for (is_stored, block) in packed {
                    at = align(&mut file, at, shift)?;
                    entries
                        .extend_from_slice(&((at >> shift) as u32 | if is_stored { STORED } else { 0 }).to_le_bytes());
                    file.write_all(&block)?;
                    at += block.len() as u64;
                }
                file.get_ref().write_all_at(&entries, entry_at)?;
                entry_at += entries.len() as u64;
                job.tick(bytes as u64).map_err(io::Error::other)
            },
        )?;
        let end = align(&mut file, at, shift)?;
        file.get_ref().write_all_at(&((end >> shift) as u32).to_le_bytes(), entry_at)?;

        let mut header = Vec::with_capacity(HEADER as usize);
        header.extend_from_slice(self.magic);
        header.extend_from_slice(&(HEADER as u32).to_le_bytes());
        header.extend_from_slice(&total.to_le_bytes());
        header.extend_from_slice(&BLOCK_SIZE.to_le_bytes());
        header.extend_from_slice(&[1, shift, 0, 0]);
        file.get_ref().write_all_at(&header, 0)?;
        Ok(file.flush()?)
    }
}

/// Fills up to the next multiple of `1 << shift`, which is at most 31 bits; returns where that is.
fn align(file: &mut impl Write, at: u64, shift: u8) -> io::Result<u64> {
    let aligned = at.next_multiple_of(1 << shift);
    io::copy(&mut io::repeat(0).take(aligned - at), file)?;
    Ok(aligned)
}

/// The block as it is written, and whether that is as it was.
fn packed(block: &[u8], compress: fn(&[u8], &mut Vec<u8>)) -> (bool, Vec<u8>) {
    let mut out = Vec::with_capacity(block.len() * 2);
    compress(block, &mut out);
    if out.len() < block.len() { (false, out) } else { (true, block.to_vec()) }
}

fn deflate(block: &[u8], out: &mut Vec<u8>) {
    let mut compress = Compress::new(Compression::best(), false);
    // What does not end inside the room for twice the block is stored as it is.
    if !matches!(compress.compress_vec(block, out, FlushCompress::Finish), Ok(Status::StreamEnd)) {
        out.clear();
        out.extend_from_slice(block);
    }
}

fn lz4(block: &[u8], out: &mut Vec<u8>) {
    *out = lz4_flex::block::compress(block);
}
