//! LOG SENSE (SPC-4, 6.6): nothing is logged, so the only pages are the lists of pages.

use super::Context;
use super::commands::{Access, Command};
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[Command {
    opcode: 0x4D,
    service_action: None,
    name: "LOG SENSE",
    standard: "SPC-4",
    // SPC-2, table 10: allowed whoever holds a reservation.
    access: Access { reservation: false, ..Access::DRIVE },
    usage: &[0x4D, 0x03, 0x3F, 0xFF, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0],
    run: log_sense,
}];

/// PC is not evaluated: the lists have no values, cumulative or other.
fn log_sense(_: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    // PPC, then SP: neither exists here.
    for bit in [1, 0] {
        if task.u8(1) & 1 << bit != 0 {
            return Err(Sense::invalid_cdb_bit(1, bit));
        }
    }
    let data: &[u8] = match (task.u8(2) & 0x3F, task.u8(3)) {
        // Supported Log Pages.
        (0x00, 0x00) => &[0x00, 0x00, 0, 1, 0x00],
        // Supported Log Pages and Subpages: SPF is set.
        (0x00, 0xFF) => &[0x40, 0xFF, 0, 4, 0x00, 0x00, 0x00, 0xFF],
        (0x00, _) => return Err(Sense::invalid_cdb_byte(3)),
        _ => return Err(Sense::invalid_cdb_bit(2, 5)),
    };
    // Neither list has a parameter that a pointer could start at.
    if task.u16(5) != 0 {
        return Err(Sense::invalid_cdb_byte(5));
    }
    task.reply(data, usize::from(task.u16(7)));
    Ok(())
}
