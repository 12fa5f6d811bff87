//! From a sheet and its files to the plan of a disc.

use std::sync::Arc;

use super::super::audio;
use super::super::layout::{
    DiscPlan, FIRST_SESSION_GAP, LATER_SESSION_GAP, PREGAP, Piece, SessionPlan, Stored, TrackPlan, mode_2_of, mode_of,
    stored_bytes, subchannel_form,
};
use super::super::names::open_converted;
use super::super::{ImageError, ImageErrorKind, OpenContext};
use super::segments::{Segment, segments};
use super::sheet::{File, Mode, Sheet, Track};
use crate::disc::cdtext::{CdText, ENGLISH, packs_of_file};
use crate::disc::subchannel::StoredSubchannel;
use crate::disc::{Lba, MediumType, TrackMode};
use crate::source::{PaddedSource, SharedSource, SwappedSource};

/// Where the high-density area of a GD-ROM begins.
const HIGH_DENSITY: Lba = Lba(45_000);
/// Sectors of a track of which the files hold nothing: a track is not shorter (IEC 60908).
const SHORTEST_TRACK: u32 = 4 * 75;

/// What a data file may be called where it is not under its name.
const ENDINGS: [&str; 9] = ["bin", "img", "iso", "wav", "flac", "ogg", "mp3", "aiff", "aif"];

/// A file that was opened.
struct Data {
    bytes: SharedSource,
    is_sound: bool,
    is_motorola: bool,
}

/// The plan for `sheet`.
///
/// # Errors
/// When a file is missing, or the sheet contradicts itself or the files.
pub fn plan(sheet: &Sheet, cx: &OpenContext<'_>) -> Result<DiscPlan, ImageError> {
    let files = sheet.files.iter().map(|file| open(file, cx)).collect::<Result<Vec<_>, _>>()?;
    let lengths: Vec<u64> = files.iter().map(|file| file.bytes.len()).collect();
    let segments = segments(sheet, &lengths)?;
    warn_of_what_is_missing(sheet, &segments, &lengths, cx);
    let mut sessions: Vec<SessionPlan> = Vec::new();
    let mut before: Option<&Track> = None;
    let mut end = if sheet.is_dvd { Lba(0) } else { Lba(0).minus(PREGAP) };
    for (number, track) in sheet.tracks.iter().enumerate() {
        let own: Vec<&Segment> = segments.iter().filter(|segment| segment.track == number).collect();
        let is_first = before.is_none_or(|before| before.session != track.session);
        let empty = empty_pregap(track, &own, before.is_none(), is_first, sheet.is_dvd);
        let plan = track_plan(track, &own, empty, &files)?;
        if is_first {
            let start = before.map(|_| session_start(track, plan.pregap, end, sessions.len()));
            end = start.unwrap_or(end);
            sessions.push(SessionPlan { start, ..SessionPlan::default() });
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
    let medium = sheet.is_dvd.then_some(MediumType::DvdRom);
    Ok(DiscPlan { medium, sessions, mcn: sheet.mcn, ..DiscPlan::default() })
}

fn open(file: &File, cx: &OpenContext<'_>) -> Result<Data, ImageError> {
    let bytes = open_converted(cx, &file.name, &ENDINGS)?;
    let sound = audio::open(&bytes, cx).map_err(|error| error.in_file(String::from_utf8_lossy(&file.name)))?;
    let is_sound = sound.is_some();
    Ok(Data { bytes: sound.unwrap_or(bytes), is_sound, is_motorola: file.is_motorola })
}

/// Blocks before index 1 that no file stores.
fn empty_pregap(track: &Track, own: &[&Segment], is_first: bool, is_first_of_session: bool, is_dvd: bool) -> u32 {
    let stored: u32 = own.iter().filter(|segment| segment.index == 0).map(|segment| segment.sectors).sum();
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

fn track_plan(track: &Track, own: &[&Segment], empty: u32, files: &[Data]) -> Result<TrackPlan, ImageError> {
    let mode = real_mode(track.mode, own, files);
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
        plan.pieces.push(piece(track.mode, mode, sectors, segment.offset, &files[segment.file])?);
    }
    if !has_index_1 {
        return Err(ImageError::invalid(format!("track {} has no INDEX 01", track.number)));
    }
    plan.pieces.push(Piece::empty(track.postgap));
    Ok(plan)
}

fn piece(word: Mode, mode: TrackMode, blocks: u32, offset: u64, file: &Data) -> Result<Piece, ImageError> {
    let stride = word.stride();
    let wrong = || ImageError::invalid("a track of data cannot lie in a file of sound");
    if file.is_sound && (word.mode.is_data() || word.subchannel > 0) {
        return Err(wrong());
    }
    let stored = stored_bytes(mode, word.main).ok_or_else(wrong)?;
    let bytes: SharedSource = if file.is_motorola && !file.is_sound && mode == TrackMode::Audio {
        Arc::new(SwappedSource::new(Arc::clone(&file.bytes)))
    } else {
        Arc::clone(&file.bytes)
    };
    // The last sector of the file may be short.
    let whole = (bytes.len().saturating_sub(offset)).next_multiple_of(u64::from(stride)) + offset;
    let source: SharedSource =
        if whole > bytes.len() && offset < bytes.len() { Arc::new(PaddedSource::new(bytes, whole)) } else { bytes };
    let subchannel = (word.subchannel > 0).then(|| {
        let at = offset + u64::from(word.main);
        let form = subchannel_form(&*source, at, stride);
        StoredSubchannel { source: Arc::clone(&source), offset: at, stride, form }
    });
    Ok(Piece::stored(blocks, Stored { source, offset, stride, stored, subchannel }))
}

/// What the sectors of a track say they are, where they say so: sheets do not tell the two kinds of Mode 2 apart.
fn real_mode(word: Mode, own: &[&Segment], files: &[Data]) -> TrackMode {
    let Some(first) = own.iter().find(|segment| segment.sectors > 0 && segment.index > 0) else { return word.mode };
    let bytes = &*files[first.file].bytes;
    match (word.mode, word.main) {
        (TrackMode::Audio, _) => TrackMode::Audio,
        (_, 2352) => match mode_of(bytes, first.offset) {
            TrackMode::Audio => word.mode,
            mode => mode,
        },
        (TrackMode::Mode2Xa, 2336) => {
            let mut subheader = [0; 8];
            match bytes.read_exact_at(&mut subheader, first.offset) {
                Ok(()) => mode_2_of(&subheader),
                Err(_) => word.mode,
            }
        }
        (mode, _) => mode,
    }
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
    Ok(CdText { language: ENGLISH, texts: sheet.texts.clone() }.encode(first, last))
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
