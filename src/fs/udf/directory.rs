//! Directories: file identifier descriptors, one after another without regard to blocks (ECMA-167, 4/14.4).

use super::super::node::Listing;
use super::super::read::{BLOCK, Fields, Piece, range_of};
use super::super::{FsError, Node};
use super::descriptor::{tag, tag_anywhere};
use super::entry::Reader;
use super::text;

/// File characteristics (ECMA-167, 4/14.4.3).
const DELETED: u8 = 1 << 2;
const PARENT: u8 = 1 << 3;

/// Reads the directory whose contents lie in `pieces`.
pub(super) fn read(reader: &Reader<'_>, pieces: &[Piece]) -> Listing {
    let mut listing = Listing::default();
    let mut window = Window { reader, pieces, next: 0, at: 0, bytes: Vec::new() };
    loop {
        let identifier = match window.identifier() {
            Ok(Some(identifier)) => identifier,
            Ok(None) => break,
            Err(error) => {
                listing.problem(error);
                break;
            }
        };
        if identifier.characteristics & (DELETED | PARENT) != 0 {
            continue;
        }
        let node = reader
            .entry(identifier.partition, identifier.block)
            .and_then(|entry| reader.node(&entry))
            .map(|node| Node { name: identifier.name.into_bytes(), ..node });
        match node.and_then(|node| listing.push(node)) {
            Ok(()) => {}
            Err(error @ FsError::Limit { .. }) => {
                listing.problem(error);
                break;
            }
            Err(error) => listing.problem(error),
        }
    }
    listing
}

struct Identifier {
    characteristics: u8,
    name: String,
    partition: u16,
    block: u32,
}

/// The part of a directory that is in memory: as much as one identifier needs.
struct Window<'a> {
    reader: &'a Reader<'a>,
    pieces: &'a [Piece],
    /// The piece to be read next, and the byte in it.
    next: usize,
    at: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    fn identifier(&mut self) -> Result<Option<Identifier>, FsError> {
        if !self.fill(38)? {
            // Fewer bytes than a descriptor has are padding.
            return Ok(None);
        }
        let (name, used) = (usize::from(self.bytes.u8(19)), usize::from(self.bytes.le16(36)));
        let total = (38 + name + used).next_multiple_of(4);
        let whole = self.fill(total)?;
        if !whole || tag_anywhere(self.bytes.part(0, total)) != Some(tag::FILE_IDENTIFIER) {
            return Err(FsError::invalid("a UDF file identifier", self.bytes.le32(12)));
        }
        let identifier = Identifier {
            characteristics: self.bytes.u8(18),
            name: text::characters(self.bytes.part(38 + used, name)),
            block: self.bytes.le32(24),
            partition: self.bytes.le16(28),
        };
        self.bytes.drain(..total);
        Ok(Some(identifier))
    }

    /// Reads on until there are `wanted` bytes; false when the directory ends before.
    fn fill(&mut self, wanted: usize) -> Result<bool, FsError> {
        while self.bytes.len() < wanted {
            let Some(piece) = self.pieces.get(self.next) else { return Ok(false) };
            let step = (piece.len() - self.at).min(BLOCK);
            if matches!(piece, Piece::Zeros(_)) || step == 0 {
                // A hole holds no identifiers; a directory may be followed by one that was never recorded.
                (self.next, self.at) = (self.next + 1, 0);
                continue;
            }
            let piece = std::slice::from_ref(piece);
            self.bytes.extend(range_of(self.reader.disc, piece, self.at, step as usize)?);
            self.at += step;
        }
        Ok(true)
    }
}
