//! The description at the end of the file.

use super::super::{ImageError, ImageErrorKind};
use crate::source::ByteSource;

/// What begins every record.
const MARK: [u8; 12] = [0xFF, 0xFF, 0, 0, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
/// Bytes of what is said of a session, right before its first record; the second is the number of its tracks.
const SESSION: usize = 15;
/// Bytes that some files of version 3 have between these and the record.
const EXTRA: usize = 8;
const VERSION_2: u32 = 0x8000_0004;
const VERSION_3: u32 = 0x8000_0005;
const VERSION_3_5: u32 = 0x8000_0006;
/// Bytes of a description, at most.
const LONGEST: u64 = 1 << 20;
/// Bytes between the fields of a track and the next record, at most.
const NEAR: usize = 300;

/// Where the description lies.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub version: u32,
    pub at: u64,
    pub end: u64,
}

/// A description.
#[derive(Debug, Default)]
pub struct Descriptor {
    pub sessions: Vec<Session>,
    pub is_dvd: bool,
    pub mcn: Option<[u8; 13]>,
    pub cd_text: Vec<[u8; 18]>,
}

#[derive(Debug, Default)]
pub struct Session {
    pub tracks: Vec<Track>,
}

/// A track record.
#[derive(Debug)]
pub struct Track {
    /// Where the record lies in the file.
    pub at: u64,
    /// Sectors of the pre-gap, of index 1, of index 2 and so on.
    pub indices: Vec<u32>,
    pub mode: u32,
    /// All sectors, with the pre-gap.
    pub blocks: u32,
    pub read_mode: u32,
    pub control: u8,
    pub isrc: Option<[u8; 12]>,
}

/// Where the footer in `tail`, the last bytes of a file of `len` bytes, says that the description lies.
pub fn place(tail: &[u8], len: u64) -> Option<Place> {
    let footer: [u8; 8] = *tail.last_chunk()?;
    let [a, b, c, d, e, f, g, h] = footer;
    let (version, position) = (u32::from_le_bytes([a, b, c, d]), u64::from(u32::from_le_bytes([e, f, g, h])));
    let at = match version {
        VERSION_2 | VERSION_3 => position,
        VERSION_3_5 => len.checked_sub(position)?,
        _ => return None,
    };
    (at < len.checked_sub(8)?).then_some(Place { version, at, end: len - 8 })
}

/// True when the first record is where it should be.
pub fn looks_like_one(source: &dyn ByteSource, place: Place) -> bool {
    let mut start = vec![0; NEAR.min((place.end - place.at) as usize)];
    source.read_exact_at(&mut start, place.at).is_ok() && marked(&start).is_some()
}

/// Where the next mark is.
fn marked(bytes: &[u8]) -> Option<usize> {
    bytes.windows(MARK.len()).position(|window| window == MARK)
}

impl Descriptor {
    /// The description at `place`.
    ///
    /// # Errors
    /// When it is damaged, or longer than any disc needs.
    pub fn read(source: &dyn ByteSource, place: Place) -> Result<Self, ImageError> {
        let len = place.end - place.at;
        if len > LONGEST {
            let message = format!("a description of {len} bytes, which no disc needs");
            return Err(ImageError::new(ImageErrorKind::Limit, message).at(place.at));
        }
        let mut bytes = vec![0; len as usize];
        source.read_exact_at(&mut bytes, place.at).map_err(|error| ImageError::io(error).at(place.at))?;
        let mut fields = Fields { bytes: &bytes, at: 0 };
        let mut descriptor = Self::default();
        let cut = |fields: &Fields<'_>| {
            ImageError::invalid("the description of the tracks is damaged").at(place.at + fields.at as u64)
        };
        let sessions = fields.u8().ok_or_else(|| cut(&fields))?;
        for _ in 0..sessions {
            let tracks =
                fields.tracks_of_session().filter(|tracks| (1..=99).contains(tracks)).ok_or_else(|| cut(&fields))?;
            let mut session = Session::default();
            for _ in 0..tracks {
                let track = descriptor.track(&mut fields, place).ok_or_else(|| cut(&fields))?;
                session.tracks.push(track);
            }
            descriptor.sessions.push(session);
        }
        // What is said of the whole disc can be done without.
        descriptor.disc(&mut fields, place);
        Ok(descriptor)
    }

    /// The header that all records have: up to the medium.
    fn header(&mut self, fields: &mut Fields<'_>, place: Place) -> Option<()> {
        fields.at = fields.next_mark()? + MARK.len();
        fields.skip(4)?;
        let name = fields.u8()?;
        fields.skip(usize::from(name) + 19)?;
        // Later versions tell the medium; of the earlier ones only some do.
        if fields.u32()? == 0x8000_0000 || place.version == VERSION_3_5 {
            fields.skip(6)?;
            self.is_dvd |= fields.u16()? == 0x38;
        }
        Some(())
    }

    fn track(&mut self, fields: &mut Fields<'_>, place: Place) -> Option<Track> {
        self.header(fields, place)?;
        let at = place.at + fields.at as u64;
        let count = usize::from(fields.u16()?);
        let count = match count {
            2..=100 => count,
            // Of old versions nobody says that the number is there; two lengths are.
            _ if place.version != VERSION_3_5 => 2,
            _ => return None,
        };
        let indices = (0..count).map(|_| fields.u32()).collect::<Option<Vec<_>>>()?;
        let texts = fields.u32()?;
        for _ in 0..texts.min(8).saturating_mul(18) {
            let len = fields.u8()?;
            fields.skip(usize::from(len))?;
        }
        fields.skip(2)?;
        let mode = fields.u32()?;
        fields.skip(4 + 4 + 4 + 4)?;
        let blocks = fields.u32()?;
        fields.skip(16)?;
        let read_mode = fields.u32()?;
        let control = fields.u32()? as u8;
        fields.skip(1 + 4 + 4)?;
        let isrc: [u8; 12] = fields.take()?;
        let has_isrc = fields.u32()? != 0 && isrc.iter().all(u8::is_ascii_alphanumeric);
        match place.version {
            VERSION_2 => {}
            VERSION_3_5 => fields.skip(87)?,
            _ => {
                fields.skip(5)?;
                if fields.u32()? == 0xFFFF_FFFF {
                    fields.skip(78)?;
                }
            }
        }
        Some(Track { at, indices, mode, blocks, read_mode, control, isrc: has_isrc.then_some(isrc) })
    }

    fn disc(&mut self, fields: &mut Fields<'_>, place: Place) -> Option<()> {
        self.header(fields, place)?;
        fields.skip(4)?;
        let name = fields.u8()?;
        fields.skip(usize::from(name) + 9)?;
        let mcn: [u8; 13] = fields.take()?;
        if fields.u32()? != 0 && mcn.iter().all(u8::is_ascii_digit) {
            self.mcn = Some(mcn);
        }
        let len = fields.u32()? as usize;
        let packs = fields.bytes.get(fields.at..fields.at.checked_add(len)?)?;
        self.cd_text = packs.as_chunks().0.to_vec();
        Some(())
    }
}

/// Fields one after another, the lowest byte first.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    /// Where the next record begins.
    fn next_mark(&self) -> Option<usize> {
        let near = self.bytes.get(self.at..)?;
        marked(&near[..near.len().min(NEAR)]).map(|mark| self.at + mark)
    }

    /// The number of tracks of the session whose first record is the next.
    fn tracks_of_session(&self) -> Option<u8> {
        let mark = self.next_mark()?;
        let count = |before: usize| self.bytes.get(mark.checked_sub(before)?).copied();
        count(SESSION - 1).filter(|count| *count > 0).or_else(|| count(SESSION - 1 + EXTRA))
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let bytes = self.bytes.get(self.at..)?.first_chunk()?;
        self.at += N;
        Some(*bytes)
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.at = self.at.checked_add(bytes).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }

    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
}
