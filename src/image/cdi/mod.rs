//! CDI of DiscJuggler: the sectors of all tracks, then a description of them (formats.md, 11).
//!
//! The versions differ in what lies between the fields, so records are found by the mark that they begin with. The file holds
//! every pre-gap, also the one before LBA 0, and nothing of what lies between sessions.

mod descriptor;

use std::sync::Arc;

use self::descriptor::{Descriptor, Session, Track};
use super::layout::{
    DiscPlan, Piece, SessionPlan, Stored, TrackPlan, mode_2_of, mode_of, stored_bytes, subchannel_form,
};
use super::{FormatInfo, ImageError, ImageErrorKind, ImageFormat, OpenContext, Probe, Score};
use crate::disc::subchannel::{StoredSubchannel, SubchannelForm};
use crate::disc::{Control, Disc, Lba, MediumType, TrackMode};
use crate::source::SharedSource;

/// CDI files.
pub struct Cdi;

static INFO: FormatInfo = FormatInfo { id: "cdi", name: "DiscJuggler (CDI)", extensions: &["cdi"] };

impl ImageFormat for Cdi {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        match descriptor::place(&probe.tail, probe.len()) {
            Some(place) if descriptor::looks_like_one(probe.source, place) => Score::Sure,
            _ => Score::No,
        }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let probe = Probe::new(&*source, cx.name);
        let place = descriptor::place(&probe.tail, probe.len());
        let place = place.ok_or_else(|| ImageError::invalid("the file has no footer of a CDI image"))?;
        let descriptor = Descriptor::read(&*source, place)?;
        plan(&source, place.at, &descriptor, cx)?.build()
    }
}

fn plan(
    source: &SharedSource,
    sectors_end: u64,
    descriptor: &Descriptor,
    cx: &OpenContext<'_>,
) -> Result<DiscPlan, ImageError> {
    let is_dvd = descriptor.is_dvd;
    let mut plan = DiscPlan {
        medium: Some(if is_dvd { MediumType::DvdRom } else { MediumType::CdRom }),
        mcn: descriptor.mcn,
        ..DiscPlan::default()
    };
    let (mut offset, mut number) = (0_u64, 0_u8);
    for Session { tracks } in &descriptor.sessions {
        let mut session = SessionPlan::default();
        for track in tracks {
            number += 1;
            if number > 99 {
                return Err(ImageError::new(ImageErrorKind::Limit, "more than 99 tracks"));
            }
            let (next, bytes) = track_plan(source, offset, number, track, is_dvd)?;
            session.tracks.push(next);
            offset = offset.saturating_add(bytes);
        }
        if !session.tracks.is_empty() {
            plan.sessions.push(session);
        }
    }
    if offset > sectors_end {
        cx.warn("the tracks are longer than the file: what is missing cannot be read");
    }
    if let Some(first) = plan.sessions.first_mut() {
        first.cd_text.clone_from(&descriptor.cd_text);
        first.start = is_dvd.then_some(Lba(0));
    }
    Ok(plan)
}

/// The track whose pre-gap is at `offset`, and how many bytes of the file it takes.
fn track_plan(
    source: &SharedSource,
    offset: u64,
    number: u8,
    track: &Track,
    is_dvd: bool,
) -> Result<(TrackPlan, u64), ImageError> {
    let wrong = |what: String| ImageError::invalid(format!("track {number}: {what}")).at(track.at);
    let (main, subchannel) = match track.read_mode {
        0 => (2048, 0),
        1 => (2336, 0),
        2 => (2352, 0),
        3 => (2352, 16),
        4 => (2352, 96),
        other => return Err(wrong(format!("read mode {other} is not known"))),
    };
    let told = match track.mode {
        0 => TrackMode::Audio,
        1 => TrackMode::Mode1,
        2 => TrackMode::Mode2Xa,
        other => return Err(wrong(format!("mode {other} is not known"))),
    };
    let (stride, pregap) = (main + subchannel, track.indices.first().copied().unwrap_or(0));
    let sum = track.indices.iter().fold(0_u32, |sum, len| sum.saturating_add(*len));
    let blocks = if track.blocks == 0 { sum } else { track.blocks };
    if pregap >= blocks {
        return Err(wrong("it has no sector after its pre-gap".to_owned()));
    }
    let first = offset.saturating_add(u64::from(pregap) * u64::from(stride));
    let mode = match (told, main) {
        (TrackMode::Mode1 | TrackMode::Mode2Xa, 2352) => match mode_of(&**source, first) {
            TrackMode::Audio => told,
            mode => mode,
        },
        (TrackMode::Mode2Xa, 2336) => {
            let mut subheader = [0; 8];
            source.read_exact_at(&mut subheader, first).map_or(told, |()| mode_2_of(&subheader))
        }
        _ => told,
    };
    let stored = stored_bytes(mode, main)
        .ok_or_else(|| wrong(format!("sectors of {main} bytes do not go with mode {}", track.mode)))?;
    // A DVD has no sectors before LBA 0; the file has them all the same.
    let (begin, left_out) = if is_dvd { (first, pregap) } else { (offset, 0) };
    let at = begin + u64::from(main);
    let form = match subchannel {
        16 => SubchannelForm::Q16,
        _ => subchannel_form(&**source, at, stride),
    };
    let subchannel =
        (subchannel > 0).then(|| StoredSubchannel { source: Arc::clone(source), offset: at, stride, form });
    let stored = Stored { source: Arc::clone(source), offset: begin, stride, stored, subchannel };
    let mut plan = TrackPlan { pregap: pregap - left_out, ..TrackPlan::new(number, mode) };
    plan.control = Control(track.control & 0xB | plan.control.0 & 4);
    plan.isrc = track.isrc;
    let mut index = 0_u32;
    for len in track.indices.get(1..track.indices.len().saturating_sub(1)).unwrap_or_default() {
        index = index.saturating_add(*len);
        plan.indices.push(index);
    }
    plan.pieces.push(Piece::stored(blocks - left_out, stored));
    Ok((plan, u64::from(blocks) * u64::from(stride)))
}
