//! A track's content from one end to the other: what is hashed, extracted and converted.

use super::sector::RAW;
use super::{BLOCK_SIZE, Disc, Lba, SectorError, Track, TrackMode};

/// Sectors that are read at once.
const CHUNK: u32 = 64;

impl Disc {
    /// Calls `take` with the user data of every sector of `track` from index 1 on, in order, a few sectors at a time: 2,352
    /// bytes of an audio sector, 2,048 of a data sector, 2,324 of a Form 2 sector, 2,336 of a Mode 2 sector without a form.
    ///
    /// # Errors
    /// For the first sector that cannot be read, and what `take` returns.
    pub fn each_user_data<E: From<SectorError>>(
        &self,
        track: &Track,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut buf = vec![0; (CHUNK * BLOCK_SIZE) as usize];
        let mut lba = track.start;
        while lba < track.end {
            let blocks = CHUNK.min(track.end.since(lba));
            let chunk = &mut buf[..(blocks * BLOCK_SIZE) as usize];
            // Most tracks are nothing but blocks. Where one is not, sectors are looked at one by one.
            match (track.mode, self.read_blocks(lba, chunk)) {
                (TrackMode::Mode1 | TrackMode::Mode2Xa, Ok(())) => take(chunk)?,
                _ => (0..blocks).try_for_each(|index| self.one_user_data(lba.plus(index), &mut take))?,
            }
            lba = lba.plus(blocks);
        }
        Ok(())
    }

    fn one_user_data<E: From<SectorError>>(
        &self,
        lba: Lba,
        take: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut raw = [0; RAW];
        let form = self.read_sector(lba, &mut raw)?;
        take(&raw[form.user_data()])
    }
}
