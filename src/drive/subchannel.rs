//! What the Q channel and the sector headers of a CD say: READ SUB-CHANNEL (MMC-6) and READ HEADER (MMC-1).

use super::Context;
use super::commands::{Access, Command};
use super::fetch::{Code, Wanted};
use super::read::sector_sense;
use crate::disc::sector::{Form, RAW};
use crate::disc::subchannel::Position;
use crate::disc::{Disc, Lba, MediumType, SectorError};
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0x42,
        service_action: None,
        name: "READ SUB-CHANNEL",
        standard: "MMC-6",
        access: Access::MEDIUM,
        usage: &[0x42, 0x02, 0x40, 0xFF, 0, 0, 0xFF, 0xFF, 0xFF, 0],
        run: read_sub_channel,
    },
    Command {
        opcode: 0x44,
        service_action: None,
        name: "READ HEADER",
        standard: "MMC-1",
        access: Access::HEAD,
        usage: &[0x44, 0x02, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0],
        run: read_header,
    },
];

/// With SubQ zero only the audio status is returned. DVD and BD media have no sub-channels.
fn read_sub_channel(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let disc = need_cd(cx)?;
    let msf = task.u8(1) & 0x02 != 0;
    let format = (task.u8(2) & 0x40 != 0).then(|| task.u8(3));
    // Before the audio status, which is told once.
    let code = match format {
        Some(0x02) => media_catalogue_number(cx.code(disc, Code::CatalogueNumber)?),
        Some(0x03) => isrc(cx, disc, task.u8(6))?,
        None | Some(0x01) => Vec::new(),
        Some(_) => return Err(Sense::invalid_cdb_byte(3)),
    };
    let (status, head) = {
        let mut state = cx.drive.state_by_now();
        (state.tell_audio_status() as u8, cx.drive.head())
    };
    let body = if format == Some(0x01) { current_position(disc, head, msf) } else { code };
    let [high, low] = (body.len() as u16).to_be_bytes();
    let data = [&[0, status, high, low][..], &body].concat();
    task.reply(&data, usize::from(task.u16(7)));
    Ok(())
}

/// Format 01h: where the head is. In a pre-gap a relative time counts down to the track, a relative address is negative.
fn current_position(disc: &Disc, head: Lba, msf: bool) -> Vec<u8> {
    let at = head.min(disc.lead_out().minus(1));
    let Position { control, track, index, relative } = disc.position(at);
    let mut data = vec![0x01, control.with_adr(1), track, index];
    data.extend(at.to_field(msf));
    // A relative time begins at 00:00:00, an absolute one 150 frames before block 0.
    let relative = if msf { Lba(0).plus(relative.unsigned_abs()).minus(150) } else { Lba(relative) };
    data.extend(relative.to_field(msf));
    data
}

/// Format 02h: MCVal, 13 digits, zero, AFRAME.
fn media_catalogue_number(mcn: Option<Vec<u8>>) -> Vec<u8> {
    let mut data = vec![0; 20];
    data[0] = 0x02;
    if let Some(mcn) = mcn {
        data[4] = 0x80;
        data[5..18].copy_from_slice(&mcn);
    }
    data
}

/// Format 03h: TCVal, 12 characters, zero, AFRAME.
fn isrc(cx: &Context<'_>, disc: &Disc, number: u8) -> Result<Vec<u8>, Sense> {
    let track = disc.track(number).ok_or_else(|| Sense::invalid_cdb_byte(6))?;
    let mut data = vec![0; 20];
    data[..3].copy_from_slice(&[0x03, track.control.with_adr(1), number]);
    if let Some(isrc) = cx.code(disc, Code::Recording(number))? {
        data[4] = 0x80;
        data[5..17].copy_from_slice(&isrc);
    }
    Ok(data)
}

/// The mode in the header of a data sector, which need not be that of its track, and the address; audio has no headers.
fn read_header(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let disc = need_cd(cx)?;
    let msf = task.u8(1) & 0x02 != 0;
    let lba = Lba(task.u32(2).cast_signed());
    if lba < Lba(0) {
        return Err(Sense::LBA_OUT_OF_RANGE);
    }
    if let Some(unread) = cx.fetched(Wanted::header(lba))? {
        return Err(sector_sense(cx, &unread.error()));
    }
    let mut raw = [0; RAW];
    let form = disc.read_sector(lba, &mut raw).map_err(|error| sector_sense(cx, &error))?;
    if form == Form::Audio {
        return Err(sector_sense(cx, &SectorError::WrongMode(lba)));
    }
    let mut data = vec![raw[15] & 0x03, 0, 0, 0];
    data.extend(lba.to_field(msf));
    task.reply(&data, usize::from(task.u16(7)));
    Ok(())
}

/// The disc when it is a CD.
///
/// # Errors
/// 05/30/02 for another.
pub(super) fn need_cd<'a>(cx: &'a Context<'_>) -> Result<&'a Disc, Sense> {
    cx.need_disc().and_then(|disc| match disc.medium {
        MediumType::CdRom => Ok(disc),
        MediumType::DvdRom | MediumType::BdRom => Err(Sense::INCOMPATIBLE_FORMAT),
    })
}
