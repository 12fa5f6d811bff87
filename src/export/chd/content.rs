//! What goes into the hunks of a CHD: blocks of a DVD, or frames of a CD, and the metadata that describe them.

use std::io;
use std::ops::Range;

use super::pack::{FRAME, FRAMES, Kind};
use crate::disc::sector::{Form, RAW};
use crate::disc::subchannel::interleaved;
use crate::disc::{BLOCK_SIZE, Disc, Lba, MediumType, SectorError, Track, TrackMode};
use crate::export::ExportError;

/// Bytes of a hunk of blocks: two, as chdman does.
const BLOCKS_HUNK: usize = 2 * BLOCK_SIZE as usize;

/// Hunks to be.
pub struct Content<'a> {
    disc: &'a Disc,
    runs: Vec<Run>,
    pub hunk_bytes: u32,
    pub unit_bytes: u32,
    /// Bytes in all, without what fills up the last hunk.
    pub logical: u64,
    /// Tag and text of each entry.
    pub metadata: Vec<([u8; 4], String)>,
}

/// Frames, or blocks, that follow one another on the disc.
struct Run {
    first: Lba,
    blocks: u32,
    /// Empty frames behind them.
    filling: u32,
    /// Which bytes of the sectors are stored, from the start of the frame.
    stored: Range<usize>,
    sound: bool,
    subchannel: bool,
}

impl<'a> Content<'a> {
    /// The content for `disc`.
    pub fn of(disc: &'a Disc) -> Self {
        if disc.medium == MediumType::CdRom { Self::of_cd(disc) } else { Self::of_blocks(disc) }
    }

    fn of_blocks(disc: &'a Disc) -> Self {
        let run = Run {
            first: Lba(0),
            blocks: disc.blocks(),
            filling: 0,
            stored: 0..BLOCK_SIZE as usize,
            sound: false,
            subchannel: false,
        };
        Self {
            disc,
            runs: vec![run],
            hunk_bytes: BLOCKS_HUNK as u32,
            unit_bytes: BLOCK_SIZE,
            logical: u64::from(disc.blocks()) * u64::from(BLOCK_SIZE),
            metadata: vec![(*b"DVD ", String::new())],
        }
    }

    fn of_cd(disc: &'a Disc) -> Self {
        let mut runs = Vec::new();
        let mut metadata = Vec::new();
        let mut end = Lba(0);
        for track in disc.tracks() {
            let (stored, kind) = shape(track);
            let subchannel = track.extents.iter().any(|extent| extent.subchannel.is_some());
            let pregap_is_stored = track.extents.first().is_some_and(|extent| extent.first < track.start);
            // The first pre-gap is stored whole or not at all; behind a gap between sessions none is.
            let first = match (pregap_is_stored, track.first() <= end) {
                (true, true) if track.start > end => end,
                (true, true) => track.first(),
                _ => track.start,
            };
            let in_file = first < track.start;
            let pregap = if in_file { track.start.since(first) } else { track.start.since(end) };
            let blocks = track.end.since(first);
            let filling = blocks.wrapping_neg() % 4;
            let sub = if subchannel { "RW_RAW" } else { "NONE" };
            let (gap_kind, gap_sub) = if in_file { (format!("V{kind}"), sub) } else { ("MODE1".to_owned(), "NONE") };
            let text = format!(
                "TRACK:{} TYPE:{kind} SUBTYPE:{sub} FRAMES:{blocks} PREGAP:{pregap} PGTYPE:{gap_kind} PGSUB:{gap_sub} POSTGAP:0",
                track.number
            );
            metadata.push((*b"CHT2", text));
            let sound = track.mode == TrackMode::Audio;
            runs.push(Run { first, blocks, filling, stored, sound, subchannel });
            end = track.end;
        }
        let frames: u64 = runs.iter().map(|run| u64::from(run.blocks) + u64::from(run.filling)).sum();
        Self {
            disc,
            runs,
            hunk_bytes: (FRAMES * FRAME) as u32,
            unit_bytes: FRAME as u32,
            logical: frames * FRAME as u64,
            metadata,
        }
    }

    /// True for the frames of a CD.
    pub fn is_cd(&self) -> bool {
        self.unit_bytes == FRAME as u32
    }

    /// The hunks in order, by a function that is asked for the next.
    pub fn hunks(&self) -> impl FnMut() -> io::Result<Option<(Kind, Vec<u8>)>> {
        let mut runs = self.runs.iter();
        let mut run = runs.next();
        let mut done = 0;
        move || {
            let mut hunk = vec![0; self.hunk_bytes as usize];
            let mut kind = if self.is_cd() { Kind::Sound } else { Kind::Blocks };
            let mut any = false;
            for unit in hunk.chunks_exact_mut(self.unit_bytes as usize) {
                while run.is_some_and(|run| done == run.blocks + run.filling) {
                    (run, done) = (runs.next(), 0);
                }
                let Some(run) = run else { break };
                any = true;
                if done < run.blocks {
                    self.read(run, run.first.plus(done), unit)?;
                    if self.is_cd() && !run.sound {
                        kind = Kind::Frames;
                    }
                }
                done += 1;
            }
            Ok(any.then_some((kind, hunk)))
        }
    }

    fn read(&self, run: &Run, lba: Lba, unit: &mut [u8]) -> io::Result<()> {
        if !self.is_cd() {
            return self.disc.read_blocks(lba, unit).map_err(unreadable);
        }
        let mut raw = [0; RAW];
        self.disc.read_sector(lba, &mut raw).map_err(unreadable)?;
        if run.sound {
            raw.as_chunks_mut::<2>().0.iter_mut().for_each(|sample| sample.reverse());
        }
        let (sector, subchannel) = unit.split_at_mut(RAW);
        sector[..run.stored.len()].copy_from_slice(&raw[run.stored.clone()]);
        if run.subchannel {
            let linear = self.disc.read_subchannel(lba).map_err(unreadable)?;
            subchannel.copy_from_slice(&interleaved(&linear));
        }
        Ok(())
    }
}

/// Which bytes of the sectors of `track` are stored, and the word for that. What the image does not store can be made again, and is
/// left out where a word says so.
fn shape(track: &Track) -> (Range<usize>, &'static str) {
    let mut extents = track.extents.iter().map(|extent| extent.stored.clone());
    let first = extents.next().unwrap_or(0..RAW);
    let same = extents.all(|stored| stored == first);
    match track.mode {
        TrackMode::Audio => (0..RAW, "AUDIO"),
        TrackMode::Mode1 if same && first == Form::Mode1.user_data() => (first, "MODE1"),
        TrackMode::Mode1 => (0..RAW, "MODE1_RAW"),
        TrackMode::Mode2Xa if same && first == Form::Form1.user_data() => (first, "MODE2_FORM1"),
        TrackMode::Mode2Xa | TrackMode::Mode2Formless if same && first == Form::Mode2.user_data() => (first, "MODE2"),
        TrackMode::Mode2Xa | TrackMode::Mode2Formless => (0..RAW, "MODE2_RAW"),
    }
}

/// Whether what the metadata say of the first track means another disc: a stored pre-gap of 150 frames is the one before address 0
/// (formats.md, 13.5).
pub fn is_ambiguous(disc: &Disc) -> bool {
    let first = disc.tracks().next();
    disc.medium == MediumType::CdRom
        && first.is_some_and(|track| {
            track.start == Lba(150) && track.extents.first().is_some_and(|extent| extent.first < track.start)
        })
}

/// An unreadable sector, in the form in which errors of writing go.
fn unreadable(error: SectorError) -> io::Error {
    io::Error::other(ExportError::from(error))
}
