//! The footer, the chunks, and the entries in them.

use super::super::{ImageError, ImageErrorKind, OpenContext};
use crate::disc::cdtext::MOST_PACKS_OF_A_DISC;
use crate::disc::{Lba, Msf};
use crate::source::ByteSource;

/// What the chunks say, in their order.
#[derive(Debug, Default)]
pub struct Chunks {
    /// `CUES` and `CUEX`.
    pub cues: Vec<Vec<Cue>>,
    /// `DAOI`, `DAOX`, `ETNF`, `ETN2` and `TINF`: a session each.
    pub sessions: Vec<Session>,
    pub cd_text: Vec<[u8; 18]>,
    /// Flags of `MTYP`.
    pub media: Option<u32>,
}

/// The tracks of a session.
#[derive(Debug)]
pub enum Session {
    /// Written at once, described by a list of [`Cue`]s too.
    AtOnce { mcn: Option<[u8; 13]>, first: u8, tracks: Vec<AtOnce> },
    /// Written track by track.
    ByTrack(Vec<ByTrack>),
}

/// Where an index is on the disc.
#[derive(Debug, Clone, Copy)]
pub struct Cue {
    pub control: u8,
    /// 0 is the lead-in, AAh the lead-out.
    pub track: u8,
    pub index: u8,
    pub lba: Lba,
}

/// Where a track of a session that was written at once lies in the file; offsets in bytes.
#[derive(Debug)]
pub struct AtOnce {
    pub isrc: Option<[u8; 12]>,
    /// Bytes of a sector with its subchannel.
    pub sector: u32,
    pub mode: u8,
    pub index_0: u64,
    pub index_1: u64,
    pub end: u64,
}

/// Where a track of a session that was written track by track lies in the file.
#[derive(Debug)]
pub struct ByTrack {
    pub offset: u64,
    pub bytes: u64,
    pub mode: u8,
    /// Where index 1 is, where the file says so.
    pub start: Option<u32>,
    /// How many sectors it has, where the file says so.
    pub sectors: Option<u32>,
}

/// Chunks of a file, at most, and the longest that is read.
const MOST_CHUNKS: u32 = 2000;
const LONGEST: u64 = 1 << 20;
/// Cues of a session, at most: a hundred indices of every track, and those of lead-in and lead-out.
const MOST_CUES: usize = 99 * 101;

/// Chunks that are read.
const KNOWN: [&[u8; 4]; 9] = [b"CUES", b"CUEX", b"DAOI", b"DAOX", b"ETNF", b"ETN2", b"TINF", b"CDTX", b"MTYP"];

/// The offset of the first chunk, as the footer in `tail`, the last bytes of a file of `len` bytes, has it. Some programs write
/// more behind the footer, which counts only where it can be right.
pub fn first(tail: &[u8], len: u64) -> Option<u64> {
    let at = |before_end: usize| tail.len().checked_sub(before_end).and_then(|at| tail.get(at..));
    let version_2 = |footer: &[u8]| {
        footer.strip_prefix(b"NER5").and_then(|rest| rest.first_chunk()).map(|bytes| u64::from_be_bytes(*bytes))
    };
    let version_1 = |footer: &[u8]| {
        footer
            .strip_prefix(b"NERO")
            .and_then(|rest| rest.first_chunk())
            .map(|bytes| u64::from(u32::from_be_bytes(*bytes)))
    };
    // Four letters and a short offset are in many a file: what they lead to counts too.
    let is_chunk = |first: &u64| {
        let start = len.saturating_sub(tail.len() as u64);
        let at = first.checked_sub(start).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| tail.get(at..)?.first_chunk::<4>()).is_some_and(|id| KNOWN.contains(&id))
    };
    let behind =
        |footer: &[u8]| version_2(footer).filter(|first| *first < len).or_else(|| version_1(footer).filter(is_chunk));
    let anywhere = || (9..tail.len()).find_map(|before_end| at(before_end).and_then(behind));
    at(12).and_then(version_2).or_else(|| at(8).and_then(version_1)).or_else(anywhere)
}

/// All chunks from `at` on.
///
/// # Errors
/// When they cannot be read, or are too many.
pub fn read(source: &dyn ByteSource, first: u64, cx: &OpenContext<'_>) -> Result<Chunks, ImageError> {
    if first >= source.len() {
        return Err(ImageError::invalid("the list of chunks lies past the end: the file is damaged or incomplete"));
    }
    let mut chunks = Chunks::default();
    let mut at = first;
    for _ in 0..MOST_CHUNKS {
        let mut header = [0; 8];
        source.read_exact_at(&mut header, at).map_err(|error| ImageError::io(error).at(at))?;
        let (id, len) = header.split_at(4);
        let len = u64::from(u32::from_be_bytes([len[0], len[1], len[2], len[3]]));
        if id == b"END!" {
            return Ok(chunks);
        }
        let content = at + 8;
        if content + len > source.len() {
            cx.warn("the list of chunks is cut off: what is missing is not known");
            return Ok(chunks);
        }
        if chunks.wants(id) {
            if len > LONGEST {
                let message = format!("a chunk of {len} bytes, which no disc needs");
                return Err(ImageError::new(ImageErrorKind::Limit, message).at(at));
            }
            let mut bytes = vec![0; len as usize];
            source.read_exact_at(&mut bytes, content).map_err(|error| ImageError::io(error).at(content))?;
            chunks.add(id, &bytes);
        }
        at = content + len;
    }
    Err(ImageError::new(ImageErrorKind::Limit, format!("more than {MOST_CHUNKS} chunks")).at(first))
}

impl Chunks {
    fn wants(&self, id: &[u8]) -> bool {
        KNOWN.iter().any(|known| *known == id) && self.sessions.len() < 99 && self.cues.len() < 99
    }

    fn add(&mut self, id: &[u8], bytes: &[u8]) {
        match id {
            b"CUES" | b"CUEX" => {
                let entries = bytes.chunks_exact(8).take(MOST_CUES);
                self.cues.push(entries.map(|entry| Cue::of(entry, id == b"CUES")).collect());
            }
            b"DAOI" | b"DAOX" => self.sessions.extend(at_once(bytes, if id == b"DAOI" { 4 } else { 8 })),
            b"ETNF" | b"ETN2" | b"TINF" => self.sessions.push(Session::ByTrack(by_track(id, bytes))),
            b"CDTX" => self.cd_text = bytes.as_chunks().0.iter().take(MOST_PACKS_OF_A_DISC).copied().collect(),
            _ => self.media = bytes.first_chunk().map(|flags| u32::from_be_bytes(*flags)),
        }
    }
}

impl Cue {
    fn of(entry: &[u8], is_msf: bool) -> Self {
        let field = |at: usize| entry.get(at).copied().unwrap_or(0);
        let (adr, track, index, place) = (field(0), field(1), field(2), [4, 5, 6, 7].map(field));
        let lba = if is_msf {
            let [_, minute, second, frame] = place;
            let msf = Msf::from_bcd([minute, second, frame]).unwrap_or(Msf { minute, second, frame });
            msf.to_lba()
        } else {
            Lba(i32::from_be_bytes(place))
        };
        Self { control: adr >> 4, track: if track == 0xAA { track } else { bcd(track) }, index: bcd(index), lba }
    }
}

fn bcd(byte: u8) -> u8 {
    (byte >> 4) * 10 + (byte & 0xF)
}

/// A number of `width` bytes at `at`.
fn wide(entry: &[u8], at: usize, width: usize) -> u64 {
    entry.get(at..at + width).unwrap_or_default().iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn narrow(entry: &[u8], at: usize) -> u32 {
    wide(entry, at, 4) as u32
}

fn at_once(bytes: &[u8], width: usize) -> Option<Session> {
    let (header, entries) = bytes.split_at_checked(22)?;
    let code = |bytes: &[u8], is: fn(&u8) -> bool| bytes.iter().all(is);
    let mcn: [u8; 13] = header[4..17].try_into().ok()?;
    let mcn = code(&mcn, u8::is_ascii_digit).then_some(mcn);
    let tracks = entries.chunks_exact(18 + 3 * width).take(99).map(|entry| {
        let isrc = <[u8; 12]>::try_from(&entry[..12]).ok().filter(|isrc| code(isrc, u8::is_ascii_alphanumeric));
        AtOnce {
            isrc,
            sector: u32::from(u16::from_be_bytes([entry[12], entry[13]])),
            mode: entry[14],
            index_0: wide(entry, 18, width),
            index_1: wide(entry, 18 + width, width),
            end: wide(entry, 18 + 2 * width, width),
        }
    });
    Some(Session::AtOnce { mcn, first: header[20], tracks: tracks.collect() })
}

fn by_track(id: &[u8], bytes: &[u8]) -> Vec<ByTrack> {
    let (width, len) = match id {
        b"ETN2" => (8, 32),
        b"ETNF" => (4, 20),
        _ => (4, 12),
    };
    let tracks = bytes.chunks_exact(len).take(99).map(|entry| ByTrack {
        offset: wide(entry, 0, width),
        bytes: wide(entry, width, width),
        mode: narrow(entry, 2 * width) as u8,
        start: (len > 12).then(|| narrow(entry, 2 * width + 4)),
        sectors: (len == 32).then(|| narrow(entry, 28)),
    });
    tracks.collect()
}
