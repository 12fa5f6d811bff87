//! CSO, ZSO, DAX and JSO: an image of 2,048-byte sectors cut into blocks of one size, each packed for itself, with a table that
//! says where they lie (formats.md, 14).
//!
//! The tables are never held in memory: an entry is read from the file when its block is wanted, and checked there.

mod bytes;
mod ciso;
mod dax;
mod jso;
mod lz4;
mod lzo;

use std::fmt;
use std::io;
use std::sync::Arc;

pub use self::ciso::{Cso, Zso};
pub use self::dax::Dax;
pub use self::jso::Jso;
use super::inflate::inflate;
use super::{Content, ImageError, ImageErrorKind, OpenContext, damaged};
use crate::source::{Block, BlockSource, Blocks, SharedSource};

/// Block sizes that are read (formats.md, C).
const SMALLEST: u32 = 512;
const LARGEST: u32 = 16 << 20;

/// How a block is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Stored,
    /// Deflate without header.
    Deflate,
    /// Deflate with the header of zlib.
    Zlib,
    /// Either of them: writers differ.
    AnyDeflate,
    Lz4,
    Lzo,
}

/// Where a block lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    /// Bytes up to the next block; what pads it is among them.
    len: u64,
    packing: Packing,
}

/// The table of a file.
trait Index: Send + Sync + fmt::Debug {
    /// Where block `number` lies, whose decoded length is `len`.
    fn place(&self, source: &SharedSource, number: u64, len: u32) -> io::Result<Place>;
}

/// The blocks of a file with table `index`.
#[derive(Debug)]
struct Packed<I> {
    source: SharedSource,
    total: u64,
    block: u32,
    index: I,
}

impl<I: Index> Packed<I> {
    fn place(&self, block: &Block) -> io::Result<Place> {
        self.index.place(&self.source, block.index, block.len)
    }
}

impl<I: Index> Blocks for Packed<I> {
    fn total_len(&self) -> u64 {
        self.total
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let index = offset / u64::from(self.block);
        let start = index * u64::from(self.block);
        Ok(Block { index, start, len: (self.total - start).min(u64::from(self.block)) as u32 })
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        let place = self.place(block)?;
        if place.packing == Packing::Stored {
            return self.source.read_exact_at(out, place.offset);
        }
        // Padding can make a packed block longer than its content, by any amount: that much is never needed.
        let most = u64::from(self.block) + u64::from(self.block / 8) + 1024;
        let there = self.source.len().saturating_sub(place.offset);
        let mut packed = vec![0; place.len.min(most).min(there) as usize];
        self.source.read_exact_at(&mut packed, place.offset)?;
        let result = match place.packing {
            Packing::Stored => Ok(()),
            Packing::Deflate => inflate(&packed, false, out).map(drop),
            Packing::Zlib => inflate(&packed, true, out).map(drop),
            Packing::AnyDeflate => inflate(&packed, true, out).or_else(|_| inflate(&packed, false, out)).map(drop),
            Packing::Lz4 => lz4::decode(&packed, out),
            Packing::Lzo => lzo::decode(&packed, out),
        };
        // A block that the end of the file cuts off may still be whole: its padding can be what is missing.
        result.map_err(|error| if place.len > there { io::ErrorKind::UnexpectedEof.into() } else { error })
    }

    fn stored(&self, block: &Block) -> Option<(SharedSource, u64)> {
        let place = self.place(block).ok()?;
        (place.packing == Packing::Stored).then(|| (Arc::clone(&self.source), place.offset))
    }
}

/// A header's numbers, held against each other and against the file: how many blocks there are.
fn blocks(source: &SharedSource, total: u64, block: u32, table: u64, entry: u64) -> Result<u64, ImageError> {
    if !(SMALLEST..=LARGEST).contains(&block) {
        let message = format!("blocks of {block} bytes: the file is damaged (at most {LARGEST} are read)");
        return Err(ImageError::new(ImageErrorKind::Limit, message));
    }
    if total == 0 {
        return Err(ImageError::invalid("the header says that the image is empty"));
    }
    let count = total.div_ceil(u64::from(block));
    let end = count.checked_mul(entry).and_then(|bytes| bytes.checked_add(table));
    if end.is_none_or(|end| end > source.len()) {
        let message = format!("the table of {count} blocks is longer than the file: the file is damaged or cut off");
        return Err(ImageError::invalid(message).at(table));
    }
    Ok(count)
}

/// The decoded bytes.
fn content<I: Index + 'static>(packed: Packed<I>, count: u64, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
    let rest = packed.total - (count - 1) * u64::from(packed.block);
    if let Ok(last) = packed.index.place(&packed.source, count - 1, rest as u32)
        && last.offset.saturating_add(if last.packing == Packing::Stored { rest } else { last.len })
            > packed.source.len()
    {
        cx.warn("the file is cut off: the blocks that are missing cannot be read");
    }
    Ok(Content::new(Arc::new(BlockSource::new(Arc::new(packed), Arc::clone(cx.cache)))))
}

/// Two table entries of four bytes, the one of block `number` and the next.
fn pair(source: &SharedSource, table: u64, number: u64) -> io::Result<(u32, u32)> {
    let mut bytes = [0; 8];
    source.read_exact_at(&mut bytes, table + number * 4)?;
    let [a, b, c, d, rest @ ..] = bytes;
    Ok((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(rest)))
}

/// The bytes from one block to the next, which must not lie before it.
fn between(start: u64, end: u64) -> io::Result<u64> {
    end.checked_sub(start).ok_or_else(|| damaged("the block table is damaged: it does not ascend"))
}

/// Numbers of a header that the probe has shown to be there.
fn u32_at(header: &[u8], at: usize) -> u32 {
    header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn header<const N: usize>(source: &SharedSource) -> Result<[u8; N], ImageError> {
    let mut header = [0; N];
    match source.read_exact_at(&mut header, 0) {
        Ok(()) => Ok(header),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(ImageError::invalid("the file ends inside its header"))
        }
        Err(error) => Err(ImageError::io(error)),
    }
}
