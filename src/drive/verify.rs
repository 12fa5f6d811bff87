//! Commands that read the medium without returning it: VERIFY, SEEK, PRE-FETCH, SYNCHRONIZE CACHE.

use super::Context;
use super::commands::{Access, Command};
use super::fetch::{SLICE, Wanted};
use super::read::{check_range, sector_sense};
use crate::disc::BLOCK_SIZE;
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0x2B,
        service_action: None,
        name: "SEEK (10)",
        standard: "MMC-6",
        access: Access::HEAD,
        usage: &[0x2B, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0],
        run: |cx, task| {
            cx.drive.move_head(check_range(cx.need_disc()?, u64::from(task.u32(2)), 1)?);
            Ok(())
        },
    },
    Command {
        opcode: 0x2F,
        service_action: None,
        name: "VERIFY (10)",
        standard: "MMC-6",
        access: Access::HEAD,
        usage: &[0x2F, 0x16, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0],
        run: |cx, task| verify(cx, task, u64::from(task.u32(2)), u32::from(task.u16(7))),
    },
    Command {
        opcode: 0xAF,
        service_action: None,
        name: "VERIFY (12)",
        standard: "SBC-3",
        access: Access::HEAD,
        usage: &[0xAF, 0x16, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
        run: |cx, task| verify(cx, task, u64::from(task.u32(2)), task.u32(6)),
    },
    Command {
        opcode: 0x8F,
        service_action: None,
        name: "VERIFY (16)",
        standard: "SBC-3",
        access: Access::HEAD,
        usage: &[0x8F, 0x16, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
        run: |cx, task| verify(cx, task, task.u64(2), task.u32(10)),
    },
    Command {
        opcode: 0x34,
        service_action: None,
        name: "PRE-FETCH (10)",
        standard: "SBC-3",
        access: Access::HEAD,
        usage: &[0x34, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0],
        run: |cx, task| check_range(cx.need_disc()?, u64::from(task.u32(2)), u32::from(task.u16(7))).map(|_| ()),
    },
    Command {
        opcode: 0x90,
        service_action: None,
        name: "PRE-FETCH (16)",
        standard: "SBC-3",
        access: Access::HEAD,
        usage: &[0x90, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
        run: |cx, task| check_range(cx.need_disc()?, task.u64(2), task.u32(10)).map(|_| ()),
    },
    Command {
        opcode: 0x35,
        service_action: None,
        name: "SYNCHRONIZE CACHE (10)",
        standard: "MMC-6",
        access: Access::MEDIUM,
        usage: &[0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // Nothing is ever written, so nothing waits to be.
        run: |_, _| Ok(()),
    },
];

/// SBC-3, VERIFY: BYTCHK 00b reads the blocks and returns nothing; 01b compares them with the Data-Out Buffer; 11b
/// compares each with one block. At most one block is held at a time.
fn verify(cx: &Context<'_>, task: &mut Task<'_>, lba: u64, blocks: u32) -> Result<(), Sense> {
    const LEN: usize = BLOCK_SIZE as usize;
    let byte_check = task.u8(1) >> 1 & 0b11;
    if byte_check == 0b10 {
        return Err(Sense::invalid_cdb_bit(1, 2));
    }
    let disc = cx.need_disc()?;
    let start = check_range(disc, lba, blocks)?;
    let mut stored = [0; LEN];
    let mut given = [0; LEN];
    if byte_check == 0b11 && blocks > 0 && task.data_out.take(&mut given) < LEN {
        return Ok(());
    }
    let mut unread = None;
    for index in 0..blocks {
        let at = start.plus(index);
        if index % SLICE == 0 {
            if index > 0 {
                task.give_way()?;
            }
            let part = cx.drive.blocks_part();
            unread = cx.fetched(Wanted { part, start: at, blocks: (blocks - index).min(SLICE) })?;
        }
        if let Some(unread) = unread.as_ref().filter(|unread| unread.at == at) {
            return Err(sector_sense(cx, &unread.error()));
        }
        let sound = cx.lost(disc, at, 1)?.map_or(Ok(()), |lost| Err(lost.error()));
        sound.and_then(|()| disc.read_block(at, &mut stored)).map_err(|error| sector_sense(cx, &error))?;
        // Data that the initiator did not send cannot be compared; the transport reports the overrun.
        if byte_check == 0b01 && task.data_out.take(&mut given) < LEN {
            return Ok(());
        }
        if byte_check != 0b00
            && let Some(offset) = stored.iter().zip(&given).position(|(a, b)| a != b)
        {
            let offset = u64::from(index) * u64::from(BLOCK_SIZE) + offset as u64;
            return Err(Sense { information: Some(offset), ..Sense::MISCOMPARE });
        }
    }
    Ok(())
}
