//! MDS/MDF of Alcohol 120%, version 1 of the descriptor, and XMD of GameJack, which is the same (formats.md, 7).
//!
//! A table of sessions, each with a table of tracks; what a track's sectors are, where they start, and footers with the names
//! of the data files. The subchannel is kept behind each sector. Pre-gaps are not stored.
//!
//! Not read: DPM blocks after the first. Version 2 of the descriptor is [`super::mdx`].

pub mod parts;
pub mod session;

use std::sync::Arc;

use self::parts::{Files, dpm, optional, structures};
use self::session::TRACK;
use super::layout::{DiscPlan, Piece, SessionPlan, Stored, TrackPlan, mode_2_of, mode_of, stored_bytes};
use super::record::{Record, bytes_at};
use super::{FormatInfo, ImageError, ImageFormat, OpenContext, Probe, Score};
use crate::disc::subchannel::{SUBCHANNEL, StoredSubchannel, SubchannelForm};
use crate::disc::{Control, Disc, Lba, MediumType, StoredStructure, TrackMode};
use crate::source::SharedSource;

/// Version 1.
pub struct Mds;

static INFO: FormatInfo =
    FormatInfo { id: "mds", name: "Alcohol 120% (MDS/MDF) and GameJack (XMD)", extensions: &["mds", "xmd"] };

/// What both versions begin with; the byte after it is the version.
pub const SIGNATURE: &[u8; 16] = b"MEDIA DESCRIPTOR";
const HEADER: usize = 88;
const SESSION: usize = 24;
const FOOTER: usize = 16;
/// Format code of the burst cutting area (MMC-6, READ DISC STRUCTURE).
const BCA: u8 = 0x03;

impl ImageFormat for Mds {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        if probe.has(0, SIGNATURE) && probe.has(16, &[1]) { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let header = Record::<HEADER>::read(&source, 0)?;
        let medium = match header.u16(18) {
            0..=2 => MediumType::CdRom,
            0x10..=0x1F => MediumType::DvdRom,
            other => {
                return Err(ImageError::invalid(format!("the descriptor tells of a medium of type {other:#x}")).at(18));
            }
        };
        let mut plan = DiscPlan { medium: Some(medium), ..DiscPlan::default() };
        if medium == MediumType::DvdRom {
            plan.structures = dvd_structures(&source, &header, cx);
        }
        let at = u64::from(header.u32(84));
        if at != 0 {
            plan.dpm = optional(cx, "the data position measurement", dpm(&source, at));
        }
        let mut reader = Reader { descriptor: source, medium, cx, files: Files::default() };
        let table = u64::from(header.u32(80));
        for number in 0..u64::from(header.u16(20)).min(100) {
            plan.sessions.push(reader.session(table + number * SESSION as u64)?);
        }
        plan.build()
    }
}

fn dvd_structures(descriptor: &SharedSource, header: &Record<HEADER>, cx: &OpenContext<'_>) -> Vec<StoredStructure> {
    let mut found = match u64::from(header.u32(64)) {
        0 => Vec::new(),
        at => optional(cx, "the structures of the DVD", structures(descriptor, at)),
    };
    let (len, at) = (u64::from(header.u16(26)), u64::from(header.u32(36)));
    if len > 0 && at > 0 {
        let data = optional(cx, "the burst cutting area", bytes_at(descriptor, at, len));
        found.extend((!data.is_empty()).then_some(StoredStructure { layer: 0, format: BCA, data }));
    }
    found
}

struct Reader<'a> {
    descriptor: SharedSource,
    medium: MediumType,
    cx: &'a OpenContext<'a>,
    files: Files,
}

impl Reader<'_> {
    fn session(&mut self, at: u64) -> Result<SessionPlan, ImageError> {
        let block = Record::<SESSION>::read(&self.descriptor, at)?;
        let (start, end) = (Lba(block.i32(0)), Lba(block.i32(4)));
        let header =
            session::Header { start, end, tracks: block.u8(10), table: u64::from(block.u32(20)), number: block.u16(8) };
        let (descriptor, cx) = (self.descriptor.clone(), self.cx);
        session::read(&descriptor, &header, cx, |entry, at, next| self.track(entry, at, next))
    }

    /// The track of `entry`, whose addresses begin at `next`.
    fn track(&mut self, entry: &Record<TRACK>, at: u64, next: i64) -> Result<TrackPlan, ImageError> {
        let number = entry.u8(4);
        let (pregap, blocks) = match self.medium {
            MediumType::CdRom => {
                let extra = Record::<8>::read(&self.descriptor, u64::from(entry.u32(12)))?;
                let pregap = pregap(number, next, entry.i32(36), extra.u32(0), self.cx);
                (pregap, extra.u32(4))
            }
            MediumType::DvdRom | MediumType::BdRom => (0, entry.u32(12)),
        };
        let stride = u32::from(entry.u16(16));
        let subchannel = match entry.u8(1) {
            0 => false,
            8 => true,
            other => {
                let message = format!("track {number} has a subchannel of type {other:#x}, which is not known");
                return Err(ImageError::unsupported(message).at(at + 1));
            }
        };
        let main = stride.saturating_sub(if subchannel { SUBCHANNEL as u32 } else { 0 });
        let count = self.files.footers(entry.u32(48), at + 48)?;
        let footers = u64::from(entry.u32(52));
        let mut offset = entry.u64(40);
        let mut mode = None;
        let mut left = blocks;
        let mut pieces = vec![Piece::empty(pregap)];
        for index in 0..count {
            let footer = Record::<FOOTER>::read(&self.descriptor, footers + u64::from(index) * FOOTER as u64)?;
            let name = u64::from(footer.u32(0));
            let source = self.files.open(&self.descriptor, name, footer.u32(4) == 1, self.cx)?;
            let mode = match mode {
                _ if self.medium != MediumType::CdRom => *mode.insert(TrackMode::Mode1),
                Some(mode) => mode,
                None => *mode.insert(track_mode(entry.u8(0), main, &source, offset, at)?),
            };
            let stored = stored_bytes(mode, main).ok_or_else(|| {
                let message =
                    format!("track {number} has sectors of {stride} bytes, which no {} track has", mode.name());
                ImageError::invalid(message).at(at + 16)
            })?;
            let held = source.len().saturating_sub(offset) / u64::from(stride);
            let here = if index + 1 == count { left } else { u32::try_from(held).unwrap_or(left).min(left) };
            if held < u64::from(here) {
                self.cx.warn(format!(
                    "track {number} is cut off: its data file holds {held} of {here} sectors; the others cannot be read"
                ));
            }
            let subchannel = subchannel.then(|| StoredSubchannel {
                source: Arc::clone(&source),
                offset: offset.saturating_add(u64::from(main)),
                stride,
                form: SubchannelForm::Interleaved,
            });
            pieces.push(Piece::stored(here, Stored { source, offset, stride, stored, subchannel }));
            left -= here;
            offset = 0;
        }
        let mode = mode.unwrap_or(TrackMode::Mode1);
        let mut track = TrackPlan { pregap, pieces, ..TrackPlan::new(number, mode) };
        if self.medium == MediumType::CdRom {
            track.control = control(entry.u8(2), mode);
        }
        Ok(track)
    }
}

/// Blocks before index 1. The address of index 1 is what the disc's own TOC said; the extra block must agree.
fn pregap(number: u8, next: i64, start: i32, told: u32, cx: &OpenContext<'_>) -> u32 {
    let by_start = u32::try_from(i64::from(start) - next);
    match by_start {
        Ok(pregap) if pregap == told => told,
        Ok(pregap) => {
            cx.warn(format!("track {number} starts at {start}, which leaves a pre-gap of {pregap}, not {told}"));
            pregap
        }
        Err(_) => {
            cx.warn(format!("track {number} starts at {start} by its entry, but the track before ends at {next}"));
            told
        }
    }
}

/// The mode in the low three bits of a track's first byte.
fn track_mode(byte: u8, main: u32, source: &SharedSource, offset: u64, at: u64) -> Result<TrackMode, ImageError> {
    Ok(match byte & 7 {
        1 => TrackMode::Audio,
        2 => TrackMode::Mode1,
        4 | 5 => TrackMode::Mode2Xa,
        0 | 3 | 7 => mixed_mode(main, source, offset),
        other => return Err(ImageError::invalid(format!("a track of mode {other}, which is not known")).at(at)),
    })
}

/// Which Mode 2 it is, by the first sector where that shows it.
pub fn mixed_mode(main: u32, source: &SharedSource, offset: u64) -> TrackMode {
    match main {
        2352 => match mode_of(&**source, offset) {
            TrackMode::Mode2Formless => TrackMode::Mode2Formless,
            _ => TrackMode::Mode2Xa,
        },
        2336 | 2340 => {
            let at = offset.saturating_add(u64::from(main) - 2336);
            Record::<8>::read(source, at).map_or(TrackMode::Mode2Xa, |subheader| mode_2_of(&subheader.bytes::<8>(0)))
        }
        _ => TrackMode::Mode2Xa,
    }
}

/// CONTROL from the low half of `byte`; whether it is data says the mode.
pub fn control(byte: u8, mode: TrackMode) -> Control {
    Control(byte & 0b1011 | if mode.is_data() { Control::DATA.0 } else { 0 })
}
