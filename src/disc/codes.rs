//! The codes of a CD: as the image's descriptor has them, else as a drive finds them, in the Q channel that the image stores.

use super::subchannel::Q;
use super::{Disc, Track};

/// Sectors in which a code is looked for: twice as many as there are from one to the next at the
/// most (ECMA-130, 22.3.2 and 22.3.3), as one may be damaged.
const SEARCHED: u32 = 200;

impl Disc {
    /// The media catalogue number.
    #[must_use]
    pub fn catalogue_number(&self) -> Option<[u8; 13]> {
        self.mcn.or_else(|| {
            let stored = self.tracks().find(|track| track.extents.iter().any(|extent| extent.subchannel.is_some()))?;
            told(stored, Q::told_mcn)
        })
    }
}

impl Track {
    /// The international standard recording code.
    #[must_use]
    pub fn recording_code(&self) -> Option<[u8; 12]> {
        self.isrc.or_else(|| told(self, Q::told_isrc))
    }
}

/// What the first sectors after index 1 tell.
fn told<T>(track: &Track, what: impl Fn(&Q) -> Option<T>) -> Option<T> {
    (0..SEARCHED.min(track.blocks())).find_map(|index| {
        let lba = track.start.plus(index);
        let extent = track.extent_at(lba)?;
        let linear = extent.subchannel.as_ref()?.read(lba.since(extent.first)).ok()?;
        what(&Q::of_linear(&linear))
    })
}
