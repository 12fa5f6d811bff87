//! From the text and its files to the plan of a disc.

use std::sync::Arc;

use super::super::layout::{DiscPlan, PREGAP, Piece, SessionPlan, Stored, TrackPlan, mode_of};
use super::super::names::open_named;
use super::super::text::{catalogue_number, isrc};
use super::super::{ImageError, ImageErrorKind, OpenContext};
use super::ini::{Ini, Section};
use super::scrambled::Unscrambled;
use crate::disc::cdtext::seal;
use crate::disc::sector::{RAW, SYNC};
use crate::disc::subchannel::{SUBCHANNEL, StoredSubchannel, SubchannelForm};
use crate::disc::{Control, FullTocEntry, Lba, MediumType, Msf, TrackMode};
use crate::source::SharedSource;

/// Entries of the TOC, and of CD-TEXT, at most.
const MOST_ENTRIES: usize = 1000;
const MOST_PACKS: usize = 8 * 256;

/// An entry of the full TOC: its block address beside its times, since not every writer fills in those of tracks.
#[derive(Debug, Clone, Copy)]
struct Entry {
    line: FullTocEntry,
    lba: Lba,
}

const LEAD_OUT: u8 = 0xA2;

/// The files of the image.
struct Files {
    img: SharedSource,
    sub: Option<SharedSource>,
    is_scrambled: bool,
}

/// The plan for `ini`.
///
/// # Errors
/// When the image is missing, or the TOC contradicts itself.
pub fn plan(ini: &Ini, cx: &OpenContext<'_>) -> Result<DiscPlan, ImageError> {
    let disc = ini.section("DISC");
    let number = |key| disc.and_then(|disc| disc.number(key));
    let entries: Vec<Entry> = ini.numbered("ENTRY", MOST_ENTRIES).filter_map(entry).collect();
    let files = open(number("DATATRACKSSCRAMBLED") == Some(1), cx)?;
    let mut sessions = Vec::new();
    let mut stored = 0_u64;
    let numbers: std::collections::BTreeSet<u8> = entries.iter().map(|entry| entry.line.session).collect();
    for session in numbers {
        let of_session = || entries.iter().filter(move |entry| entry.line.session == session);
        let is_track = |entry: &&Entry| (1..=99).contains(&entry.line.point) && !entry.line.is_mode_5();
        let mut tracks: Vec<Entry> = of_session().filter(is_track).copied().collect();
        tracks.sort_by_key(|track| track.line.point);
        let Some(first) = tracks.first() else { continue };
        let lead_out = of_session().find(|entry| entry.line.point == LEAD_OUT).map(|entry| entry.lba);
        let is_first = sessions.is_empty();
        let start = if is_first { Lba(0) } else { first.lba };
        let sectors_left = (files.img.len() / RAW as u64).saturating_sub(stored);
        if lead_out.is_none() {
            cx.warn(format!("session {session} has no lead-out: it is taken to end with the image"));
        }
        let end = lead_out.unwrap_or(start.plus(u32::try_from(sectors_left).unwrap_or(u32::MAX)));
        let in_order = tracks.is_sorted_by_key(|track| track.lba) && tracks.iter().all(|track| track.lba < end);
        if first.lba < start || !in_order {
            return Err(ImageError::invalid(format!("the addresses of session {session} are not in order")));
        }
        let mode_5 = of_session().map(|entry| entry.line).filter(FullTocEntry::is_mode_5).collect();
        let start_of_pregap = (!is_first).then(|| start.minus(PREGAP));
        let disc_type = of_session().find_map(|entry| entry.line.disc_type());
        let mut plan = SessionPlan { start: start_of_pregap, mode_5, disc_type, ..SessionPlan::default() };
        // What lies before the first track's index 1 in the image is its hidden part.
        let mut at = start;
        for (position, track) in tracks.iter().enumerate() {
            let next = tracks.get(position + 1);
            let track_end = next.map_or(end, |next| next.lba.minus(pregap(ini, next).min(next.lba.since(track.lba))));
            let empty = if position == 0 { PREGAP } else { 0 };
            let offset = stored + u64::from(at.since(start));
            plan.tracks.push(track_plan(ini, track, at, track_end, empty, offset, &files)?);
            at = track_end;
        }
        stored += u64::from(end.since(start));
        sessions.push(plan);
    }
    if stored > files.img.len() / RAW as u64 {
        cx.warn("the image is shorter than the TOC says: what is missing cannot be read");
    }
    if let Some(first) = sessions.first_mut() {
        first.cd_text = ini.section("CDTEXT").map(packs).unwrap_or_default();
    }
    let mcn = disc.and_then(|disc| disc.text("CATALOG")).and_then(catalogue_number);
    Ok(DiscPlan { medium: Some(MediumType::CdRom), sessions, mcn, ..DiscPlan::default() })
}

fn entry(section: &Section) -> Option<Entry> {
    // Times that are none are FFh on the disc, and -1 in some texts.
    let byte = |key: &str| section.number(key).map_or(0, |number| (number & 0xFF) as u8);
    let [adr, control, zero] = ["ADR", "CONTROL", "ZERO"].map(byte);
    let time =
        |[minute, second, frame]: [&str; 3]| Msf { minute: byte(minute), second: byte(second), frame: byte(frame) };
    let line = FullTocEntry {
        session: u8::try_from(section.number("SESSION")?).ok()?,
        adr,
        control: Control(control & 0xF),
        point: u8::try_from(section.number("POINT")?).ok()?,
        time: time(["AMIN", "ASEC", "AFRAME"]),
        zero,
        pointed: time(["PMIN", "PSEC", "PFRAME"]),
    };
    Some(Entry { line, lba: Lba(section.number("PLBA")?) })
}

fn open(is_scrambled: bool, cx: &OpenContext<'_>) -> Result<Files, ImageError> {
    let img = open_named(cx, b"*.img", &["img", "IMG", "bin", "BIN"])?;
    let sub = match open_named(cx, b"*.sub", &["sub", "SUB"]) {
        Ok(sub) if sub.len() / SUBCHANNEL as u64 == img.len() / RAW as u64 => Some(sub),
        Ok(_) => {
            cx.warn("the .sub is not as long as the image: it is left out");
            None
        }
        Err(error) if error.kind() == ImageErrorKind::Missing => {
            cx.missing(format!("{}.sub", cx.name.rsplit_once('.').map_or(cx.name, |(stem, _)| stem)).as_bytes());
            None
        }
        Err(error) => return Err(error),
    };
    Ok(Files { img, sub, is_scrambled })
}

/// Sectors from index 0 to index 1, which are told from the start of the session.
fn pregap(ini: &Ini, track: &Entry) -> u32 {
    let section = ini.section(&format!("TRACK {}", track.line.point));
    let index = |key| section.and_then(|section| section.number(key));
    match (index("INDEX 0"), index("INDEX 1")) {
        (Some(index_0), Some(index_1)) if index_0 < index_1 => index_1.abs_diff(index_0),
        _ => 0,
    }
}

/// The track whose sectors in the image are those from `first` to `end`, the first of them `offset` sectors behind the start.
fn track_plan(
    ini: &Ini,
    track: &Entry,
    first: Lba,
    end: Lba,
    empty: u32,
    offset: u64,
    files: &Files,
) -> Result<TrackPlan, ImageError> {
    let section = ini.section(&format!("TRACK {}", track.line.point));
    let start = track.lba.since(first);
    let at = |sectors: u32| (offset + u64::from(sectors)) * RAW as u64;
    let number = track.line.point;
    let (mode, source) = mode(section, track.line.control, at(start), files);
    let mut plan = TrackPlan { control: track.line.control, pregap: empty + start, ..TrackPlan::new(number, mode) };
    plan.isrc = section.and_then(|section| section.text("ISRC")).and_then(isrc);
    let index = |number: u8| section.and_then(|section| section.number(&format!("INDEX {number}")));
    if let Some(index_1) = index(1) {
        let later = (2..=99).map_while(index).filter(|later| *later > index_1);
        plan.indices = later.map(|later| later.abs_diff(index_1)).collect();
    }
    let subchannel = files.sub.as_ref().map(|sub| StoredSubchannel {
        source: Arc::clone(sub),
        offset: offset * SUBCHANNEL as u64,
        stride: SUBCHANNEL as u32,
        form: SubchannelForm::Linear,
    });
    let stored = Stored { source, offset: at(0), stride: RAW as u32, stored: 0..RAW, subchannel };
    plan.pieces = vec![Piece::empty(empty), Piece::stored(end.since(first), stored)];
    Ok(plan)
}

/// What the sectors at `offset` are, and where to read them: as they themselves show, since what the text says is wrong at
/// times, and missing in version 2.
fn mode(section: Option<&Section>, control: Control, offset: u64, files: &Files) -> (TrackMode, SharedSource) {
    let img = Arc::clone(&files.img);
    let mut sync = [0; 12];
    let is_data = files.img.read_exact_at(&mut sync, offset).is_ok() && sync == SYNC;
    if is_data && files.is_scrambled {
        let source: SharedSource = Arc::new(Unscrambled(img));
        return (mode_of(&*source, offset), source);
    }
    if is_data {
        return (mode_of(&*img, offset), img);
    }
    let is_there = offset < files.img.len();
    let told = match section.and_then(|section| section.number("MODE")) {
        Some(1) => TrackMode::Mode1,
        Some(2) => TrackMode::Mode2Xa,
        None if control.0 & 4 != 0 => TrackMode::Mode1,
        _ => TrackMode::Audio,
    };
    // A sector without sync is sound, unless it is missing.
    (if is_there { TrackMode::Audio } else { told }, img)
}

/// `Entry n=` with sixteen bytes, or with the two of the CRC too.
fn packs(section: &Section) -> Vec<[u8; 18]> {
    let count = section.number("ENTRIES").and_then(|count| usize::try_from(count).ok()).unwrap_or(MOST_PACKS);
    let pack = |number: usize| {
        let text = section.text(&format!("ENTRY {number}"))?;
        let mut pack = [0; 18];
        let bytes = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        for (to, word) in pack.iter_mut().zip(bytes) {
            *to = u8::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        }
        seal(&mut pack);
        Some(pack)
    };
    (0..count.min(MOST_PACKS)).map_while(pack).collect()
}
