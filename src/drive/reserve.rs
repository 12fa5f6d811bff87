//! RESERVE and RELEASE of the whole logical unit, (6) and (10) (SPC-2, 5.5.1 and 7.16 to 7.23).

use super::Context;
use super::commands::{Access, Command};
use crate::scsi::{Sense, Task};

/// This topic's rows. RESERVE takes effect on admission, see [`takes`]; RELEASE always ends with GOOD.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0x16,
        service_action: None,
        name: "RESERVE (6)",
        standard: "SPC-2",
        access: Access::DRIVE,
        usage: &[0x16, 0x11, 0, 0, 0, 0],
        run: |_, task| check(task, &SIX),
    },
    Command {
        opcode: 0x17,
        service_action: None,
        name: "RELEASE (6)",
        standard: "SPC-2",
        access: RELEASE,
        usage: &[0x17, 0x11, 0, 0, 0, 0],
        run: |cx, task| release(cx, task, &SIX),
    },
    Command {
        opcode: 0x56,
        service_action: None,
        name: "RESERVE (10)",
        standard: "SPC-2",
        access: Access::DRIVE,
        usage: &[0x56, 0x13, 0, 0, 0, 0, 0, 0, 0, 0],
        run: |_, task| check(task, &TEN),
    },
    Command {
        opcode: 0x57,
        service_action: None,
        name: "RELEASE (10)",
        standard: "SPC-2",
        access: RELEASE,
        usage: &[0x57, 0x13, 0, 0, 0, 0, 0, 0, 0, 0],
        run: |cx, task| release(cx, task, &TEN),
    },
];

const RELEASE: Access = Access { reservation: false, ..Access::DRIVE };

/// Bits of byte 1 that ask for what there is not: a third party (4), LONGID (1), an extent (0).
const SIX: [u8; 2] = [4, 0];
const TEN: [u8; 3] = [4, 1, 0];

fn release(cx: &Context<'_>, task: &Task<'_>, refused: &[u8]) -> Result<(), Sense> {
    check(task, refused)?;
    cx.drive.state().release(task.nexus);
    Ok(())
}

fn check(task: &Task<'_>, refused: &[u8]) -> Result<(), Sense> {
    match refused.iter().find(|&&bit| task.u8(1) & 1 << bit != 0) {
        Some(&bit) => Err(Sense::invalid_cdb_bit(1, bit)),
        None => Ok(()),
    }
}

/// True when `task` must not run while another nexus holds a reservation (SPC-2, table 10; SBC-2, table 11). Two
/// commands are allowed in the form that takes nothing away from the holder.
pub(super) fn conflicts(command: &Command, task: &Task<'_>) -> bool {
    match command.opcode {
        // START STOP UNIT: START without LoEj or a power condition.
        0x1B => task.u8(4) & 0xF3 != 0x01,
        // PREVENT ALLOW MEDIUM REMOVAL: allow.
        0x1E => task.u8(4) & 0x03 != 0,
        _ => command.access.reservation,
    }
}

/// True when `task` reserves the drive. Whether another nexus holds it and the reservation itself must not come apart,
/// so this is asked, and the reservation made, in the one critical section of admission.
pub(super) fn takes(command: &Command, task: &Task<'_>) -> bool {
    match command.opcode {
        0x16 => check(task, &SIX).is_ok(),
        0x56 => check(task, &TEN).is_ok(),
        _ => false,
    }
}
