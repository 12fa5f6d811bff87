//! From a [`Disc`] to an image file: what `spindle convert` writes.
//!
//! One static table of targets. A target says what of a disc it cannot hold before anything is written, and writes through
//! [`Output`], which shows nothing under its final name until all of it is there. Not responsible for reading images (see
//! [`crate::image`]).

mod bits;
mod ccd;
pub mod chd;
mod ciso;
mod cue;
pub mod flac;
mod iso;
pub mod ordered;
mod output;
mod sound;

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;

pub use self::output::{Output, destination};
pub use self::sound::{TrackFile, wave_header, write_track};
use crate::disc::sector::RAW;
use crate::disc::{Disc, Lba, MediumType, SectorError, Session, Track};
use crate::image::FormatInfo;
use crate::image::layout::PREGAP;

/// One kind of image file.
pub trait Target: Sync {
    /// Its names; the first extension is the usual one.
    fn info(&self) -> &'static FormatInfo;

    /// What of the disc it cannot hold, a line for a person each.
    ///
    /// # Errors
    /// [`ExportError::Refused`] when it can hold nothing of it.
    fn losses(&self, job: &Job<'_>) -> Result<Vec<String>, ExportError>;

    /// About how many bytes of the disc it reads: what `Job::tick` counts up to.
    fn bytes(&self, job: &Job<'_>) -> u64;

    /// Writes it.
    ///
    /// # Errors
    /// For the first sector that cannot be read, or when a file cannot be written.
    fn write(&self, job: &Job<'_>, out: &mut Output) -> Result<(), ExportError>;
}

/// Every target.
pub static TARGETS: &[&dyn Target] = &[&iso::Iso, &cue::Cue, &ccd::Ccd, &chd::Chd, &ciso::CSO, &ciso::ZSO];

/// What is to be written, and who is told how far it is.
pub struct Job<'a> {
    /// The disc.
    pub disc: &'a Disc,
    /// The track to take, where the target holds one.
    pub track: Option<u8>,
    /// Whether audio tracks become WAVE files, where the target can name them.
    pub wave: bool,
    /// Whether what the target cannot hold may be left out.
    pub lossy: bool,
    /// Told how many bytes of the disc more are done.
    pub progress: &'a (dyn Fn(u64) + Sync),
    /// Set from outside to end the work early.
    pub cancelled: &'a AtomicBool,
}

/// Why an image could not be written.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The disc cannot be read there.
    #[error(transparent)]
    Sector(#[from] SectorError),
    /// The file of this name cannot be written.
    #[error("{0}: {1}")]
    File(String, io::Error),
    /// The image cannot be written.
    #[error("the image that is written: {0}")]
    Image(io::Error),
    /// The target is not made for such a disc.
    #[error("{0}")]
    Refused(String),
    /// [`Job::cancelled`].
    #[error("interrupted; nothing was written")]
    Cancelled,
}

impl From<io::Error> for ExportError {
    /// Of the image that is written, unless one of these is inside.
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Image)
    }
}

impl Job<'_> {
    /// Counts `bytes`, and ends the work when it was cancelled.
    ///
    /// # Errors
    /// [`ExportError::Cancelled`].
    pub fn tick(&self, bytes: u64) -> Result<(), ExportError> {
        (self.progress)(bytes);
        if self.cancelled.load(Ordering::Relaxed) { Err(ExportError::Cancelled) } else { Ok(()) }
    }

    /// The data track to take: the one that was asked for, or the first.
    ///
    /// # Errors
    /// When there is none.
    pub fn data_track(&self) -> Result<&Track, ExportError> {
        let wanted = |track: &&Track| match self.track {
            Some(number) => track.number == number,
            None => track.mode.is_data(),
        };
        match (self.disc.tracks().find(wanted), self.track) {
            (Some(track), _) if track.mode.is_data() => Ok(track),
            (Some(track), _) => Err(ExportError::Refused(format!(
                "track {} is an audio track; `spindle extract --track {0}` writes it as WAVE or FLAC",
                track.number
            ))),
            (None, Some(number)) => Err(ExportError::Refused(format!("the disc has no track {number}"))),
            (None, None) => {
                Err(ExportError::Refused("the disc has no data track; convert it to CUE to keep its sound".to_owned()))
            }
        }
    }

    /// Fails unless the disc is a CD.
    ///
    /// # Errors
    /// [`ExportError::Refused`], naming `target`.
    fn require_cd(&self, target: &str) -> Result<(), ExportError> {
        match self.disc.medium {
            MediumType::CdRom => Ok(()),
            MediumType::DvdRom | MediumType::BdRom => {
                Err(ExportError::Refused(format!("{target} holds CDs only; convert to ISO, CSO, ZSO or CHD")))
            }
        }
    }
}

/// What a disc has beside the user data of its tracks, for `Target::losses`.
struct Extras {
    subchannel: bool,
    cd_text: bool,
    structures: bool,
    dpm: bool,
    codes: bool,
}

impl Extras {
    fn of(disc: &Disc) -> Self {
        Self {
            subchannel: disc.tracks().flat_map(|track| &track.extents).any(|extent| extent.subchannel.is_some()),
            cd_text: disc.sessions.iter().any(|session| !session.cd_text.is_empty()),
            structures: !disc.structures.is_empty(),
            dpm: disc.dpm.is_some(),
            codes: disc.catalogue_number().is_some() || disc.tracks().any(|track| track.recording_code().is_some()),
        }
    }

    /// The lines for those that a target does not `keep`.
    fn lost(&self, kept: &Self) -> Vec<String> {
        [
            (self.subchannel && !kept.subchannel, "the subchannel that the image stores"),
            (self.cd_text && !kept.cd_text, "CD-TEXT"),
            (self.codes && !kept.codes, "the catalogue number and ISRCs"),
            (self.structures && !kept.structures, "the disc structures that the image stores"),
            (self.dpm && !kept.dpm, "the data position measurement"),
        ]
        .into_iter()
        .filter(|(lost, _)| *lost)
        .map(|(_, what)| what.to_owned())
        .collect()
    }
}

/// What a single track as 2,048-byte blocks leaves out.
fn losses_of_one_track(job: &Job<'_>) -> Result<Vec<String>, ExportError> {
    let track = job.data_track()?;
    let mut losses = Vec::new();
    let others = job.disc.tracks().count() - 1;
    let sound = job.disc.tracks().filter(|track| !track.mode.is_data()).count();
    if others > 0 {
        losses.push(format!(
            "{others} of {} tracks, {sound} of them audio: track {} is kept",
            others + 1,
            track.number
        ));
    }
    if job.disc.sessions.len() > 1 {
        losses.push(format!("{} sessions", job.disc.sessions.len()));
    }
    let kept = Extras { subchannel: false, cd_text: false, structures: false, dpm: false, codes: false };
    losses.extend(Extras::of(job.disc).lost(&kept));
    Ok(losses)
}

/// Sectors between two looks at whether to go on.
const STEP: u32 = 75;

/// The addresses of a session that a file of whole sectors holds: without its first pre-gap of two seconds.
fn stored(session: &Session) -> Range<Lba> {
    let (first, last) = (session.tracks.first(), session.tracks.last());
    let start = first.map_or(Lba(0), |track| track.first().plus(track.pregap.min(PREGAP)));
    start..last.map_or(start, |track| track.end)
}

/// The bytes of those sectors.
fn stored_bytes(disc: &Disc) -> u64 {
    let ranges = disc.sessions.iter().map(stored);
    ranges.map(|range| u64::from(range.end.since(range.start)) * RAW as u64).sum()
}
