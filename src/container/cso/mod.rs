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
use std::ops::Range;
use std::sync::Arc;

pub use self::ciso::{Cso, Zso};
pub use self::dax::Dax;
pub use self::jso::Jso;
use super::inflate::inflate;
use super::{Content, ImageError, ImageErrorKind, OpenContext, damaged};
use crate::source::{Block, BlockSource, Blocks, ByteSource, SharedSource, each_block, with_bytes};

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
    /// Where block `number` lies, whose decoded length is `len`. Reads its entry from `table`, which is the file or the part of it
    /// with the [`entries`](Self::entries).
    fn place(&self, table: &dyn ByteSource, number: u64, len: u32) -> io::Result<Place>;

    /// Where the entries of `count` blocks from `first` on are, if they are in one place.
    fn entries(&self, _first: u64, _count: u64) -> Option<Range<u64>> {
        None
    }
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
        self.index.place(&*self.source, block.index, block.len)
    }

    /// Where the blocks from `first` on lie that are `len` bytes together, by one read of the table.
    fn places(&self, first: &Block, len: usize) -> io::Result<Vec<Place>> {
        let count = (len as u64).div_ceil(u64::from(self.block));
        let part = self.index.entries(first.index, count).map(|at| Part::read(&*self.source, at)).transpose()?;
        let table: &dyn ByteSource = part.as_ref().map_or(&*self.source, |part| part);
        let blocks = (0..count).map(|number| {
            let left = len as u64 - number * u64::from(self.block);
            self.index.place(table, first.index + number, left.min(u64::from(self.block)) as u32)
        });
        blocks.collect()
    }

    /// Padding can make a packed block longer than its content, by any amount: this much is never needed.
    fn most(&self) -> u64 {
        u64::from(self.block) + u64::from(self.block / 8) + 1024
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

    fn even(&self) -> Option<u32> {
        Some(self.block)
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        let place = self.place(block)?;
        if place.packing == Packing::Stored {
            return self.source.read_exact_at(out, place.offset);
        }
        let there = self.source.len().saturating_sub(place.offset);
        let len = place.len.min(self.most()).min(there) as usize;
        with_bytes(&self.source, place.offset, len, |packed| {
            let result = unpack(place.packing, packed, out);
            // A block that the end of the file cuts off may still be whole: its padding can be what is missing.
            result.map_err(|error| if place.len > there { io::ErrorKind::UnexpectedEof.into() } else { error })
        })
    }

    /// With one read for the table and one for what is packed, where the blocks lie one after another as all writers lay them.
    fn decode_run(&self, first: &Block, out: &mut [u8]) -> io::Result<()> {
        let places = self.places(first, out.len())?;
        let start = places.first().map_or(0, |place| place.offset);
        let end = places.last().map_or(0, |place| place.offset.saturating_add(place.len));
        let ascend = places.is_sorted_by(|this, next| this.offset.saturating_add(this.len) <= next.offset);
        let most = self.most() * places.len() as u64;
        if !ascend || end > self.source.len() || end - start > most {
            return each_block(self, first.start, out, |block, out| self.decode(&block, out));
        }
        with_bytes(&self.source, start, (end - start) as usize, |packed| {
            for (place, out) in places.iter().zip(out.chunks_mut(self.block as usize)) {
                let packed = &packed[(place.offset - start) as usize..][..place.len.min(self.most()) as usize];
                unpack(place.packing, packed, out)?;
            }
            Ok(())
        })
    }

    fn stored(&self, block: &Block) -> Option<(SharedSource, u64)> {
        let place = self.place(block).ok()?;
        (place.packing == Packing::Stored).then(|| (Arc::clone(&self.source), place.offset))
    }

    fn stored_run(&self, first: &Block, len: usize) -> Option<(SharedSource, u64)> {
        let places = self.places(first, len).ok()?;
        let start = places.first()?.offset;
        let follow = (0_u64..)
            .step_by(self.block as usize)
            .zip(&places)
            .all(|(done, place)| place.packing == Packing::Stored && start.checked_add(done) == Some(place.offset));
        follow.then(|| (Arc::clone(&self.source), start))
    }
}

/// Fills `out` with the content of a block.
fn unpack(packing: Packing, packed: &[u8], out: &mut [u8]) -> io::Result<()> {
    match packing {
        Packing::Stored => {
            let stored = packed.get(..out.len()).ok_or_else(|| damaged("a stored block is too short"))?;
            out.copy_from_slice(stored);
            Ok(())
        }
        Packing::Deflate => inflate(packed, false, out).map(drop),
        Packing::Zlib => inflate(packed, true, out).map(drop),
        Packing::AnyDeflate => inflate(packed, true, out).or_else(|_| inflate(packed, false, out)).map(drop),
        Packing::Lz4 => lz4::decode(packed, out),
        Packing::Lzo => lzo::decode(packed, out),
    }
}

/// A part of a file that has been read, at its place.
#[derive(Debug)]
struct Part {
    start: u64,
    bytes: Vec<u8>,
}

impl Part {
    fn read(source: &dyn ByteSource, at: Range<u64>) -> io::Result<Self> {
        let mut bytes = vec![0; (at.end - at.start) as usize];
        source.read_exact_at(&mut bytes, at.start)?;
        Ok(Self { start: at.start, bytes })
    }
}

impl ByteSource for Part {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let at = offset.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        let bytes = at.and_then(|at| self.bytes.get(at..)?.get(..buf.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(bytes);
        Ok(())
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
    if let Ok(last) = packed.index.place(&*packed.source, count - 1, rest as u32)
        && last.offset.saturating_add(if last.packing == Packing::Stored { rest } else { last.len })
            > packed.source.len()
    {
        cx.warn("the file is cut off: the blocks that are missing cannot be read");
    }
    Ok(Content::new(Arc::new(BlockSource::new(Arc::new(packed), Arc::clone(cx.cache)))))
}

/// Two table entries of four bytes, the one of block `number` and the next.
fn pair(source: &dyn ByteSource, table: u64, number: u64) -> io::Result<(u32, u32)> {
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
