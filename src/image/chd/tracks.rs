//! From the tracks of the metadata to a disc.

use std::sync::Arc;

use super::codec::FRAME;
use super::metadata::TrackText;
use crate::container::{ImageError, OpenContext};
use crate::disc::sector::RAW;
use crate::disc::subchannel::{StoredSubchannel, SubchannelForm};
use crate::disc::{Disc, MediumType, TrackMode};
use crate::image::layout::{DiscPlan, PREGAP, Piece, SessionPlan, Stored, TrackPlan, mode_2_of, stored_bytes};
use crate::source::{SharedSource, SwappedSource};

/// The CD that `tracks` describe, whose frames follow one another in `content`, of which `logical` bytes are there.
pub fn disc(
    tracks: &[TrackText],
    content: &SharedSource,
    logical: u64,
    cx: &OpenContext<'_>,
) -> Result<Disc, ImageError> {
    let swapped: SharedSource = Arc::new(SwappedSource::new(Arc::clone(content)));
    let mut at = 0;
    let mut plans = Vec::with_capacity(tracks.len());
    for track in tracks {
        let audio = if track.little_endian { content } else { &swapped };
        plans.push(plan(track, content, audio, at, plans.is_empty())?);
        at += (u64::from(track.frames) + u64::from(track.filling)) * FRAME as u64;
    }
    if at > logical {
        cx.warn("the tracks are longer than the content of the file: what is missing cannot be read");
    }
    let session = SessionPlan { tracks: plans, ..SessionPlan::default() };
    DiscPlan { medium: Some(MediumType::CdRom), sessions: vec![session], ..DiscPlan::default() }.build()
}

fn plan(
    track: &TrackText,
    content: &SharedSource,
    audio: &SharedSource,
    at: u64,
    first: bool,
) -> Result<TrackPlan, ImageError> {
    let number = track.number;
    let unknown = || ImageError::unsupported(format!("track {number} is of the unknown type {:?}", track.kind));
    let (mode, bytes) = kind(track, &**content, at).ok_or_else(unknown)?;
    let stored = stored_bytes(mode, bytes).ok_or_else(unknown)?;
    let subchannel = match track.subtype.as_str() {
        "RW_RAW" => Some(SubchannelForm::Interleaved),
        "RW" => Some(SubchannelForm::Packs),
        _ => None,
    };
    let subchannel = subchannel.map(|form| StoredSubchannel {
        source: Arc::clone(content),
        offset: at + RAW as u64,
        stride: FRAME as u32,
        form,
    });
    let source = if mode == TrackMode::Audio { audio } else { content };
    let mut plan = TrackPlan::new(number, mode);
    // The pre-gap of the first track is there on every disc; only when it is stored is it among the frames.
    let own = if first && !(track.pregap_is_stored && track.pregap == PREGAP) { PREGAP } else { 0 };
    let null = own.saturating_add(if track.pregap_is_stored { 0 } else { track.pregap });
    plan.pregap = own.saturating_add(track.pregap);
    let filled = track.frames.checked_sub(track.pad).ok_or_else(|| {
        ImageError::invalid(format!("track {number} has {} frames, {} of them padding", track.frames, track.pad))
    })?;
    plan.pieces = vec![
        Piece::empty(null),
        Piece::stored(
            filled,
            Stored { source: Arc::clone(source), offset: at, stride: FRAME as u32, stored, subchannel },
        ),
        Piece::empty(track.pad),
        Piece::empty(track.postgap),
    ];
    Ok(plan)
}

/// Mode and stored bytes of a track whose first frame is at `at`.
fn kind(track: &TrackText, content: &dyn crate::source::ByteSource, at: u64) -> Option<(TrackMode, u32)> {
    // Whether a Mode 2 track is XA is in its first sector, after what is stored before the sub-header.
    let mode_2 = |before: u64| {
        let mut subheader = [0; 8];
        match content.read_exact_at(&mut subheader, at + before) {
            Ok(()) => mode_2_of(&subheader),
            Err(_) => TrackMode::Mode2Xa,
        }
    };
    Some(match track.kind.as_str() {
        "MODE1" | "MODE1/2048" => (TrackMode::Mode1, 2048),
        "MODE1_RAW" | "MODE1/2352" => (TrackMode::Mode1, 2352),
        "MODE2" | "MODE2/2336" | "CDI/2336" => (mode_2(0), 2336),
        "MODE2_FORM_MIX" => (TrackMode::Mode2Xa, 2336),
        "MODE2_FORM1" | "MODE2/2048" => (TrackMode::Mode2Xa, 2048),
        "MODE2_FORM2" | "MODE2/2324" => (TrackMode::Mode2Xa, 2324),
        "MODE2_RAW" | "MODE2/2352" | "CDI/2352" => (mode_2(16), 2352),
        "AUDIO" => (TrackMode::Audio, 2352),
        _ => return None,
    })
}
