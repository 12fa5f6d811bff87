//! Faults that somebody asked for: a bad disc, a slow one, one that disappears, a stuck tray. For people who test installers and
//! drivers. A drive without any pays one look at a flag for each command that reads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use thiserror::Error;

use super::{Context, Drive, lock, state};
use crate::disc::{Disc, Lba, Lost};
use crate::scsi::Sense;

/// Most faults of one drive.
const MOST: usize = 64;

/// A fault of a run of blocks, or of the drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The first and the last block that it concerns; a stuck tray concerns none.
    pub blocks: (Lba, Lba),
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The blocks cannot be read: 03/11/00.
    ReadError,
    /// Commands that read any of the blocks take so much longer.
    Delay(Duration),
    /// The medium is gone once a command reads any of the blocks.
    MediumGone,
    /// The tray does not open, whoever asks.
    TrayStuck,
}

/// All blocks that a disc can have.
pub const ALL_BLOCKS: (Lba, Lba) = (Lba(i32::MIN), Lba(i32::MAX));

/// A drive has as many faults as it can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it has {MOST} faults already")]
pub struct TooManyFaults;

/// The faults of one drive, by number.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Whether a command that reads has to look at them.
    concern_reads: AtomicBool,
    /// Whether there is a delay among them.
    delay: AtomicBool,
    set: Mutex<Numbered>,
}

#[derive(Debug, Default)]
struct Numbered {
    faults: BTreeMap<u32, Fault>,
    last: u32,
}

impl Fault {
    /// The first of `blocks` blocks from `start` that it concerns.
    fn first_of(&self, start: Lba, blocks: u32) -> Option<Lba> {
        let at = start.max(self.blocks.0);
        (at < start.plus(blocks) && at <= self.blocks.1).then_some(at)
    }
}

impl Faults {
    /// Whether a command that reads has to look at them.
    pub fn concern_reads(&self) -> bool {
        self.concern_reads.load(Ordering::Relaxed)
    }

    /// Whether a command can have to wait.
    pub fn delay(&self) -> bool {
        self.delay.load(Ordering::Relaxed)
    }

    /// How long a command waits that reads `blocks` blocks from `start`.
    pub fn delay_of(&self, start: Lba, blocks: u32) -> Duration {
        let delay = |fault: &Fault| match fault.kind {
            FaultKind::Delay(delay) if fault.first_of(start, blocks).is_some() => delay,
            _ => Duration::ZERO,
        };
        self.set().faults.values().map(delay).fold(Duration::ZERO, Duration::saturating_add)
    }

    fn set(&self) -> MutexGuard<'_, Numbered> {
        lock(&self.set)
    }

    /// Changes the faults; whether the tray is stuck afterwards.
    fn change<R>(&self, change: impl FnOnce(&mut Numbered) -> R) -> (R, bool) {
        let mut set = self.set();
        let result = change(&mut set);
        let any = |wanted: fn(FaultKind) -> bool| set.faults.values().any(|fault| wanted(fault.kind));
        self.concern_reads.store(any(|kind| kind != FaultKind::TrayStuck), Ordering::Relaxed);
        self.delay.store(any(|kind| matches!(kind, FaultKind::Delay(_))), Ordering::Relaxed);
        (result, any(|kind| kind == FaultKind::TrayStuck))
    }
}

impl Drive {
    /// Adds a fault; returns its number.
    ///
    /// # Errors
    /// When there are too many.
    pub fn add_fault(&self, fault: Fault) -> Result<u32, TooManyFaults> {
        self.change_faults(|set| {
            if set.faults.len() >= MOST {
                return Err(TooManyFaults);
            }
            set.last = set.last.wrapping_add(1);
            set.faults.insert(set.last, fault);
            Ok(set.last)
        })
    }

    /// Ends the fault of a number, or all; returns how many that were.
    pub fn clear_faults(&self, number: Option<u32>) -> usize {
        self.change_faults(|set| {
            let before = set.faults.len();
            set.faults.retain(|&at, _| number.is_some_and(|number| number != at));
            before - set.faults.len()
        })
    }

    /// The faults, by number.
    #[must_use]
    pub fn faults(&self) -> Vec<(u32, Fault)> {
        self.faults.set().faults.iter().map(|(&number, &fault)| (number, fault)).collect()
    }

    /// The medium is gone, the tray where it was. Nobody was asked.
    pub fn lose_medium(&self) {
        self.by_host(state::State::lose_medium);
    }

    fn change_faults<R>(&self, change: impl FnOnce(&mut Numbered) -> R) -> R {
        // The state's lock is held around, so that of two changes the later one counts for both.
        self.transition(|state, _| {
            let (result, stuck) = self.faults.change(change);
            state.set_stuck(stuck);
            result
        })
    }
}

impl Context<'_> {
    /// The first of `blocks` blocks from `start` that cannot be given: one that was lost before it came into the image, where the
    /// drive minds that, or one with a fault that somebody asked for.
    ///
    /// # Errors
    /// When that makes the medium disappear.
    pub(super) fn lost(&self, disc: &Disc, start: Lba, blocks: u32) -> Result<Option<Lost>, Sense> {
        let lost = self.drive.behaviours.edc_errors.then(|| disc.first_lost(start, blocks)).flatten();
        if self.drive.faults.concern_reads() {
            return self.faulty(start, blocks, lost);
        }
        Ok(lost)
    }

    #[cold]
    fn faulty(&self, start: Lba, blocks: u32, lost: Option<Lost>) -> Result<Option<Lost>, Sense> {
        let faults = self.drive.faults();
        let concerned =
            || faults.iter().filter_map(|(number, fault)| Some((number, fault, fault.first_of(start, blocks)?)));
        if let Some((&number, ..)) = concerned().find(|(_, fault, _)| fault.kind == FaultKind::MediumGone) {
            self.drive.clear_faults(Some(number));
            self.drive.transition(state::State::lose_medium);
            return Err(state::not_present(self.tray));
        }
        let errors = concerned().filter(|(_, fault, _)| fault.kind == FaultKind::ReadError);
        let first = errors.map(|(.., at)| Lost { lba: at, reason: "a fault was asked for (spindle fault)" });
        Ok(first.chain(lost).min_by_key(|lost| lost.lba))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_concerns_its_blocks_and_no_other() {
        let fault = |first, last| Fault { kind: FaultKind::ReadError, blocks: (Lba(first), Lba(last)) };
        assert_eq!(fault(10, 12).first_of(Lba(0), 10), None);
        assert_eq!(fault(10, 12).first_of(Lba(0), 11), Some(Lba(10)));
        assert_eq!(fault(10, 12).first_of(Lba(12), 1), Some(Lba(12)));
        assert_eq!(fault(10, 12).first_of(Lba(13), u32::MAX), None);
        assert_eq!(fault(10, 12).first_of(Lba(11), 0), None);
        let all = Fault { kind: FaultKind::ReadError, blocks: ALL_BLOCKS };
        assert_eq!(all.first_of(Lba(-150), 1), Some(Lba(-150)));
    }
}
