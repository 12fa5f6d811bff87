//! How long a real drive would take: the spiral of the track, the disc's rotation and the arm.
//!
//! The disc turns as fast as the fastest speed at the outer edge needs (CAV), or slower where the chosen speed is less than that
//! rotation gives (CLV up to there). Angles come from the disc's data position measurement where it has one, else from
//! the geometry of its medium.

use std::f64::consts::PI;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Medium;
use super::behaviour::Behaviours;
use super::speed::Speed;
use crate::disc::{Disc, Lba, MediumType};

/// The largest radius of the user area, which is that of any medium of 120 mm.
const OUTER: f64 = 0.058;
/// The arm: from one turn to the next, and from one edge to the other besides.
const SHORTEST_MOVE: f64 = 0.008;
const LONGEST_MOVE: f64 = 0.100;
/// How much longer blocks take at most by the measured angles than by the geometry: those can be made up.
const LONGEST_BY_ANGLE: f64 = 4.0;
/// What the drive reads ahead while nobody asks.
const READ_AHEAD: u32 = 512;

/// The spiral of one medium, in metres.
struct Spiral {
    /// Radius where the user area begins.
    inner: f64,
    /// From one turn to the next.
    pitch: f64,
    /// Along the track, for one block.
    block: f64,
    /// Kilobytes of 1,000 bytes that a drive counts for a block: whole sectors of a CD.
    kilobytes: f64,
}

impl Spiral {
    /// ECMA-130, 8 and 11: 1.6 µm, 1.2 m/s for 75 sectors. ECMA-267, 10 and 14: 0.74 µm, 3.49 m/s with one layer and 3.84 m/s
    /// with two, for 676 sectors. BD: 0.32 µm, 4.92 m/s for 2,195 sectors of a layer of 25 GB, less where a layer holds 33.4 GB.
    fn of(disc: &Disc) -> Self {
        match (disc.medium, disc.layers()) {
            (MediumType::CdRom, _) => Self { inner: 0.025, pitch: 1.6e-6, block: 1.2 / 75.0, kilobytes: 2.352 },
            (MediumType::DvdRom, 1) => Self { inner: 0.024, pitch: 0.74e-6, block: 3.49 / 676.1, kilobytes: 2.048 },
            (MediumType::DvdRom, _) => Self { inner: 0.024, pitch: 0.74e-6, block: 3.84 / 676.1, kilobytes: 2.048 },
            (MediumType::BdRom, 1 | 2) => Self { inner: 0.024, pitch: 0.32e-6, block: 4.92 / 2195.1, kilobytes: 2.048 },
            (MediumType::BdRom, _) => Self { inner: 0.024, pitch: 0.32e-6, block: 3.68 / 2195.1, kilobytes: 2.048 },
        }
    }

    /// The radius after `blocks` from the inside, and back.
    fn radius(&self, blocks: f64) -> f64 {
        (self.inner * self.inner + blocks * self.block * self.pitch / PI).sqrt()
    }

    fn blocks(&self, radius: f64) -> f64 {
        (radius * radius - self.inner * self.inner) * PI / (self.block * self.pitch)
    }

    /// Turns from the inside to `radius`.
    fn turns(&self, radius: f64) -> f64 {
        (radius - self.inner) / self.pitch
    }
}

/// A disc as the head sees it.
pub struct Track<'a> {
    disc: &'a Disc,
    spiral: Spiral,
    layers: Vec<u32>,
    /// The fastest speed of the drive with this medium, and the one in use: kilobytes per second.
    fastest: f64,
    chosen: f64,
}

impl<'a> Track<'a> {
    /// A disc that is read at the speed that initiators chose.
    pub fn new(disc: &'a Disc, speed: Speed) -> Self {
        Self {
            disc,
            spiral: Spiral::of(disc),
            layers: disc.blocks_by_layer(),
            fastest: f64::from(Speed::maximum(Some(disc.medium))),
            chosen: f64::from(speed.current(Some(disc.medium))),
        }
    }

    /// The layer of a block, the block where that layer begins, and the blocks from the inside to the block. Odd layers run inwards
    /// from where the one before ended.
    fn place(&self, lba: u32) -> (u32, u32) {
        let mut start = 0;
        let mut before = 0;
        for (index, &blocks) in self.layers.iter().enumerate() {
            let last = index + 1 == self.layers.len();
            if last || lba - start < blocks {
                let along = lba - start;
                return (start, if index % 2 == 0 { along } else { u32::saturating_sub(before, along) });
            }
            start += blocks;
            before = blocks;
        }
        (0, lba)
    }

    fn radius(&self, lba: u32) -> f64 {
        self.spiral.radius(f64::from(self.place(lba).1))
    }

    /// Kilobytes per second at a block.
    pub fn speed(&self, lba: u32) -> u32 {
        self.kilobytes_per_second(lba).round() as u32
    }

    fn kilobytes_per_second(&self, lba: u32) -> f64 {
        (self.fastest * self.radius(lba) / OUTER).min(self.chosen)
    }

    /// Seconds for one block.
    fn block_time(&self, lba: u32) -> f64 {
        self.spiral.kilobytes / self.kilobytes_per_second(lba)
    }

    /// Turns per second of the disc with the head at a block.
    fn rotation(&self, lba: u32) -> f64 {
        self.spiral.block / self.block_time(lba) / (2.0 * PI * self.radius(lba))
    }

    /// Turns of the disc from the start of the user area to a block.
    fn turns(&self, lba: u32) -> f64 {
        if let Some(turns) = self.measured_turns(lba) {
            return turns;
        }
        let (start, inside) = self.place(lba);
        let turns = |blocks| self.spiral.turns(self.spiral.radius(f64::from(blocks)));
        let on_layer = (turns(inside) - turns(self.place(start).1)).abs();
        let before = if start > 0 { self.turns(start - 1) } else { 0.0 };
        before + on_layer
    }

    /// The same by the data position measurement, for blocks that it covers.
    fn measured_turns(&self, lba: u32) -> Option<f64> {
        let dpm = self.disc.dpm.as_ref().filter(|dpm| dpm.resolution > 0)?;
        let from = u32::try_from(i64::from(lba) - i64::from(dpm.start.0)).ok()?;
        let (index, rest) = ((from / dpm.resolution) as usize, from % dpm.resolution);
        let angle = |index: usize| index.checked_sub(1).map_or(Some(0), |index| dpm.entries.get(index).copied());
        let before = f64::from(angle(index)?);
        if rest == 0 {
            return Some(before / 256.0);
        }
        let after = f64::from(angle(index + 1)?);
        Some((before + (after - before) * f64::from(rest) / f64::from(dpm.resolution)) / 256.0)
    }

    /// Seconds for the blocks from `first`, as the disc turns under the head.
    fn transfer(&self, first: u32, blocks: u32, by_angle: bool) -> f64 {
        let middle = first + blocks / 2;
        let end = first + blocks;
        let even = self.block_time(middle) * f64::from(blocks);
        match (by_angle, self.measured_turns(first).zip(self.measured_turns(end))) {
            (true, Some((from, to))) => ((to - from).max(0.0) / self.rotation(middle)).min(even * LONGEST_BY_ANGLE),
            _ => even,
        }
    }

    /// Seconds from the head being at `from` to its being at `to`, `later` seconds after it was at `from`: the arm, then what
    /// the disc must still turn.
    fn seek(&self, from: u32, to: u32, later: f64) -> f64 {
        let distance = (self.radius(to) - self.radius(from)).abs();
        let rotation = self.rotation(to);
        let near = distance < self.spiral.pitch && to >= from;
        let arm =
            if near { 0.0 } else { SHORTEST_MOVE + LONGEST_MOVE * (distance / (OUTER - self.spiral.inner)).sqrt() };
        let angle = self.turns(from) + (later + arm) * rotation;
        arm + (self.turns(to) - angle).rem_euclid(1.0) / rotation
    }

    /// The speeds of the blocks from `first` to the last of the disc as straight lines: block and speed at the start of each,
    /// and at its end.
    pub fn curve(&self, first: u32) -> Vec<[u32; 4]> {
        let last = self.disc.blocks().saturating_sub(1);
        let limit = self.spiral.blocks(OUTER * self.chosen / self.fastest);
        let mut ends = Vec::new();
        let mut start = 0;
        for (index, &blocks) in self.layers.iter().enumerate() {
            // Where the rotation gives the chosen speed.
            let inside = self.place(start).1;
            let away = if index % 2 == 0 { limit } else { f64::from(inside) - limit };
            if away > 0.0 && away < f64::from(blocks) {
                ends.push(start + away as u32);
            }
            start += blocks;
            ends.push(start.saturating_sub(1));
        }
        ends.dedup();
        ends.retain(|&end| end >= first && end <= last);
        let mut from = first;
        let line = |end: u32| {
            let start = std::mem::replace(&mut from, end.saturating_add(1));
            [start, self.speed(start), end, self.speed(end)]
        };
        ends.into_iter().map(line).collect()
    }
}

/// Where the head is, and since when.
#[derive(Debug, Default)]
pub struct Mechanism {
    medium: Weak<Medium>,
    /// The block after the last one read.
    head: u32,
    since: Duration,
}

impl Mechanism {
    /// Whatever it was about to read, it reads no more.
    pub fn stop(&mut self, now: Duration) {
        self.since = self.since.min(now);
    }

    /// Moves to `lba` and reads `blocks`, from `now` on or when what came before is done; returns when it is done.
    pub fn run(
        &mut self,
        medium: &Arc<Medium>,
        (lba, blocks): (Lba, u32),
        speed: Speed,
        behaviours: Behaviours,
        now: Duration,
    ) -> Duration {
        let track = Track::new(&medium.disc, speed);
        let lba = u32::try_from(lba.0).unwrap_or(0);
        if !std::ptr::eq(self.medium.as_ptr(), Arc::as_ptr(medium)) {
            *self = Self { medium: Arc::downgrade(medium), head: 0, since: now };
        }
        let mut at = if lba == self.head {
            // It went on reading while nobody asked, until its buffer was full.
            let ahead = track.transfer(lba, blocks.min(READ_AHEAD), behaviours.seek_delay);
            self.since.max(now.saturating_sub(seconds(ahead)))
        } else if behaviours.seek_delay {
            let start = self.since.max(now);
            let later = start.saturating_sub(self.since).as_secs_f64();
            start + seconds(track.seek(self.head, lba, later))
        } else {
            self.since.max(now)
        };
        let measured = behaviours.seek_delay && medium.disc.dpm.is_some();
        if behaviours.real_speed || measured {
            at += seconds(track.transfer(lba, blocks, behaviours.seek_delay));
        }
        self.head = lba.saturating_add(blocks);
        self.since = at;
        at
    }
}

/// Seconds that may be anything that a calculation gives.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::ZERO)
}
