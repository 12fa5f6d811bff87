//! Which blocks a command will read: for the time that hardware would need, and to have them fetched before.

use std::sync::Arc;

use super::{Context, Drive, lock};
use crate::disc::{Lba, Msf};
use crate::scsi::{Delay, Task, Wake};

/// What `task` waits for, if it is a command that moves the head and that the drive would carry out now.
pub(super) fn delay(drive: &Drive, task: &Task<'_>, wake: &Wake) -> Option<Delay> {
    let (lba, blocks) = blocks(task)?;
    let (medium, speed) = {
        let mut state = drive.state();
        // These are answered without a look at the disc.
        if state.reserved_from(task.nexus) || state.attention(task.nexus, false).is_some() {
            return None;
        }
        (Arc::clone(state.loaded()?), state.speed())
    };
    if lba < 0 || lba.checked_add(i64::from(blocks))? > i64::from(medium.disc.blocks()) {
        return None;
    }
    let now = drive.clock.now();
    let span = (Lba(i32::try_from(lba).ok()?), blocks);
    let hardware = match drive.behaviours.slow() {
        true => lock(&drive.mechanism).run(&medium, span, speed, drive.behaviours, now),
        false => now,
    };
    let done = hardware.saturating_add(drive.faults.delay_of(span.0, blocks));
    if done <= now {
        return drive.fetch.ask(&medium, &drive.clock, span, wake);
    }
    let delay = Delay::default();
    let (ended, wake) = (delay.clone(), Arc::clone(wake));
    let alarm = move || {
        ended.end();
        wake();
    };
    drive.clock.at(done, Box::new(alarm));
    Some(delay)
}

/// Has the storage fetch what `task` reads, if it reads and the disc has that.
pub(super) fn read_ahead(drive: &Drive, task: &Task<'_>) {
    let Some((lba, blocks)) = blocks(task) else { return };
    let Some(medium) = drive.state().loaded().map(Arc::clone) else { return };
    // Storage that may not answer may not even take a request.
    if let Ok(lba) = i32::try_from(lba)
        && !medium.remote
    {
        medium.disc.read_ahead(Lba(lba), blocks);
    }
}

/// The first block and the number of blocks that a command reads; none for one that only moves the head.
fn blocks(task: &Task<'_>) -> Option<(i64, u32)> {
    let long = |lba: u64| i64::try_from(lba).ok();
    Some(match task.u8(0) {
        0x08 => (i64::from(task.u24(1) & 0x1F_FFFF), if task.u8(4) == 0 { 256 } else { u32::from(task.u8(4)) }),
        0x28 | 0x2F => (i64::from(task.u32(2)), u32::from(task.u16(7))),
        0x2B => (i64::from(task.u32(2)), 0),
        0xA8 | 0xAF => (i64::from(task.u32(2)), task.u32(6)),
        0x88 | 0x8F => (long(task.u64(2))?, task.u32(10)),
        // READ CD and READ CD MSF.
        0xBE => (i64::from(task.u32(2).cast_signed()), task.u24(6)),
        0xB9 => {
            let at = |byte: usize| Msf { minute: task.u8(byte), second: task.u8(byte + 1), frame: task.u8(byte + 2) };
            let (first, end) = (at(3).to_lba(), at(6).to_lba());
            (i64::from(first.0), end.since(first))
        }
        _ => return None,
    })
}

impl Context<'_> {
    /// Whether a block that was lost is transferred all the same (MMC-6, Read/Write Error Recovery mode page: TB).
    pub(super) fn transfers_lost_blocks(&self) -> bool {
        self.drive.state().transfer_block()
    }
}
