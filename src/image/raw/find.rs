//! Where the sectors of a file without an index lie, by its content.

use std::ops::Range;

use super::super::layout::{mode_of, stored_bytes};
use super::{Probe, Score};
use crate::disc::sector::{DATA, Form, RAW, SYNC, header};
use crate::disc::{Lba, Msf, TrackMode};

/// How a file stores its sectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Offset of the first, in bytes.
    pub offset: u64,
    /// Bytes from one to the next.
    pub stride: u32,
    /// What they hold.
    pub mode: TrackMode,
    /// Which bytes of a whole sector are stored.
    pub stored: Range<usize>,
    /// How many lie before LBA 0.
    pub pregap: u32,
    /// Bytes of a sector before its subchannel; what follows is subchannel.
    pub main: u32,
}

/// Bytes of Q or of P to W behind a sector.
const SUBCHANNELS: [u32; 3] = [0, 16, 96];
/// Sectors that must all have a sync pattern.
const SYNCS: u64 = 16;
/// Where the volume descriptors are (ECMA-119, 6.2.1; ECMA-167, 2/8.3).
const DESCRIPTORS: u64 = 16;
/// Four seconds: a track is not shorter (IEC 60908), and so no file of sound is.
const SHORTEST_TRACK: u64 = 4 * 75;

type Volume = (u32, u32, TrackMode);

/// What sectors that hold a volume look like without a sync pattern: bytes of a sector, where its user data start, the mode.
/// 2,324 and 2,328 are Form 1 sectors cut off at either end of their parity.
static VOLUMES: &[Volume] = &[
    (2048, 0, TrackMode::Mode1),
    (2052, 4, TrackMode::Mode1),
    (2056, 8, TrackMode::Mode2Xa),
    (2060, 12, TrackMode::Mode2Xa),
    (2324, 0, TrackMode::Mode2Xa),
    (2328, 0, TrackMode::Mode2Xa),
    (2332, 8, TrackMode::Mode2Xa),
    (2336, 0, TrackMode::Mode1),
    (2336, 8, TrackMode::Mode2Xa),
    (2340, 4, TrackMode::Mode1),
    (2340, 12, TrackMode::Mode2Xa),
    (2352, 16, TrackMode::Mode1),
    (2352, 24, TrackMode::Mode2Xa),
];

/// Identifiers of volume descriptors, and where in a sector they are: ISO 9660, UDF, CD-i, High Sierra.
static IDENTIFIERS: &[(&[u8], usize)] = &[(b"CD001", 1), (b"BEA01", 1), (b"CD-I ", 1), (b"CDROM", 9)];
/// Those of the descriptors that follow.
static FOLLOWING: &[(&[u8], usize)] =
    &[(b"CD001", 1), (b"BEA01", 1), (b"NSR0", 1), (b"BOOT2", 1), (b"TEA01", 1), (b"CD-I ", 1), (b"CDROM", 9)];

/// Where the sectors are, and how sure that is. Nothing for plain 2,048-byte sectors from the start of the file.
pub fn find(probe: &Probe<'_>) -> Option<(Layout, Score)> {
    if is_descriptor(probe, DESCRIPTORS * 2048, IDENTIFIERS) {
        return None;
    }
    if let Some(layout) = by_sync(probe) {
        return Some((layout, Score::Sure));
    }
    if let Some(layout) = by_descriptor(probe) {
        let score = if layout.offset == 0 { Score::Sure } else { Score::Likely };
        return Some((layout, score));
    }
    sound(probe).map(|layout| (layout, Score::Likely))
}

/// By sync patterns at a regular distance, and the address in the first header.
fn by_sync(probe: &Probe<'_>) -> Option<Layout> {
    let first = probe.head.windows(SYNC.len()).position(|window| window == SYNC)? as u64;
    let main = RAW as u32;
    let stride = SUBCHANNELS.iter().map(|bytes| main + bytes).find(|&stride| {
        let whole = (probe.len() - first) / u64::from(stride);
        whole > 0 && (1..whole.min(SYNCS)).all(|index| has(probe, first + index * u64::from(stride), &SYNC))
    })?;
    let header = probe.head.get(first as usize + 12..first as usize + 15)?;
    let address = Msf::from_bcd([header[0], header[1], header[2]]).map_or(Lba(0), Msf::to_lba);
    let pregap = Lba(0).since(address);
    let mode = mode_of(probe.source, first);
    Some(Layout { offset: first, stride, mode, stored: 0..RAW, pregap, main })
}

/// By two volume descriptors, one sector apart, of which the first is sector 16. Of the ways in which that can be, the one that
/// most speaks for: what stands before the user data, then that nothing stands before the sectors.
fn by_descriptor(probe: &Probe<'_>) -> Option<Layout> {
    let starts = (0..probe.head.len() as u64).filter(|&at| is_descriptor(probe, at, IDENTIFIERS));
    starts.take(MOST_DESCRIPTORS).find_map(|at| {
        let layouts = VOLUMES.iter().flat_map(|volume| SUBCHANNELS.map(|bytes| by_volume(probe, at, volume, bytes)));
        layouts.flatten().reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, layout)| layout)
    })
}

/// Descriptors that are tried: a file full of identifiers must not take long.
const MOST_DESCRIPTORS: usize = 64;

/// What stands before the user data of a sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Before {
    Anything,
    Subheader,
    Header,
}

/// The layout in which the user data at `at` are those of sector 16, and what speaks for it.
fn by_volume(probe: &Probe<'_>, at: u64, volume: &Volume, subchannel: u32) -> Option<((Before, bool), Layout)> {
    let &(main, user_data, mode) = volume;
    let stride = main + subchannel;
    let offset = at.checked_sub(u64::from(user_data) + DESCRIPTORS * u64::from(stride))?;
    if !is_descriptor(probe, at + u64::from(stride), FOLLOWING) {
        return None;
    }
    let evidence = (before(probe, at, user_data, mode), offset == 0);
    let (offset, main, stored) = match main {
        2324 | 2328 => (offset, main, 24..2072),
        // The sync pattern is not there, or it would have been found: it is made.
        2352 => (offset + SYNC.len() as u64, main - SYNC.len() as u32, SYNC.len()..RAW),
        _ => (offset, main, stored_bytes(mode, main)?),
    };
    Some((evidence, Layout { offset, stride, mode, stored, pregap: 0, main }))
}

fn before(probe: &Probe<'_>, at: u64, user_data: u32, mode: TrackMode) -> Before {
    let form = if mode == TrackMode::Mode1 { Form::Mode1 } else { Form::Form1 };
    let subheader = if mode == TrackMode::Mode1 { 0 } else { 8 };
    let header_at = at.checked_sub(4 + subheader).filter(|_| u64::from(user_data) >= 4 + subheader);
    if header_at.is_some_and(|at| has(probe, at, &header(Lba(DESCRIPTORS as i32), form))) {
        return Before::Header;
    }
    let mut stored = [0; 8];
    let read = |at| probe.source.read_exact_at(&mut stored, at).is_ok();
    let there = at.checked_sub(8).filter(|_| subheader == 8 && user_data >= 8).is_some_and(read);
    if there && stored[..4] == stored[4..] && stored[2] & DATA != 0 { Before::Subheader } else { Before::Anything }
}

/// A file of nothing but sound: whole sectors, and no other size fits.
fn sound(probe: &Probe<'_>) -> Option<Layout> {
    let raw = RAW as u64;
    let fits =
        probe.len().is_multiple_of(raw) && !probe.len().is_multiple_of(2048) && probe.len() / raw >= SHORTEST_TRACK;
    fits.then_some(Layout {
        offset: 0,
        stride: RAW as u32,
        mode: TrackMode::Audio,
        stored: 0..RAW,
        pregap: 0,
        main: RAW as u32,
    })
}

fn is_descriptor(probe: &Probe<'_>, at: u64, identifiers: &[(&[u8], usize)]) -> bool {
    identifiers.iter().any(|(id, offset)| has(probe, at.saturating_add(*offset as u64), id))
}

/// True when `magic` is at `at`, also behind the head.
fn has(probe: &Probe<'_>, at: u64, magic: &[u8]) -> bool {
    if at.saturating_add(magic.len() as u64) <= probe.head.len() as u64 {
        return probe.has(at as usize, magic);
    }
    let mut there = [0; SYNC.len()];
    let there = &mut there[..magic.len()];
    probe.source.read_exact_at(there, at).is_ok() && there == magic
}
