//! Directories: file identifier descriptors, one after another without regard to blocks (ECMA-167, 4/14.4).

use super::super::node::{Listing, MAX_ENTRIES};
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
    let mut identifiers = 0;
    loop {
        let identifier = match window.identifier(&mut listing) {
            Ok(Some(identifier)) => identifier,
            Ok(None) => break,
            Err(error) => {
                listing.ends(error);
                break;
            }
        };
        // Those of deleted files and of what cannot be read count too: the same block may be in the directory many times.
        identifiers += 1;
        if identifiers > MAX_ENTRIES {
            listing.ends(FsError::limit("entries in a folder", MAX_ENTRIES));
            break;
        }
        if identifier.characteristics & (DELETED | PARENT) != 0 {
            continue;
        }
        let node = listing
            .reads(1)
            .and_then(|()| reader.entry(identifier.partition, identifier.block))
            .and_then(|entry| reader.node(&entry))
            .map(|node| Node { name: identifier.name.into_bytes(), ..node });
        match node.and_then(|node| listing.push(node)) {
            Ok(()) => {}
            Err(error @ FsError::Limit { .. }) => {
                listing.ends(error);
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
    fn identifier(&mut self, listing: &mut Listing) -> Result<Option<Identifier>, FsError> {
        if !self.fill(38, listing)? {
            // Fewer bytes than a descriptor has are padding.
            return Ok(None);
        }
        let (name, used) = (usize::from(self.bytes.u8(19)), usize::from(self.bytes.le16(36)));
        let total = (38 + name + used).next_multiple_of(4);
        let whole = self.fill(total, listing)?;
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

    /// Reads on until there are `wanted` bytes; false when the directory ends before. `listing` counts the blocks.
    fn fill(&mut self, wanted: usize, listing: &mut Listing) -> Result<bool, FsError> {
        while self.bytes.len() < wanted {
            let Some(piece) = self.pieces.get(self.next) else { return Ok(false) };
            let step = (piece.len() - self.at).min(BLOCK);
            if matches!(piece, Piece::Zeros(_)) || step == 0 {
                // A hole holds no identifiers; a directory may be followed by one that was never recorded.
                (self.next, self.at) = (self.next + 1, 0);
                continue;
            }
            listing.reads_own()?;
            let piece = std::slice::from_ref(piece);
            self.bytes.extend(range_of(self.reader.disc, piece, self.at, step as usize)?);
            self.at += step;
        }
        Ok(true)
    }
}
