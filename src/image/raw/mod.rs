//! Sectors without an index: raw sectors of every size that images have, from wherever in the file the disc starts.
//!
//! Where the sectors lie is found by content alone (see [`find`]): sync patterns, or volume descriptors at a regular distance. So
//! this also reads what has a header of an unknown maker in front, such as Power2Go's P2I. One track; a file of sound is one
//! audio track. Unsupported: telling tracks apart inside the file, which takes a descriptor (CUE, CCD, TOC).

mod find;

use self::find::{Layout, find};
use super::layout::{DiscPlan, Piece, Stored, subchannel_form};
use super::{FormatInfo, ImageError, ImageErrorKind, ImageFormat, OpenContext, Probe, Score};
use crate::disc::Disc;
use crate::disc::subchannel::{StoredSubchannel, SubchannelForm};
use crate::source::SharedSource;

/// Raw sectors.
pub struct Raw;

static INFO: FormatInfo = FormatInfo {
    id: "raw",
    name: "raw sectors of 2048 to 2448 bytes, found by content",
    extensions: &["bin", "img", "raw", "mdf", "cdr", "p2i"],
};

impl ImageFormat for Raw {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        find(probe).map_or(Score::No, |(_, score)| score)
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let unknown = || ImageError::new(ImageErrorKind::NotRecognised, "no sectors can be found in the file");
        let (layout, _) = find(&Probe::new(&*source, cx.name)).ok_or_else(unknown)?;
        let bytes = source.len().saturating_sub(layout.offset);
        let (blocks, rest) = (bytes / u64::from(layout.stride), bytes % u64::from(layout.stride));
        let blocks =
            u32::try_from(blocks).map_err(|_| ImageError::new(ImageErrorKind::Limit, "the file is too long"))?;
        if blocks <= layout.pregap {
            return Err(unknown());
        }
        if layout.offset > 0 {
            cx.warn(format!("the sectors start at byte {}: what lies before them is not read", layout.offset));
        }
        if rest > 0 {
            cx.warn(format!("the last {rest} bytes are no whole sector and are not read"));
        }
        plan(layout, blocks, source).build()
    }
}

fn plan(layout: Layout, blocks: u32, source: SharedSource) -> DiscPlan {
    let Layout { offset, stride, mode, stored, pregap, main } = layout;
    let at = offset + u64::from(main);
    let form = match stride - main {
        16 => Some(SubchannelForm::Q16),
        96 => Some(subchannel_form(&*source, at, stride)),
        _ => None,
    };
    let subchannel = form.map(|form| StoredSubchannel { source: source.clone(), offset: at, stride, form });
    let piece = Piece::stored(blocks, Stored { source, offset, stride, stored, subchannel });
    DiscPlan::single_track(mode, pregap, piece)
}
