//! What `readcd -clone` writes: the full TOC as a drive gives it, and every sector with its subchannel from LBA 0 on (formats.md,
//! 3.2).
//!
//! The data file has the name of the TOC without `.toc`. Pre-gaps are not told: where data and sound meet, there is one of two seconds.

use super::layout::{DiscPlan, PREGAP, Piece, SessionPlan, TrackPlan};
use super::sheet::{Data, Shape};
use super::{FormatInfo, ImageError, ImageFormat, OpenContext, Probe, Score};
use crate::disc::{Disc, FullTocEntry, Lba, MediumType, TrackMode};
use crate::source::SharedSource;

/// readcd's TOC.
pub struct Readcd;

static INFO: FormatInfo = FormatInfo { id: "readcd", name: "readcd -clone", extensions: &["toc"] };

const ENTRY: usize = 11;
const LEAD_OUT: u8 = 0xA2;
/// Whole sectors with their subchannel.
const SECTOR: Shape = Shape { mode: TrackMode::Audio, main: 2352, subchannel: 96 };

/// The entries, when `bytes` are a full TOC with the two or three bytes that readcd puts behind it.
fn entries(bytes: &[u8]) -> Option<Vec<FullTocEntry>> {
    let len = usize::from(u16::from_be_bytes(*bytes.first_chunk()?));
    let rest = bytes.len().checked_sub(len + 2)?;
    if !(2..=3).contains(&rest) || len < 2 || (len - 2) % ENTRY != 0 {
        return None;
    }
    let entries: Vec<FullTocEntry> =
        bytes[4..len + 2].as_chunks().0.iter().copied().map(FullTocEntry::from_bytes).collect();
    let known = |entry: &FullTocEntry| {
        (1..=99).contains(&entry.session) && matches!(entry.point, 1..=99 | 0xA0..=0xA2 | 0xB0..=0xC1)
    };
    let has = |point| entries.iter().any(|entry| entry.point == point);
    (entries.iter().all(known) && has(0xA0)).then_some(entries)
}

/// Bytes of the longest TOC: every track and every pointer of 99 sessions.
const LONGEST: u64 = 16 << 10;

impl ImageFormat for Readcd {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        let is_one = probe.len() <= LONGEST && entries(&probe.head).is_some();
        if is_one { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let probe = Probe::new(&*source, cx.name);
        let entries = entries(&probe.head).ok_or_else(|| ImageError::invalid("the file is no full TOC"))?;
        let stem = cx.name.rsplit_once('.').map_or(cx.name, |(stem, _)| stem);
        let data = Data { bytes: cx.open_data(stem.as_bytes())?, is_sound: false };
        let mut plan = DiscPlan { medium: Some(MediumType::CdRom), ..DiscPlan::default() };
        let mut numbers: Vec<u8> = entries.iter().map(|entry| entry.session).collect();
        numbers.sort_unstable();
        numbers.dedup();
        for session in numbers {
            let own = || entries.iter().filter(|entry| entry.session == session);
            let is_track = |entry: &&FullTocEntry| entry.point <= 99 && !entry.is_mode_5();
            let mut tracks: Vec<FullTocEntry> = own().filter(is_track).copied().collect();
            tracks.sort_by_key(|track| track.point);
            let end = own().find(|entry| entry.point == LEAD_OUT).map(|entry| entry.pointed.to_lba());
            let end = end.ok_or_else(|| ImageError::invalid(format!("session {session} has no lead-out")))?;
            let mut next = of_session(&tracks, end, plan.sessions.is_empty(), &data)?;
            next.mode_5 = own().filter(|entry| entry.is_mode_5()).copied().collect();
            next.disc_type = own().find_map(FullTocEntry::disc_type);
            plan.sessions.push(next);
        }
        let end = entries
            .iter()
            .filter(|entry| entry.point == LEAD_OUT)
            .map(|entry| entry.pointed.to_lba().since(Lba(0)))
            .max();
        if u64::from(end.unwrap_or(0)) * u64::from(SECTOR.stride()) > data.bytes.len() {
            cx.warn("the data file is shorter than the TOC says: what is missing cannot be read");
        }
        plan.build()
    }
}

fn of_session(tracks: &[FullTocEntry], end: Lba, is_first: bool, data: &Data) -> Result<SessionPlan, ImageError> {
    let mut session = SessionPlan::default();
    let mut at = Lba(0);
    for (position, track) in tracks.iter().enumerate() {
        let start = track.pointed.to_lba();
        if position == 0 {
            at = if is_first { Lba(0) } else { start };
            session.start = (!is_first).then(|| at.minus(PREGAP));
        }
        let next = tracks.get(position + 1);
        let changes = next.is_some_and(|next| next.control.0 & 4 != track.control.0 & 4);
        let gap = if changes { PREGAP } else { 0 };
        let track_end = next.map_or(end, |next| next.pointed.to_lba().minus(gap));
        if start < at || track_end <= start {
            return Err(ImageError::invalid(format!(
                "the address of track {} is not behind the one before",
                track.point
            )));
        }
        let offset = |lba: Lba| u64::from(lba.since(Lba(0))) * u64::from(SECTOR.stride());
        // CONTROL says data or sound; the first sector says which data.
        let told = if track.control.0 & 4 != 0 { TrackMode::Mode1 } else { TrackMode::Audio };
        let mode = Shape { mode: told, ..SECTOR }.real_mode(data, offset(start));
        let empty = if position == 0 { PREGAP } else { 0 };
        let mut plan = TrackPlan::new(track.point, mode);
        plan.control = track.control;
        plan.pregap = empty + start.since(at);
        plan.pieces = vec![Piece::empty(empty), SECTOR.piece(mode, track_end.since(at), offset(at), data)?];
        session.tracks.push(plan);
        at = track_end;
    }
    Ok(session)
}
