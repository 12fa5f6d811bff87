//! An audio play: what the head does by itself after a command has started it (MMC-5, CD Audio External Play feature).
//!
//! Pure: time comes in, addresses come out, nothing is read and nobody waits. Between two looks a play is a calculation, so
//! one that nobody listens to costs nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Medium;
use crate::disc::Lba;
use crate::scsi::{Nexus, Sense};
use crate::sound::Ports;

/// Sectors in a second.
pub const RATE: u64 = 75;
/// A scan plays so many sectors, then goes so many on from where those began: ten times as fast as a play.
const SNIPPET: u32 = 15;
const LEAP: u32 = 150;
/// Sectors that wait to be heard at most: what a sink that has stopped would keep otherwise.
const MOST_UNHEARD: u32 = 10 * RATE as u32;

/// Audio status (MMC-5, READ SUB-CHANNEL).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AudioStatus {
    /// In progress.
    Playing = 0x11,
    /// Paused.
    Paused = 0x12,
    /// Completed; told once.
    Completed = 0x13,
    /// Stopped by an error; told once.
    Failed = 0x14,
    /// None.
    None = 0x15,
}

impl AudioStatus {
    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Playing => "playing",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::None => "none",
        }
    }
}

/// The sound around a play: where a scan backwards ends, where all ends, and whether that is as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first sector of sound before the start without anything else between.
    pub first: Lba,
    /// The sector after the last one to play.
    pub end: Lba,
    /// False when what was asked for goes on behind `end`, where there is no sound.
    pub completes: bool,
}

/// How the head moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Motion {
    /// Sector after sector.
    Play,
    /// Pieces of sound on the way out.
    Forward,
    /// The same on the way in, each piece forwards.
    Reverse,
}

/// Sectors that the head has passed and nobody has heard yet.
#[derive(Debug)]
pub struct Piece {
    /// Their disc.
    pub medium: Arc<Medium>,
    /// The first.
    pub from: Lba,
    /// How many.
    pub blocks: u32,
    /// The outputs as they were set.
    pub ports: Ports,
}

/// A play as it is kept over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeptPlay {
    status: AudioStatus,
    /// What is under way or paused.
    run: Option<KeptRun>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptRun {
    by: u16,
    motion: Motion,
    span: Span,
    /// Where the head is.
    at: Lba,
}

/// The head on its way.
#[derive(Debug)]
struct Run {
    medium: Arc<Medium>,
    by: Nexus,
    motion: Motion,
    span: Span,
    from: Lba,
    since: Duration,
    /// Sectors that it has passed.
    passed: u32,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Idle,
    Running(Run),
    /// `passed` does not grow.
    Paused(Run),
    Over(AudioStatus),
}

/// The audio play of a drive.
///
/// All methods but [`advance`](Self::advance) speak of the moment of the last call of it.
#[derive(Debug)]
pub struct Playback {
    phase: Phase,
    ports: Ports,
    /// Whether anybody hears it.
    heard: bool,
    unheard: VecDeque<Piece>,
}

impl Run {
    /// How many sectors there are on the way to its end.
    fn total(&self) -> u32 {
        let pieces = |distance: u32| distance / LEAP * SNIPPET + (distance % LEAP).min(SNIPPET);
        match self.motion {
            Motion::Play => self.span.end.since(self.from),
            Motion::Forward => pieces(self.span.end.since(self.from)),
            Motion::Reverse => (self.from.since(self.span.first) / LEAP + 1) * SNIPPET,
        }
    }

    /// The sector after `passed` of them.
    fn at(&self, passed: u32) -> Lba {
        let (pieces, rest) = (passed / SNIPPET, passed % SNIPPET);
        let at = match self.motion {
            Motion::Play => self.from.plus(passed),
            Motion::Forward => self.from.plus(pieces * LEAP + rest),
            Motion::Reverse => self.from.minus(pieces * LEAP).plus(rest),
        };
        at.clamp(self.span.first, self.span.end)
    }

    /// How many it has passed at `now`.
    fn passed_at(&self, now: Duration) -> u32 {
        let sectors = now.saturating_sub(self.since).as_nanos() * u128::from(RATE) / 1_000_000_000;
        u32::try_from(sectors).unwrap_or(u32::MAX).min(self.total())
    }

    /// When it has passed so many.
    fn time_of(&self, passed: u32) -> Duration {
        self.since + Duration::from_nanos((u64::from(passed) * 1_000_000_000).div_ceil(RATE))
    }

    /// The runs of sectors between two counts.
    fn pieces(&self, from: u32, to: u32) -> impl Iterator<Item = (Lba, u32)> {
        let step = if self.motion == Motion::Play { u32::MAX } else { SNIPPET };
        let mut at = from;
        std::iter::from_fn(move || {
            let blocks = (to - at).min(step - at % step);
            let first = self.at(at);
            at += blocks;
            (blocks > 0).then(|| (first, blocks.min(self.span.end.since(first))))
        })
    }
}

impl Playback {
    /// Nothing plays.
    pub fn new(ports: Ports) -> Self {
        Self { phase: Phase::Idle, ports, heard: false, unheard: VecDeque::new() }
    }

    /// What there is to keep; see [`restore`](Self::restore).
    pub fn kept(&self) -> KeptPlay {
        let run = match &self.phase {
            Phase::Running(run) | Phase::Paused(run) => {
                Some(KeptRun { by: run.by.0, motion: run.motion, span: run.span, at: run.at(run.passed) })
            }
            Phase::Idle | Phase::Over(_) => None,
        };
        KeptPlay { status: self.status(), run }
    }

    /// Goes on with what was kept `ago`, with this medium in the drive: a play went on meanwhile, unheard.
    pub fn restore(&mut self, kept: &KeptPlay, medium: &Arc<Medium>, ago: Duration, now: Duration) {
        let started = |run: &KeptRun, ago: Duration| {
            let Span { first, end, .. } = run.span;
            // Else the way from one to the other is longer than any that is counted here.
            let on_disc = medium.disc.tracks().next().is_some_and(|track| track.first() <= first);
            let right = on_disc && first <= run.at && run.at <= end && end <= medium.disc.lead_out();
            right.then(|| {
                let (medium, by) = (Arc::clone(medium), Nexus(run.by));
                let KeptRun { motion, span, at: from, .. } = *run;
                let before = Run { medium, by, motion, span, from, since: Duration::ZERO, passed: 0 };
                Run { from: before.at(before.passed_at(ago)), since: now, ..before }
            })
        };
        self.phase = match (kept.status, &kept.run) {
            (AudioStatus::Playing, Some(run)) => started(run, ago).map_or(Phase::Idle, Phase::Running),
            (AudioStatus::Paused, Some(run)) => started(run, Duration::ZERO).map_or(Phase::Idle, Phase::Paused),
            (status @ (AudioStatus::Completed | AudioStatus::Failed), _) => Phase::Over(status),
            _ => Phase::Idle,
        };
    }

    /// From now on somebody hears it.
    pub fn hear(&mut self) {
        self.heard = true;
    }

    /// Brings a play to where it is at `now`; returns where the head is, if it was under way or paused.
    pub fn advance(&mut self, now: Duration) -> Option<Lba> {
        let run = match &mut self.phase {
            Phase::Idle | Phase::Over(_) => return None,
            Phase::Paused(run) => return Some(run.at(run.passed)),
            Phase::Running(run) => run,
        };
        // Who looked at the clock first may come last.
        let passed = run.passed_at(now).max(run.passed);
        if self.heard {
            for (from, blocks) in run.pieces(run.passed, passed) {
                self.unheard.push_back(Piece { medium: Arc::clone(&run.medium), from, blocks, ports: self.ports });
            }
        }
        run.passed = passed;
        let (at, over, completes) = (run.at(passed), passed == run.total(), run.span.completes);
        if over {
            // A scan backwards has nothing behind its end that was asked for.
            let failed = !completes && run.motion != Motion::Reverse;
            self.phase = Phase::Over(if failed { AudioStatus::Failed } else { AudioStatus::Completed });
        }
        let mut waiting: u32 = self.unheard.iter().map(|piece| piece.blocks).sum();
        while waiting > MOST_UNHEARD
            && let Some(piece) = self.unheard.pop_front()
        {
            waiting -= piece.blocks;
        }
        Some(at)
    }

    /// Starts at a sector of `span`, in place of what played before.
    pub fn start(&mut self, medium: &Arc<Medium>, by: Nexus, motion: Motion, from: Lba, span: Span, now: Duration) {
        let medium = Arc::clone(medium);
        self.phase = Phase::Running(Run { medium, by, motion, span, from, since: now, passed: 0 });
    }

    /// Stands still until [`resume`](Self::resume).
    ///
    /// # Errors
    /// 05/2C/00 when nothing plays.
    pub fn pause(&mut self) -> Result<(), Sense> {
        match std::mem::take(&mut self.phase) {
            Phase::Running(run) | Phase::Paused(run) => self.phase = Phase::Paused(run),
            other => {
                self.phase = other;
                return Err(Sense::COMMAND_SEQUENCE);
            }
        }
        Ok(())
    }

    /// Plays on from where it stands or scans.
    ///
    /// # Errors
    /// 05/2C/00 when nothing plays.
    pub fn resume(&mut self, now: Duration) -> Result<(), Sense> {
        match std::mem::take(&mut self.phase) {
            Phase::Running(run) if run.motion == Motion::Play => self.phase = Phase::Running(run),
            Phase::Running(run) | Phase::Paused(run) => {
                let from = run.at(run.passed);
                self.start(&run.medium, run.by, Motion::Play, from, run.span, now);
            }
            other => {
                self.phase = other;
                return Err(Sense::COMMAND_SEQUENCE);
            }
        }
        Ok(())
    }

    /// Ends what plays. How an earlier play ended can still be told.
    pub fn stop(&mut self) {
        if self.is_under_way() {
            self.phase = Phase::Idle;
        }
    }

    /// The same for what `by` started, which has left.
    pub fn stop_of(&mut self, by: Nexus) {
        if let Phase::Running(run) | Phase::Paused(run) = &self.phase
            && run.by == by
        {
            self.phase = Phase::Idle;
        }
    }

    /// Forgets what there was, as at power-on.
    pub fn reset(&mut self) {
        self.phase = Phase::Idle;
    }

    /// Whether the head is under way or held.
    pub fn is_under_way(&self) -> bool {
        matches!(self.phase, Phase::Running(_) | Phase::Paused(_))
    }

    /// Whether it scans.
    pub fn is_scanning(&self) -> bool {
        matches!(&self.phase, Phase::Running(run) if run.motion != Motion::Play)
    }

    /// Where what is under way ends.
    pub fn span(&self) -> Option<Span> {
        match &self.phase {
            Phase::Running(run) | Phase::Paused(run) => Some(run.span),
            Phase::Idle | Phase::Over(_) => None,
        }
    }

    /// The audio status.
    pub fn status(&self) -> AudioStatus {
        match self.phase {
            Phase::Idle => AudioStatus::None,
            Phase::Running(_) => AudioStatus::Playing,
            Phase::Paused(_) => AudioStatus::Paused,
            Phase::Over(status) => status,
        }
    }

    /// The audio status for READ SUB-CHANNEL, which tells the end of a play once.
    pub fn tell_status(&mut self) -> AudioStatus {
        let status = self.status();
        if let Phase::Over(_) = self.phase {
            self.phase = Phase::Idle;
        }
        status
    }

    /// Sets the outputs for what is passed from now on.
    pub fn set_ports(&mut self, ports: Ports) {
        self.ports = ports;
    }

    /// What was passed and not heard, in order; it is the caller's now.
    pub fn take_unheard(&mut self) -> VecDeque<Piece> {
        std::mem::take(&mut self.unheard)
    }

    /// When somebody who listens should look again: after `blocks` more sectors, or at the end. `None` when nothing moves.
    pub fn next_look(&self, blocks: u32) -> Option<Duration> {
        match &self.phase {
            Phase::Running(run) => Some(run.time_of(run.passed.saturating_add(blocks).min(run.total()))),
            Phase::Idle | Phase::Paused(_) | Phase::Over(_) => None,
        }
    }
}
