//! B5T and B6T with B5I or B6I: BlindWrite 5 and 6 (formats.md, 9).
//!
//! Two blocks of lengths, what the drive told about the disc, then data blocks (runs of sectors in a file), sessions with their
//! tracks, and DPM. A `.bwa` beside the image has the DPM of the whole disc and goes before the descriptor's own.
//!
//! Not read: PMA, ATIP and mode page 2A, which nothing here asks for; double-density CDs.

mod blocks;

use self::blocks::DataBlock;
use super::layout::{DiscPlan, SessionPlan, TrackPlan};
use super::mds::control;
use super::mds::parts::{measurement as numbers, optional};
use super::record::{Cursor, Record, bytes_at};
use super::{FormatInfo, ImageError, ImageErrorKind, ImageFormat, OpenContext, Probe, Score};
use crate::disc::{Control, Disc, Dpm, FullTocEntry, Lba, MediumType, Msf, StoredStructure, TrackMode};
use crate::source::SharedSource;

/// BlindWrite 5 and 6.
pub struct B6t;

static INFO: FormatInfo =
    FormatInfo { id: "b6t", name: "BlindWrite 5 and 6 (B5T/B5I, B6T/B6I)", extensions: &["b6t", "b5t"] };

const SIGNATURE: &[u8; 16] = b"BWT5 STREAM SIGN";
const FOOTER: &[u8; 16] = b"BWT5 STREAM FOOT";
/// Disc block 1 comes after the signature, disc block 2 after drive and volume.
const DISC_1: u64 = 16;
const DISC_2: u64 = DISC_1 + 112 + 32 + 48 + 32;
/// What has its length in a disc block begins here.
const PARTS: u64 = DISC_2 + 20;
/// Entries of DPM before its numbers, in the descriptor and in a `.bwa`.
const DPM_HEAD: u64 = 32;
const BWA_HEAD: u64 = 12;
/// Format code of the burst cutting area (MMC-6, READ DISC STRUCTURE).
const BCA: u8 = 0x03;
/// Structures of a disc, at most, and bytes of a burst cutting area.
const MOST_STRUCTURES: usize = 100;
const LONGEST_BCA: u64 = 4096;
const PACK: u64 = 18;

impl ImageFormat for B6t {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        if probe.has(0, SIGNATURE) { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let end = source.len().saturating_sub(FOOTER.len() as u64);
        if Record::<16>::read(&source, end)?.bytes(0) != *FOOTER {
            cx.warn("the descriptor does not end with its footer: it may be cut off");
        }
        let disc = Record::<112>::read(&source, DISC_1)?;
        let medium = medium(disc.u16(32))?;
        let map = Map::new(&disc, &Record::read(&source, DISC_2)?, medium);
        let mut plan = DiscPlan { medium: Some(medium), ..DiscPlan::default() };
        if disc.u8(48) != 0 {
            plan.mcn = Some(disc.bytes(49)).filter(|mcn: &[u8; 13]| mcn.iter().all(u8::is_ascii_digit));
        }
        if medium != MediumType::CdRom {
            plan.structures = structures(&source, &map, cx);
        }
        plan.dpm = measurement(&source, &map, cx);
        let blocks = blocks::read(map.blocks, &source, cx)?;
        let mut cursor = Cursor::new(&source, map.sessions);
        for _ in 0..disc.u16(34).min(100) {
            plan.sessions.push(session(&mut cursor, &blocks, cx)?);
        }
        if let Some(first) = plan.sessions.first_mut() {
            first.cd_text = optional(cx, "the CD-TEXT", cd_text(&source, &map));
        }
        plan.build()
    }
}

fn medium(profile: u16) -> Result<MediumType, ImageError> {
    match profile {
        0x08..=0x0A => Ok(MediumType::CdRom),
        0x10..=0x1B | 0x2A | 0x2B => Ok(MediumType::DvdRom),
        0x40..=0x43 => Ok(MediumType::BdRom),
        0x20..=0x22 => Err(ImageError::unsupported("a double-density CD, which is not read")),
        other => Err(ImageError::invalid(format!("the descriptor tells of a medium of profile {other:#06x}"))),
    }
    .map_err(|error| error.at(DISC_1 + 32))
}

/// Where the parts are, each with its length.
struct Map {
    cd_text: (u64, u64),
    bca: (u64, u64),
    structures: (u64, u64),
    blocks: u64,
    sessions: u64,
    dpm: (u64, u64),
}

impl Map {
    fn new(disc: &Record<112>, lengths: &Record<20>, medium: MediumType) -> Self {
        let mut at = PARTS;
        // No sum of fifteen numbers of 32 bits overflows.
        let mut part = |len: u64| {
            let part = (at, len);
            at += len;
            part
        };
        part(u64::from(lengths.u32(0)));
        part(u64::from(lengths.u32(4)));
        part(u64::from(disc.u16(80)));
        part(u64::from(disc.u16(82)));
        let cd_text = part(u64::from(disc.u16(84)));
        let bca = part(u64::from(disc.u32(88)));
        let structures = part(u64::from(disc.u32(104)));
        part(match medium {
            MediumType::CdRom => u64::from(disc.u16(86)),
            MediumType::DvdRom | MediumType::BdRom => u64::from(disc.u32(108)),
        });
        let (blocks, _) = part(u64::from(lengths.u32(8)));
        let (sessions, _) = part(u64::from(lengths.u32(12)));
        let dpm = part(u64::from(lengths.u32(16)));
        Self { cd_text, bca, structures, blocks, sessions, dpm }
    }
}

fn session(cursor: &mut Cursor<'_>, blocks: &[DataBlock], cx: &OpenContext<'_>) -> Result<SessionPlan, ImageError> {
    let session = cursor.record::<16>()?;
    let (start, end) = (Lba(session.i32(4)), Lba(session.i32(8)));
    let mut plan = SessionPlan { start: Some(start), ..SessionPlan::default() };
    let mut next = i64::from(start.0);
    for _ in 0..session.u8(2) {
        let at = cursor.at;
        let entry = cursor.record::<64>()?;
        let kind = entry.u8(0);
        if !matches!(kind, 0 | 6) {
            cursor.skip(8);
        }
        if kind == 0 {
            let line = lead_in_line(&entry);
            plan.disc_type = plan.disc_type.or(line.disc_type());
            plan.mode_5.extend(Some(line).filter(FullTocEntry::is_mode_5));
            continue;
        }
        let track = track(&entry, next, blocks).map_err(|error| error.at(at))?;
        next += track.blocks() as i64;
        plan.tracks.push(track);
        if plan.tracks.len() > 99 {
            let message = "a session has more than 99 tracks";
            return Err(ImageError::new(ImageErrorKind::Limit, message).at(at));
        }
    }
    if next <= i64::from(end.0) {
        plan.lead_out = Some(end);
    } else {
        let number = session.u16(0);
        cx.warn(format!("session {number} ends at {end}, but its tracks at {next}: the tracks are believed"));
    }
    Ok(plan)
}

/// The line of the lead-in that `entry` is.
fn lead_in_line(entry: &Record<64>) -> FullTocEntry {
    let ([control, adr, point], [minute, second, frame, zero], pointed) =
        (entry.bytes(10), entry.bytes(14), entry.bytes(18));
    let [pointed_minute, pointed_second, pointed_frame] = pointed;
    FullTocEntry {
        session: 0,
        adr,
        control: Control(control & 0xF),
        point,
        time: Msf { minute, second, frame },
        zero,
        pointed: Msf { minute: pointed_minute, second: pointed_second, frame: pointed_frame },
    }
}

/// The track of `entry`, whose addresses begin at `next`: what lies between there and its start belongs to its pre-gap.
fn track(entry: &Record<64>, next: i64, blocks: &[DataBlock]) -> Result<TrackPlan, ImageError> {
    let number = entry.u8(12);
    let (start, length) = (i64::from(entry.i32(42)), i64::from(entry.i32(46)));
    let (end, index_1) = (start + length, start + i64::from(entry.u32(22)));
    if start < next || length <= 0 {
        let message = format!("track {number} from {start} to {end} does not follow what ends at {next}");
        return Err(ImageError::invalid(message));
    }
    let mode = match entry.u8(0) {
        1 => TrackMode::Audio,
        2 | 6 => TrackMode::Mode1,
        3 => blocks::mode_2_at(blocks, index_1),
        4 | 5 => TrackMode::Mode2Xa,
        other => return Err(ImageError::invalid(format!("track {number} is of type {other}, which is not known"))),
    };
    let pregap = u32::try_from(index_1 - next);
    let pregap = pregap.map_err(|_| ImageError::invalid(format!("the pre-gap of track {number} ends at {index_1}")))?;
    let pieces = blocks::pieces(blocks, mode, next, end)?;
    let control = control(entry.u8(10), mode);
    Ok(TrackPlan { pregap, pieces, control, ..TrackPlan::new(number, mode) })
}

fn cd_text(source: &SharedSource, map: &Map) -> Result<Vec<[u8; PACK as usize]>, ImageError> {
    let (at, len) = map.cd_text;
    // READ TOC puts four bytes before the packs; not every writer takes them off.
    let header = if len % PACK == 4 { 4 } else { 0 };
    let packs = bytes_at(source, at + header, len - header)?;
    Ok(packs.chunks_exact(PACK as usize).filter_map(|pack| pack.try_into().ok()).collect())
}

/// Structures of a DVD or BD, and its burst cutting area.
fn structures(source: &SharedSource, map: &Map, cx: &OpenContext<'_>) -> Vec<StoredStructure> {
    let mut found = optional(cx, "the structures of the disc", records(source, map.structures));
    if map.bca.1 > 0 {
        let data = optional(cx, "the burst cutting area", bytes_at(source, map.bca.0, map.bca.1.min(LONGEST_BCA)));
        found.extend((!data.is_empty()).then_some(StoredStructure { layer: 0, format: BCA, data }));
    }
    found
}

/// Two bytes, then a record for each structure. The one that is there a second time is that of the second layer.
fn records(source: &SharedSource, (at, len): (u64, u64)) -> Result<Vec<StoredStructure>, ImageError> {
    let mut found: Vec<StoredStructure> = Vec::new();
    let mut cursor = Cursor::new(source, at + 2);
    while cursor.at + 6 <= at + len && found.len() < MOST_STRUCTURES {
        let head = cursor.record::<6>()?;
        let data = cursor.bytes(u64::from(u16::from_be_bytes(head.bytes(2)).saturating_sub(2)))?;
        let format = head.u8(0);
        let layer = found.iter().filter(|known| known.format == format).count() as u8;
        found.push(StoredStructure { layer, format, data });
    }
    Ok(found)
}

/// DPM of the `.bwa`, else of the descriptor.
fn measurement(source: &SharedSource, map: &Map, cx: &OpenContext<'_>) -> Option<Dpm> {
    measurement_beside(cx).or_else(|| {
        let inside = (map.dpm.1 > DPM_HEAD).then(|| numbers(source, map.dpm.0 + DPM_HEAD));
        inside.and_then(|found| optional(cx, "the data position measurement", found.map(Some)))
    })
}

/// DPM of the `.bwa` beside the image, if there is one.
pub fn measurement_beside(cx: &OpenContext<'_>) -> Option<Dpm> {
    let stem = cx.name.rsplit_once('.').map_or(cx.name, |(stem, _)| stem);
    let beside = (!stem.is_empty()).then(|| cx.open_sibling(format!("{stem}.bwa").as_bytes()).ok()).flatten();
    beside.and_then(|bwa| optional(cx, "the measurement in the .bwa", bwa_measurement(&bwa).map(Some)))
}

/// The content of a `.bwa`.
fn bwa_measurement(bwa: &SharedSource) -> Result<Dpm, ImageError> {
    let head = Record::<12>::read(bwa, 0)?;
    if head.u32(0) != 1 || head.u32(4) != 8 {
        return Err(ImageError::invalid("it does not begin as a measurement does"));
    }
    numbers(bwa, BWA_HEAD)
}
