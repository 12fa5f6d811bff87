//! The whole disc as CloneCD keeps it: every sector (.img), every subchannel (.sub), and the full TOC as text (.ccd).
//!
//! The sectors of all sessions lie back to back from LBA 0 on, without lead-outs, lead-ins and the first pre-gaps. The addresses
//! of indices count from the start of their session's file part.

use std::fmt::Write as _;
use std::io::Write as _;

use super::output::file_error;
use super::{ExportError, Extras, Job, Output, STEP, Target, stored, stored_bytes};
use crate::disc::sector::RAW;
use crate::disc::subchannel::SUBCHANNEL;
use crate::disc::{Disc, FullTocEntry, Lba, Track, TrackMode};
use crate::image::FormatInfo;

/// CCD, IMG and SUB.
pub struct Ccd;

static INFO: FormatInfo =
    FormatInfo { id: "ccd", name: "the whole disc with subchannel (CCD, IMG and SUB)", extensions: &["ccd"] };

impl Target for Ccd {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn losses(&self, job: &Job<'_>) -> Result<Vec<String>, ExportError> {
        job.require_cd("CCD")?;
        let kept = Extras { subchannel: true, cd_text: true, structures: false, dpm: false, codes: true };
        Ok(Extras::of(job.disc).lost(&kept))
    }

    fn bytes(&self, job: &Job<'_>) -> u64 {
        stored_bytes(job.disc)
    }

    fn write(&self, job: &Job<'_>, out: &mut Output) -> Result<(), ExportError> {
        let (img, mut sectors) = out.beside(".img")?;
        let (sub, mut subchannels) = out.beside(".sub")?;
        let mut raw = [0; RAW];
        for range in job.disc.sessions.iter().map(stored) {
            for index in 0..range.end.since(range.start) {
                let lba = range.start.plus(index);
                job.disc.read_sector(lba, &mut raw)?;
                sectors.write_all(&raw).map_err(file_error(&img))?;
                let linear: [u8; SUBCHANNEL] = job.disc.read_subchannel(lba)?;
                subchannels.write_all(&linear).map_err(file_error(&sub))?;
                if index % STEP == STEP - 1 {
                    job.tick(u64::from(STEP) * RAW as u64)?;
                }
            }
        }
        sectors.flush().map_err(file_error(&img))?;
        subchannels.flush().map_err(file_error(&sub))?;
        let mut file = out.main()?;
        file.write_all(text(job.disc).as_bytes()).and_then(|()| file.flush()).map_err(file_error("the CCD file"))
    }
}

/// Lines end as on the system that CloneCD runs on; writing to a string does not fail.
macro_rules! line {
    ($text:expr, $($format:tt)*) => {{ let _ = write!($text, $($format)*); $text.push_str("\r\n"); }};
}

fn text(disc: &Disc) -> String {
    let mut text = String::new();
    let toc = disc.full_toc(1);
    let packs: Vec<_> = disc.sessions.first().map(|session| session.cd_text.clone()).unwrap_or_default();
    line!(text, "[CloneCD]");
    line!(text, "Version=3");
    line!(text, "[Disc]");
    line!(text, "TocEntries={}", toc.len());
    line!(text, "Sessions={}", disc.sessions.len());
    line!(text, "DataTracksScrambled=0");
    line!(text, "CDTextLength={}", packs.len() * 16);
    if let Some(mcn) = &disc.catalogue_number() {
        line!(text, "CATALOG={}", String::from_utf8_lossy(mcn));
    }
    if !packs.is_empty() {
        line!(text, "[CDText]");
        line!(text, "Entries={}", packs.len());
        for (number, pack) in packs.iter().enumerate() {
            let bytes: Vec<String> = pack[..16].iter().map(|byte| format!("{byte:02x}")).collect();
            line!(text, "Entry {number}={}", bytes.join(" "));
        }
    }
    for session in &disc.sessions {
        line!(text, "[Session {}]", session.number);
        line!(text, "PreGapMode={}", session.tracks.first().map_or(0, mode));
        line!(text, "PreGapSubC=0");
    }
    toc.iter().enumerate().for_each(|(number, entry)| entry_lines(number, entry, &mut text));
    for session in &disc.sessions {
        let start = stored(session).start;
        session.tracks.iter().for_each(|track| track_lines(track, start, &mut text));
    }
    text
}

fn entry_lines(number: usize, entry: &FullTocEntry, text: &mut String) {
    let (a, p) = (entry.time, entry.pointed);
    line!(text, "[Entry {number}]");
    line!(text, "Session={}", entry.session);
    line!(text, "Point=0x{:02x}", entry.point);
    line!(text, "ADR=0x{:02x}", entry.adr);
    line!(text, "Control=0x{:02x}", entry.control.0);
    line!(text, "TrackNo=0");
    line!(text, "AMin={}", a.minute);
    line!(text, "ASec={}", a.second);
    line!(text, "AFrame={}", a.frame);
    line!(text, "ALBA={}", a.to_lba());
    line!(text, "Zero={}", entry.zero);
    line!(text, "PMin={}", p.minute);
    line!(text, "PSec={}", p.second);
    line!(text, "PFrame={}", p.frame);
    line!(text, "PLBA={}", p.to_lba());
}

fn track_lines(track: &Track, start: Lba, text: &mut String) {
    line!(text, "[TRACK {}]", track.number);
    line!(text, "MODE={}", mode(track));
    if let Some(isrc) = &track.recording_code() {
        line!(text, "ISRC={}", String::from_utf8_lossy(isrc));
    }
    if track.first().max(start) < track.start {
        line!(text, "INDEX 0={}", track.first().since(start));
    }
    for (number, index) in (1..).zip(std::iter::once(&track.start).chain(&track.indices)) {
        line!(text, "INDEX {number}={}", index.since(start));
    }
}

fn mode(track: &Track) -> u8 {
    match track.mode {
        TrackMode::Audio => 0,
        TrackMode::Mode1 => 1,
        TrackMode::Mode2Formless | TrackMode::Mode2Xa => 2,
    }
}
