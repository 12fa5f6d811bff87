//! READ DISC INFORMATION and READ TRACK INFORMATION (MMC-6).

use super::Context;
use super::commands::{Access, Command};
use crate::disc::{Disc, Lba, MediumType, Session, Track, TrackMode};
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0x51,
        service_action: None,
        name: "READ DISC INFORMATION",
        standard: "MMC-6",
        access: Access::MEDIUM,
        usage: &[0x51, 0x07, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0],
        run: read_disc_information,
    },
    Command {
        opcode: 0x52,
        service_action: None,
        name: "READ TRACK INFORMATION",
        standard: "MMC-6",
        access: Access::MEDIUM,
        usage: &[0x52, 0x07, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0],
        run: read_track_information,
    },
];

/// Standard disc information of a complete disc. Track resources (001b) and POW resources (010b) exist only on
/// recordable discs, so a read-only drive has neither data type.
fn read_disc_information(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let disc = cx.need_disc()?;
    if task.u8(1) & 0x07 != 0 {
        return Err(Sense::invalid_cdb_bit(1, 2));
    }
    let mut data = [0; 34];
    data[1] = 32;
    // Last session complete, disc complete, not erasable.
    data[2] = 0b11 << 2 | 0b10;
    data[3] = disc.tracks().next().map_or(1, |track| track.number);
    data[4] = disc.sessions.last().map_or(1, |session| session.number);
    let last_session = disc.sessions.last().map_or(&[][..], |session| &session.tracks);
    data[5] = last_session.first().map_or(1, |track| track.number);
    data[6] = last_session.last().map_or(1, |track| track.number);
    // URU: the use of the disc is not restricted.
    data[7] = 0x20;
    data[8] = match disc.medium {
        MediumType::CdRom => disc.sessions.first().map_or(0, Session::disc_type),
        MediumType::DvdRom | MediumType::BdRom => 0xFF,
    };
    // A complete disc has no next lead-in and no last possible lead-out.
    data[16..24].fill(0xFF);
    task.reply(&data, usize::from(task.u16(7)));
    Ok(())
}

/// A complete disc has no open track: Open, and track FFh, name nothing. Neither does track 00h, the lead-in, which
/// only recordable discs describe.
fn read_track_information(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let disc = cx.need_disc()?;
    let address = task.u32(2);
    if task.u8(1) & 0x04 != 0 {
        return Err(Sense::invalid_cdb_bit(1, 2));
    }
    let number = || u8::try_from(address).map_err(|_| Sense::invalid_cdb_byte(2));
    let track = match task.u8(1) & 0x03 {
        0b00 => track_at(disc, address).ok_or(Sense::LBA_OUT_OF_RANGE)?,
        0b01 => disc.track(number()?).ok_or_else(|| Sense::invalid_cdb_byte(2))?,
        0b10 => {
            let wanted = number()?;
            let session = disc.sessions.iter().find(|session| session.number == wanted);
            session.and_then(|session| session.tracks.first()).ok_or_else(|| Sense::invalid_cdb_byte(2))?
        }
        _ => return Err(Sense::invalid_cdb_bit(1, 1)),
    };
    task.reply(&describe(disc, track), usize::from(task.u16(7)));
    Ok(())
}

/// Addresses have a sign here: the pre-gap of track 1 is below zero.
fn track_at(disc: &Disc, address: u32) -> Option<&Track> {
    disc.track_at(Lba(address.cast_signed()))
}

/// The track information block. Next writable and last recorded address do not exist (NWA_V, LRA_V zero).
fn describe(disc: &Disc, track: &Track) -> [u8; 48] {
    let mut data = [0; 48];
    data[1] = 46;
    data[2] = track.number;
    data[3] = disc.session_of(track.number).map_or(1, |session| session.number);
    data[5] = track.control.0 & 0x0F;
    data[6] = match track.mode {
        TrackMode::Mode1 => 1,
        TrackMode::Mode2Formless | TrackMode::Mode2Xa => 2,
        TrackMode::Audio => 0x0F,
    };
    data[8..12].copy_from_slice(&track.start.0.to_be_bytes());
    data[24..28].copy_from_slice(&track.blocks().to_be_bytes());
    data
}
