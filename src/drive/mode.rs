//! MODE SENSE and MODE SELECT, (6) and (10) (SPC-4, 6.9 to 6.12).
//!
//! There are no block descriptors and no device-specific parameters: MMC-6, 7.2.2 prescribes a BLOCK DESCRIPTOR LENGTH
//! of zero. MODE SELECT still accepts one descriptor that asks for the block length there is, as drivers that know
//! SCSI-2 CD-ROM drives send it (Linux: `sr_set_blocklength`).

use super::Context;
use super::commands::{Access, Command};
use super::mode_page::PageControl;
use crate::disc::BLOCK_SIZE;
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0x15,
        service_action: None,
        name: "MODE SELECT (6)",
        standard: "SPC-4",
        access: Access::DRIVE,
        usage: &[0x15, 0x11, 0, 0, 0xFF, 0],
        run: |cx, task| mode_select(cx, task, &SIX, usize::from(task.u8(4))),
    },
    Command {
        opcode: 0x1A,
        service_action: None,
        name: "MODE SENSE (6)",
        standard: "SPC-4",
        access: Access::DRIVE,
        usage: &[0x1A, 0, 0xFF, 0xFF, 0xFF, 0],
        run: |cx, task| mode_sense(cx, task, &SIX, usize::from(task.u8(4))),
    },
    Command {
        opcode: 0x55,
        service_action: None,
        name: "MODE SELECT (10)",
        standard: "MMC-6",
        access: Access::DRIVE,
        usage: &[0x55, 0x11, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0],
        run: |cx, task| mode_select(cx, task, &TEN, usize::from(task.u16(7))),
    },
    Command {
        opcode: 0x5A,
        service_action: None,
        name: "MODE SENSE (10)",
        standard: "MMC-6",
        access: Access::DRIVE,
        usage: &[0x5A, 0, 0xFF, 0xFF, 0, 0, 0, 0xFF, 0xFF, 0],
        run: |cx, task| mode_sense(cx, task, &TEN, usize::from(task.u16(7))),
    },
];

/// The mode parameter header of one form of the commands (SPC-4, 7.5.5).
struct Header {
    len: usize,
    /// Bytes of MODE DATA LENGTH, which does not count itself, and of BLOCK DESCRIPTOR LENGTH, which comes last.
    field: usize,
}

const SIX: Header = Header { len: 4, field: 1 };
const TEN: Header = Header { len: 8, field: 2 };

/// DBD and LLBAA change nothing where there are no block descriptors.
fn mode_sense(cx: &Context<'_>, task: &mut Task<'_>, header: &Header, allocation: usize) -> Result<(), Sense> {
    let (control, page, subpage) = (task.u8(2) >> 6, task.u8(2) & 0x3F, task.u8(3));
    let control = match control {
        0b00 => PageControl::Current,
        0b01 => PageControl::Changeable,
        0b10 => PageControl::Default,
        _ => return Err(Sense::SAVING_NOT_SUPPORTED),
    };
    let pages = cx.drive.state().mode_pages(page, control);
    if pages.is_empty() {
        return Err(Sense::invalid_cdb_bit(2, 5));
    }
    // FFh asks for all subpages too, of which there are none.
    if !matches!(subpage, 0x00 | 0xFF) {
        return Err(Sense::invalid_cdb_byte(3));
    }
    let mut data = vec![0; header.len];
    data.extend_from_slice(&pages);
    let length = (data.len() - header.field) as u16;
    data[..header.field].copy_from_slice(&length.to_be_bytes()[2 - header.field..]);
    task.reply(&data, allocation);
    Ok(())
}

/// Changes all that the list asks for, or nothing. MODE DATA LENGTH, MEDIUM TYPE and DEVICE-SPECIFIC PARAMETER are
/// reserved.
fn mode_select(cx: &Context<'_>, task: &mut Task<'_>, header: &Header, len: usize) -> Result<(), Sense> {
    // Without PF the list would have a vendor-specific form.
    if task.u8(1) & 0x10 == 0 {
        return Err(Sense::invalid_cdb_bit(1, 4));
    }
    // SP: nothing can be saved.
    if task.u8(1) & 0x01 != 0 {
        return Err(Sense::invalid_cdb_bit(1, 0));
    }
    if len == 0 {
        return Ok(());
    }
    let mut list = vec![0; len];
    // A list that did not arrive whole must not take effect; the transport reports the overrun.
    if task.data_out.take(&mut list) < len {
        return Ok(());
    }
    let pages_at = skip_block_descriptor(&list, header)?;
    // What has been played was played as the outputs were set.
    cx.drive.state_by_now().select_modes(task.nexus, &list, pages_at)
}

/// Where the pages begin, after a header and no block descriptor or one of a block length of 2,048.
fn skip_block_descriptor(list: &[u8], header: &Header) -> Result<usize, Sense> {
    let (head, rest) = list.split_at_checked(header.len).ok_or(Sense::PARAMETER_LIST_LENGTH)?;
    let at = header.len - header.field;
    let length = head[at..].iter().fold(0, |value, &byte| value << 8 | usize::from(byte));
    // LONGLBA: a descriptor of 16 bytes, which no MMC drive has.
    if header.len == TEN.len && head[4] & 0x01 != 0 {
        return Err(Sense::invalid_parameter_bit(4, 0));
    }
    match length {
        0 => Ok(header.len),
        8 => {
            let descriptor = rest.first_chunk::<8>().ok_or(Sense::PARAMETER_LIST_LENGTH)?;
            let block = u32::from_be_bytes([0, descriptor[5], descriptor[6], descriptor[7]]);
            if block == BLOCK_SIZE {
                Ok(header.len + 8)
            } else {
                Err(Sense::invalid_parameter_byte(header.len as u16 + 5))
            }
        }
        _ => Err(Sense::invalid_parameter_byte(at as u16)),
    }
}
