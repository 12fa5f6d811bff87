//! From what a format knows to a [`Disc`]: every format fills a [`DiscPlan`], and all checks are here.
//!
//! A plan has no addresses but the ones that a format gives: sessions follow one another, tracks are made of pieces. This is
//! where lengths, counts and order are held against what a disc can be.

use std::ops::Range;

use super::{ImageError, ImageErrorKind};
use crate::disc::sector::{Form, RAW};
use crate::disc::subchannel::{Q, SUBCHANNEL, StoredSubchannel, SubchannelForm, linear};
use crate::disc::{
    Control, Disc, DiscType, Dpm, Extent, FullTocEntry, Lba, MediumType, Session, StoredStructure, Track, TrackMode,
};
use crate::source::{ByteSource, SharedSource};

/// Blocks of the pre-gap before the first track of a session.
pub const PREGAP: u32 = 150;
/// Lead-out of the first session and lead-in of the second (Multisession CD standard).
pub const FIRST_SESSION_GAP: u32 = 6750 + 4500;
/// Lead-out of a later session and lead-in of the next.
pub const LATER_SESSION_GAP: u32 = 2250 + 4500;

/// Lines of mode 5 of one lead-in: B0h to B4h, C0h, C1h and 40 intervals to skip. Those of 99 sessions fit a full TOC.
const MOST_MODE_5: usize = 47;

/// A disc to be.
#[derive(Debug, Default)]
pub struct DiscPlan {
    /// Which medium; nothing to go by its length.
    pub medium: Option<MediumType>,
    /// In order, at least one.
    pub sessions: Vec<SessionPlan>,
    /// Media catalogue number.
    pub mcn: Option<[u8; 13]>,
    /// Structures that the file stores (DVD and BD).
    pub structures: Vec<StoredStructure>,
    /// Data position measurement.
    pub dpm: Option<Dpm>,
}

/// A session to be.
#[derive(Debug, Default)]
pub struct SessionPlan {
    /// The address of its first piece: -150 for the first of a CD, 0 for other media. Nothing for where it is by default:
    /// there for the first, after lead-out and lead-in for the others.
    pub start: Option<Lba>,
    /// In order, at least one.
    pub tracks: Vec<TrackPlan>,
    /// Where its lead-out starts; nothing for the end of its last track.
    pub lead_out: Option<Lba>,
    /// CD-TEXT packs.
    pub cd_text: Vec<[u8; 18]>,
    /// Lines of mode 5 of its lead-in.
    pub mode_5: Vec<FullTocEntry>,
    /// The disc type that its lead-in tells.
    pub disc_type: Option<DiscType>,
}

/// A track to be.
#[derive(Debug)]
pub struct TrackPlan {
    /// 1 to 99, higher than the one before.
    pub number: u8,
    /// What its sectors hold.
    pub mode: TrackMode,
    /// CONTROL of its Q channel.
    pub control: Control,
    /// Blocks of its pieces that lie before index 1.
    pub pregap: u32,
    /// Where index 2 and the following are, in blocks from index 1, in order.
    pub indices: Vec<u32>,
    /// International standard recording code.
    pub isrc: Option<[u8; 12]>,
    /// Its sectors from its first address on.
    pub pieces: Vec<Piece>,
}

/// A run of sectors of a track.
#[derive(Debug, Clone)]
pub struct Piece {
    /// How many.
    pub blocks: u32,
    /// Where they lie; nothing for silence or zeros that no file stores.
    pub stored: Option<Stored>,
}

/// Sectors that lie one after another in a file.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Where.
    pub source: SharedSource,
    /// Offset of the first, in bytes.
    pub offset: u64,
    /// Bytes from one to the next, with what lies between.
    pub stride: u32,
    /// Which of the 2,352 bytes of a sector are stored (see [`stored_bytes`]).
    pub stored: Range<usize>,
    /// Their subchannel, where that is stored.
    pub subchannel: Option<StoredSubchannel>,
}

impl Piece {
    /// Sectors that no file stores.
    #[must_use]
    pub fn empty(blocks: u32) -> Self {
        Self { blocks, stored: None }
    }

    /// Sectors of a file.
    #[must_use]
    pub fn stored(blocks: u32, stored: Stored) -> Self {
        Self { blocks, stored: Some(stored) }
    }
}

impl TrackPlan {
    /// A track without pre-gap, indices, ISRC and pieces; its CONTROL says data or audio and nothing else.
    #[must_use]
    pub fn new(number: u8, mode: TrackMode) -> Self {
        let control = if mode.is_data() { Control::DATA } else { Control::AUDIO };
        Self { number, mode, control, pregap: 0, indices: Vec::new(), isrc: None, pieces: Vec::new() }
    }

    /// Blocks of all pieces.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.pieces.iter().map(|piece| u64::from(piece.blocks)).sum()
    }
}

/// Which of the 2,352 bytes of a sector of a track of `mode` lie in a file that keeps `bytes` of each, without subchannel;
/// nothing for a size that no format has.
#[must_use]
pub fn stored_bytes(mode: TrackMode, bytes: u32) -> Option<Range<usize>> {
    let range = match (mode, bytes) {
        (_, 2352) => 0..RAW,
        (TrackMode::Audio, _) => return None,
        // Header and all that follows; all that follows the header.
        (_, 2340) => 12..RAW,
        (_, 2336) => 16..RAW,
        (TrackMode::Mode1, 2048) => 16..2064,
        (TrackMode::Mode1, 2052) => 12..2064,
        (TrackMode::Mode2Xa, 2048) => 24..2072,
        (TrackMode::Mode2Xa, 2056) => 16..2072,
        (TrackMode::Mode2Xa, 2060) => 12..2072,
        (TrackMode::Mode2Xa, 2324) => 24..2348,
        (TrackMode::Mode2Xa, 2328) => 24..RAW,
        (TrackMode::Mode2Xa, 2332) => 16..2348,
        _ => return None,
    };
    Some(range)
}

/// The mode of a track whose sectors are whole, by the first of them at `offset`. What cannot be read is audio, as is what
/// has no sync pattern.
#[must_use]
pub fn mode_of(source: &dyn ByteSource, offset: u64) -> TrackMode {
    let mut raw = [0; RAW];
    if source.read_exact_at(&mut raw, offset).is_err() {
        return TrackMode::Audio;
    }
    match Form::of(&raw) {
        Form::Audio => TrackMode::Audio,
        Form::Mode0 | Form::Mode1 => TrackMode::Mode1,
        Form::Mode2 | Form::Form1 | Form::Form2 => mode_2_of(&raw[16..24]),
    }
}

/// Whether a Mode 2 track has sub-headers, by the first eight bytes after a sector's header: the sub-header is there twice.
#[must_use]
pub fn mode_2_of(subheader: &[u8]) -> TrackMode {
    match subheader {
        [a, b, c, d, rest @ ..] if rest.starts_with(&[*a, *b, *c, *d]) => TrackMode::Mode2Xa,
        _ => TrackMode::Mode2Formless,
    }
}

/// How 96 bytes of subchannel per sector are laid out, `stride` bytes apart from `offset` on: as most of the first sectors'
/// Q channels are sound. As drives deliver them, when none is.
#[must_use]
pub fn subchannel_form(source: &dyn ByteSource, offset: u64, stride: u32) -> SubchannelForm {
    let sound = |form| {
        let stored = |index: &u64| {
            let mut bytes = [0; SUBCHANNEL];
            source.read_exact_at(&mut bytes, offset.saturating_add(index * u64::from(stride))).ok()?;
            Some(if form == SubchannelForm::Linear { bytes } else { linear(&bytes) })
        };
        (0..75).map_while(|index| stored(&index)).filter(|bytes| Q::of_linear(bytes).is_sound()).count()
    };
    if sound(SubchannelForm::Linear) > sound(SubchannelForm::Interleaved) {
        SubchannelForm::Linear
    } else {
        SubchannelForm::Interleaved
    }
}

impl DiscPlan {
    /// A disc of one track in `piece`, of which the first `pregap` blocks lie before LBA 0. By its length it is a CD, whose
    /// pre-gap is completed to [`PREGAP`], or something larger, which has none.
    #[must_use]
    pub fn single_track(mode: TrackMode, pregap: u32, piece: Piece) -> Self {
        let missing = PREGAP.saturating_sub(pregap);
        let is_cd = MediumType::for_blocks(u64::from(piece.blocks) + u64::from(missing)) == Ok(MediumType::CdRom);
        let missing = if is_cd { missing } else { 0 };
        let track = TrackPlan {
            pregap: pregap + missing,
            pieces: vec![Piece::empty(missing), piece],
            ..TrackPlan::new(1, mode)
        };
        Self { sessions: vec![SessionPlan { tracks: vec![track], ..SessionPlan::default() }], ..Self::default() }
    }

    /// The disc.
    ///
    /// # Errors
    /// [`ImageErrorKind::Invalid`] for what no disc can be, [`ImageErrorKind::Limit`] for what is too much for one.
    pub fn build(self) -> Result<Disc, ImageError> {
        let blocks: u64 = self.sessions.iter().flat_map(|session| &session.tracks).map(TrackPlan::blocks).sum();
        let too_large = |error: crate::disc::TooLarge| ImageError::new(ImageErrorKind::Limit, error.to_string());
        let by_length = MediumType::for_blocks(blocks).map_err(too_large)?;
        let medium = self.medium.unwrap_or(by_length);
        if self.sessions.is_empty() {
            return Err(ImageError::invalid("the image describes no session"));
        }
        if self.sessions.len() > 99 {
            return Err(ImageError::new(ImageErrorKind::Limit, "the image describes more than 99 sessions"));
        }
        let mut sessions = Vec::with_capacity(self.sessions.len());
        let mut end = Lba(if medium == MediumType::CdRom { -i64::from(PREGAP) as i32 } else { 0 });
        let mut last_number = 0;
        for (number, plan) in (1..=99).zip(self.sessions) {
            let gap = match (medium, number) {
                (_, 1) => 0,
                (MediumType::CdRom, 2) => FIRST_SESSION_GAP,
                (MediumType::CdRom, _) => LATER_SESSION_GAP,
                (MediumType::DvdRom | MediumType::BdRom, _) => 0,
            };
            let start = plan.start.unwrap_or(end.plus(gap));
            if number > 1 && start < end || start < Lba(-150) {
                return Err(ImageError::invalid(format!(
                    "session {number} starts at {start}, before the end of the one before"
                )));
            }
            let session = plan.build(number, start, &mut last_number)?;
            end = session.lead_out;
            sessions.push(session);
        }
        Ok(Disc { medium, sessions, mcn: self.mcn, structures: self.structures, dpm: self.dpm })
    }
}

impl SessionPlan {
    fn build(self, number: u8, start: Lba, last_number: &mut u8) -> Result<Session, ImageError> {
        if self.tracks.is_empty() {
            return Err(ImageError::invalid(format!("session {number} has no track")));
        }
        let mut at = start;
        let mut tracks = Vec::with_capacity(self.tracks.len().min(99));
        for plan in self.tracks {
            if !(1..=99).contains(&plan.number) || plan.number <= *last_number {
                let message = format!("track {} follows track {last_number}: numbers go up, to 99", plan.number);
                return Err(ImageError::invalid(message));
            }
            *last_number = plan.number;
            let track = plan.build(at)?;
            at = track.end;
            tracks.push(track);
        }
        let lead_out = self.lead_out.unwrap_or(at);
        if lead_out < at {
            return Err(ImageError::invalid(format!(
                "the lead-out of session {number} is at {lead_out}, but its tracks end at {at}"
            )));
        }
        let mut mode_5 = self.mode_5;
        mode_5.truncate(MOST_MODE_5);
        Ok(Session { number, tracks, lead_out, cd_text: self.cd_text, mode_5, stored_type: self.disc_type })
    }
}

impl TrackPlan {
    fn build(self, first: Lba) -> Result<Track, ImageError> {
        let number = self.number;
        let blocks = self.blocks();
        let end = i64::from(first.0).checked_add_unsigned(blocks).and_then(|end| i32::try_from(end).ok()).map(Lba);
        let end = end.ok_or_else(|| {
            ImageError::new(ImageErrorKind::Limit, format!("track {number} has {blocks} blocks: no disc has so many"))
        })?;
        if blocks <= u64::from(self.pregap) {
            return Err(ImageError::invalid(format!("track {number} has no block after its pre-gap")));
        }
        let start = first.plus(self.pregap);
        let indices: Vec<Lba> = self.indices.iter().map(|&blocks| start.plus(blocks)).collect();
        let in_order =
            std::iter::once(&start).chain(&indices).is_sorted() && indices.last().is_none_or(|last| *last < end);
        if indices.len() > 98 || !in_order {
            return Err(ImageError::invalid(format!("the indices of track {number} are not in order inside it")));
        }
        let mut at = first;
        let mut extents = Vec::new();
        for Piece { blocks, stored } in self.pieces {
            if let Some(Stored { source, offset, stride, stored, subchannel }) = stored.filter(|_| blocks > 0) {
                extents.push(Extent { first: at, blocks, source, offset, stride, stored, subchannel });
            }
            at = at.plus(blocks);
        }
        let Self { mode, control, pregap, isrc, .. } = self;
        Ok(Track { number, mode, control, start, end, pregap, indices, isrc, extents })
    }
}
