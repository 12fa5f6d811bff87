//! BWT with BWI and BWS: BlindWrite 4 and older (formats.md, 10).
//!
//! A list of descriptors, one for each track and each entry of the lead-in; sectors of 2,352 bytes in the `.bwi`, their
//! subchannel in the `.bws`, DPM in the `.bwa`.
//!
//! Not read: titles and the other strings for CD-TEXT. The description is that of one other reader, so the place of a data
//! track is held against the header of its first sector.

use std::sync::Arc;

use super::b6t;
use super::layout::{DiscPlan, PREGAP, Piece, SessionPlan, Stored, TrackPlan, stored_bytes};
use super::mds::{control, mixed_mode};
use super::names::open_named;
use super::record::{Cursor, Record};
use super::{FormatInfo, ImageError, ImageErrorKind, ImageFormat, OpenContext, Probe, Score};
use crate::disc::sector::{RAW, SYNC};
use crate::disc::subchannel::{SUBCHANNEL, StoredSubchannel, SubchannelForm};
use crate::disc::{Disc, Lba, MediumType, TrackMode};
use crate::source::SharedSource;

/// BlindWrite 4.
pub struct Bwt;

static INFO: FormatInfo = FormatInfo { id: "bwt", name: "BlindWrite 4 (BWT/BWI/BWS)", extensions: &["bwt"] };

const SIGNATURE: &[u8; 19] = b"BLINDWRITE TOC FILE";
/// Tracks, and lead-in entries of every session.
const MOST_DESCRIPTORS: u32 = 1000;
/// Bytes of a name or code, at most.
const LONGEST: u32 = 4096;
/// Strings at the end of a descriptor; the last is the ISRC, or the UPC of the disc.
const STRINGS: usize = 15;
/// Points from here on are entries of the lead-in.
const LEAD_IN: u8 = 0xA0;

impl ImageFormat for Bwt {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        if probe.has(0, SIGNATURE) { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let mut cursor = Cursor::new(&source, SIGNATURE.len() as u64);
        let version = cursor.record::<12>()?.u32(0);
        if version != 2 {
            let message = format!("version {version} of the BlindWrite descriptor is not read");
            return Err(ImageError::unsupported(message).at(SIGNATURE.len() as u64));
        }
        for _volume_system_comments in 0..3 {
            skip_string(&mut cursor)?;
        }
        let count = cursor.record::<4>()?.u32(0);
        if count > MOST_DESCRIPTORS {
            let message = format!("{count} descriptors: more than {MOST_DESCRIPTORS} are not read");
            return Err(ImageError::new(ImageErrorKind::Limit, message).at(cursor.at - 4));
        }
        let (data, subchannel) = (string(&mut cursor)?, string(&mut cursor)?);
        let unknown = cursor.record::<5>()?.u8(4);
        cursor.skip(u64::from(unknown));
        let mut files = Files { data, subchannel, opened: Vec::new(), open_subchannel: None, cx };
        let mut plan = DiscPlan { medium: Some(MediumType::CdRom), ..DiscPlan::default() };
        let mut current = None;
        let mut next = 0;
        for _ in 0..count {
            let at = cursor.at;
            let entry = Entry::read(&mut cursor)?;
            if entry.point >= LEAD_IN {
                plan.mcn =
                    plan.mcn.or(entry.code.try_into().ok().filter(|mcn: &[u8; 13]| mcn.iter().all(u8::is_ascii_digit)));
                continue;
            }
            if current.replace(entry.session) != Some(entry.session) {
                plan.sessions.push(SessionPlan { start: Some(entry.session_start()), ..SessionPlan::default() });
                next = i64::from(entry.session_start().0);
            }
            let track = entry.track(next, &mut files).map_err(|error| error.at(at))?;
            next += track.blocks() as i64;
            if let Some(session) = plan.sessions.last_mut() {
                session.tracks.push(track);
            }
        }
        plan.dpm = b6t::measurement_beside(cx);
        plan.build()
    }
}

/// One descriptor.
struct Entry {
    file: Vec<u8>,
    numbers: Record<59>,
    session: u8,
    point: u8,
    code: Vec<u8>,
}

impl Entry {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ImageError> {
        let file = string(cursor)?;
        let numbers = cursor.record::<59>()?;
        for _ in 1..STRINGS {
            skip_string(cursor)?;
        }
        let code = string(cursor)?;
        Ok(Self { file, session: numbers.u8(13), point: numbers.u8(19), numbers, code })
    }

    /// The address of index 0; nothing where the track has none, or the first track its 150 blocks before address 0.
    fn index_0(&self) -> Option<i64> {
        Some(i64::from(self.numbers.i32(43))).filter(|index| *index > 0)
    }

    fn index_1(&self) -> i64 {
        i64::from(self.numbers.i32(47))
    }

    /// Where the session begins whose first track this is.
    fn session_start(&self) -> Lba {
        let start = self.index_0().unwrap_or(self.index_1() - i64::from(PREGAP));
        Lba(i32::try_from(start).unwrap_or(i32::MIN))
    }

    /// The track, whose addresses begin at `next`.
    fn track(&self, next: i64, files: &mut Files<'_>) -> Result<TrackPlan, ImageError> {
        let number = self.point;
        let (index_1, end) = (self.index_1(), i64::from(self.numbers.u32(38)));
        let pregap = u32::try_from(index_1 - next).ok();
        let (Some(pregap), true) = (pregap, index_1 < end) else {
            let message = format!("track {number} from {index_1} to {end} does not follow what ends at {next}");
            return Err(ImageError::invalid(message));
        };
        let source = files.data(&self.file)?;
        let raw = RAW as i64;
        let offset = i64::from(self.numbers.u32(0)) + (i64::from(PREGAP) - i64::from(self.numbers.u32(28))) * raw;
        let data = match self.numbers.u8(17) {
            0 => false,
            1 | 2 => true,
            other => return Err(ImageError::invalid(format!("track {number} is of mode {other}, which is not known"))),
        };
        let offset = if data { files.checked(&source, offset, index_1, number) } else { offset };
        let mode = match self.numbers.u8(17) {
            0 => TrackMode::Audio,
            1 => TrackMode::Mode1,
            _ => mixed_mode(RAW as u32, &source, offset.unsigned_abs()),
        };
        // A pre-gap is stored from index 0 on, where the track has one.
        let first = self.index_0().map_or(index_1, |index_0| index_0.clamp(next, index_1));
        let offset = u64::try_from(offset - (index_1 - first) * raw)
            .map_err(|_| ImageError::invalid(format!("track {number} begins before its data file")))?;
        let held = source.len().saturating_sub(offset) / RAW as u64;
        let blocks = u32::try_from(end - first).map_err(|_| ImageError::invalid("no track is so long"))?;
        if held < u64::from(blocks) {
            files.cx.warn(format!(
                "track {number} is cut off: its data file holds {held} of {blocks} sectors; the others cannot be read"
            ));
        }
        let subchannel =
            (self.numbers.u8(4) != 0).then(|| files.subchannel()).flatten().map(|source| StoredSubchannel {
                source,
                offset: offset / RAW as u64 * SUBCHANNEL as u64,
                stride: SUBCHANNEL as u32,
                form: SubchannelForm::Linear,
            });
        let Some(stored) = stored_bytes(mode, RAW as u32) else { return Err(ImageError::invalid("no such sectors")) };
        let stored = Stored { source, offset, stride: RAW as u32, stored, subchannel };
        let gap = u32::try_from(first - next).unwrap_or(0);
        let isrc = self.code.as_slice().try_into().ok();
        Ok(TrackPlan {
            pregap,
            control: control(self.numbers.u8(15), mode),
            isrc: isrc.filter(|isrc: &[u8; 12]| isrc.iter().all(u8::is_ascii_alphanumeric)),
            pieces: vec![Piece::empty(gap), Piece::stored(blocks, stored)],
            ..TrackPlan::new(number, mode)
        })
    }
}

struct Files<'a> {
    data: Vec<u8>,
    subchannel: Vec<u8>,
    opened: Vec<(Vec<u8>, SharedSource)>,
    open_subchannel: Option<Option<SharedSource>>,
    cx: &'a OpenContext<'a>,
}

impl Files<'_> {
    /// The data file called `name`, or the one that all tracks share.
    fn data(&mut self, name: &[u8]) -> Result<SharedSource, ImageError> {
        let name = [name, &self.data, b"*.bwi"].into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        if let Some((_, source)) = self.opened.iter().find(|(known, _)| known == name) {
            return Ok(Arc::clone(source));
        }
        let source = open_named(self.cx, name, &["bwi"])?;
        self.opened.push((name.to_vec(), Arc::clone(&source)));
        Ok(source)
    }

    /// The subchannel of all tracks, which a disc can be read without.
    fn subchannel(&mut self) -> Option<SharedSource> {
        let Self { subchannel, cx, .. } = self;
        let open = || {
            let name: &[u8] = if subchannel.is_empty() { b"*.bws" } else { subchannel };
            open_named(cx, name, &["bws"]).map_err(|_| cx.missing(name)).ok()
        };
        self.open_subchannel.get_or_insert_with(open).clone()
    }

    /// `offset` of the sector `index_1` of a data track, or the place nearby where the sector with that address is: the header
    /// of a sector tells its own.
    fn checked(&self, source: &SharedSource, offset: i64, index_1: i64, number: u8) -> i64 {
        let at = |offset: i64| {
            let sector = Record::<16>::read(source, u64::try_from(offset).ok()?).ok()?;
            (sector.bytes::<12>(0) == SYNC).then(|| address(sector.bytes(12)))
        };
        let Some(found) = at(offset).filter(|found| *found != index_1) else { return offset };
        let moved = offset + (index_1 - found) * RAW as i64;
        let right = at(moved) == Some(index_1);
        let what = if right { "it is taken from where its own headers say" } else { "it may be another" };
        self.cx.warn(format!(
            "the first sector of track {number} says that its address is {found}, not {index_1}: {what}"
        ));
        if right { moved } else { offset }
    }
}

/// The address in the header of a sector, minute, second and frame in BCD.
fn address([minute, second, frame, _]: [u8; 4]) -> i64 {
    let number = |bcd: u8| i64::from(bcd >> 4) * 10 + i64::from(bcd & 0xF);
    (number(minute) * 60 + number(second)) * 75 + number(frame) - i64::from(PREGAP)
}

fn string(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, ImageError> {
    let at = cursor.at;
    let len = cursor.record::<4>()?.u32(0);
    if len > LONGEST {
        return Err(ImageError::new(ImageErrorKind::Limit, "a string of the descriptor is too long").at(at));
    }
    let mut bytes = cursor.bytes(u64::from(len))?;
    bytes.truncate(bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len()));
    Ok(bytes)
}

fn skip_string(cursor: &mut Cursor<'_>) -> Result<(), ImageError> {
    let len = cursor.record::<4>()?.u32(0);
    cursor.skip(u64::from(len));
    Ok(())
}
