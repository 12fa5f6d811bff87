//! The list of data: which sectors are packed how, and where.

use std::io;
use std::sync::Arc;

use super::cipher::Encryption;
use super::description::Codec;
use super::trailer::Trailer;
use crate::container::runs::{Index, Packing, Run};
use crate::container::{ImageError, ImageErrorKind, damaged};
use crate::source::blocks::MAX_BLOCK;
use crate::source::{Block, Blocks, SharedSource};

/// Bytes of an entry.
pub const ENTRY: usize = 24;
/// Bytes of the longest disc: four layers of Blu-ray, raw.
const LONGEST: u64 = 1 << 38;

/// The data of an image.
#[derive(Debug)]
pub struct Data {
    source: SharedSource,
    index: Index,
    total: u64,
    codec: Codec,
    encryption: Encryption,
}

impl Data {
    pub fn new(
        source: SharedSource,
        mut list: Vec<u8>,
        trailer: &Trailer,
        codec: Codec,
        encryption: Encryption,
    ) -> Result<Self, ImageError> {
        let sector = u64::from(trailer.sector);
        let (whole, total) = (u64::from(trailer.sectors) * sector, trailer.total());
        if sector == 0 || total == 0 || whole > LONGEST {
            let message = format!("{} sectors of {sector} bytes make no disc", trailer.sectors);
            return Err(ImageError::new(ImageErrorKind::Limit, message));
        }
        // In place: a list can be long, and runs would take twice as much.
        let entries = list.as_chunks_mut::<ENTRY>().0;
        entries.sort_unstable_by_key(|entry| number(entry, 12));
        let mut index = Index::new(sector);
        let past = Run { start: whole, end: whole, at: 0, len: 0, block: 0, packing: Packing::Zeros };
        let runs = entries.iter().map(|entry| run(entry, trailer, encryption.leaves_data(), codec));
        for run in runs.chain([Ok(past)]) {
            let (run, end) = (run?, index.total());
            if run.start == run.end && run != past {
                continue;
            }
            if run.start < end || run.end > whole {
                return Err(ImageError::invalid("the blocks of the UIF lie over one another or past its end"));
            }
            // Sectors of no entry.
            let gap = Run { start: end, end: run.start, ..past };
            for run in [gap, run].into_iter().filter(|run| run.end > run.start) {
                index.push(run.packing, run.end, run.at, run.len);
            }
        }
        index.shrink();
        Ok(Self { source, index, total, codec, encryption })
    }

    fn run_at(&self, offset: u64) -> io::Result<Run> {
        self.index.at(offset).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Bytes that lie in the file, with zeros after them where they are too few.
    fn stored_bytes(&self, run: &Run, skip: u64, out: &mut [u8]) -> io::Result<()> {
        let there = run.len.saturating_sub(skip).min(out.len() as u64) as usize;
        let (stored, zeros) = out.split_at_mut(there);
        zeros.fill(0);
        self.source.read_exact_at(stored, run.at.saturating_add(skip))
    }
}

fn number(entry: &[u8; ENTRY], at: usize) -> u32 {
    u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]])
}

fn run(entry: &[u8; ENTRY], trailer: &Trailer, in_clear: bool, codec: Codec) -> Result<Run, ImageError> {
    let number = |at: usize| number(entry, at);
    let at = u64::from(number(4)) << 32 | u64::from(number(0));
    let sector = u64::from(trailer.sector);
    let start = u64::from(number(12)) * sector;
    let end = (u64::from(number(16)) * sector).checked_add(start);
    let end = end.ok_or_else(|| ImageError::invalid("a block of the UIF lies past the end of any disc"))?;
    if at.checked_add(end - start).is_none() {
        return Err(ImageError::invalid("a block of the UIF lies past the end of any file"));
    }
    let packing = match number(20) {
        3 => Packing::Zeros,
        1 if in_clear => Packing::Stored,
        1 => Packing::Encrypted,
        5 if codec == Codec::Zlib => Packing::Zlib,
        5 => Packing::Lzma,
        other => return Err(ImageError::unsupported(format!("a block of the UIF of unknown kind {other}"))),
    };
    let whole = !matches!(packing, Packing::Zeros | Packing::Stored);
    if whole && end - start > u64::from(MAX_BLOCK) {
        let message = format!("a block of {} bytes (at most {MAX_BLOCK} are read)", end - start);
        return Err(ImageError::new(ImageErrorKind::Limit, message));
    }
    Ok(Run { start, end, at, len: number(8).into(), block: 0, packing })
}

impl Blocks for Data {
    fn total_len(&self) -> u64 {
        self.total
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let block = self.run_at(offset)?.block_at(offset);
        Ok(Block { len: (self.total - block.start).min(block.len.into()) as u32, ..block })
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        let run = self.run_at(block.start)?;
        match run.packing {
            Packing::Zeros => {
                out.fill(0);
                Ok(())
            }
            Packing::Stored => self.stored_bytes(&run, block.start - run.start, out),
            _ => {
                let whole = (run.end - run.start) as usize;
                // No packing makes more of a block than this.
                if run.len > whole as u64 + whole as u64 / 8 + 4096 {
                    return Err(damaged("a block is longer than any packing makes it"));
                }
                if run.at.checked_add(run.len).is_none_or(|end| end > self.source.len()) {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let mut bytes = vec![0; run.len as usize];
                self.source.read_exact_at(&mut bytes, run.at)?;
                self.encryption.decrypt_data(&mut bytes);
                if run.packing == Packing::Encrypted {
                    bytes.resize(whole, 0);
                    out.copy_from_slice(&bytes[..out.len()]);
                    return Ok(());
                }
                self.codec.unpack(&bytes, whole, out)
            }
        }
    }

    fn stored(&self, block: &Block) -> Option<(SharedSource, u64)> {
        let run = self.run_at(block.start).ok()?;
        let skip = block.start - run.start;
        let there = run.packing == Packing::Stored && skip + u64::from(block.len) <= run.len;
        there.then(|| (Arc::clone(&self.source), run.at.saturating_add(skip)))
    }
}
