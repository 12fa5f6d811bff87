//! Reading user data.

use std::io;

use thiserror::Error;

use super::{BLOCK_SIZE, Disc, Extent, Lba, Track, TrackMode};
use crate::source::Scatter;

/// Why a sector could not be given.
#[derive(Debug, Error)]
pub enum SectorError {
    /// The address is outside the user area.
    #[error("block {0} is past the end of the disc")]
    OutOfRange(Lba),
    /// The sector holds no 2,048 bytes of user data: audio, or Mode 2 without a form.
    #[error("block {0} lies in a track without 2048-byte sectors")]
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
        let mut lba = lba;
        let mut done = 0;
        while done < out.len() {
            let (track, extent) = self.locate(lba)?;
            let left = blocks_in(out.len() - done);
            let run = match extent {
                Found::Stored(extent) => left.min(extent.end().since(lba)),
                Found::Gap { until } => left.min(until.since(lba)),
            };
            if !matches!(track.mode, TrackMode::Mode1 | TrackMode::Mode2Xa) {
                return Err(SectorError::WrongMode(lba));
            }
            let window = out.slice(done, run as usize * BLOCK_SIZE as usize);
            match extent {
                Found::Stored(extent) => extent.read_user_data(lba, window)?,
                Found::Gap { .. } => window.fill_zero(),
            }
            done += window.len();
            lba = lba.plus(run);
        }
        Ok(())
    }

    /// Reads one block of user data into a buffer: for looking at file systems, not for the data path.
    ///
    /// # Errors
    /// As [`read_user_data`](Self::read_user_data).
    pub fn read_block(&self, lba: Lba, buf: &mut [u8; BLOCK_SIZE as usize]) -> Result<(), SectorError> {
        let (track, extent) = self.locate(lba)?;
        if !matches!(track.mode, TrackMode::Mode1 | TrackMode::Mode2Xa) {
            return Err(SectorError::WrongMode(lba));
        }
        match extent {
            Found::Stored(extent) => {
                extent.source.read_exact_at(buf, extent.position(lba)).map_err(|error| SectorError::Storage(lba, error))
            }
            Found::Gap { .. } => {
                buf.fill(0);
                Ok(())
            }
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

/// Where a sector lies.
enum Found<'a> {
    Stored(&'a Extent),
    /// Not stored, up to this address.
    Gap {
        until: Lba,
    },
}

fn blocks_in(bytes: usize) -> u32 {
    u32::try_from(bytes / BLOCK_SIZE as usize).unwrap_or(u32::MAX).max(1)
}

impl Extent {
    /// Where the user data of `lba` lies in the source.
    fn position(&self, lba: Lba) -> u64 {
        self.offset + u64::from(lba.since(self.first)) * u64::from(self.stride) + u64::from(self.user_data)
    }

    fn read_user_data(&self, lba: Lba, out: Scatter<'_>) -> Result<(), SectorError> {
        if self.stride == BLOCK_SIZE {
            match self.source.read_scatter_at(out, self.position(lba)) {
                Ok(()) => return Ok(()),
                // One sector of many may be at fault: find it block by block.
                Err(_) if out.len() > BLOCK_SIZE as usize => {}
                Err(error) => return Err(SectorError::Storage(lba, error)),
            }
        }
        for index in 0..blocks_in(out.len()) {
            let at = lba.plus(index);
            let window = out.slice(index as usize * BLOCK_SIZE as usize, BLOCK_SIZE as usize);
            self.source.read_scatter_at(window, self.position(at)).map_err(|error| SectorError::Storage(at, error))?;
        }
        Ok(())
    }
}
