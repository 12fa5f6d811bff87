//! Reading user data: READ (6), (10), (12), (16), and READ CAPACITY.

use std::io;

use super::commands::{Access, Command};
use super::fetch::{SLICE, Wanted};
use super::{Context, DriveEvent};
use crate::disc::{BLOCK_SIZE, Disc, Lba, Msf, SectorError};
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0x08,
        service_action: None,
        name: "READ (6)",
        standard: "SBC-3",
        access: Access::HEAD,
        usage: &[0x08, 0x1F, 0xFF, 0xFF, 0xFF, 0],
        run: |cx, task| {
            let blocks = match task.u8(4) {
                0 => 256,
                blocks => u32::from(blocks),
            };
            let lba = task.u24(1) & 0x1F_FFFF;
            read(cx, task, u64::from(lba), blocks)
        },
    },
    Command {
        opcode: 0x28,
        service_action: None,
        name: "READ (10)",
        standard: "MMC-6",
        access: Access::HEAD,
        usage: &[0x28, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0],
        run: |cx, task| read(cx, task, u64::from(task.u32(2)), u32::from(task.u16(7))),
    },
    Command {
        opcode: 0xA8,
        service_action: None,
        name: "READ (12)",
        standard: "MMC-6",
        access: Access::HEAD,
        usage: &[0xA8, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x80, 0],
        run: |cx, task| read(cx, task, u64::from(task.u32(2)), task.u32(6)),
    },
    Command {
        opcode: 0x88,
        service_action: None,
        name: "READ (16)",
        standard: "SBC-3",
        access: Access::HEAD,
        usage: &[0x88, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
        run: |cx, task| read(cx, task, task.u64(2), task.u32(10)),
    },
    Command {
        opcode: 0x25,
        service_action: None,
        name: "READ CAPACITY (10)",
        standard: "MMC-6",
        access: Access::MEDIUM,
        usage: &[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        run: read_capacity_10,
    },
    Command {
        opcode: 0x9E,
        service_action: Some(0x10),
        name: "READ CAPACITY (16)",
        standard: "SBC-3",
        access: Access::MEDIUM,
        usage: &[0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
        run: read_capacity_16,
    },
];

/// Checks that `blocks` from `lba` lie on the disc; returns the start.
///
/// # Errors
/// 05/21/00 (SBC-3, 4.15: an access past the end moves nothing). INFORMATION stays empty: Linux' sr would take every
/// block before the one it names as read, and the buffer holds nothing.
pub(super) fn check_range(disc: &Disc, lba: u64, blocks: u32) -> Result<Lba, Sense> {
    match lba.checked_add(u64::from(blocks)) {
        Some(end) if end <= u64::from(disc.blocks()) => {
            i32::try_from(lba).map(Lba).map_err(|_| Sense::LBA_OUT_OF_RANGE)
        }
        _ => Err(Sense::LBA_OUT_OF_RANGE),
    }
}

/// The address in three bytes of the CDB: minute, second, frame.
///
/// # Errors
/// 05/24/00 when it is no time.
pub(super) fn time(task: &Task<'_>, at: usize) -> Result<Lba, Sense> {
    match (task.u8(at), task.u8(at + 1), task.u8(at + 2)) {
        (minute, second @ 0..60, frame @ 0..75) => Ok(Msf { minute, second, frame }.to_lba()),
        _ => Err(Sense::invalid_cdb_byte(at as u16)),
    }
}

/// The sense for a sector that cannot be given, and the event for one that should have been.
pub(super) fn sector_sense(cx: &Context<'_>, error: &SectorError) -> Sense {
    match error {
        SectorError::OutOfRange(_) => Sense::LBA_OUT_OF_RANGE,
        SectorError::WrongMode(lba) => Sense { information: Some(address(*lba)), ..Sense::ILLEGAL_MODE_FOR_TRACK },
        SectorError::Storage(lba, reason) => {
            cx.drive.tell(DriveEvent::ReadError { block: lba.0, reason: reason.to_string() });
            // Nothing is wrong with the disc.
            match reason.kind() {
                io::ErrorKind::OutOfMemory => Sense { information: Some(address(*lba)), ..Sense::INTERNAL_FAILURE },
                _ => Sense::unrecovered_read(address(*lba)),
            }
        }
    }
}

/// An address as INFORMATION has it: in four bytes, below zero in the pre-gap of the first track, as in the CDB of READ CD.
fn address(lba: Lba) -> u64 {
    u64::from(lba.0.cast_unsigned())
}

/// Moves blocks from the disc straight into the initiator's memory. Zero blocks is no error.
fn read(cx: &Context<'_>, task: &mut Task<'_>, lba: u64, blocks: u32) -> Result<(), Sense> {
    let disc = cx.need_disc()?;
    let start = check_range(disc, lba, blocks)?;
    let wanted = blocks as usize * BLOCK_SIZE as usize;
    // A buffer that ends inside a block gets the blocks that fit; the transport reports the overrun.
    let room = task.data_in.left().min(wanted);
    let whole = room - room % BLOCK_SIZE as usize;
    if whole < wanted {
        task.data_in.mark_overrun();
    }
    cx.drive.move_head(start);
    let (mut at, end) = (start, start.plus(blocks_in(whole)));
    while at < end {
        let blocks = end.since(at).min(SLICE);
        slice(cx, task, disc, at, blocks)?;
        at = at.plus(blocks);
        if at < end {
            task.give_way()?;
        }
    }
    Ok(())
}

fn slice(cx: &Context<'_>, task: &mut Task<'_>, disc: &Disc, start: Lba, blocks: u32) -> Result<(), Sense> {
    let unread = cx.fetched(Wanted { part: cx.drive.blocks_part(), start, blocks })?;
    let readable = unread.as_ref().map_or(blocks, |unread| unread.at.since(start));
    let lost = cx.lost(disc, start, readable)?;
    let given = lost.map_or(readable, |lost| lost.lba.since(start) + u32::from(cx.transfers_lost_blocks()));
    let result = disc.read_user_data(start, task.data_in.window(given as usize * BLOCK_SIZE as usize));
    let good = match &result {
        Ok(()) => given,
        Err(SectorError::OutOfRange(at) | SectorError::WrongMode(at) | SectorError::Storage(at, _)) => at.since(start),
    };
    task.data_in.advance(good as usize * BLOCK_SIZE as usize);
    let result = result.and(lost.map_or(Ok(()), |lost| Err(lost.error())));
    let result = result.and(unread.map_or(Ok(()), |unread| Err(unread.error())));
    let reached = lost.map_or(good, |lost| lost.lba.since(start).min(good));
    cx.drive.move_head(start.plus(reached));
    result.map_err(|error| sector_sense(cx, &error))
}

fn blocks_in(bytes: usize) -> u32 {
    u32::try_from(bytes / BLOCK_SIZE as usize).unwrap_or(u32::MAX)
}

/// MMC-6, READ CAPACITY: the address of the last block. Bytes 2 to 5 and PMI are obsolete and ignored.
fn read_capacity_10(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let last = cx.need_disc()?.blocks().saturating_sub(1);
    task.data_in.put(&last.to_be_bytes());
    task.data_in.put(&BLOCK_SIZE.to_be_bytes());
    Ok(())
}

/// SBC-3, READ CAPACITY (16).
fn read_capacity_16(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let last = cx.need_disc()?.blocks().saturating_sub(1);
    let mut data = [0; 32];
    data[..8].copy_from_slice(&u64::from(last).to_be_bytes());
    data[8..12].copy_from_slice(&BLOCK_SIZE.to_be_bytes());
    task.reply(&data, task.u32(10) as usize);
    Ok(())
}
