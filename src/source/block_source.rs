//! Decoded blocks as a source: which pieces a read is made of, and what is decoded ahead of it.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::blocks::{Block, Blocks, contradiction, located};
use super::cache::BlockCache;
use super::frames::{Decoded, Frames};
use super::shelf::{Content, Key, Piece};
use super::unit::{Kind, Unit};
use super::{ByteSource, Scatter, SharedSource, Spaced, check_range, waits};

/// The decoded bytes of [`Blocks`] as a source, through a shared cache.
///
/// Where all blocks have one short length they are decoded and kept in groups, if a read covers the group or reads follow one
/// another. Other reads decode the blocks that they need and no more.
pub struct BlockSource {
    blocks: Arc<dyn Blocks>,
    cache: Arc<BlockCache>,
    id: u64,
    groups: Option<Groups>,
    /// Where the last read ended, and how many were read one after another.
    next: AtomicU64,
    run: AtomicU64,
    /// Up to which decoded byte later blocks have been asked for.
    asked: AtomicU64,
}

/// Groups of several blocks of one length.
#[derive(Debug, Clone, Copy)]
struct Groups {
    /// Blocks of a group.
    count: u64,
    /// Decoded bytes of a group.
    len: u64,
}

/// How many pieces must be read in order before later ones are decoded ahead.
const SEQUENTIAL: u64 = 2;

impl BlockSource {
    /// A source over `blocks`.
    #[must_use]
    pub fn new(blocks: Arc<dyn Blocks>, cache: Arc<BlockCache>) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let groups = blocks.even().and_then(|len| {
            let count = cache.group(len);
            (count > 1 && len > 0).then(|| Groups { count, len: count * u64::from(len) })
        });
        let [next, run, asked] = std::array::from_fn(|_| AtomicU64::new(0));
        Self { blocks, cache, id, groups, next, run, asked }
    }

    /// Calls `each` with the parts of `offset .. offset + count` in order, of which `frames` are wanted. What is stored in one run is
    /// one part.
    fn parts(
        &self,
        offset: u64,
        count: usize,
        frames: Option<Frames>,
        mut each: impl FnMut(Part<'_>, usize, usize) -> io::Result<()>,
    ) -> io::Result<()> {
        check_range(offset, count, self.blocks.total_len())?;
        let mut run: Option<Run> = None;
        let mut done = 0;
        while done < count {
            let at = offset + done as u64;
            let from = self.from(at, count - done, frames)?;
            let (start, len) = match &from {
                From::Piece(piece) => (piece.start, piece.len),
                From::Stored(block, ..) => (block.start, block.len as usize),
            };
            let skip = at.checked_sub(start).map_or(usize::MAX, |skip| skip as usize);
            let step = len.checked_sub(skip).filter(|&rest| rest > 0).ok_or_else(contradiction)?.min(count - done);
            let stored = match &from {
                From::Stored(_, source, start) => Some((source, *start)),
                From::Piece(piece) => match &piece.content {
                    Content::Stored(source, start) => Some((source, *start)),
                    Content::Decoded(bytes, frames) => {
                        if let Some(run) = run.take() {
                            each(Part::Stored(&run.source, run.start), run.done, run.len)?;
                        }
                        each(Part::Decoded(Decoded::new(bytes, *frames), skip), done, step)?;
                        None
                    }
                },
            };
            if let Some((source, start)) = stored {
                let start = start.checked_add(skip as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
                match &mut run {
                    Some(run) if run.goes_on_at(source, start) => run.len += step,
                    _ => {
                        let next = Run { source: Arc::clone(source), start, done, len: step };
                        if let Some(run) = run.replace(next) {
                            each(Part::Stored(&run.source, run.start), run.done, run.len)?;
                        }
                    }
                }
            }
            done += step;
        }
        match run {
            Some(run) => each(Part::Stored(&run.source, run.start), run.done, run.len),
            None => Ok(()),
        }
    }

    /// Where the bytes from `at` on come from, of which `wanted` are read, or `frames` in them.
    fn from(&self, at: u64, wanted: usize, frames: Option<Frames>) -> io::Result<From> {
        if let Some(unit) = self.group_at(at, frames) {
            if let Some(piece) = self.cache.ready(unit.key) {
                waits::did_not_happen();
                self.note(at, wanted, &unit);
                return Ok(From::Piece(piece));
            }
            let covered = at == unit.start && wanted >= unit.len;
            if self.note(at, wanted, &unit) || covered {
                // One damaged block is no reason to keep the others of its group back.
                if let Ok(piece) = self.cache.get(&self.blocks, &unit) {
                    return Ok(From::Piece(piece));
                }
            }
        }
        let block = located(&*self.blocks, at)?;
        let unit = self.block(&block);
        // Whether it is stored stands in the index, which is a file: what has been decoded is found without.
        let ready = self.cache.ready(unit.key);
        if ready.is_none()
            && let Some((source, start)) = self.blocks.stored(&block)
        {
            return Ok(From::Stored(block, source, start));
        }
        let piece = match ready {
            Some(piece) => {
                waits::did_not_happen();
                piece
            }
            None => {
                waits::happened();
                self.cache.get(&self.blocks, &unit)?
            }
        };
        if self.groups.is_none() {
            self.note(at, wanted, &unit);
        }
        Ok(From::Piece(piece))
    }

    /// The group with the byte `at`, where there are groups; to be arranged by `frames`, if it consists of them.
    fn group_at(&self, at: u64, frames: Option<Frames>) -> Option<Unit> {
        let Groups { count, len } = self.groups?;
        let index = at / len;
        let start = index * len;
        let bytes = (self.blocks.total_len() - start).min(len);
        let blocks = bytes.div_ceil(len / count);
        let frames = frames.filter(|frames| frames.divide(start, bytes as usize));
        let kind = Kind::Group { first: index * count, count: blocks, frames };
        Some(Unit { key: Key::group(self.id, index), start, len: bytes as usize, kind })
    }

    fn block(&self, block: &Block) -> Unit {
        let group = self.groups.map(|groups| Key::group(self.id, block.index / groups.count));
        let key = Key::block(self.id, block.index);
        Unit { key, start: block.start, len: block.len as usize, kind: Kind::Block { index: block.index, group } }
    }

    /// What is decoded and kept as one when reads follow one another.
    fn unit_at(&self, at: u64, frames: Option<Frames>) -> io::Result<Unit> {
        match self.group_at(at, frames) {
            Some(unit) => Ok(unit),
            None => Ok(self.block(&located(&*self.blocks, at)?)),
        }
    }

    /// Notes that up to `wanted` bytes of `unit` are read from `at` on. True when the last few reads were in order; the units
    /// after this one are decoded ahead then. Less than a unit may be left out between two reads, such as the subchannel of a sector,
    /// and less than a unit may be read again.
    fn note(&self, at: u64, wanted: usize, unit: &Unit) -> bool {
        let end = unit.start + unit.len as u64;
        let (expected, read) = (self.next.load(Ordering::Relaxed), end.min(at + wanted as u64));
        if at.abs_diff(expected) > unit.len as u64 {
            self.next.store(read, Ordering::Relaxed);
            self.run.store(0, Ordering::Relaxed);
            return false;
        }
        if at < expected {
            self.next.store(read.max(expected), Ordering::Relaxed);
            return self.run.load(Ordering::Relaxed) >= SEQUENTIAL;
        }
        self.next.store(read, Ordering::Relaxed);
        if self.run.fetch_add(1, Ordering::Relaxed) + 1 < SEQUENTIAL {
            return false;
        }
        self.read_ahead(unit);
        true
    }

    /// Has the units behind `unit` decoded, which are about as long and arranged as it is.
    fn read_ahead(&self, unit: &Unit) {
        let Unit { start, len, kind, .. } = *unit;
        let frames = if let Kind::Group { frames, .. } = kind { frames } else { None };
        let end = start + len as u64;
        let ahead = self.cache.ahead(len);
        let until = end.saturating_add(ahead as u64 * len as u64).min(self.blocks.total_len());
        let asked = self.asked.load(Ordering::Relaxed);
        // Left over from another place.
        let mut at = if (end..=until).contains(&asked) { asked } else { end };
        // Units are asked for many at a time, so that the threads that decode them rarely fall asleep between two.
        if at > end && at - end > (until - end) / 2 {
            return;
        }
        while at < until {
            let Ok(next) = self.unit_at(at, frames) else { break };
            if !self.is_stored(&next) && !self.cache.prefetch(&self.blocks, next) {
                break;
            }
            at = next.start + next.len as u64;
        }
        self.asked.store(at, Ordering::Relaxed);
    }

    /// A single block that is read without the cache. Of a group the cache keeps where it is stored.
    fn is_stored(&self, unit: &Unit) -> bool {
        match unit.kind {
            Kind::Group { .. } => false,
            Kind::Block { .. } if self.cache.knows(unit.key) => false,
            Kind::Block { index, .. } => self.blocks.stored(&unit.block(index)).is_some(),
        }
    }
}

/// Where a read's bytes come from.
enum From {
    Piece(Arc<Piece>),
    /// A block by itself, stored as it is.
    Stored(Block, SharedSource, u64),
}

/// A part of a read.
enum Part<'a> {
    Stored(&'a SharedSource, u64),
    /// From this byte on.
    Decoded(Decoded<'a>, usize),
}

/// Stored bytes that have been found but not read yet: what follows may go on there.
struct Run {
    source: SharedSource,
    start: u64,
    /// Where in the read they belong.
    done: usize,
    len: usize,
}

impl Run {
    fn goes_on_at(&self, source: &SharedSource, start: u64) -> bool {
        Arc::ptr_eq(&self.source, source) && self.start.checked_add(self.len as u64) == Some(start)
    }
}

impl fmt::Debug for BlockSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BlockSource").field(&self.blocks).finish()
    }
}

impl Drop for BlockSource {
    fn drop(&mut self) {
        self.cache.forget(self.id);
    }
}

impl ByteSource for BlockSource {
    fn len(&self) -> u64 {
        self.blocks.total_len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.parts(offset, buf.len(), None, |part, done, step| {
            let out = &mut buf[done..done + step];
            match part {
                Part::Stored(source, start) => source.read_exact_at(out, start),
                Part::Decoded(decoded, at) => {
                    decoded.copy_to(at, out);
                    Ok(())
                }
            }
        })
    }

    fn read_scatter_at(&self, out: Scatter<'_>, offset: u64) -> io::Result<()> {
        self.parts(offset, out.len(), None, |part, done, step| {
            let out = out.slice(done, step);
            match part {
                Part::Stored(source, start) => source.read_scatter_at(out, start),
                Part::Decoded(decoded, at) => {
                    decoded.scatter(at, out);
                    Ok(())
                }
            }
        })
    }

    /// Each piece is found once, whatever the number of blocks in it.
    fn read_blocks_at(&self, out: Scatter<'_>, blocks: Spaced, offset: u64) -> io::Result<()> {
        let Spaced { block, gap } = blocks;
        if gap == 0 || block == 0 {
            return self.read_scatter_at(out, offset);
        }
        let stride = block.saturating_add(gap);
        self.parts(offset, blocks.span(out.len()), Frames::wanted(blocks, offset), |part, done, step| {
            let (mut at, end) = (done, done + step);
            while at < end {
                let (number, within) = (at / stride, at % stride);
                if within >= block {
                    at += stride - within;
                    continue;
                }
                let to = number * block + within;
                let len = (block - within).min(end - at);
                // Whole blocks at once, what is cut off at either end by itself.
                let whole = if within == 0 { (end - at).saturating_add(gap) / stride } else { 0 };
                let passed = at - done;
                match part {
                    Part::Decoded(decoded, from) if whole > 0 => {
                        decoded.scatter_blocks(from + passed, out.slice(to, whole * block), blocks);
                    }
                    Part::Decoded(decoded, from) => decoded.scatter(from + passed, out.slice(to, len)),
                    Part::Stored(source, start) => {
                        let start = start.checked_add(passed as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
                        if whole > 0 {
                            source.read_blocks_at(out.slice(to, whole * block), blocks, start)?;
                        } else {
                            source.read_scatter_at(out.slice(to, len), start)?;
                        }
                    }
                }
                at += if whole > 0 { whole * stride } else { len };
            }
            Ok(())
        })
    }

    /// Blocks that are to be decoded wait in the cache's queue; of those stored as they are the file is told.
    fn read_ahead(&self, range: Range<u64>) {
        let end = range.end.min(self.blocks.total_len());
        let mut at = range.start;
        while at < end {
            let Ok(block) = located(&*self.blocks, at) else { return };
            let next = block.start + u64::from(block.len);
            let unit = self.block(&block);
            let group = self.group_at(at, None).is_some_and(|group| self.cache.knows(group.key));
            if !group && !self.cache.knows(unit.key) {
                match self.blocks.stored(&block) {
                    Some((source, start)) => source.read_ahead(start..start.saturating_add(u64::from(block.len))),
                    None if self.cache.prefetch(&self.blocks, unit) => {}
                    None => return,
                }
            }
            if next <= at {
                return;
            }
            at = next;
        }
    }
}
