//! What a thread reads for commands, and what they are told of it.

use std::io;
use std::sync::Arc;

use super::super::read_cd::Sub;
use super::{Code, Part, Wanted};
use crate::disc::sector::RAW;
use crate::disc::{BLOCK_SIZE, Disc, Lba, SectorError};

/// Blocks that are read at once.
const STEP: u32 = 32;

/// What became of something that was wanted.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was read.
    Read(Found),
    /// It has not come in time.
    Late,
}

impl Outcome {
    pub fn is_late(&self) -> bool {
        matches!(self, Self::Late)
    }
}

/// What is known of something that was read.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The first block that the storage did not give, if there is one.
    pub unread: Option<Unread>,
    /// The code, where one was looked for and is there.
    pub code: Option<Vec<u8>>,
}

/// A block that the storage failed to give. Those before it have come.
#[derive(Debug, Clone)]
pub struct Unread {
    pub at: Lba,
    reason: Arc<io::Error>,
}

impl Unread {
    /// None for what is wrong with the disc: whoever carries out the command finds that without the storage.
    fn of(error: SectorError) -> Option<Self> {
        match error {
            SectorError::Storage(at, reason) => Some(Self { at, reason: Arc::new(reason) }),
            SectorError::OutOfRange(_) | SectorError::WrongMode(_) => None,
        }
    }

    /// As who reads the block by itself is told.
    pub fn error(&self) -> SectorError {
        SectorError::Storage(self.at, io::Error::new(self.reason.kind(), Arc::clone(&self.reason)))
    }
}

/// Reads up to the first error, as the command does, and gives the bytes to nobody. A code is looked for past what cannot be read.
pub fn read(disc: &Disc, Wanted { part, start, blocks }: Wanted) -> Found {
    let result = match part {
        Part::Blocks => read_blocks(disc, start, blocks),
        Part::Sectors(sub) => (0..blocks).try_for_each(|index| read_sector(disc, start.plus(index), sub)),
        Part::Code(code) => return Found { unread: None, code: code.of(disc) },
    };
    Found { unread: result.err().and_then(Unread::of), code: None }
}

impl Code {
    /// As the disc has it, if it has one.
    pub fn of(self, disc: &Disc) -> Option<Vec<u8>> {
        match self {
            Self::CatalogueNumber => disc.catalogue_number().map(Vec::from),
            Self::Recording(track) => disc.track(track)?.recording_code().map(Vec::from),
        }
    }
}

fn read_blocks(disc: &Disc, start: Lba, blocks: u32) -> Result<(), SectorError> {
    const BLOCK: usize = BLOCK_SIZE as usize;
    let mut scratch = vec![0; STEP as usize * BLOCK];
    let mut done = 0;
    while done < blocks {
        let step = STEP.min(blocks - done);
        disc.read_blocks(start.plus(done), &mut scratch[..step as usize * BLOCK])?;
        done += step;
    }
    Ok(())
}

fn read_sector(disc: &Disc, lba: Lba, sub: Sub) -> Result<(), SectorError> {
    disc.read_sector(lba, &mut [0; RAW])?;
    match sub {
        Sub::None => Ok(()),
        Sub::Raw | Sub::Q => disc.read_subchannel(lba).map(drop),
        Sub::Packs => disc.read_packs(lba).map(drop),
    }
}
