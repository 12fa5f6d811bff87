//! Every sector of a disc: whether it can be read, its EDC and ECC, the CRC of its Q channel.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::Serialize;

use super::Checked;
use crate::cli::progress::Progress;
use crate::disc::sector::{Damage, RAW, damage};
use crate::disc::subchannel::Q;
use crate::disc::{BLOCK_SIZE, Disc, Extent, Lba, SectorError, TrackMode};

/// A run of sectors with the same fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadSectors {
    /// The first one's address.
    pub first: i32,
    /// The last one's.
    pub last: i32,
    /// What is wrong.
    pub problem: &'static str,
}

/// Sectors that one thread takes at a time.
const CHUNK: u32 = 512;

/// Sectors that a file stores.
#[must_use]
pub fn count(disc: &Disc) -> u64 {
    extents(disc).map(|(_, extent)| u64::from(extent.blocks)).sum()
}

fn extents(disc: &Disc) -> impl Iterator<Item = (TrackMode, &Extent)> {
    disc.tracks().flat_map(|track| track.extents.iter().map(|extent| (track.mode, extent)))
}

/// Reads every stored sector, in several threads. Returns what was checked, and the bad sectors in order of their addresses.
#[must_use]
pub fn check(disc: &Disc, progress: &Progress) -> (Vec<Checked>, Vec<BadSectors>) {
    let chunks: Vec<_> = extents(disc).flat_map(|(mode, extent)| chunks(mode, extent)).collect();
    let next = AtomicU32::new(0);
    let found = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let bad = chunk.check(disc);
                    progress.add(u64::from(chunk.blocks) * 2048);
                    found.lock().unwrap_or_else(PoisonError::into_inner).extend(bad);
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|run| (run.problem, run.first));
    let mut bad = joined(found);
    bad.sort_by_key(|run| (run.first, run.last));

    let mut checks = Vec::new();
    let total = |wanted: fn(&Chunk<'_>) -> bool| -> u64 {
        chunks.iter().filter(|chunk| wanted(chunk)).map(|chunk| u64::from(chunk.blocks)).sum()
    };
    for (name, count, problems) in [
        ("sectors can be read", total(|_| true), &[UNREADABLE][..]),
        ("data sectors have the right EDC and ECC", total(|chunk| chunk.has_edc()), &[WRONG_EDC, WRONG_ECC]),
        ("sectors have the right Q channel CRC", total(|chunk| chunk.has_q()), &[WRONG_Q]),
    ] {
        if count > 0 {
            let ok = !bad.iter().any(|run| problems.contains(&run.problem));
            checks.push(Checked { name: format!("{count} {name}"), ok, detail: None });
        }
    }
    (checks, bad)
}

const UNREADABLE: &str = "cannot be read";
const WRONG_EDC: &str = "EDC is wrong";
const WRONG_ECC: &str = "ECC is wrong";
const WRONG_Q: &str = "CRC of the Q channel is wrong";

/// A run of sectors of one extent.
struct Chunk<'a> {
    mode: TrackMode,
    extent: &'a Extent,
    first: Lba,
    blocks: u32,
}

fn chunks(mode: TrackMode, extent: &Extent) -> impl Iterator<Item = Chunk<'_>> {
    (0..extent.blocks).step_by(CHUNK as usize).map(move |skip| Chunk {
        mode,
        extent,
        first: extent.first.plus(skip),
        blocks: CHUNK.min(extent.blocks - skip),
    })
}

impl Chunk<'_> {
    /// Whether EDC is stored at all.
    fn has_edc(&self) -> bool {
        self.mode.is_data() && self.mode != TrackMode::Mode2Formless && self.extent.stored.end >= RAW
    }

    fn has_q(&self) -> bool {
        self.extent.subchannel.is_some()
    }

    /// The bad sectors, as runs: an image that is cut off can lack all sectors of the largest medium.
    fn check(&self, disc: &Disc) -> Vec<BadSectors> {
        if self.extent.sector_at(self.first) >= self.extent.source.len() && !self.has_q() {
            let last = self.first.plus(self.blocks - 1);
            return vec![BadSectors { first: self.first.0, last: last.0, problem: UNREADABLE }];
        }
        let mut bad = Vec::new();
        let readable = !self.has_edc() && self.is_readable(disc);
        for lba in (0..self.blocks).map(|skip| self.first.plus(skip)) {
            if !readable && let Some(problem) = self.problem(disc, lba) {
                bad.push((lba, problem));
            }
            if self.has_q() {
                match disc.read_subchannel(lba) {
                    Ok(linear) if Q::of_linear(&linear).is_sound() => {}
                    Ok(_) => bad.push((lba, WRONG_Q)),
                    Err(_) => bad.push((lba, UNREADABLE)),
                }
            }
        }
        bad.sort_by_key(|(lba, problem)| (*problem, *lba));
        joined(bad.into_iter().map(|(Lba(lba), problem)| BadSectors { first: lba, last: lba, problem }))
    }

    /// Whether the blocks of all sectors can be read, at once and without making what is not stored of a sector.
    fn is_readable(&self, disc: &Disc) -> bool {
        let mut blocks = vec![0; (self.blocks * BLOCK_SIZE) as usize];
        self.mode.is_data() && disc.read_blocks(self.first, &mut blocks).is_ok()
    }

    fn problem(&self, disc: &Disc, lba: Lba) -> Option<&'static str> {
        let mut raw = [0; RAW];
        match disc.read_sector(lba, &mut raw) {
            Ok(form) if self.has_edc() => match damage(&raw, form)? {
                Damage::Edc => Some(WRONG_EDC),
                Damage::Ecc => Some(WRONG_ECC),
            },
            Ok(_) => None,
            Err(SectorError::Storage(..) | SectorError::OutOfRange(_) | SectorError::WrongMode(_)) => Some(UNREADABLE),
        }
    }
}

/// Joins neighbours with the same problem; `runs` are ordered by problem, then address.
fn joined(runs: impl IntoIterator<Item = BadSectors>) -> Vec<BadSectors> {
    let mut joined: Vec<BadSectors> = Vec::new();
    for next in runs {
        match joined.last_mut() {
            Some(run) if run.problem == next.problem && i64::from(next.first) - i64::from(run.last) <= 1 => {
                run.last = run.last.max(next.last);
            }
            _ => joined.push(next),
        }
    }
    joined
}
