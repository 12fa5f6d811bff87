//! Streams whose pieces can be decoded alone.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::super::{Check, Content, OpenContext};
use super::index::Index;
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

/// Whether a piece is longer than any packer makes what it decodes to. Its packed bytes are held while it is decoded.
pub fn is_padded_out(packed: u64, decoded: u64) -> bool {
    packed > decoded.saturating_add(decoded / 4).saturating_add(64 << 10)
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
    index: Index,
    codec: C,
}

/// The decoded bytes of the pieces of `index`, and the check of them all.
pub fn content<C: Codec + 'static>(
    source: &SharedSource,
    mut index: Index,
    codec: C,
    what: &'static str,
    cx: &OpenContext<'_>,
) -> Content {
    index.shrink();
    let blocks: Arc<dyn Blocks> = Arc::new(Pieces { source: SharedSource::clone(source), index, codec });
    let content: SharedSource = Arc::new(BlockSource::new(blocks, Arc::clone(cx.cache)));
    cx.offer_check(Arc::new(PiecesCheck { content: SharedSource::clone(&content), what }));
    Content::new(content)
}

impl<C: Codec> Blocks for Pieces<C> {
    fn total_len(&self) -> u64 {
        self.index.total()
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let (index, start, piece) = self.index.at(offset).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Block { index, start, len: u32::try_from(piece.decoded).unwrap_or(u32::MAX) })
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        let (_, _, piece) = self.index.at(block.start).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.codec.decode(&self.source, &piece, out)
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
