//! What tells one disc from another, wherever its image lies and whatever format that has: for a machine that moves to another
//! host, where paths and inodes mean nothing.
//!
//! Everything here is what a guest can see. Reading all of a disc takes minutes, so its contents are sampled: the volume
//! descriptors of each session, where file systems write a date, a name and a size, and sectors spread over the whole.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::sector::RAW;
use super::{BLOCK_SIZE, Disc, Lba, MediumType};

/// Sectors that are spread over the disc.
const SPREAD: u64 = 64;
/// The volume descriptors of a session, counted from the start of its first track (ECMA-119, 6.2.1; ECMA-167, part 2).
const DESCRIPTORS: std::ops::Range<u32> = 16..22;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fingerprint {
    /// CD-ROM, DVD-ROM or BD-ROM.
    medium: String,
    blocks: u32,
    tracks: usize,
    /// SHA-256 of what the lead-ins tell, in hexadecimal.
    layout: String,
    /// SHA-256 of the samples, in hexadecimal.
    samples: String,
}

impl Fingerprint {
    /// Reads the samples: some hundred sectors.
    ///
    /// A sector that cannot be read counts as that. Discs have such; storage that fails only here makes another disc of it, which is
    /// refused, and rightly.
    #[must_use]
    pub fn of(disc: &Disc) -> Self {
        let mut samples = Sha256::new();
        for lba in sampled(disc) {
            samples.update(lba.0.to_le_bytes());
            let mut raw = [0; RAW];
            let read = if disc.medium == MediumType::CdRom {
                disc.read_sector(lba, &mut raw).map(|_| RAW)
            } else {
                let block = &mut raw[..BLOCK_SIZE as usize];
                disc.read_blocks(lba, block).map(|()| BLOCK_SIZE as usize)
            };
            samples.update(&raw[..read.unwrap_or(0)]);
        }
        Self {
            medium: disc.medium.name().to_owned(),
            blocks: disc.blocks(),
            tracks: disc.tracks().count(),
            layout: hexadecimal(layout(disc)),
            samples: hexadecimal(samples),
        }
    }

    /// In what `other` differs from this, in a few words; nothing when it is the same disc.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self.medium != other.medium {
            Some(format!("a {} and not a {}", other.medium, self.medium))
        } else if self.blocks != other.blocks {
            Some(format!("{} blocks and not {}", other.blocks, self.blocks))
        } else if self.tracks != other.tracks {
            Some(format!("{} tracks and not {}", other.tracks, self.tracks))
        } else if self.layout != other.layout {
            Some("other tracks, or another CD-TEXT".to_owned())
        } else {
            (self.samples != other.samples).then(|| "other contents".to_owned())
        }
    }
}

/// The addresses of the samples.
fn sampled(disc: &Disc) -> impl Iterator<Item = Lba> {
    let starts = disc.sessions.iter().filter_map(|session| session.tracks.first()).map(|track| track.start);
    let descriptors = starts.flat_map(|start| DESCRIPTORS.map(move |at| start.plus(at)));
    let blocks = u64::from(disc.blocks());
    // The first and the last are among them.
    let spread = (0..SPREAD).map(move |part| (blocks.saturating_sub(1) * part / (SPREAD - 1)) as u32);
    descriptors.chain(spread.map(|at| Lba(0).plus(at)))
}

/// What READ TOC tells of the disc, with what it does not tell: where tracks end, and what is in them.
fn layout(disc: &Disc) -> Sha256 {
    let mut hash = Sha256::new();
    disc.full_toc(1).into_iter().for_each(|entry| hash.update(entry.to_bytes()));
    hash.update(disc.catalogue_number().unwrap_or_default());
    for session in &disc.sessions {
        session.cd_text.iter().for_each(|pack| hash.update(pack));
    }
    for track in disc.tracks() {
        let places = [track.start, track.end].into_iter().chain(track.indices.iter().copied());
        places.for_each(|lba| hash.update(lba.0.to_le_bytes()));
        hash.update(track.pregap.to_le_bytes());
        hash.update(track.mode.name());
        hash.update(track.recording_code().unwrap_or_default());
    }
    hash
}

fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
