//! The table of a session's tracks, which both versions of the descriptor have alike.

use super::super::layout::{SessionPlan, TrackPlan};
use super::super::record::Record;
use super::super::{ImageError, OpenContext};
use crate::disc::{FullTocEntry, Lba};
use crate::source::SharedSource;

/// Bytes of an entry.
pub const TRACK: usize = 80;

/// What the block of a session says.
pub struct Header {
    /// The first address.
    pub start: Lba,
    /// The lead-out.
    pub end: Lba,
    /// Entries of the table, with those of the lead-in.
    pub tracks: u8,
    /// Where the table lies.
    pub table: u64,
    /// The session's number.
    pub number: u16,
}

/// The session of `header`. `track` makes the plan of an entry, of which it is given the offset and the address after the track
/// before.
///
/// # Errors
/// When an entry lies outside the descriptor, and what `track` returns.
pub fn read(
    descriptor: &SharedSource,
    header: &Header,
    cx: &OpenContext<'_>,
    mut track: impl FnMut(&Record<TRACK>, u64, i64) -> Result<TrackPlan, ImageError>,
) -> Result<SessionPlan, ImageError> {
    let &Header { start, end, number, .. } = header;
    let mut plan = SessionPlan { start: Some(start), ..SessionPlan::default() };
    let mut next = i64::from(start.0);
    for index in 0..u64::from(header.tracks) {
        let at = header.table + index * TRACK as u64;
        let entry = Record::<TRACK>::read(descriptor, at)?;
        let line: [u8; 10] = entry.bytes(2);
        let line = FullTocEntry::from_bytes(std::array::from_fn(|at| at.checked_sub(1).map_or(0, |at| line[at])));
        if line.is_mode_5() {
            plan.mode_5.push(line);
        }
        plan.disc_type = plan.disc_type.or(line.disc_type());
        // The lines of the lead-in have no track.
        if line.is_mode_5() || !(1..=99).contains(&line.point) {
            continue;
        }
        let track = track(&entry, at, next)?;
        next += track.blocks() as i64;
        plan.tracks.push(track);
    }
    if next <= i64::from(end.0) {
        plan.lead_out = Some(end);
    } else {
        cx.warn(format!("session {number} ends at {end}, but its tracks at {next}: the tracks are believed"));
    }
    Ok(plan)
}
