//! The whole disc as a CUE sheet with one BIN file per session: every sector from LBA 0 on, 2,352 bytes each, so that addresses in
//! the file are those of the disc. With WAVE files each track has a file of its own, as rippers write them.
//!
//! A session after the first has its gap in `REM` lines only where that is not the usual one; its file starts at the end of its
//! pre-gap of two seconds. CD-TEXT goes into a .cdt file of packs (`CDTEXTFILE`), and what of its first language every program
//! knows also into the sheet. A DVD or BD is one track of 2,048-byte blocks.

use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Range;

use super::iso::write_blocks;
use super::output::{OutFile, file_error};
use super::sound::wave_header;
use super::{ExportError, Extras, Job, Output, STEP, Target, stored, stored_bytes};
use crate::disc::cdtext::{self, CdText, Kind};
use crate::disc::sector::RAW;
use crate::disc::{BLOCK_SIZE, Lba, MediumType, Session, Track, TrackMode};
use crate::image::FormatInfo;
use crate::image::layout::{FIRST_SESSION_GAP, LATER_SESSION_GAP, PREGAP};

/// CUE and BIN.
pub struct Cue;

static INFO: FormatInfo =
    FormatInfo { id: "cue", name: "the whole disc, raw sectors (CUE and BIN)", extensions: &["cue"] };

/// Lead-in of every session but the first.
const LEAD_IN: u32 = 4500;

impl Target for Cue {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn losses(&self, job: &Job<'_>) -> Result<Vec<String>, ExportError> {
        let kept = Extras { subchannel: false, cd_text: true, structures: false, dpm: false, codes: true };
        Ok(Extras::of(job.disc).lost(&kept))
    }

    fn bytes(&self, job: &Job<'_>) -> u64 {
        match job.disc.medium {
            MediumType::CdRom => stored_bytes(job.disc),
            MediumType::DvdRom | MediumType::BdRom => u64::from(job.disc.blocks()) * u64::from(BLOCK_SIZE),
        }
    }

    fn write(&self, job: &Job<'_>, out: &mut Output) -> Result<(), ExportError> {
        let mut sheet = String::new();
        match job.disc.medium {
            MediumType::CdRom => cd(job, out, &mut sheet)?,
            MediumType::DvdRom | MediumType::BdRom => blocks(job, out, &mut sheet)?,
        }
        let mut file = out.main()?;
        file.write_all(sheet.as_bytes()).and_then(|()| file.flush()).map_err(file_error("the CUE sheet"))
    }
}

/// A line of the sheet; writing to a string does not fail.
macro_rules! line {
    ($sheet:expr, $($text:tt)*) => {{ let _ = writeln!($sheet, $($text)*); }};
}

/// The file beside the sheet, if the sheet can name it.
fn beside(out: &mut Output, suffix: &str) -> Result<(String, OutFile), ExportError> {
    let (name, file) = out.beside(suffix)?;
    if name.contains(['"', '\\', '\u{FFFD}']) || name.contains(char::is_control) {
        let why = "cannot be named in a CUE sheet; choose a name without quotes, backslashes and control characters, in UTF-8";
        return Err(ExportError::Refused(format!("{name:?} {why}")));
    }
    Ok((name, file))
}

fn blocks(job: &Job<'_>, out: &mut Output, sheet: &mut String) -> Result<(), ExportError> {
    let (name, mut file) = beside(out, ".bin")?;
    line!(sheet, "REM ORIGINAL MEDIA-TYPE: DVD");
    line!(sheet, "FILE \"{name}\" BINARY\n  TRACK 01 MODE1/2048\n    INDEX 01 00:00:00");
    write_blocks(job, &mut file)?;
    file.flush().map_err(file_error(&name))
}

fn cd(job: &Job<'_>, out: &mut Output, sheet: &mut String) -> Result<(), ExportError> {
    let disc = job.disc;
    if let Some(mcn) = &disc.catalogue_number() {
        line!(sheet, "CATALOG {}", String::from_utf8_lossy(mcn));
    }
    if let Some(session) = disc.sessions.first().filter(|session| !session.cd_text.is_empty()) {
        let (name, mut file) = beside(out, ".cdt")?;
        session.cd_text.iter().try_for_each(|pack| file.write_all(pack)).map_err(file_error(&name))?;
        file.flush().map_err(file_error(&name))?;
        line!(sheet, "CDTEXTFILE \"{name}\"");
    }
    let texts = disc.sessions.first().and_then(|session| cdtext::decode(&session.cd_text).into_iter().next());
    let texts = texts.unwrap_or_default();
    text_lines(&texts, 0, "", sheet);
    let several = disc.sessions.len() > 1;
    let mut before: Option<&Session> = None;
    for session in &disc.sessions {
        if several {
            gap_lines(before, session, sheet);
            line!(sheet, "REM SESSION {:02}", session.number);
        }
        if job.wave {
            for track in &session.tracks {
                let first = track.first().max(in_file(session).start);
                let (suffix, kind) = if track.mode.is_data() { ("bin", "BINARY") } else { ("wav", "WAVE") };
                let (name, mut file) = beside(out, &format!(" (Track {:02}).{suffix}", track.number))?;
                if !track.mode.is_data() {
                    let header = wave_header(u64::from(track.end.since(first)) * RAW as u64);
                    file.write_all(&header).map_err(file_error(&name))?;
                }
                line!(sheet, "FILE \"{name}\" {kind}");
                track_lines(track, first, &texts, sheet);
                sectors(job, first..track.end, &mut file, &name)?;
            }
        } else {
            let suffix = if several { format!(" (Session {}).bin", session.number) } else { ".bin".to_owned() };
            let (name, mut file) = beside(out, &suffix)?;
            line!(sheet, "FILE \"{name}\" BINARY");
            session.tracks.iter().for_each(|track| track_lines(track, in_file(session).start, &texts, sheet));
            sectors(job, in_file(session), &mut file, &name)?;
        }
        before = Some(session);
    }
    Ok(())
}

/// Where a gap between sessions is not the usual one: how long lead-out and lead-in are.
fn gap_lines(before: Option<&Session>, session: &Session, sheet: &mut String) {
    let Some(before) = before else { return };
    let gap = session.tracks.first().map_or(0, |track| track.first().since(before.lead_out));
    let usual = if session.number == 2 { FIRST_SESSION_GAP } else { LATER_SESSION_GAP };
    if gap != usual {
        let lead_in = gap.min(LEAD_IN);
        line!(sheet, "REM LEAD-OUT {}", time(gap - lead_in));
        line!(sheet, "REM LEAD-IN {}", time(lead_in));
    }
}

fn track_lines(track: &Track, file_start: Lba, texts: &CdText, sheet: &mut String) {
    let mode = match track.mode {
        TrackMode::Audio => "AUDIO",
        TrackMode::Mode1 => "MODE1/2352",
        TrackMode::Mode2Formless | TrackMode::Mode2Xa => "MODE2/2352",
    };
    line!(sheet, "  TRACK {:02} {mode}", track.number);
    text_lines(texts, track.number, "    ", sheet);
    let flags = [
        (track.control.copy_permitted(), " DCP"),
        (track.control.four_channels() && !track.mode.is_data(), " 4CH"),
        (track.control.pre_emphasis() && !track.mode.is_data(), " PRE"),
    ];
    let flags: String = flags.iter().filter_map(|(set, flag)| set.then_some(*flag)).collect();
    if !flags.is_empty() {
        line!(sheet, "    FLAGS{flags}");
    }
    if let Some(isrc) = &track.recording_code() {
        line!(sheet, "    ISRC {}", String::from_utf8_lossy(isrc));
    }
    if track.first().max(file_start) < track.start {
        line!(sheet, "    INDEX 00 {}", time(track.first().since(file_start)));
    }
    for (number, start) in (1..).zip(std::iter::once(&track.start).chain(&track.indices)) {
        line!(sheet, "    INDEX {number:02} {}", time(start.since(file_start)));
    }
}

/// The texts of a track, or of the disc.
fn text_lines(texts: &CdText, track: u8, indent: &str, sheet: &mut String) {
    for kind in [Kind::Title, Kind::Performer, Kind::Songwriter] {
        if let Some(text) = texts.texts.get(&(kind, track)).filter(|text| !text.is_empty()) {
            // A string has no way to hold these.
            let text = text.replace('"', "'").replace(char::is_control, " ");
            line!(sheet, "{indent}{} \"{text}\"", kind.name().to_ascii_uppercase());
        }
    }
}

/// Minutes may have three digits: a sheet says where in a file, not where on a disc.
fn time(frames: u32) -> String {
    format!("{:02}:{:02}:{:02}", frames / 4500, frames / 75 % 60, frames % 75)
}

/// The addresses of a session that its file holds. The first file starts at LBA 0; a later one with index 1, or with a pre-gap of
/// more than two seconds: a reader takes a shorter one to be a part of these.
fn in_file(session: &Session) -> Range<Lba> {
    let first = session.tracks.first().filter(|_| session.number > 1);
    let start = first.map(|track| if track.pregap > PREGAP { track.first() } else { track.start });
    start.unwrap_or(stored(session).start)..stored(session).end
}

/// Writes whole sectors.
fn sectors(job: &Job<'_>, range: Range<Lba>, file: &mut OutFile, name: &str) -> Result<(), ExportError> {
    let mut raw = [0; RAW];
    for index in 0..range.end.since(range.start) {
        job.disc.read_sector(range.start.plus(index), &mut raw)?;
        file.write_all(&raw).map_err(file_error(name))?;
        if index % STEP == STEP - 1 {
            job.tick(u64::from(STEP) * RAW as u64)?;
        }
    }
    file.flush().map_err(file_error(name))
}
