//! From a sheet and its files to the plan of a disc.

use super::super::layout::{DiscPlan, FIRST_SESSION_GAP, LATER_SESSION_GAP, PREGAP, Piece, SessionPlan, TrackPlan};
use super::super::sheet::{Data, SHORTEST_TRACK};
use super::super::{ImageError, ImageErrorKind, OpenContext};
use super::segments::{Segment, segments};
use super::sheet::{Sheet, Track};
use crate::disc::cdtext::{CdText, ENGLISH, encode, packs_of_file};
use crate::disc::{DiscType, Lba, MediumType, TrackMode};

/// Where the high-density area of a GD-ROM begins.
const HIGH_DENSITY: Lba = Lba(45_000);
/// The plan for `sheet`.
///
/// # Errors
/// When a file is missing, or the sheet contradicts itself or the files.
pub fn plan(sheet: &Sheet, cx: &OpenContext<'_>) -> Result<DiscPlan, ImageError> {
    let mut files: Vec<Data> = Vec::new();
    for file in &sheet.files {
        // A file that is named again is not opened again: sound can be long to open.
        let known = sheet.files[..files.len()].iter().position(|known| known.name == file.name);
        files.push(known.map_or_else(|| Data::open(&file.name, cx), |known| Ok(files[known].clone()))?);
    }
    let lengths: Vec<u64> = files.iter().map(|file| file.bytes.len()).collect();
    let segments = segments(sheet, &lengths)?;
    warn_of_what_is_missing(sheet, &segments, &lengths, cx);
    let mut sessions: Vec<SessionPlan> = Vec::new();
    let mut before: Option<&Track> = None;
    let is_dvd = is_larger_than_a_cd(sheet, &lengths);
    let mut end = if is_dvd { Lba(0) } else { Lba(0).minus(PREGAP) };
    for (number, track) in sheet.tracks.iter().enumerate() {
        let own: Vec<&Segment> = segments.iter().filter(|segment| segment.track == number).collect();
        let is_first = before.is_none_or(|before| before.session != track.session);
        let empty = empty_pregap(track, &own, before.is_none(), is_first, is_dvd);
        let plan = track_plan(track, &own, empty, sheet, &files)?;
        if is_first {
            let start = before.map(|_| session_start(track, plan.pregap, end, sessions.len()));
            end = start.unwrap_or(end);
            let disc_type = sheet.is_cd_i.then_some(DiscType::Interactive);
            sessions.push(SessionPlan { start, disc_type, ..SessionPlan::default() });
        }
        end = end.plus(u32::try_from(plan.blocks()).unwrap_or(u32::MAX));
        if let Some(session) = sessions.last_mut() {
            session.tracks.push(plan);
        }
        before = Some(track);
    }
    if let Some(first) = sessions.first_mut() {
        first.cd_text = cd_text(sheet, cx)?;
    }
    let medium = if is_dvd { None } else { Some(MediumType::CdRom) };
    Ok(DiscPlan { medium, sessions, mcn: sheet.mcn, ..DiscPlan::default() })
}

/// Whether the sheet is of a DVD or BD: one track of blocks, more of them than a CD has, or a remark that says so.
fn is_larger_than_a_cd(sheet: &Sheet, lengths: &[u64]) -> bool {
    match (&*sheet.tracks, lengths) {
        ([track], [len]) if track.mode.mode.is_data() && track.mode.main == 2048 => {
            sheet.is_dvd || MediumType::for_blocks(len / 2048) != Ok(MediumType::CdRom)
        }
        _ => false,
    }
}

/// Blocks before index 1 that no file stores.
fn empty_pregap(track: &Track, own: &[&Segment], is_first: bool, is_first_of_session: bool, is_dvd: bool) -> u32 {
    let before = own.iter().filter(|segment| segment.index == 0).map(|segment| segment.sectors);
    let stored = before.fold(0, u32::saturating_add);
    match (is_first, is_first_of_session) {
        _ if is_dvd => 0,
        // The two seconds before LBA 0 are never in a file. Sound may be told to begin later; data cannot, or no address in them
        // would be right.
        (true, _) if track.mode.mode.is_data() => PREGAP.max(track.pregap),
        (true, _) => PREGAP.saturating_add(track.pregap),
        (false, true) => PREGAP.saturating_sub(stored).max(track.pregap),
        (false, false) => track.pregap,
    }
}

/// Where a later session begins: behind the gap that remarks tell, or the usual one.
fn session_start(track: &Track, pregap: u32, end: Lba, sessions: usize) -> Lba {
    let usual = if sessions == 1 { FIRST_SESSION_GAP } else { LATER_SESSION_GAP };
    if track.high_density { HIGH_DENSITY.minus(pregap) } else { end.plus(track.gap.unwrap_or(usual)) }
}

fn track_plan(
    track: &Track,
    own: &[&Segment],
    empty: u32,
    sheet: &Sheet,
    files: &[Data],
) -> Result<TrackPlan, ImageError> {
    let first = own.iter().find(|segment| segment.sectors > 0 && segment.index > 0);
    let mode = first.map_or(track.mode.mode, |first| track.mode.real_mode(&files[first.file], first.offset));
    let mut plan = TrackPlan { control: track.control, isrc: track.isrc, ..TrackPlan::new(track.number, mode) };
    plan.pieces.push(Piece::empty(empty));
    let mut has_index_1 = false;
    for (position, segment) in own.iter().enumerate() {
        let so_far = u32::try_from(plan.blocks()).unwrap_or(u32::MAX);
        match segment.index {
            0 => {}
            1 => {
                plan.pregap = so_far;
                has_index_1 = true;
            }
            _ => plan.indices.push(so_far - plan.pregap),
        }
        let is_gone = segment.sectors == 0 && position + 1 == own.len() && so_far == plan.pregap;
        let sectors = if is_gone { SHORTEST_TRACK } else { segment.sectors };
        let file = &files[segment.file];
        let is_swapped = sheet.files[segment.file].is_motorola && mode == TrackMode::Audio;
        let file = if is_swapped { &file.swapped() } else { file };
        plan.pieces.push(track.mode.piece(mode, sectors, segment.offset, file)?);
    }
    if !has_index_1 {
        return Err(ImageError::invalid(format!("track {} has no INDEX 01", track.number)));
    }
    plan.pieces.push(Piece::empty(track.postgap));
    Ok(plan)
}

/// The packs of a file, or packs for the texts of the sheet.
fn cd_text(sheet: &Sheet, cx: &OpenContext<'_>) -> Result<Vec<[u8; 18]>, ImageError> {
    if let Some(name) = &sheet.cd_text_file {
        match read_packs(name, cx) {
            Ok(packs) => return Ok(packs),
            Err(error) if error.kind() == ImageErrorKind::Missing => cx.missing(name),
            Err(error) => return Err(error.in_file(String::from_utf8_lossy(name))),
        }
    }
    let numbers = || sheet.tracks.iter().map(|track| track.number);
    let (first, last) = (numbers().min().unwrap_or(1), numbers().max().unwrap_or(1));
    Ok(encode(&[CdText { language: ENGLISH, texts: sheet.texts.clone() }], first, last))
}

fn read_packs(name: &[u8], cx: &OpenContext<'_>) -> Result<Vec<[u8; 18]>, ImageError> {
    /// Eight blocks of 256 packs.
    const LONGEST: u64 = 8 * 256 * 18 + 4;
    let source = cx.open_sibling(name)?;
    if source.len() > LONGEST {
        return Err(ImageError::new(ImageErrorKind::Limit, "more CD-TEXT than a disc can hold"));
    }
    let mut bytes = vec![0; source.len() as usize];
    source.read_exact_at(&mut bytes, 0).map_err(ImageError::io)?;
    packs_of_file(&bytes).ok_or_else(|| ImageError::invalid("is no file of CD-TEXT packs"))
}

fn warn_of_what_is_missing(sheet: &Sheet, segments: &[Segment], lengths: &[u64], cx: &OpenContext<'_>) {
    for (number, file) in sheet.files.iter().enumerate() {
        let own = segments.iter().filter(|segment| segment.file == number);
        let short = own.clone().find(|segment| {
            let stride = u64::from(sheet.tracks[segment.track].mode.stride());
            let end = segment.offset + u64::from(segment.sectors) * stride;
            end >= lengths[number] + stride || segment.sectors == 0 && segment.index > 0
        });
        if let Some(segment) = short {
            cx.warn(format!(
                "{} ends inside track {}: what is missing cannot be read",
                String::from_utf8_lossy(&file.name),
                sheet.tracks[segment.track].number
            ));
        }
    }
}
