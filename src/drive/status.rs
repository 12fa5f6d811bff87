//! What the mechanism and the buffers are doing: MECHANISM STATUS, READ FORMAT CAPACITIES, READ BUFFER CAPACITY
//! (MMC-6).

use super::commands::{Access, Command};
use super::{Context, Tray};
use crate::disc::BLOCK_SIZE;
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0xBD,
        service_action: None,
        name: "MECHANISM STATUS",
        standard: "MMC-6",
        access: Access::DRIVE,
        usage: &[0xBD, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0],
        run: mechanism_status,
    },
    Command {
        opcode: 0x23,
        service_action: None,
        name: "READ FORMAT CAPACITIES",
        standard: "MMC-6",
        access: Access::DRIVE,
        usage: &[0x23, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0],
        run: read_format_capacities,
    },
    Command {
        opcode: 0x5C,
        service_action: None,
        name: "READ BUFFER CAPACITY",
        standard: "MMC-6",
        access: Access::DRIVE,
        usage: &[0x5C, 0x01, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0],
        run: read_buffer_capacity,
    },
];

/// An idle mechanism without a changer: one slot, no slot table.
fn mechanism_status(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let door = u8::from(cx.tray == Tray::Open) << 4;
    task.reply(&[0, door, 0, 0, 0, 1, 0, 0], usize::from(task.u16(8)));
    Ok(())
}

/// The current capacity alone: nothing can be formatted. Descriptor type 10b is a formatted medium, 11b no medium.
fn read_format_capacities(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let (blocks, kind) = cx.disc().map_or((0, 0b11), |disc| (disc.blocks(), 0b10));
    let mut data = [0; 12];
    data[3] = 8;
    data[4..8].copy_from_slice(&blocks.to_be_bytes());
    data[8..12].copy_from_slice(&BLOCK_SIZE.to_be_bytes());
    data[8] = kind;
    task.reply(&data, usize::from(task.u16(7)));
    Ok(())
}

/// The buffer is for writing, so there is none, in bytes or in blocks.
fn read_buffer_capacity(_: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let block = task.u8(1) & 0x01;
    task.reply(&[0, 10, 0, block, 0, 0, 0, 0, 0, 0, 0, 0], usize::from(task.u16(7)));
    Ok(())
}
