//! What the mechanism and the buffers are doing: MECHANISM STATUS, READ FORMAT CAPACITIES, READ BUFFER CAPACITY
//! (MMC-6).

use super::commands::{Access, Command};
use super::{AudioStatus, Context, Tray};
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

/// What the mechanism does, the door, and the block under the head (of three bytes, MMC-3); no changer: one slot, no slot
/// table.
fn mechanism_status(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let door = u8::from(cx.tray == Tray::Open) << 4;
    let (state, head) = {
        let state = cx.drive.state_by_now();
        let playback = state.playback();
        let doing = match playback.status() {
            AudioStatus::Playing if playback.is_scanning() => SCANNING,
            AudioStatus::Playing | AudioStatus::Paused => PLAYING,
            AudioStatus::Completed | AudioStatus::Failed | AudioStatus::None => IDLE,
        };
        (doing, cx.drive.head())
    };
    let [_, a, b, c] = head.0.to_be_bytes();
    task.reply(&[0, state << 5 | door, a, b, c, 1, 0, 0], usize::from(task.u16(8)));
    Ok(())
}

/// Mechanism states.
const IDLE: u8 = 0;
const PLAYING: u8 = 1;
const SCANNING: u8 = 2;

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
