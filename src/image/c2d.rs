//! C2D of WinOnCD: a header, the sectors, and a block for each index of each track (formats.md, 12).
//!
//! Not read: compressed tracks, whose coding nobody has described.

use super::layout::{DiscPlan, PREGAP, Piece, SessionPlan, TrackPlan};
use super::record::{Cursor, Record, bytes_at};
use super::sheet::{Data, Shape};
use super::{FormatInfo, ImageError, ImageFormat, OpenContext, Probe, Score};
use crate::disc::{Control, Disc, MediumType, TrackMode};
use crate::source::SharedSource;

/// C2D files.
pub struct C2d;

static INFO: FormatInfo = FormatInfo { id: "c2d", name: "WinOnCD (C2D)", extensions: &["c2d"] };

const SIGNATURES: [&[u8]; 2] = [b"Adaptec CeQuadrat VirtualCD File", b"Roxio Image File Format 3.0"];
/// CD-TEXT of eight languages.
const LONGEST_TEXT: u32 = 8 * 256 * 18;

/// A block: an index of a track.
#[derive(Debug)]
struct Block {
    first: u32,
    last: u32,
    offset: u64,
    sector: u32,
    isrc: [u8; 12],
    flags: u8,
    session: u8,
    track: u8,
    index: u8,
    mode: u8,
}

impl ImageFormat for C2d {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        if SIGNATURES.iter().any(|signature| probe.has(0, signature)) { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let header = Record::<192>::read(&source, 0)?;
        let (header_len, blocks, text_len, blocks_at) =
            (header.u16(32), header.u16(50), header.u32(52), header.u32(56));
        let mcn = Some(header.bytes::<13>(36)).filter(|mcn| header.u16(34) != 0 && mcn.iter().all(u8::is_ascii_digit));
        let packs = match text_len {
            0 => Vec::new(),
            1..=LONGEST_TEXT => bytes_at(&source, u64::from(header_len), u64::from(text_len))?,
            _ => return Err(ImageError::invalid("more CD-TEXT than a disc can hold").at(52)),
        };
        let mut cursor = Cursor::new(&source, u64::from(blocks_at));
        let blocks = (0..blocks).map(|_| block(&mut cursor)).collect::<Result<Vec<_>, _>>()?;
        let file = Data { bytes: source.clone(), is_sound: false };
        let mut plan = DiscPlan { medium: Some(MediumType::CdRom), mcn, ..DiscPlan::default() };
        let tracks = blocks.chunk_by(|one, other| (one.session, one.track) == (other.session, other.track));
        let mut session = 0;
        for own in tracks {
            let is_new = plan.sessions.is_empty() || own[0].session != session;
            session = own[0].session;
            if is_new {
                plan.sessions.push(SessionPlan::default());
            }
            let track = track(own, is_new, &file, cx)?;
            if let Some(session) = plan.sessions.last_mut() {
                session.tracks.push(track);
            }
        }
        if let Some(first) = plan.sessions.first_mut() {
            first.cd_text = packs.as_chunks().0.to_vec();
        }
        plan.build()
    }
}

fn block(cursor: &mut Cursor<'_>) -> Result<Block, ImageError> {
    let at = cursor.at;
    let record = cursor.record::<44>()?;
    if record.u8(41) != 0 {
        return Err(ImageError::unsupported("a compressed track: nobody has described its coding").at(at));
    }
    Ok(Block {
        first: record.u32(4),
        last: record.u32(8),
        offset: record.u64(12),
        sector: record.u32(20),
        isrc: record.bytes(24),
        flags: record.u8(36),
        session: record.u8(37),
        track: record.u8(38),
        index: record.u8(39),
        mode: record.u8(40),
    })
}

fn track(blocks: &[Block], is_first: bool, file: &Data, cx: &OpenContext<'_>) -> Result<TrackPlan, ImageError> {
    let number = blocks[0].track;
    let wrong = |what: &str| ImageError::invalid(format!("track {number}: {what}"));
    let main = blocks.iter().find(|block| block.index == 1).ok_or_else(|| wrong("it has no index 1"))?;
    let last = blocks.iter().map(|block| block.last).max().unwrap_or(main.last);
    let len = |from: u32, to: u32| {
        to.checked_sub(from).and_then(|len| len.checked_add(1)).ok_or_else(|| wrong("a block ends before it begins"))
    };
    let shape = match (main.mode, main.sector) {
        (0 | 0xFF, 2352) => Shape { mode: TrackMode::Audio, main: 2352, subchannel: 0 },
        (0 | 0xFF, 2448) => Shape { mode: TrackMode::Audio, main: 2352, subchannel: 96 },
        (1, size @ (2048 | 2352)) => Shape { mode: TrackMode::Mode1, main: size, subchannel: 0 },
        (1, 2448) => Shape { mode: TrackMode::Mode1, main: 2352, subchannel: 96 },
        (2, size @ (2048 | 2324 | 2336 | 2352)) => Shape { mode: TrackMode::Mode2Xa, main: size, subchannel: 0 },
        (2, 2448) => Shape { mode: TrackMode::Mode2Xa, main: 2352, subchannel: 96 },
        (mode, size) => return Err(wrong(&format!("mode {mode} with {size} bytes of a sector is not known"))),
    };
    let mode = shape.real_mode(file, main.offset);
    let stored = blocks.iter().find(|block| block.index == 0);
    let stored_pregap = stored.map_or(Ok(0), |block| len(block.first, block.last))?;
    // What no block holds of the pre-gap of a session is empty.
    let empty = if is_first { PREGAP.saturating_sub(stored_pregap) } else { 0 };
    let blocks_of_data = len(main.first, last)?;
    let mut plan = TrackPlan { pregap: empty.saturating_add(stored_pregap), ..TrackPlan::new(number, mode) };
    plan.control =
        Control(plan.control.0 | if main.flags & 1 != 0 { 2 } else { 0 } | if main.flags & 2 != 0 { 1 } else { 0 });
    plan.isrc = Some(main.isrc).filter(|isrc| isrc.iter().all(u8::is_ascii_alphanumeric));
    let later = blocks.iter().filter(|block| block.index > 1 && block.first > main.first);
    plan.indices = later.map(|block| block.first - main.first).collect();
    let pregap = stored.map(|block| shape.piece(mode, stored_pregap, block.offset, file)).transpose()?;
    plan.pieces = std::iter::once(Piece::empty(empty)).chain(pregap).collect();
    plan.pieces.push(shape.piece(mode, blocks_of_data, main.offset, file)?);
    let end = main.offset.saturating_add(u64::from(blocks_of_data) * u64::from(shape.stride()));
    if end > file.bytes.len() {
        cx.warn(format!("the file ends inside track {number}: what is missing cannot be read"));
    }
    Ok(plan)
}
