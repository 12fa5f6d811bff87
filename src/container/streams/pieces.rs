//! Streams whose pieces can be decoded alone.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::super::{Check, Content, OpenContext};
use super::spool::is_damage;
use crate::source::{Block, BlockSource, Blocks, SharedSource};

/// A piece of a stream: where its packed bytes lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Its first byte in the file.
    pub at: u64,
    /// Packed bytes.
    pub packed: u64,
    /// Decoded bytes; none for what only describes.
    pub decoded: u64,
}

/// Decodes one piece.
pub trait Codec: Send + Sync + fmt::Debug {
    /// Decodes `piece` into `out`, which is as long as it decodes to, and holds it against its checksum.
    ///
    /// # Errors
    /// `InvalidData` when it does not decode to that, or what the source reports.
    fn decode(&self, source: &SharedSource, piece: &Piece, out: &mut [u8]) -> io::Result<()>;
}

/// A stream as blocks, a piece each.
#[derive(Debug)]
struct Pieces<C> {
    source: SharedSource,
    /// Place and packed length of each piece that decodes to something, and where its decoded bytes end.
    pieces: Vec<(u64, u64, u64)>,
    codec: C,
}

/// The decoded bytes of `pieces`, and the check of them all.
pub fn content<C: Codec + 'static>(
    source: &SharedSource,
    pieces: impl Iterator<Item = Piece>,
    codec: C,
    what: &'static str,
    cx: &OpenContext<'_>,
) -> Content {
    let mut end = 0;
    let pieces = pieces.filter(|piece| piece.decoded > 0).map(|piece| {
        end += piece.decoded;
        (piece.at, piece.packed, end)
    });
    let blocks: Arc<dyn Blocks> =
        Arc::new(Pieces { source: SharedSource::clone(source), pieces: pieces.collect(), codec });
    let content: SharedSource = Arc::new(BlockSource::new(blocks, Arc::clone(cx.cache)));
    cx.offer_check(Arc::new(PiecesCheck { content: SharedSource::clone(&content), what }));
    Content::new(content)
}

impl<C: Codec> Blocks for Pieces<C> {
    fn total_len(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.2)
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let index = self.pieces.partition_point(|piece| piece.2 <= offset);
        let end = self.pieces.get(index).ok_or(io::ErrorKind::UnexpectedEof)?.2;
        let start = index.checked_sub(1).map_or(0, |before| self.pieces[before].2);
        Ok(Block { index: index as u64, start, len: u32::try_from(end - start).unwrap_or(u32::MAX) })
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        let &(at, packed, _) = self.pieces.get(block.index as usize).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.codec.decode(&self.source, &Piece { at, packed, decoded: out.len() as u64 }, out)
    }
}

/// The checksums of all pieces.
#[derive(Debug)]
struct PiecesCheck {
    content: SharedSource,
    what: &'static str,
}

impl Check for PiecesCheck {
    fn name(&self) -> String {
        format!("checksums of {}", self.what)
    }

    fn bytes(&self) -> u64 {
        self.content.len()
    }

    fn run(&self, progress: &dyn Fn(u64)) -> io::Result<bool> {
        let mut buf = vec![0; 1 << 20];
        let mut at = 0;
        while at < self.content.len() {
            let step = (self.content.len() - at).min(buf.len() as u64) as usize;
            match self.content.read_exact_at(&mut buf[..step], at) {
                Ok(()) => progress(step as u64),
                Err(error) if is_damage(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
            at += step as u64;
        }
        Ok(true)
    }
}
