//! The runs of a DMG: which sectors are packed how, and where.

use std::io::{self, Read};
use std::sync::Arc;

use bzip2::read::BzDecoder;
use lzfse_rust::LzfseRingDecoder;
use lzma_rust2::XzReader;

use super::super::{ImageError, ImageErrorKind, damaged};
use super::checks::Crc;
use super::{LONGEST, SECTOR, adc, u32_at, u64_at};
use crate::container::inflate::inflate;
use crate::container::runs::{Index, Packing, Run};
use crate::source::blocks::MAX_BLOCK;
use crate::source::{Block, Blocks, SharedSource, with_bytes};

/// The data forks of an image.
pub type Data = SharedSource;

const HEADER: usize = 204;
const RUN: usize = 40;
/// Memory of an xz decoder, at most, in KiB.
const MEMORY: u32 = 160 << 10;

/// One `mish` block: the runs of a partition.
#[derive(Debug)]
pub struct Table {
    /// First byte and length of the partition.
    pub start: u64,
    pub len: u64,
    /// The CRC-32 of its bytes.
    pub crc: Option<u32>,
    runs: Vec<Run>,
}

impl Table {
    pub fn parse(bytes: &[u8]) -> Result<Self, ImageError> {
        let invalid = |what: &str| ImageError::invalid(format!("a table of the DMG is damaged: {what}"));
        if !bytes.starts_with(b"mish") || bytes.len() < HEADER {
            return Err(invalid("it has no header"));
        }
        let count = u32_at(bytes, 200) as usize;
        let entries = bytes[HEADER..].chunks_exact(RUN);
        if entries.len() < count {
            return Err(invalid("it is too short for its runs"));
        }
        let bytes_of = |sectors: u64| sectors.checked_mul(SECTOR).filter(|bytes| *bytes <= LONGEST);
        let too_far = || ImageError::new(ImageErrorKind::Limit, "a table of the DMG goes further than any disc");
        let start = bytes_of(u64_at(bytes, 8)).ok_or_else(too_far)?;
        let len = bytes_of(u64_at(bytes, 16)).ok_or_else(too_far)?;
        let mut runs = Vec::with_capacity(count);
        for entry in entries.take(count) {
            let packing = match u32_at(entry, 0) {
                0 | 2 => Packing::Zeros,
                1 => Packing::Stored,
                0x8000_0004 => Packing::Adc,
                0x8000_0005 => Packing::Zlib,
                0x8000_0006 => Packing::Bzip2,
                0x8000_0007 => Packing::Lzfse,
                0x8000_0008 => Packing::Xz,
                0x7FFF_FFFE => continue,
                0xFFFF_FFFF => break,
                other => return Err(ImageError::unsupported(format!("a DMG packed in an unknown way ({other:#x})"))),
            };
            let first = bytes_of(u64_at(entry, 8)).ok_or_else(too_far)?;
            let size = bytes_of(u64_at(entry, 16)).ok_or_else(too_far)?;
            if size == 0 {
                continue;
            }
            if first + size > len {
                return Err(invalid("a run reaches past its partition"));
            }
            let packed = !matches!(packing, Packing::Zeros | Packing::Stored);
            if packed && size > u64::from(MAX_BLOCK) {
                let message = format!("a DMG run of {size} bytes (at most {MAX_BLOCK} are read)");
                return Err(ImageError::new(ImageErrorKind::Limit, message));
            }
            let at = u64_at(bytes, 24).checked_add(u64_at(entry, 24)).ok_or_else(|| invalid("a run lies nowhere"))?;
            let len = u64_at(entry, 32);
            if packing == Packing::Stored && len < size {
                return Err(invalid("a stored run is shorter than its sectors"));
            }
            at.checked_add(len).ok_or_else(|| invalid("a run lies nowhere"))?;
            runs.push(Run { start: start + first, end: start + first + size, at, len, block: 0, packing });
        }
        Ok(Self { start, len, crc: Crc::stored(&bytes[64..]), runs })
    }
}

/// All runs of an image in order, without gaps.
#[derive(Debug)]
pub struct Runs {
    data: Data,
    index: Index,
    /// Where the last packed byte lies.
    pub end_of_data: u64,
}

impl Runs {
    pub fn new(data: Data, tables: Vec<Table>, total: u64) -> Result<Self, ImageError> {
        let mut stored: Vec<Run> = tables.into_iter().flat_map(|table| table.runs).collect();
        stored.sort_by_key(|run| run.start);
        let mut runs = Self { data, index: Index::new(SECTOR), end_of_data: 0 };
        let past = Run { start: total, end: total, at: 0, len: 0, block: 0, packing: Packing::Zeros };
        for run in stored.into_iter().chain([past]) {
            let end = runs.index.total();
            if run.start < end || run.end > total {
                return Err(ImageError::invalid("the runs of the DMG lie over one another or past its end"));
            }
            // Sectors of no run.
            let gap = Run { start: end, end: run.start, ..past };
            for run in [gap, run].into_iter().filter(|run| run.end > run.start) {
                runs.index.push(run.packing, run.end, run.at, run.len);
                if run.packing != Packing::Zeros {
                    runs.end_of_data = runs.end_of_data.max(run.at + run.len);
                }
            }
        }
        runs.index.shrink();
        Ok(runs)
    }

    fn run_at(&self, offset: u64) -> io::Result<Run> {
        self.index.at(offset).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Blocks for Runs {
    fn total_len(&self) -> u64 {
        self.index.total()
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        Ok(self.run_at(offset)?.block_at(offset))
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        let run = self.run_at(block.start)?;
        if run.packing == Packing::Zeros {
            out.fill(0);
            return Ok(());
        }
        if run.packing == Packing::Stored {
            return self.data.read_exact_at(out, run.at + (block.start - run.start));
        }
        // Nothing grows by more than this when it is packed.
        if run.len > out.len() as u64 * 2 + 4096 {
            return Err(damaged("a run of the DMG is longer than what it decodes to"));
        }
        if run.at + run.len > self.data.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let broken = |_| damaged("a run of the DMG is damaged");
        with_bytes(&self.data, run.at, run.len as usize, |packed| match run.packing {
            Packing::Zeros | Packing::Stored => Ok(()),
            Packing::Adc => adc::decode(packed, out),
            Packing::Zlib => inflate(packed, true, out).map(drop),
            Packing::Bzip2 => BzDecoder::new(&*packed).read_exact(out).map_err(broken),
            Packing::Lzfse => LzfseRingDecoder::default().reader_bytes(packed).read_exact(out).map_err(broken),
            Packing::Xz => XzReader::new_mem_limit(&*packed, false, MEMORY).read_exact(out).map_err(broken),
            Packing::Lzma | Packing::Encrypted => Err(broken(io::ErrorKind::Unsupported.into())),
        })
    }

    fn stored(&self, block: &Block) -> Option<(SharedSource, u64)> {
        let run = self.run_at(block.start).ok().filter(|run| run.packing == Packing::Stored)?;
        Some((Arc::clone(&self.data), run.at + (block.start - run.start)))
    }
}
