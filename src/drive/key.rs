//! REPORT KEY and SEND KEY (MMC-6) of a drive that has no copy protection system: no DVD CSS, CPRM, AACS or VCPS feature.
//!
//! Programs ask all the same before they read a disc, so what asks for the state is answered: no region is set, nobody is
//! authenticated, and giving up an authentication that was never granted is no error. What asks for a key is told that the
//! disc has none.

use super::Context;
use super::commands::{Access, Command};
use crate::disc::MediumType;
use crate::scsi::{Sense, Task};

/// This topic's rows. SPC-4 has the operation code of SEND KEY for MAINTENANCE IN, whose service action is where SEND KEY
/// has zeros.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0xA3,
        service_action: Some(0x00),
        name: "SEND KEY",
        standard: "MMC-6",
        access: Access::DRIVE,
        usage: &[0xA3, 0, 0, 0, 0, 0, 0, 0xFF, 0, 0, 0x3F, 0],
        run: send_key,
    },
    Command {
        opcode: 0xA4,
        service_action: None,
        name: "REPORT KEY",
        standard: "MMC-6",
        access: Access::DRIVE,
        usage: &[0xA4, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x3F, 0],
        run: report_key,
    },
];

/// The key class of DVD CSS, CPPM and CPRM.
const DVD_CLASS: u8 = 0x00;

/// Key formats of that class.
mod format {
    pub const AGID: u8 = 0x00;
    pub const CHALLENGE: u8 = 0x01;
    pub const KEY_1: u8 = 0x02;
    pub const KEY_2: u8 = 0x03;
    pub const TITLE_KEY: u8 = 0x04;
    pub const SUCCESS_FLAG: u8 = 0x05;
    pub const REGION_STATE: u8 = 0x08;
    pub const INVALIDATE_AGID: u8 = 0x3F;
}

/// Type code 00b: no region was ever set; four vendor resets and five changes by a user are left. No bit of the region mask
/// is zero, as the drive has no region. RPC scheme 1: region playback control, phase II.
const NO_REGION: [u8; 4] = [0b00_100_101, 0xFF, 0x01, 0];

fn report_key(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    need_dvd_class(task)?;
    let body = match task.u8(10) & 0x3F {
        format::AGID | format::CHALLENGE | format::KEY_1 | format::TITLE_KEY => return Err(no_key(cx)),
        // ASF is zero.
        format::SUCCESS_FLAG => need_dvd(cx).map(|()| [0; 4])?,
        format::REGION_STATE => NO_REGION,
        format::INVALIDATE_AGID => return Ok(()),
        _ => return Err(Sense::invalid_cdb_bit(10, 5)),
    };
    let data = [&[0, 6, 0, 0][..], &body].concat();
    task.reply(&data, usize::from(task.u16(8)));
    Ok(())
}

/// A region cannot be set, as there is nothing that the drive would keep from other regions.
fn send_key(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    need_dvd_class(task)?;
    match task.u8(10) & 0x3F {
        format::CHALLENGE | format::KEY_2 => Err(no_key(cx)),
        format::INVALIDATE_AGID => Ok(()),
        _ => Err(Sense::invalid_cdb_bit(10, 5)),
    }
}

fn need_dvd_class(task: &Task<'_>) -> Result<(), Sense> {
    if task.u8(7) == DVD_CLASS { Ok(()) } else { Err(Sense::invalid_cdb_byte(7)) }
}

/// These keys are of DVDs.
fn need_dvd(cx: &Context<'_>) -> Result<(), Sense> {
    cx.need_disc().and_then(|disc| match disc.medium {
        MediumType::DvdRom => Ok(()),
        MediumType::CdRom | MediumType::BdRom => Err(Sense::INCOMPATIBLE_FORMAT),
    })
}

fn no_key(cx: &Context<'_>) -> Sense {
    need_dvd(cx).err().unwrap_or(Sense::KEY_NOT_PRESENT)
}
