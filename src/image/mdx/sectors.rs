//! What a track block says about the bytes of its sectors (formats.md, 8.5).

use std::ops::Range;

use super::super::ImageError;
use super::super::mds::session::TRACK;
use super::super::record::Record;
use crate::disc::sector::RAW;
use crate::disc::subchannel::{SUBCHANNEL, SubchannelForm};

/// Bytes of a sector, at most.
pub const LONGEST: usize = RAW + SUBCHANNEL;
/// Bytes of a Q channel with P and its padding.
const Q16: u32 = 16;

/// What a track's sectors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Audio,
    Mode1,
    Mode2,
    Form1,
    Form2,
}

/// What is stored of each sector.
#[derive(Debug)]
pub struct Sectors {
    pub kind: Kind,
    /// Which of its 2,352 bytes.
    pub stored: Range<usize>,
    /// How many bytes lie before its subchannel.
    pub main: u32,
    pub subchannel: Option<SubchannelForm>,
    /// Bytes of all that.
    pub stride: u32,
}

impl Sectors {
    /// Those of a DVD, whose track block is `entry`, at `at`.
    pub fn of_dvd(entry: &Record<TRACK>, at: u64) -> Result<Self, ImageError> {
        match u32::from(entry.u16(16)) {
            stride @ 2048 => Ok(Self { kind: Kind::Mode1, stored: 16..2064, main: stride, subchannel: None, stride }),
            stride => Err(ImageError::invalid(format!("sectors of {stride} bytes, which no DVD has")).at(at + 16)),
        }
    }

    /// Those of a CD, as the track block `entry`, which is at `at`, says.
    pub fn of_cd(entry: &Record<TRACK>, at: u64) -> Result<Self, ImageError> {
        let flags = entry.u8(0);
        let has = |bit: u8| flags >> bit & 1 != 0;
        let (with_ecc, header, subheader, sync) = (has(3), has(5), has(6), has(7));
        let kind = match flags & 7 {
            1 => Kind::Audio,
            2 => Kind::Mode1,
            3 => Kind::Mode2,
            4 => Kind::Form1,
            5 => Kind::Form2,
            other => {
                return Err(ImageError::invalid(format!("a track of type {other}, which is not known")).at(at));
            }
        };
        let user = match kind {
            Kind::Audio => 0..RAW,
            Kind::Mode1 => 16..2064,
            Kind::Mode2 => 16..RAW,
            Kind::Form1 if subheader => 16..2072,
            Kind::Form1 => 24..2072,
            Kind::Form2 if subheader => 16..2348,
            Kind::Form2 => 24..2348,
        };
        // What lies before the user data, from its end on; a part that is left out between others leaves a hole.
        let start = match user.start {
            start if kind == Kind::Audio || !header && !sync => Some(start),
            16 if header && !sync => Some(12),
            16 if header => Some(0),
            _ => None,
        };
        let stored = start.map(|start| start..if with_ecc { RAW } else { user.end });
        let stride = u32::from(entry.u16(16));
        let fits = |stored: &Range<usize>| subchannel_bytes(stride, stored).is_some();
        // Programs also set the flags of whole sectors as version 1 does, without the sub-header's.
        let whole = Some(0..RAW);
        let Some(stored) = [stored, whole].into_iter().flatten().find(fits) else {
            let message = format!("sectors of {stride} bytes, which a track of type {flags:#04x} does not have");
            return Err(ImageError::invalid(message).at(at + 16));
        };
        let subchannel = match (entry.u8(1) >> 3 & 7, subchannel_bytes(stride, &stored).unwrap_or_default()) {
            (0, 0) => None,
            // Minor version 0 leaves it to the size.
            (0 | 2, Q16) => Some(SubchannelForm::Q16),
            (0 | 1 | 4, bytes) if bytes > Q16 => Some(SubchannelForm::Interleaved),
            (kind @ (0 | 1 | 2 | 4), bytes) => {
                let message = format!("a subchannel of type {kind} and {bytes} bytes, which contradict each other");
                return Err(ImageError::invalid(message).at(at + 1));
            }
            (other, _) => {
                let message = format!("a subchannel of type {other}, which is not known");
                return Err(ImageError::unsupported(message).at(at + 1));
            }
        };
        let main = stored.len() as u32;
        let stored = match kind {
            // EDC and ECC of a sub-header that is not there: without them it can be told from Form 2.
            Kind::Form1 if stored.start == 24 => 24..2072,
            _ => stored,
        };
        Ok(Self { kind, stored, main, subchannel, stride })
    }
}

/// Bytes of the subchannel behind `stored`, where sectors have `stride` bytes in all; nothing for what no subchannel has.
fn subchannel_bytes(stride: u32, stored: &Range<usize>) -> Option<u32> {
    let bytes = stride.checked_sub(stored.len() as u32)?;
    [0, Q16, SUBCHANNEL as u32].contains(&bytes).then_some(bytes)
}
