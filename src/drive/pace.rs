//! Which blocks a command will read: for the time that hardware would need, and to have them fetched before.

use std::sync::Arc;

use super::fetch::{Code, Part, Wanted};
use super::read_cd::Selection;
use super::{Context, Drive, lock};
use crate::disc::{Lba, Msf};
use crate::scsi::{Delay, Task, Wake};

/// What `task` waits for, if it is a command that reads or moves the head and that the drive would carry out now.
pub(super) fn delay(drive: &Drive, task: &Task<'_>, wake: &Wake) -> Option<Delay> {
    let wanted = wanted(drive, task)?;
    let (medium, speed) = {
        let mut state = drive.state();
        // These are answered without a look at the disc.
        if state.reserved_from(task.nexus) || state.attention(task.nexus, false).is_some() {
            return None;
        }
        (Arc::clone(state.loaded()?), state.speed())
    };
    let Wanted { start, blocks, .. } = wanted;
    let end = i64::from(start.0) + i64::from(blocks);
    if start < medium.disc.tracks().next()?.first() || end > i64::from(medium.disc.blocks()) {
        return None;
    }
    let now = drive.clock.now();
    let hardware = match drive.behaviours.slow() && wanted.moves_head() {
        true => lock(&drive.mechanism).run(&medium, (start, blocks), speed, drive.behaviours, now),
        false => now,
    };
    let done = hardware.saturating_add(drive.faults.delay_of(start, blocks));
    let crew = drive.fetch.crew_of(&medium).zip(wanted.first_slice());
    let delay = Delay::default();
    if done <= now {
        let (crew, wanted) = crew?;
        return crew.read(wanted, &delay, wake).then_some(delay);
    }
    let (ended, wake) = (delay.clone(), Arc::clone(wake));
    let alarm = move || {
        if !crew.is_some_and(|(crew, wanted)| crew.read(wanted, &ended, &wake)) {
            ended.end();
            wake();
        }
    };
    let (clock, key) = (Arc::clone(&drive.clock), drive.clock.at(done, Box::new(alarm)));
    Some(delay.taken_back_by(move || clock.cancel(key)))
}

/// Has the storage fetch what `task` reads, if it reads and the disc has that.
pub(super) fn read_ahead(drive: &Drive, task: &Task<'_>) {
    let Some(wanted) = wanted(drive, task) else { return };
    let Some(medium) = drive.state().loaded().map(Arc::clone) else { return };
    // Storage that may not answer may not even take a request.
    if !medium.remote {
        medium.disc.read_ahead(wanted.start, wanted.blocks);
    }
}

/// What a command reads; no blocks for one that only moves the head.
fn wanted(drive: &Drive, task: &Task<'_>) -> Option<Wanted> {
    let blocks =
        |lba: u64, blocks| Some(Wanted { part: drive.blocks_part(), start: Lba(i32::try_from(lba).ok()?), blocks });
    let sectors = |start, blocks| {
        let selection = Selection::of(task).ok()?;
        let blocks = if selection.is_nothing() { 0 } else { blocks };
        Some(Wanted { part: Part::Sectors(selection.sub), start, blocks })
    };
    match task.u8(0) {
        0x08 => blocks(u64::from(task.u24(1) & 0x1F_FFFF), if task.u8(4) == 0 { 256 } else { u32::from(task.u8(4)) }),
        0x28 | 0x2F => blocks(u64::from(task.u32(2)), u32::from(task.u16(7))),
        0x2B => blocks(u64::from(task.u32(2)), 0),
        0xA8 | 0xAF => blocks(u64::from(task.u32(2)), task.u32(6)),
        0x88 | 0x8F => blocks(task.u64(2), task.u32(10)),
        // READ CD and READ CD MSF.
        0xBE => sectors(Lba(task.u32(2).cast_signed()), task.u24(6)),
        0xB9 => {
            let at = |byte: usize| Msf { minute: task.u8(byte), second: task.u8(byte + 1), frame: task.u8(byte + 2) };
            let (first, end) = (at(3).to_lba(), at(6).to_lba());
            sectors(first, end.since(first))
        }
        // READ HEADER.
        0x44 => Some(Wanted::header(Lba(task.u32(2).cast_signed()))),
        // READ SUB-CHANNEL.
        0x42 if task.u8(2) & 0x40 != 0 => match task.u8(3) {
            0x02 => Some(Wanted::code(Code::CatalogueNumber)),
            0x03 => Some(Wanted::code(Code::Recording(task.u8(6)))),
            _ => None,
        },
        _ => None,
    }
}

impl Context<'_> {
    /// Whether a block that was lost is transferred all the same (MMC-6, Read/Write Error Recovery mode page: TB).
    pub(super) fn transfers_lost_blocks(&self) -> bool {
        self.drive.state().transfer_block()
    }
}
