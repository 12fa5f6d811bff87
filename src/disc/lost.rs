//! Sectors that whoever made the image could not read: as a wrong EDC shows, or a mark in place of their data.

use std::io;

use super::sector::{self, Damage, Form, RAW};
use super::{BLOCK_SIZE, Disc, Lba, SectorError};

/// A sector that was lost, and how that shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Its address.
    pub lba: Lba,
    /// In words.
    pub reason: &'static str,
}

const WRONG_EDC: &str = "its EDC is wrong";
const MARKED: &str = "the image marks it as unreadable";

/// What dvdisaster writes in place of a sector that it cannot read: the first bytes of the block, and the last but for two zeros.
const MARK: &[u8] = b"dvdisaster dead sector marker\n";
const END_MARK: &[u8] = b"dvdisaster dead sector end marker\n\0\0";

impl Lost {
    /// How a read of it fails, where that matters.
    #[must_use]
    pub fn error(self) -> SectorError {
        SectorError::Storage(self.lba, io::Error::new(io::ErrorKind::InvalidData, self.reason))
    }
}

impl Disc {
    /// The first of `blocks` sectors from `lba` that was lost. One that cannot be read is passed over: whoever reads it learns.
    #[must_use]
    pub fn first_lost(&self, lba: Lba, blocks: u32) -> Option<Lost> {
        (0..blocks).map(|index| lba.plus(index)).find_map(|lba| self.lost(lba).map(|reason| Lost { lba, reason }))
    }

    fn lost(&self, lba: Lba) -> Option<&'static str> {
        let track = self.track_at(lba).filter(|track| track.mode.is_data())?;
        let extent = track.extent_at(lba)?;
        // An EDC that is made is right.
        if extent.stored.end <= Form::Mode1.user_data().end {
            let mut block = [0; BLOCK_SIZE as usize];
            return self.read_block(lba, &mut block).ok().and_then(|()| is_mark(&block).then_some(MARKED));
        }
        let mut raw = [0; RAW];
        let form = self.read_sector(lba, &mut raw).ok()?;
        match sector::damage(&raw, form) {
            Some(Damage::Edc) => Some(WRONG_EDC),
            _ => is_mark(&raw[form.user_data()]).then_some(MARKED),
        }
    }
}

fn is_mark(data: &[u8]) -> bool {
    data.starts_with(MARK) && data.ends_with(END_MARK)
}
