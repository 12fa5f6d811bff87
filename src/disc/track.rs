//! Sessions, tracks, and where their sectors lie.

use std::ops::Range;

use super::sector::Form;
use super::subchannel::StoredSubchannel;
use super::{BLOCK_SIZE, Control, DiscType, FullTocEntry, Lba};
use crate::source::SharedSource;

/// Tracks between a lead-in and a lead-out.
#[derive(Debug, Clone)]
pub struct Session {
    /// From 1.
    pub number: u8,
    /// In order, at least one.
    pub tracks: Vec<Track>,
    /// The first address of the lead-out.
    pub lead_out: Lba,
    /// CD-TEXT packs of its lead-in, in order (MMC-6, annex J).
    pub cd_text: Vec<[u8; 18]>,
    /// Lines of its lead-in that tell of other sessions, as the image stores them. Where it stores none they are made.
    pub mode_5: Vec<FullTocEntry>,
    /// The disc type that its lead-in tells, where the image stores it; see [`disc_type`](Self::disc_type).
    pub stored_type: Option<DiscType>,
}

/// One track. It owns the addresses from [`first`](Track::first) up to, not including, `end`.
#[derive(Debug, Clone)]
pub struct Track {
    /// 1 to 99, increasing over the whole disc.
    pub number: u8,
    /// What its sectors hold.
    pub mode: TrackMode,
    /// The CONTROL field of its Q channel.
    pub control: Control,
    /// Index 1: where the TOC says the track starts.
    pub start: Lba,
    /// The address after its last sector.
    pub end: Lba,
    /// Blocks of index 0 before `start`. Track 1 of a CD has 150 that lie before LBA 0.
    pub pregap: u32,
    /// Where index 2 and the following start, in order.
    pub indices: Vec<Lba>,
    /// International standard recording code, where the descriptor tells it; see [`recording_code`](Self::recording_code).
    pub isrc: Option<[u8; 12]>,
    /// Where the sectors lie, ordered by address and without overlap. Addresses of the track that none covers read as
    /// silence or zeros (a pre-gap that the image does not store).
    pub extents: Vec<Extent>,
}

/// What a track's sectors hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackMode {
    /// CD-DA: 2,352 bytes of sound.
    Audio,
    /// 2,048 bytes of data with EDC and ECC.
    Mode1,
    /// Mode 2 without a sub-header: 2,336 bytes.
    Mode2Formless,
    /// CD-ROM XA: Form 1 (2,048 bytes) and Form 2 (2,324 bytes), told apart by each sector's sub-header.
    Mode2Xa,
}

/// A run of sectors that lie one after another in one source.
#[derive(Debug, Clone)]
pub struct Extent {
    /// Address of the first sector.
    pub first: Lba,
    /// How many sectors; at least 1.
    pub blocks: u32,
    /// Where they lie.
    pub source: SharedSource,
    /// Offset of the first sector in `source`, in bytes.
    pub offset: u64,
    /// Bytes from one sector to the next in `source`.
    pub stride: u32,
    /// Which of the 2,352 bytes of a whole sector are stored, one after another. What is not stored is made when somebody asks
    /// for it (see [`super::sector`]).
    pub stored: Range<usize>,
    /// Its subchannel, if that is stored too.
    pub subchannel: Option<StoredSubchannel>,
}

impl Track {
    /// The first address that belongs to the track: its pre-gap's.
    #[must_use]
    pub fn first(&self) -> Lba {
        self.start.minus(self.pregap)
    }

    /// The extent that stores `lba`, if one does.
    #[must_use]
    pub fn extent_at(&self, lba: Lba) -> Option<&Extent> {
        let next = self.extents.partition_point(|extent| extent.end() <= lba);
        self.extents.get(next).filter(|extent| extent.first <= lba)
    }

    /// Blocks from index 1 to the end.
    #[must_use]
    pub fn blocks(&self) -> u32 {
        self.end.since(self.start)
    }
}

impl TrackMode {
    /// True for all but audio.
    #[must_use]
    pub fn is_data(self) -> bool {
        self != Self::Audio
    }

    /// Short name, as image formats spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Mode1 => "mode 1",
            Self::Mode2Formless => "mode 2",
            Self::Mode2Xa => "mode 2 XA",
        }
    }
}

impl Extent {
    /// Blocks of 2,048 bytes and nothing else, from the start of `source`.
    #[must_use]
    pub fn plain(first: Lba, blocks: u32, source: SharedSource) -> Self {
        Self { first, blocks, source, offset: 0, stride: BLOCK_SIZE, stored: Form::Mode1.user_data(), subchannel: None }
    }

    /// The address after the last sector.
    #[must_use]
    pub fn end(&self) -> Lba {
        self.first.plus(self.blocks)
    }
}
