//! TEST UNIT READY and REQUEST SENSE, which every initiator begins with; REPORT LUNS.

use super::commands::{Access, Command};
use super::{AudioStatus, Context, state};
use crate::scsi::{Sense, SenseFormat, SenseKey, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0x00,
        service_action: None,
        name: "TEST UNIT READY",
        standard: "SPC-4",
        access: Access::MEDIUM,
        usage: &[0x00, 0, 0, 0, 0, 0],
        run: |_, _| Ok(()),
    },
    Command {
        opcode: 0x03,
        service_action: None,
        name: "REQUEST SENSE",
        standard: "SPC-4",
        access: Access::ALWAYS,
        usage: &[0x03, 0x01, 0, 0, 0xFF, 0],
        run: request_sense,
    },
    Command {
        opcode: 0xA0,
        service_action: None,
        name: "REPORT LUNS",
        standard: "SPC-4",
        access: Access::ALWAYS,
        usage: &[0xA0, 0, 0xFF, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
        run: report_luns,
    },
];

/// SPC-4, REQUEST SENSE. The transport returns sense with the command it belongs to, so what is left to report is a
/// pending unit attention (which this clears), else the reason why the drive is not ready, else that sound plays.
fn request_sense(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let format = if task.u8(1) & 0x01 != 0 { SenseFormat::Descriptor } else { SenseFormat::Fixed };
    let (attention, audio) = {
        let mut state = cx.drive.state_by_now();
        (state.attention(task.nexus, true), state.playback().status())
    };
    let sense = match (attention, audio) {
        (Some(sense), _) => sense,
        (None, _) if cx.medium.is_none() => state::not_present(cx.tray),
        // 00/00/11 AUDIO PLAY OPERATION IN PROGRESS, 00/00/12 PAUSED. How one ended READ SUB-CHANNEL tells.
        (None, AudioStatus::Playing | AudioStatus::Paused) => Sense::new(SenseKey::NoSense, 0x00, audio as u8),
        (None, _) => Sense::NONE,
    };
    let (data, len) = sense.encode(format);
    task.reply(&data[..len], usize::from(task.u8(4)));
    Ok(())
}

/// SPC-4, REPORT LUNS: every logical unit is in the select reports 00h and 02h; 01h asks for well-known ones, of which
/// there are none.
fn report_luns(_: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let select = task.u8(2);
    let allocation = task.u32(6) as usize;
    let luns = match select {
        0x00 | 0x02 => task.luns,
        0x01 => &[],
        _ => return Err(Sense::invalid_cdb_byte(2)),
    };
    let mut data = vec![0; 8];
    for lun in luns {
        // Peripheral device addressing up to 255, flat space addressing above (SAM-6, 4.7.7).
        let field = if lun.0 < 256 { lun.0 } else { 0x4000 | lun.0 };
        data.extend_from_slice(&u64::from(field).rotate_left(48).to_be_bytes());
    }
    let length = (data.len() - 8) as u32;
    data[..4].copy_from_slice(&length.to_be_bytes());
    task.reply(&data, allocation);
    Ok(())
}
