//! From the chunks to the plan of a disc.

use std::collections::BTreeMap;

use super::super::layout::{DiscPlan, PREGAP, Piece, SessionPlan, TrackPlan};
use super::super::sheet::{Data, Shape};
use super::super::{ImageError, OpenContext};
use super::chunks::{AtOnce, ByTrack, Chunks, Cue, Session};
use crate::disc::{Control, Lba, MediumType, TrackMode};
use crate::source::SharedSource;

/// Flags of media that are DVD and BD.
const DVD: u32 = 0x4 | 0x8 | 0x10 | 0x200 | 0x4_0000 | 0x8_0000;
const BD: u32 = 0x10_0000 | 0x20_0000 | 0x40_0000;
const CD: u32 = 0x1 | 0x400;

/// The plan for `chunks` of `source`, of which the sectors end at `sectors_end`.
///
/// # Errors
/// When the chunks describe no disc.
pub fn plan(
    source: &SharedSource,
    sectors_end: u64,
    chunks: &Chunks,
    cx: &OpenContext<'_>,
) -> Result<DiscPlan, ImageError> {
    let medium = match chunks.media {
        Some(flags) if flags & CD != 0 => Some(MediumType::CdRom),
        Some(flags) if flags & DVD != 0 => Some(MediumType::DvdRom),
        Some(flags) if flags & BD != 0 => Some(MediumType::BdRom),
        _ if chunks.sessions.iter().any(Session::is_of_a_cd) => Some(MediumType::CdRom),
        _ => (sectors_end / 2048 > u64::from(u32::MAX >> 1)
            || MediumType::for_blocks(sectors_end / 2048) != Ok(MediumType::CdRom))
        .then_some(MediumType::DvdRom),
    };
    let is_cd = matches!(medium, None | Some(MediumType::CdRom));
    let mut builder = Builder {
        file: Data { bytes: source.clone(), is_sound: false },
        sectors_end,
        is_cd,
        end: if is_cd { Lba(0).minus(PREGAP) } else { Lba(0) },
        last: 0,
        cx,
    };
    let mut plan = DiscPlan { medium: medium.or(Some(MediumType::CdRom)), ..DiscPlan::default() };
    let mut cues = chunks.cues.iter();
    for session in &chunks.sessions {
        let next = match session {
            Session::AtOnce { mcn, first, tracks } => {
                plan.mcn = plan.mcn.or(*mcn);
                builder.at_once(*first, tracks, cues.next().map_or(&[], Vec::as_slice), plan.sessions.is_empty())?
            }
            Session::ByTrack(tracks) => builder.by_track(tracks, plan.sessions.is_empty())?,
        };
        plan.sessions.push(next);
    }
    if let Some(first) = plan.sessions.first_mut() {
        first.cd_text.clone_from(&chunks.cd_text);
    }
    Ok(plan)
}

impl Session {
    /// Only a CD has sound, raw sectors, or several tracks.
    fn is_of_a_cd(&self) -> bool {
        match self {
            Self::AtOnce { tracks, .. } => tracks.len() > 1 || tracks.iter().any(|track| track.sector != 2048),
            Self::ByTrack(tracks) => tracks.len() > 1 || tracks.iter().any(|track| track.mode != 0),
        }
    }
}

/// What the sectors of a mode are, in a file that keeps `sector` bytes of each.
fn shape(mode: u8, sector: u32) -> Option<Shape> {
    let (mode, main) = match (mode, sector) {
        // MagicISO writes whole sectors under the numbers of parts.
        (0x00, 2352) => (TrackMode::Mode1, 2352),
        (0x02 | 0x03, 2352) => (TrackMode::Mode2Xa, 2352),
        (0x00, _) => (TrackMode::Mode1, 2048),
        (0x02, _) => (TrackMode::Mode2Xa, 2048),
        (0x03, _) => (TrackMode::Mode2Xa, 2336),
        (0x05 | 0x0F, _) => (TrackMode::Mode1, 2352),
        (0x06 | 0x11, _) => (TrackMode::Mode2Xa, 2352),
        (0x07 | 0x08 | 0x10, _) => (TrackMode::Audio, 2352),
        _ => return None,
    };
    let subchannel = sector.checked_sub(main)?;
    matches!(subchannel, 0 | 96).then_some(Shape { mode, main, subchannel })
}

/// Bytes of a sector by its mode alone.
fn usual_sector(mode: u8) -> u32 {
    match mode {
        0x00 | 0x02 => 2048,
        0x03 => 2336,
        0x0F..=0x11 => 2448,
        _ => 2352,
    }
}

fn checked_shape(number: u8, mode: u8, sector: u32) -> Result<Shape, ImageError> {
    shape(mode, sector).ok_or_else(|| {
        ImageError::invalid(format!("track {number}: mode {mode:#04x} with {sector} bytes of a sector is not known"))
    })
}

struct Builder<'a> {
    file: Data,
    sectors_end: u64,
    is_cd: bool,
    /// Where the last track ended, and its number.
    end: Lba,
    last: u8,
    cx: &'a OpenContext<'a>,
}

impl Builder<'_> {
    fn at_once(
        &mut self,
        first: u8,
        tracks: &[AtOnce],
        cues: &[Cue],
        is_first: bool,
    ) -> Result<SessionPlan, ImageError> {
        let mut session = SessionPlan::default();
        // Of those for one place the first counts.
        let mut known = BTreeMap::new();
        for cue in cues {
            known.entry((cue.track, cue.index)).or_insert(cue);
        }
        let numbers = cues.iter().filter(|cue| cue.index == 1 && (1..=99).contains(&cue.track)).map(|cue| cue.track);
        let mut numbers = numbers.chain(std::iter::repeat(0));
        for (position, track) in (0..).zip(tracks) {
            let number = match numbers.next() {
                Some(number @ 1..) => number,
                _ => first.max(self.last.saturating_add(1).saturating_sub(position)).saturating_add(position),
            };
            let places = |index: u8| known.get(&(number, index)).copied();
            let plan = self.track_at_once(number, track, places)?;
            if position == 0 && !is_first {
                let lead_in = cues.iter().find(|cue| cue.track == 0).map(|cue| cue.lba);
                let index_0 = places(0).map(|cue| cue.lba);
                let by_index_1 = places(1).map(|cue| cue.lba.minus(plan.pregap));
                session.start = by_index_1.or(index_0).or(lead_in);
                self.end = session.start.unwrap_or(self.end);
            }
            self.end = self.end.plus(u32::try_from(plan.blocks()).unwrap_or(u32::MAX));
            self.last = number;
            session.tracks.push(plan);
        }
        Ok(session)
    }

    fn track_at_once<'c>(
        &self,
        number: u8,
        track: &AtOnce,
        places: impl Fn(u8) -> Option<&'c Cue>,
    ) -> Result<TrackPlan, ImageError> {
        let shape = checked_shape(number, track.mode, track.sector)?;
        // MagicISO counts the chunks as sectors of the last track.
        let end = track.end.min(self.sectors_end.max(track.index_1));
        if track.index_0 > track.index_1 || track.index_1 > end {
            let message = format!("track {number}: its indices are not in order in the file");
            return Err(ImageError::invalid(message).at(track.index_0));
        }
        let stride = u64::from(shape.stride());
        let sectors = |bytes: u64| u32::try_from(bytes / stride).unwrap_or(u32::MAX);
        let (stored_pregap, blocks) = (sectors(track.index_1 - track.index_0), sectors(end - track.index_1));
        let told_pregap = match (places(0), places(1)) {
            (Some(index_0), Some(index_1)) if index_0.lba < index_1.lba => index_1.lba.since(index_0.lba),
            _ if number == 1 && self.is_cd => PREGAP,
            _ => 0,
        };
        // A pre-gap that the file does not hold is empty; one that it holds in part begins empty.
        let empty = if self.is_cd { told_pregap.saturating_sub(stored_pregap) } else { 0 };
        let mode = shape.real_mode(&self.file, track.index_1);
        let mut plan = TrackPlan::new(number, mode);
        if let Some(cue) = places(1) {
            plan.control = Control(cue.control);
        }
        plan.isrc = track.isrc;
        plan.pregap = empty.saturating_add(stored_pregap);
        if let Some(index_1) = places(1) {
            let later = (2..=99).map_while(&places).filter(|cue| cue.lba > index_1.lba);
            plan.indices = later.map(|cue| cue.lba.since(index_1.lba)).filter(|at| *at < blocks).collect();
        }
        plan.pieces = vec![
            Piece::empty(empty),
            shape.piece(mode, stored_pregap, track.index_0, &self.file)?,
            shape.piece(mode, blocks, track.index_1, &self.file)?,
        ];
        self.warn_if_cut_off(number, track.end);
        Ok(plan)
    }

    fn by_track(&mut self, tracks: &[ByTrack], is_first: bool) -> Result<SessionPlan, ImageError> {
        let mut session = SessionPlan::default();
        for track in tracks {
            let number = self.last.saturating_add(1);
            let exact = track.sectors.filter(|sectors| *sectors > 0 && track.bytes % u64::from(*sectors) == 0);
            let by_sectors = exact.and_then(|sectors| u32::try_from(track.bytes / u64::from(sectors)).ok());
            let sector = by_sectors.filter(|sector| shape(track.mode, *sector).is_some());
            let shape = checked_shape(number, track.mode, sector.unwrap_or(usual_sector(track.mode)))?;
            let blocks = u32::try_from(track.bytes / u64::from(shape.stride())).unwrap_or(u32::MAX);
            let mode = shape.real_mode(&self.file, track.offset);
            // Where index 1 lies is told by some; what is told must leave room for the pre-gap.
            let start = track.start.and_then(|start| i32::try_from(start).ok()).map(Lba);
            let start = start.filter(|start| *start >= self.end.plus(PREGAP));
            let pregap = match (self.is_cd, start) {
                (false, _) => 0,
                (true, Some(start)) if !session.tracks.is_empty() => start.since(self.end),
                _ => PREGAP,
            };
            if session.tracks.is_empty() && !is_first {
                session.start = start.map(|start| start.minus(pregap));
            }
            let mut plan = TrackPlan { pregap, ..TrackPlan::new(number, mode) };
            plan.pieces = vec![Piece::empty(pregap), shape.piece(mode, blocks, track.offset, &self.file)?];
            self.end = session.start.filter(|_| session.tracks.is_empty()).unwrap_or(self.end);
            self.end = self.end.plus(u32::try_from(plan.blocks()).unwrap_or(u32::MAX));
            self.last = number;
            self.warn_if_cut_off(number, track.offset.saturating_add(track.bytes));
            session.tracks.push(plan);
        }
        Ok(session)
    }

    fn warn_if_cut_off(&self, number: u8, end: u64) {
        if end > self.file.bytes.len() {
            self.cx.warn(format!("the file is shorter than track {number}: what is missing cannot be read"));
        }
    }
}
