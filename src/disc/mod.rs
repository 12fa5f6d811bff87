//! The disc as plain data: sessions, tracks and extents, whatever file format it came from.
//!
//! Formats differ only in how they build a [`Disc`]; the drive only in how it presents one. Not responsible for what
//! the sectors say (see [`crate::fs`]) nor for which commands reach them (see [`crate::drive`]).

mod address;
pub mod cdtext;
mod codes;
mod content;
pub mod edc;
mod fingerprint;
mod fulltoc;
pub mod language;
mod lost;
mod medium;
mod packs;
mod read;
pub mod scramble;
pub mod sector;
mod structure;
pub mod subchannel;
mod toc;
mod track;

pub use self::address::{Lba, Msf};
pub use self::fingerprint::Fingerprint;
pub use self::fulltoc::{DiscType, FullTocEntry, NextSession};
pub use self::lost::Lost;
pub use self::medium::{MediumType, TooLarge};
pub use self::read::SectorError;
pub use self::structure::{BD_UNIT, DvdLayout};
pub use self::toc::{Control, TocEntry};
pub use self::track::{Extent, Session, Track, TrackMode};

/// Bytes of user data in a data sector.
pub const BLOCK_SIZE: u32 = 2048;

/// One disc. Never changes after it is built; a drive shares it with every reader.
#[derive(Debug, Clone)]
pub struct Disc {
    /// Which family of drive commands and structures applies.
    pub medium: MediumType,
    /// In order, at least one, numbered from 1 without gaps. An empty disc is not modelled: a drive has it or has none.
    pub sessions: Vec<Session>,
    /// Media catalogue number, 13 digits, where the descriptor tells it; see [`catalogue_number`](Self::catalogue_number).
    pub mcn: Option<[u8; 13]>,
    /// Disc structures that the image stores; the drive makes the others.
    pub structures: Vec<StoredStructure>,
    /// Data position measurement, where the image stores one.
    pub dpm: Option<Dpm>,
}

/// A structure of a DVD or BD as the drive returned it to the program that made the image (MMC-6, READ DISC STRUCTURE).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredStructure {
    /// Layer, from 0.
    pub layer: u8,
    /// Format code.
    pub format: u8,
    /// The structure without the four bytes of header.
    pub data: Vec<u8>,
}

/// Where on its track a disc's sectors lie: the angle at regular distances, for programs that look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dpm {
    /// The address where counting starts.
    pub start: Lba,
    /// Blocks from one entry to the next.
    pub resolution: u32,
    /// Angles in 1/256 of a rotation, counted on from `start`: entry i is at `start + (i + 1) * resolution`.
    pub entries: Vec<u32>,
}

impl Disc {
    /// A disc of one session with one Mode 1 data track of `blocks` blocks from `extent`: what an ISO file describes.
    ///
    /// # Errors
    /// When no optical medium holds that many blocks.
    pub fn single_data_track(extents: Vec<Extent>) -> Result<Self, TooLarge> {
        let blocks = extents.iter().fold(0_u64, |sum, extent| sum + u64::from(extent.blocks));
        let medium = MediumType::for_blocks(blocks)?;
        let end = Lba(i32::try_from(blocks).map_err(|_| TooLarge { blocks })?);
        let track = Track {
            number: 1,
            mode: TrackMode::Mode1,
            control: Control::DATA,
            start: Lba(0),
            end,
            pregap: if medium == MediumType::CdRom { 150 } else { 0 },
            indices: Vec::new(),
            isrc: None,
            extents,
        };
        Ok(Self {
            medium,
            sessions: vec![Session {
                number: 1,
                tracks: vec![track],
                lead_out: end,
                cd_text: Vec::new(),
                mode_5: Vec::new(),
                stored_type: None,
            }],
            mcn: None,
            structures: Vec::new(),
            dpm: None,
        })
    }

    /// All tracks of all sessions, in order.
    pub fn tracks(&self) -> impl DoubleEndedIterator<Item = &Track> {
        self.sessions.iter().flat_map(|session| &session.tracks)
    }

    /// The track that holds `lba`, counting a pre-gap to the track that follows it.
    #[must_use]
    pub fn track_at(&self, lba: Lba) -> Option<&Track> {
        self.tracks().find(|track| lba < track.end && lba >= track.first())
    }

    /// Track `number`.
    #[must_use]
    pub fn track(&self, number: u8) -> Option<&Track> {
        self.tracks().find(|track| track.number == number)
    }

    /// The session of track `number`.
    #[must_use]
    pub fn session_of(&self, number: u8) -> Option<&Session> {
        self.sessions.iter().find(|session| session.tracks.iter().any(|track| track.number == number))
    }

    /// The lead-out of the last session: the first address after the user area, so also the number of blocks.
    #[must_use]
    pub fn lead_out(&self) -> Lba {
        self.sessions.last().map_or(Lba(0), |session| session.lead_out)
    }

    /// Blocks that READ CAPACITY describes.
    #[must_use]
    pub fn blocks(&self) -> u32 {
        u32::try_from(self.lead_out().0).unwrap_or(0)
    }
}
