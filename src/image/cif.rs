//! CIF of Easy CD Creator: a list of RIFF blocks, one for the disc's structure, one for where the tracks lie, and one for each track
//! (formats.md, 6).

use super::layout::{DiscPlan, PREGAP, Piece, SessionPlan, Stored, TrackPlan};
use super::record::{Record, bytes_at};
use super::{FormatInfo, ImageError, ImageErrorKind, ImageFormat, OpenContext, Probe, Score};
use crate::disc::{Disc, MediumType, TrackMode};
use crate::source::SharedSource;

/// CIF files.
pub struct Cif;

static INFO: FormatInfo = FormatInfo { id: "cif", name: "Easy CD Creator (CIF)", extensions: &["cif"] };

/// Blocks that are looked at, at most, and bytes of one that describes.
const MOST_BLOCKS: u32 = 1000;
const LONGEST: u64 = 1 << 20;
/// Bytes of the directory for a track.
const ENTRY: usize = 22;
/// Sectors of a track, at least.
const SHORTEST: u32 = 300;

impl ImageFormat for Cif {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        if probe.has(0, b"RIFF") && probe.has(8, b"imag") { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let (mut disc, mut places) = (None, None);
        let mut at = 0_u64;
        for _ in 0..MOST_BLOCKS {
            let Ok(header) = Record::<12>::read(&source, at) else { break };
            if header.bytes(0) != *b"RIFF" {
                break;
            }
            // The length counts the type too.
            let len = u64::from(header.u32(4)).saturating_sub(4);
            let content = at + 12;
            let slot = match &header.bytes::<4>(8) {
                b"disc" => Some(&mut disc),
                b"ofs " => Some(&mut places),
                _ => None,
            };
            if let Some(slot) = slot {
                if len > LONGEST {
                    let message = format!("a description of {len} bytes, which no disc needs");
                    return Err(ImageError::new(ImageErrorKind::Limit, message).at(at));
                }
                *slot = Some(bytes_at(&source, content, len)?);
            }
            at = content + len + len % 2;
        }
        let missing = |what| ImageError::invalid(format!("the file has no block that says {what}"));
        let places = places.ok_or_else(|| missing("where the tracks lie"))?;
        let disc = disc.ok_or_else(|| missing("what tracks there are"))?;
        let sessions =
            sessions(&disc).ok_or_else(|| ImageError::invalid("the description of the tracks is damaged"))?;
        let entries = places.get(10..).unwrap_or_default();
        if u16_at(&places, 8).is_none_or(|count| usize::from(count) * ENTRY > entries.len()) {
            return Err(ImageError::invalid("the directory is shorter than its number of tracks"));
        }
        let mut places = entries.chunks_exact(ENTRY);
        let mut plan = DiscPlan { medium: Some(MediumType::CdRom), ..DiscPlan::default() };
        let mut number = 0_u8;
        for tracks in sessions {
            let mut session = SessionPlan::default();
            let mut before = None;
            for track in tracks {
                number += 1;
                if number > 99 {
                    return Err(ImageError::new(ImageErrorKind::Limit, "more than 99 tracks"));
                }
                let place = places
                    .next()
                    .ok_or_else(|| ImageError::invalid(format!("nothing says where track {number} lies")))?;
                // A gap lies where data and sound meet.
                let is_data = track.mode.is_data();
                let gap = if before == Some(is_data) { 0 } else { PREGAP };
                before = Some(is_data);
                session.tracks.push(track_plan(number, &track, place, gap, &source, cx));
            }
            plan.sessions.push(session);
        }
        plan.build()
    }
}

/// A track as its descriptor has it.
#[derive(Debug)]
struct Track {
    mode: TrackMode,
    blocks: u32,
    /// Bytes of a sector, and where they belong.
    stride: u32,
    stored: std::ops::Range<usize>,
    isrc: Option<[u8; 12]>,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// The next descriptor of `rest`: each begins with its length.
fn descriptor<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::from(u16_at(rest, 0)?);
    let (own, after) = rest.split_at_checked(len.max(2))?;
    *rest = after;
    Some(own)
}

/// The tracks of each session.
fn sessions(disc: &[u8]) -> Option<Vec<Vec<Track>>> {
    let mut rest = disc.get(8..)?;
    let count = u16_at(descriptor(&mut rest)?, 2)?;
    let session = |rest: &mut &[u8]| -> Option<Vec<Track>> {
        let tracks = u16_at(descriptor(rest)?, 2)?;
        (0..tracks.min(100)).map(|_| track(descriptor(rest)?)).collect()
    };
    (0..count.min(100)).map(|_| session(&mut rest)).collect()
}

fn track(own: &[u8]) -> Option<Track> {
    let (mode, stride, stored) = match u16_at(own, 10)? {
        0 => (TrackMode::Audio, 2352, 0..2352),
        1 => (TrackMode::Mode1, 2048, 16..2064),
        2 => (TrackMode::Mode2Xa, 2056, 16..2072),
        4 => (TrackMode::Mode2Xa, 2332, 16..2348),
        _ => return None,
    };
    let isrc = own.get(24 + 205..)?.first_chunk::<12>().copied();
    let isrc = isrc.filter(|isrc| mode == TrackMode::Audio && isrc.iter().all(u8::is_ascii_alphanumeric));
    Some(Track { mode, blocks: u32_at(own, 4)?, stride, stored, isrc })
}

fn track_plan(
    number: u8,
    track: &Track,
    place: &[u8],
    gap: u32,
    source: &SharedSource,
    cx: &OpenContext<'_>,
) -> TrackPlan {
    let (len, at) = (u32_at(place, 4).unwrap_or(0), u32_at(place, 12).unwrap_or(0));
    let offset = u64::from(at) + 4;
    let room = u64::from(len.saturating_sub(4)) / u64::from(track.stride);
    // A track that is too short for a disc is filled up, from the file where that has more.
    let filled = if room >= u64::from(SHORTEST) { track.blocks.max(SHORTEST) } else { track.blocks };
    if room < u64::from(filled) || offset + u64::from(filled) * u64::from(track.stride) > source.len() {
        cx.warn(format!("track {number} is shorter than it says: what is missing cannot be read"));
    }
    let stored =
        Stored { source: source.clone(), offset, stride: track.stride, stored: track.stored.clone(), subchannel: None };
    let rest = SHORTEST.saturating_sub(filled);
    TrackPlan {
        pregap: gap,
        isrc: track.isrc,
        pieces: vec![Piece::empty(gap), Piece::stored(filled, stored), Piece::empty(rest)],
        ..TrackPlan::new(number, track.mode)
    }
}
