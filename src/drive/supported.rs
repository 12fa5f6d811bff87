//! What the drive can do, in its own words: REPORT SUPPORTED OPERATION CODES and REPORT SUPPORTED TASK MANAGEMENT
//! FUNCTIONS (SPC-4, 6.35 and 6.36).

use super::Context;
use super::commands::{Access, COMMANDS as ALL, Command, NACA, rows};
use crate::scsi::{Sense, Task};

/// This topic's rows: SPC-4, 5.9.1 allows both, whoever holds a reservation.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0xA3,
        service_action: Some(0x0C),
        name: "REPORT SUPPORTED OPERATION CODES",
        standard: "SPC-4",
        access: Access { reservation: false, ..Access::DRIVE },
        usage: &[0xA3, 0x0C, 0x87, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
        run: report_supported_operation_codes,
    },
    Command {
        opcode: 0xA3,
        service_action: Some(0x0D),
        name: "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS",
        standard: "SPC-4",
        access: Access { reservation: false, ..Access::DRIVE },
        usage: &[0xA3, 0x0D, 0x80, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
        run: report_supported_task_management_functions,
    },
];

/// SUPPORT: not at all, and as the standard says.
const UNSUPPORTED: u8 = 0b001;
const SUPPORTED: u8 = 0b011;

/// Command timeouts descriptor: no nominal time; 30 seconds are recommended, as in the Timeout and Protect mode page.
const TIMEOUTS: [u8; 12] = [0, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 30];

fn report_supported_operation_codes(_: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let timeouts = task.u8(2) & 0x80 != 0;
    let (opcode, action) = (task.u8(3), task.u16(4));
    let rows = rows(opcode);
    let has_actions = rows.iter().any(|row| row.service_action.is_some());
    let data = match task.u8(2) & 0x07 {
        0b000 => all_commands(timeouts),
        // Asking for one alone, where there are several, is an error; and the other way round.
        0b001 if has_actions => return Err(Sense::invalid_cdb_byte(3)),
        0b001 => one_command(rows.first().copied(), timeouts),
        0b010 if !rows.is_empty() && !has_actions => return Err(Sense::invalid_cdb_byte(3)),
        0b010 | 0b011 => {
            let named = |row: &&&Command| row.service_action.map_or(0, u16::from) == action;
            one_command(rows.iter().find(named).copied(), timeouts)
        }
        _ => return Err(Sense::invalid_cdb_bit(2, 2)),
    };
    task.reply(&data, task.u32(6) as usize);
    Ok(())
}

fn all_commands(timeouts: bool) -> Vec<u8> {
    let mut data = vec![0; 4];
    for row in ALL.iter() {
        let action = row.service_action.unwrap_or(0);
        let flags = if timeouts { 0x02 } else { 0 } | u8::from(row.service_action.is_some());
        data.extend_from_slice(&[row.opcode, 0, 0, action, 0, flags, 0, row.usage.len() as u8]);
        if timeouts {
            data.extend_from_slice(&TIMEOUTS);
        }
    }
    let length = (data.len() - 4) as u32;
    data[..4].copy_from_slice(&length.to_be_bytes());
    data
}

fn one_command(row: Option<&Command>, timeouts: bool) -> Vec<u8> {
    let Some(row) = row else { return vec![0, UNSUPPORTED, 0, 0] };
    let mut data = vec![0, SUPPORTED, 0, row.usage.len() as u8];
    data.extend_from_slice(row.usage);
    // Evaluated for every command, before its own row is looked at.
    if let Some(control) = data.last_mut() {
        *control |= NACA;
    }
    if timeouts {
        data[1] |= 0x80;
        data.extend_from_slice(&TIMEOUTS);
    }
    data
}

/// The functions of the virtio-scsi control queue, which answers them all (`virtio::control`).
fn report_supported_task_management_functions(_: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    // ABORT TASK, ABORT TASK SET, CLEAR ACA, CLEAR TASK SET, LOGICAL UNIT RESET, QUERY TASK.
    const FIRST: u8 = 0x80 | 0x40 | 0x20 | 0x10 | 0x08 | 0x04;
    // QUERY TASK SET, I_T NEXUS RESET.
    const SECOND: u8 = 0x02 | 0x01;
    let allocation = task.u32(6) as usize;
    if allocation < 4 {
        return Err(Sense::invalid_cdb_byte(6));
    }
    let mut data = [0; 16];
    data[..2].copy_from_slice(&[FIRST, SECOND]);
    // REPD: the extended form, which says that no timeout values are known.
    let extended = task.u8(2) & 0x80 != 0;
    if extended {
        data[3] = 0x0C;
    }
    task.reply(if extended { &data } else { &data[..4] }, allocation);
    Ok(())
}
