//! What text descriptors have in common: tracks that lie in files as sectors of one size, and files of sound.

use std::sync::Arc;

use super::layout::{Piece, Stored, mode_2_of, mode_of, stored_bytes, subchannel_form};
use super::names::open_converted;
use super::{ImageError, OpenContext, audio};
use crate::disc::TrackMode;
use crate::disc::subchannel::{StoredSubchannel, SubchannelForm};
use crate::source::{PaddedSource, SharedSource, SwappedSource};

/// Sectors of a track that begins where its file has ended: a track is not shorter (IEC 60908).
pub const SHORTEST_TRACK: u32 = 4 * 75;

/// What a data file may be called where it is not under its name.
const ENDINGS: [&str; 9] = ["bin", "img", "iso", "wav", "flac", "ogg", "mp3", "aiff", "aif"];

/// How the sectors of a track lie in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub mode: TrackMode,
    /// Bytes of a sector, without subchannel.
    pub main: u32,
    /// Bytes of its subchannel.
    pub subchannel: u32,
}

impl Shape {
    /// Bytes from one sector to the next.
    pub fn stride(self) -> u32 {
        self.main + self.subchannel
    }

    /// The mode of the track that begins at `offset` of `source`, where its sectors show it: sheets do not tell the kinds of Mode 2
    /// apart.
    pub fn real_mode(self, data: &Data, offset: u64) -> TrackMode {
        match (self.mode, self.main) {
            (TrackMode::Audio, _) => TrackMode::Audio,
            (_, 2352) => match mode_of(&*data.bytes, offset) {
                TrackMode::Audio => self.mode,
                mode => mode,
            },
            (TrackMode::Mode2Xa, 2336) => {
                let mut subheader = [0; 8];
                match data.bytes.read_exact_at(&mut subheader, offset) {
                    Ok(()) => mode_2_of(&subheader),
                    Err(_) => self.mode,
                }
            }
            (mode, _) => mode,
        }
    }

    /// `blocks` sectors of a track of `mode` from `offset` on. The last of the file may be short.
    ///
    /// # Errors
    /// When sectors of this shape cannot lie in such a file.
    pub fn piece(self, mode: TrackMode, blocks: u32, offset: u64, data: &Data) -> Result<Piece, ImageError> {
        self.piece_with(mode, blocks, offset, data, None)
    }

    /// The same where the form of the subchannel may be known.
    ///
    /// # Errors
    /// As [`piece`](Self::piece).
    pub fn piece_with(
        self,
        mode: TrackMode,
        blocks: u32,
        offset: u64,
        data: &Data,
        form: Option<SubchannelForm>,
    ) -> Result<Piece, ImageError> {
        let stride = self.stride();
        let wrong = || ImageError::invalid("a track of data cannot lie in a file of sound");
        if data.is_sound && (self.mode.is_data() || self.subchannel > 0) {
            return Err(wrong());
        }
        let stored = stored_bytes(mode, self.main).ok_or_else(wrong)?;
        let bytes = &data.bytes;
        let sectors = bytes.len().saturating_sub(offset).div_ceil(u64::from(stride));
        let whole = sectors.saturating_mul(u64::from(stride)).saturating_add(offset);
        let is_short = whole > bytes.len() && offset < bytes.len();
        let source: SharedSource =
            if is_short { Arc::new(PaddedSource::new(Arc::clone(bytes), whole)) } else { Arc::clone(bytes) };
        let subchannel = (self.subchannel > 0).then(|| {
            let at = offset.saturating_add(u64::from(self.main));
            let form = form.unwrap_or_else(|| subchannel_form(&*source, at, stride));
            StoredSubchannel { source: Arc::clone(&source), offset: at, stride, form }
        });
        Ok(Piece::stored(blocks, Stored { source, offset, stride, stored, subchannel }))
    }
}

/// A file with sectors.
#[derive(Debug, Clone)]
pub struct Data {
    /// Sectors, or samples as a CD has them.
    pub bytes: SharedSource,
    pub is_sound: bool,
}

impl Data {
    /// The file called `name`.
    ///
    /// # Errors
    /// When it is not there or not to be read.
    pub fn open(name: &[u8], cx: &OpenContext<'_>) -> Result<Self, ImageError> {
        let bytes = open_converted(cx, name, &ENDINGS)?;
        let sound = audio::open(&bytes, cx).map_err(|error| error.in_file(String::from_utf8_lossy(name)))?;
        let is_sound = sound.is_some();
        Ok(Self { bytes: sound.unwrap_or(bytes), is_sound })
    }

    /// The same where samples that are no file of sound have their bytes exchanged.
    pub fn swapped(&self) -> Self {
        match self.is_sound {
            true => self.clone(),
            false => Self { bytes: Arc::new(SwappedSource::new(Arc::clone(&self.bytes))), is_sound: false },
        }
    }
}
