//! Reading sectors: user data straight into guest memory, or whole sectors with what the file does not store.

use std::io;
use std::ops::Range;

use thiserror::Error;

use super::sector::{self, Form, RAW};
use super::{BLOCK_SIZE, Disc, Extent, Lba, Track, TrackMode};
use crate::source::{ByteSource, Scatter, SharedSource, Spaced};

const BLOCK: usize = BLOCK_SIZE as usize;
/// The most sectors that are fetched ahead for one request.
const MOST_AHEAD: u32 = 1024;

/// Why a sector could not be given.
#[derive(Debug, Error)]
pub enum SectorError {
    /// The address is outside the user area.
    #[error("block {0} is past the end of the disc")]
    OutOfRange(Lba),
    /// The sector holds no 2,048 bytes of user data: audio, Mode 2 without a form, or Form 2.
    #[error("block {0} has no 2048 bytes of user data")]
    WrongMode(Lba),
    /// The storage failed at this sector; all before it are in place.
    #[error("block {0} cannot be read: {1}")]
    Storage(Lba, io::Error),
}

impl Disc {
    /// Reads 2,048 bytes of user data per block from `lba` into guest memory. `out` must be whole blocks.
    ///
    /// One copy and no allocation for sectors stored without framing.
    ///
    /// # Errors
    /// For the first block that cannot be given; every block before it is in place.
    pub fn read_user_data(&self, lba: Lba, out: Scatter<'_>) -> Result<(), SectorError> {
        self.read_blocks_with(lba, out.len(), |window, from| {
            let out = out.slice(window.start, window.len());
            match from {
                Some(place) => place.source.read_blocks_at(out, place.blocks, place.at),
                None => {
                    out.fill_zero();
                    Ok(())
                }
            }
        })
    }

    /// The same into a buffer of this process, which must be whole blocks: for hashing, copying, looking at file systems.
    ///
    /// # Errors
    /// As [`read_user_data`](Self::read_user_data).
    pub fn read_blocks(&self, lba: Lba, buf: &mut [u8]) -> Result<(), SectorError> {
        self.read_blocks_with(lba, buf.len(), |window, from| match from {
            Some(Place { source, mut at, blocks }) => {
                for block in buf[window].chunks_mut(blocks.block) {
                    source.read_exact_at(block, at)?;
                    at = at.saturating_add((blocks.block + blocks.gap) as u64);
                }
                Ok(())
            }
            None => {
                buf[window].fill(0);
                Ok(())
            }
        })
    }

    /// Reads one block of user data.
    ///
    /// # Errors
    /// As [`read_user_data`](Self::read_user_data).
    pub fn read_block(&self, lba: Lba, buf: &mut [u8; BLOCK]) -> Result<(), SectorError> {
        self.read_blocks(lba, buf)
    }

    /// Calls `read` for the pieces of `len` bytes of user data from `lba`: which part of the result, and where it lies;
    /// nowhere for zeros.
    fn read_blocks_with(
        &self,
        lba: Lba,
        len: usize,
        mut read: impl FnMut(Range<usize>, Option<Place<'_>>) -> io::Result<()>,
    ) -> Result<(), SectorError> {
        let mut lba = lba;
        let mut done = 0;
        while done < len {
            let (track, found) = self.locate(lba)?;
            let run = blocks_in(len - done).min(found.end().since(lba));
            let window = done..done + (run as usize * BLOCK).min(len - done);
            done = window.end;
            match found {
                Found::Stored(extent) => extent.read_blocks_with(track.mode, lba, window, &mut read)?,
                Found::Gap { .. } if block_form(track.mode).is_some() => {
                    read(window, None).map_err(|error| SectorError::Storage(lba, error))?;
                }
                Found::Gap { .. } => return Err(SectorError::WrongMode(lba)),
            }
            lba = lba.plus(run);
        }
        Ok(())
    }

    /// Reads a whole sector of a CD. What the file stores is given as stored, the rest is made.
    ///
    /// # Errors
    /// When the address is outside the tracks, or the storage fails.
    pub fn read_sector(&self, lba: Lba, raw: &mut [u8; RAW]) -> Result<Form, SectorError> {
        let (track, found) = self.locate(lba)?;
        let stored = match found {
            Found::Stored(extent) => {
                let stored = extent.stored.start.min(RAW)..extent.stored.end.min(RAW);
                extent
                    .source
                    .read_exact_at(&mut raw[stored.clone()], extent.sector_at(lba))
                    .map_err(|error| SectorError::Storage(lba, error))?;
                stored
            }
            Found::Gap { .. } => {
                raw.fill(0);
                // As if zeros were stored for the user data alone.
                match track.mode {
                    TrackMode::Audio => Form::Audio.user_data(),
                    TrackMode::Mode1 => Form::Mode1.user_data(),
                    TrackMode::Mode2Formless => Form::Mode2.user_data(),
                    TrackMode::Mode2Xa => Form::Form1.user_data(),
                }
            }
        };
        Ok(sector::complete(lba, track.mode, &stored, raw))
    }

    /// How many sectors from `lba` on lie whole and one after another in a file, and the mode of their track; nothing when that one
    /// does not.
    #[must_use]
    pub fn whole_sectors(&self, lba: Lba) -> Option<(TrackMode, u32)> {
        match self.locate(lba) {
            Ok((track, Found::Stored(extent))) if extent.is_whole() => {
                Some((track.mode, extent.end().min(track.end).since(lba)))
            }
            _ => None,
        }
    }

    /// Reads sectors that [`whole_sectors`](Self::whole_sectors) names straight into guest memory. `out` must be whole sectors,
    /// and no more.
    ///
    /// # Errors
    /// When the storage fails; what is in `out` then means nothing.
    pub fn read_whole_sectors(&self, lba: Lba, out: Scatter<'_>) -> Result<(), SectorError> {
        match self.locate(lba)? {
            (_, Found::Stored(extent)) if extent.is_whole() => {
                let read = extent.source.read_scatter_at(out, extent.sector_at(lba));
                read.map_err(|error| SectorError::Storage(lba, error))
            }
            _ => Err(SectorError::WrongMode(lba)),
        }
    }

    /// Where the user data of `blocks` blocks from `lba` on lie one after another, with nothing between them: their source, and the offset
    /// of the first byte in it. None when they do not, or are not all there.
    #[must_use]
    pub fn run_of_blocks(&self, lba: Lba, blocks: u32) -> Option<(&SharedSource, u64)> {
        let Ok((track, Found::Stored(extent))) = self.locate(lba) else { return None };
        let user = extent.block_in_sector(track.mode)?;
        let at = extent.sector_at(lba).saturating_add(user as u64);
        (extent.stride == BLOCK_SIZE && blocks <= extent.end().min(track.end).since(lba))
            .then_some((&extent.source, at))
    }

    /// Has the storage fetch the sectors that are stored of `blocks` from `lba` on, or the first of them. Waits for nothing.
    pub fn read_ahead(&self, lba: Lba, blocks: u32) {
        let mut left = blocks.min(MOST_AHEAD);
        let mut lba = lba;
        while left > 0 {
            let Ok((_, found)) = self.locate(lba) else { return };
            let run = left.min(found.end().since(lba));
            if let Found::Stored(extent) = found {
                let last = lba.plus(run - 1);
                let end = extent.sector_at(last).saturating_add(extent.stored.len() as u64);
                extent.source.read_ahead(extent.sector_at(lba)..end);
            }
            lba = lba.plus(run);
            left -= run;
        }
    }

    fn locate(&self, lba: Lba) -> Result<(&Track, Found<'_>), SectorError> {
        let track = self.track_at(lba).ok_or(SectorError::OutOfRange(lba))?;
        let next = track.extents.partition_point(|extent| extent.end() <= lba);
        Ok((
            track,
            match track.extents.get(next) {
                Some(extent) if extent.first <= lba => Found::Stored(extent),
                Some(extent) => Found::Gap { until: extent.first },
                None => Found::Gap { until: track.end },
            },
        ))
    }
}

/// Where blocks lie.
struct Place<'a> {
    source: &'a dyn ByteSource,
    /// The first byte of the first.
    at: u64,
    blocks: Spaced,
}

/// Where a sector lies.
enum Found<'a> {
    Stored(&'a Extent),
    /// Not stored, up to this address.
    Gap {
        until: Lba,
    },
}

impl Found<'_> {
    fn end(&self) -> Lba {
        match self {
            Self::Stored(extent) => extent.end(),
            Self::Gap { until } => *until,
        }
    }
}

fn blocks_in(bytes: usize) -> u32 {
    u32::try_from(bytes / BLOCK).unwrap_or(u32::MAX).max(1)
}

/// The form that has 2,048 bytes of user data in a track of `mode`.
fn block_form(mode: TrackMode) -> Option<Form> {
    match mode {
        TrackMode::Mode1 => Some(Form::Mode1),
        TrackMode::Mode2Xa => Some(Form::Form1),
        TrackMode::Audio | TrackMode::Mode2Formless => None,
    }
}

impl Extent {
    /// Where the first stored byte of `lba` lies in the source.
    #[must_use]
    pub fn sector_at(&self, lba: Lba) -> u64 {
        // An offset that the file claims beyond all bounds is past its end too.
        self.offset.saturating_add(u64::from(lba.since(self.first)) * u64::from(self.stride))
    }

    /// Where the 2,048 bytes of user data of `lba` lie in the source. Looks at the sub-header, where one is stored.
    fn block_at(&self, mode: TrackMode, lba: Lba) -> Result<u64, SectorError> {
        let wrong = || SectorError::WrongMode(lba);
        let user = self.block_in_sector(mode).ok_or_else(wrong)?;
        if self.has_subheader(mode) {
            let mut raw = [0; RAW];
            let upto = Form::Form1.user_data().start;
            self.source
                .read_exact_at(&mut raw[self.stored.start..upto], self.sector_at(lba))
                .map_err(|error| SectorError::Storage(lba, error))?;
            if sector::form(mode, &self.stored, &raw) != Form::Form1 {
                return Err(wrong());
            }
        }
        Ok(self.sector_at(lba).saturating_add(user as u64))
    }

    /// Offset of the 2,048 bytes of user data in what is stored of a sector, if they are.
    fn block_in_sector(&self, mode: TrackMode) -> Option<usize> {
        let Range { start, end } = block_form(mode)?.user_data();
        // Form 2 alone is stored: none of the sectors has a block.
        let form_2 =
            mode == TrackMode::Mode2Xa && !self.has_subheader(mode) && self.stored.end >= Form::Form2.user_data().end;
        (!form_2 && self.stored.end >= end).then(|| start.checked_sub(self.stored.start)).flatten()
    }

    /// Whether nothing has to be made, and nothing lies between two sectors.
    fn is_whole(&self) -> bool {
        self.stored == (0..RAW) && self.stride as usize == RAW
    }

    fn has_subheader(&self, mode: TrackMode) -> bool {
        mode == TrackMode::Mode2Xa && self.stored.start <= Form::Mode2.user_data().start
    }

    fn read_blocks_with(
        &self,
        mode: TrackMode,
        lba: Lba,
        window: Range<usize>,
        read: &mut impl FnMut(Range<usize>, Option<Place<'_>>) -> io::Result<()>,
    ) -> Result<(), SectorError> {
        // Where no sector need be looked at first, all of them are read at once.
        if let Some(user) = self.block_in_sector(mode)
            && !self.has_subheader(mode)
            && let Some(gap) = (self.stride as usize).checked_sub(BLOCK)
        {
            // Without gaps it is one block, of any length.
            let block = if gap == 0 { window.len() } else { BLOCK };
            let at = self.sector_at(lba).saturating_add(user as u64);
            let place = Place { source: &*self.source, at, blocks: Spaced { block, gap } };
            match read(window.clone(), Some(place)) {
                Ok(()) => return Ok(()),
                // One sector of many may be at fault: find it block by block.
                Err(_) if window.len() > BLOCK => {}
                Err(error) => return Err(SectorError::Storage(lba, error)),
            }
        }
        for index in 0..blocks_in(window.len()) {
            let lba = lba.plus(index);
            let start = window.start + index as usize * BLOCK;
            let block = start..(start + BLOCK).min(window.end);
            let at = self.block_at(mode, lba)?;
            let blocks = Spaced { block: BLOCK, gap: 0 };
            read(block, Some(Place { source: &*self.source, at, blocks }))
                .map_err(|error| SectorError::Storage(lba, error))?;
        }
        Ok(())
    }
}
