//! Moving the medium: START STOP UNIT, LOAD/UNLOAD MEDIUM, PREVENT ALLOW MEDIUM REMOVAL.

use super::Context;
use super::commands::{Access, Command};
use super::state::State;
use crate::scsi::{Nexus, Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0x1B,
        service_action: None,
        name: "START STOP UNIT",
        standard: "MMC-6",
        access: Access::DRIVE,
        usage: &[0x1B, 0x01, 0, 0, 0xF3, 0],
        run: start_stop_unit,
    },
    Command {
        opcode: 0xA6,
        service_action: None,
        name: "LOAD/UNLOAD MEDIUM",
        standard: "MMC-6",
        access: Access::DRIVE,
        usage: &[0xA6, 0x01, 0, 0, 0x03, 0, 0, 0, 0xFF, 0, 0, 0],
        run: load_unload_medium,
    },
    Command {
        opcode: 0x1E,
        service_action: None,
        name: "PREVENT ALLOW MEDIUM REMOVAL",
        standard: "MMC-6",
        access: Access::DRIVE,
        usage: &[0x1E, 0, 0, 0, 0x03, 0],
        run: prevent_allow_medium_removal,
    },
];

/// MMC-6, START STOP UNIT. LoEj moves the tray; a power condition changes nothing in a drive without a motor. Start
/// without LoEj needs a medium.
fn start_stop_unit(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let power_condition = task.u8(4) >> 4;
    let (load_eject, start) = (task.u8(4) & 0x02 != 0, task.u8(4) & 0x01 != 0);
    match (power_condition, load_eject, start) {
        (0, true, true) => load(cx),
        (0, true, false) => eject(cx, task.nexus),
        (0, false, true) => cx.need_disc().map(|_| ()),
        // Stop; IDLE, STANDBY, SLEEP.
        (0, false, false) | (2 | 3 | 5, _, _) => {
            cx.drive.end_play();
            Ok(())
        }
        // ACTIVE.
        (1, _, _) => Ok(()),
        _ => Err(Sense::invalid_cdb_bit(4, 7)),
    }
}

/// MMC-6, LOAD/UNLOAD MEDIUM: this drive has one slot, 0.
fn load_unload_medium(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    if task.u8(8) != 0 {
        return Err(Sense::invalid_cdb_byte(8));
    }
    match task.u8(4) & 0x03 {
        0b11 => load(cx),
        0b10 => eject(cx, task.nexus),
        0b01 => cx.need_disc().map(|_| ()),
        _ => Ok(()),
    }
}

fn load(cx: &Context<'_>) -> Result<(), Sense> {
    cx.drive.transition(State::close_tray);
    Ok(())
}

fn eject(cx: &Context<'_>, nexus: Nexus) -> Result<(), Sense> {
    cx.drive.transition(|state, events| state.eject(nexus, events))
}

/// MMC-6, PREVENT ALLOW MEDIUM REMOVAL: 00b unlocks, 01b locks; 10b and 11b do the same to the persistent prevent
/// state, which no nexus loss ends.
fn prevent_allow_medium_removal(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let on = task.u8(4) & 0x01 != 0;
    let persistent = task.u8(4) & 0x02 != 0;
    cx.drive.transition(|state, events| {
        state.set_prevent(
            task.nexus,
            |prevent| *(if persistent { &mut prevent.persistent } else { &mut prevent.plain }) = on,
            events,
        );
    });
    Ok(())
}
