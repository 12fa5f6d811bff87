//! Which sectors of which file belong to which index of which track.

use super::super::ImageError;
use super::super::layout::{FIRST_SESSION_GAP, LATER_SESSION_GAP, PREGAP};
use super::sheet::{Index, Sheet, Track};

/// Sectors one after another in a file that belong to one index of one track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Position in [`Sheet::tracks`].
    pub track: usize,
    /// Index number; 0 is the pre-gap.
    pub index: u8,
    /// Position in [`Sheet::files`].
    pub file: usize,
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// How many.
    pub sectors: u32,
}

/// Where a file is divided.
struct Cutter<'a> {
    segments: &'a mut Vec<Segment>,
    file: usize,
    /// Sectors and bytes that are taken.
    sectors: u32,
    bytes: u64,
}

impl Cutter<'_> {
    /// The sectors up to `end`, of `stride` bytes each, as `index` of `track`; nobody's without an index.
    fn cut(&mut self, end: u32, stride: u32, track: usize, index: Option<u8>) {
        let sectors = end.saturating_sub(self.sectors);
        if let Some(index) = index {
            self.segments.push(Segment { track, index, file: self.file, offset: self.bytes, sectors });
        }
        self.sectors += sectors;
        self.bytes += u64::from(sectors) * u64::from(stride);
    }

    /// Where a file of `len` bytes ends, in sectors.
    fn end_of_file(&self, len: u64, stride: u32) -> Result<u32, ImageError> {
        let left = u32::try_from(len.saturating_sub(self.bytes).div_ceil(u64::from(stride))).ok();
        let end = left.and_then(|left| self.sectors.checked_add(left));
        end.ok_or_else(|| ImageError::invalid("a file is longer than any disc"))
    }
}

/// The segments of all tracks, in order; `lengths` are the files', in bytes. The last segment of a file is what is left of it, with
/// a last sector that may be short; where an index lies past the end of its file, nothing is left.
///
/// # Errors
/// When indices in one file do not go up, or a file is too long.
pub fn segments(sheet: &Sheet, lengths: &[u64]) -> Result<Vec<Segment>, ImageError> {
    let mut segments = Vec::new();
    let flat = |(number, track): (usize, &'_ Track)| -> Vec<(usize, Index)> {
        track.indices.iter().map(|index| (number, *index)).collect()
    };
    let indices: Vec<(usize, Index)> = sheet.tracks.iter().enumerate().flat_map(flat).collect();
    for (file, &len) in lengths.iter().enumerate() {
        let own: Vec<_> = indices.iter().filter(|(_, index)| index.file == file).collect();
        let mut cutter = Cutter { segments: &mut segments, file, sectors: 0, bytes: 0 };
        for (position, &&(number, index)) in own.iter().enumerate() {
            let track = &sheet.tracks[number];
            let stride = track.mode.stride();
            if index.at < cutter.sectors {
                let message =
                    format!("track {}: its INDEX {:02} lies before the one before it", track.number, index.number);
                return Err(ImageError::invalid(message));
            }
            // What lies before the first index of a file, or is left over between two sessions, is the track's pre-gap.
            if cutter.sectors < index.at {
                cutter.cut(index.at, stride, number, Some(0));
            }
            let end = match own.get(position + 1) {
                Some(&&(next, at)) => end_before(track, &sheet.tracks[next], at, index.at),
                None => End { last: cutter.end_of_file(len, stride)?, next: None },
            };
            cutter.cut(end.last, stride, number, Some(index.number));
            if let Some(next) = end.next {
                cutter.cut(next, stride, number, None);
            }
        }
    }
    segments.sort_by_key(|segment| segment.track);
    Ok(segments)
}

/// Where the sectors of an index end, and where the next track's begin when something lies between.
struct End {
    last: u32,
    next: Option<u32>,
}

/// A file with two sessions in it stores the lead-out, the lead-in and the pre-gap between them, unless remarks say how long they
/// are.
fn end_before(track: &Track, next: &Track, at: Index, from: u32) -> End {
    let gap = if next.session <= 2 { FIRST_SESSION_GAP } else { LATER_SESSION_GAP };
    let pregap = if at.number == 0 { 0 } else { PREGAP };
    if next.session == track.session || next.gap.is_some() || at.at.saturating_sub(from) <= gap + pregap {
        return End { last: at.at, next: None };
    }
    End { last: at.at - gap - pregap, next: Some(at.at - pregap) }
}
