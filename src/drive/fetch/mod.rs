//! What commands read from a disc whose storage may not answer for minutes: read by threads of their own before the command that wants it.
//!
//! A worker that waits for storage holds its ring, and with it the front-end and every other drive of the ring. So on such a disc a
//! command first waits in its ring (docs/adr/0012) until what it reads has been read, which leaves that in the page cache or in
//! the cache of decoded blocks. If it does not come before a deadline, the command ends with 02/04/01, which initiators try
//! again, and the thread is left where it hangs.

mod crew;
mod reading;

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(super) use self::crew::{Crew, Patience};
pub(super) use self::reading::Unread;
use self::reading::{Found, Outcome};
use super::clock::Clock;
use super::read_cd::Sub;
use super::{Context, Drive, DriveEvent, Medium, lock};
use crate::disc::{Disc, Lba};
use crate::scsi::Sense;

/// Blocks that are fetched at a time, each time with the deadline: what the page cache keeps until the command comes to it.
pub(super) const SLICE: u32 = 16_384;

/// What a command reads, or a slice of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub part: Part,
    pub start: Lba,
    pub blocks: u32,
}

/// Which part of the disc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// User data.
    Blocks,
    /// Whole sectors, with so much of their sub-channel.
    Sectors(Sub),
    /// Wherever a code is looked for.
    Code(Code),
}

/// A code, which the sub-channel alone may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// The media catalogue number.
    CatalogueNumber,
    /// The ISRC of this track.
    Recording(u8),
}

impl Wanted {
    /// A code, wherever on the disc.
    pub fn code(code: Code) -> Self {
        Self { part: Part::Code(code), start: Lba(0), blocks: 0 }
    }

    /// The sector that has this header.
    pub fn header(start: Lba) -> Self {
        Self { part: Part::Sectors(Sub::None), start, blocks: 1 }
    }

    /// Whether who has read this has read the other.
    fn has(self, other: Self) -> bool {
        Self { blocks: other.blocks, ..self } == other && self.blocks >= other.blocks
    }

    /// Whether it lies where the head is moved to.
    pub fn moves_head(self) -> bool {
        matches!(self.part, Part::Blocks | Part::Sectors(_))
    }

    /// What of it is fetched first; nothing when it reads nothing.
    pub fn first_slice(self) -> Option<Self> {
        let reads = self.blocks > 0 || !self.moves_head();
        reads.then_some(Self { blocks: self.blocks.min(SLICE), ..self })
    }
}

/// What a drive has for such discs.
#[derive(Debug)]
pub(super) struct Fetch {
    /// How long a command waits; a deadline of zero for drives that do not fetch.
    patience: Patience,
    /// The disc in the drive is such a one.
    in_use: AtomicBool,
    /// Those who read from it.
    crew: Mutex<Option<Arc<Crew>>>,
}

impl Fetch {
    pub fn new(patience: Patience) -> Self {
        Self { patience, in_use: AtomicBool::new(false), crew: Mutex::default() }
    }

    /// Whether commands may have to wait.
    pub fn in_use(&self) -> bool {
        self.in_use.load(Ordering::Relaxed)
    }

    /// The disc left, or another came. Called with the state locked: of two changes the later one counts.
    pub fn medium_changed(&self, medium: Option<&Arc<Medium>>, clock: &Arc<dyn Clock>) {
        let medium = medium.filter(|medium| medium.remote && !self.patience.deadline.is_zero());
        self.in_use.store(medium.is_some(), Ordering::Relaxed);
        self.replace(medium.map(|medium| Crew::new(medium, clock, self.patience)));
    }

    fn replace(&self, crew: Option<Arc<Crew>>) {
        let before = mem::replace(&mut *lock(&self.crew), crew);
        if let Some(before) = before {
            before.dismiss();
        }
    }

    /// Those who read from this disc, if it is the one in the drive and such a one.
    pub fn crew_of(&self, medium: &Arc<Medium>) -> Option<Arc<Crew>> {
        if !medium.remote {
            return None;
        }
        lock(&self.crew).as_ref().filter(|crew| crew.reads(medium)).map(Arc::clone)
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.replace(None);
    }
}

impl Drive {
    /// The same drive, which reads from storage that may not answer so long and no longer; zero is for ever. The disc comes later.
    #[must_use]
    pub fn with_read_deadline(self, deadline: Duration) -> Self {
        let patience = Patience { deadline, shared: self.fetch.patience.shared };
        Self { fetch: Fetch::new(patience), ..self }
    }

    /// The same drive, whose rings serve other drives too. The disc comes later.
    #[must_use]
    pub fn beside_others(self) -> Self {
        let patience = Patience { shared: true, ..self.fetch.patience };
        Self { fetch: Fetch::new(patience), ..self }
    }

    /// How many commands wait for storage.
    #[must_use]
    pub fn waiting_reads(&self) -> usize {
        let crew = lock(&self.fetch.crew).clone();
        crew.map_or(0, |crew| crew.waiting())
    }

    /// What a command reads that wants user data: all of the sectors where it minds whether they are sound.
    pub(super) fn blocks_part(&self) -> Part {
        if self.behaviours.edc_errors { Part::Sectors(Sub::None) } else { Part::Blocks }
    }
}

impl Context<'_> {
    /// To be called before a command reads: what it is about to read, no more than a [`SLICE`], has been fetched or is fetched now.
    /// The latter holds its ring up: for slices behind the first, and for what nobody could know when the command was looked at.
    ///
    /// Returns the first of it that the storage did not give. The command must not read that: it ends there with that error.
    ///
    /// # Errors
    /// 02/04/01 when the storage has not answered in time, or the disc has left meanwhile.
    pub(super) fn fetched(&self, wanted: Wanted) -> Result<Option<Unread>, Sense> {
        let unread = self.found(wanted)?.and_then(|found| found.unread);
        // Others wanted more of it.
        Ok(unread.filter(|unread| unread.at < wanted.start.plus(wanted.blocks)))
    }

    /// This code of the disc in the drive, as it was fetched: it is looked for past what cannot be read, which nobody asks for twice.
    ///
    /// # Errors
    /// As [`fetched`](Self::fetched).
    pub(super) fn code(&self, disc: &Disc, code: Code) -> Result<Option<Vec<u8>>, Sense> {
        Ok(self.found(Wanted::code(code))?.map_or_else(|| code.of(disc), |found| found.code))
    }

    /// What was found, none where nothing is fetched.
    fn found(&self, wanted: Wanted) -> Result<Option<Found>, Sense> {
        let fetch = &self.drive.fetch;
        let Some(medium) = self.medium.as_ref().filter(|medium| medium.remote) else { return Ok(None) };
        if fetch.patience.deadline.is_zero() {
            return Ok(None);
        }
        let crew = fetch.crew_of(medium).ok_or(Sense::BECOMING_READY)?;
        match crew.ended(wanted).or_else(|| crew.read_now(wanted)) {
            Some(Outcome::Read(found)) => Ok(Some(found)),
            Some(Outcome::Late) => {
                let reason = format!("the storage has not answered for {} s", fetch.patience.deadline.as_secs_f64());
                self.drive.tell(DriveEvent::ReadError { block: wanted.start.0, reason });
                Err(Sense::BECOMING_READY)
            }
            None => Err(Sense::BECOMING_READY),
        }
    }
}
