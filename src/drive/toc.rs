//! READ TOC/PMA/ATIP (MMC-6): lays out and cuts what [`crate::disc`] knows.

use super::Context;
use super::commands::{Access, Command};
use crate::disc::{Disc, MediumType, cdtext};
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[Command {
    opcode: 0x43,
    service_action: None,
    name: "READ TOC/PMA/ATIP",
    standard: "MMC-6",
    access: Access::MEDIUM,
    usage: &[0x43, 0x02, 0x0F, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xC0],
    run: read_toc_pma_atip,
}];

/// DVD and BD media have no TOC: the drive makes one up, as MMC-6 tells it to, from the one track they have.
fn read_toc_pma_atip(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let disc = cx.need_disc()?;
    let msf = task.u8(1) & 0x02 != 0;
    let from = task.u8(6);
    // SFF-8020 has the format in the last byte, where Linux' sr still puts it.
    let format = match task.u8(2) & 0x0F {
        0 => task.u8(9) >> 6,
        format => format,
    };
    let data = match format {
        0 => toc(disc, msf, from)?,
        1 => sessions(disc, msf),
        2 => full_toc(disc, from)?,
        5 if disc.medium == MediumType::CdRom => cd_text(disc),
        // Only recordable discs have a PMA (3) and an ATIP (4).
        _ => return Err(Sense::invalid_cdb_bit(2, 3)),
    };
    task.reply(&data, usize::from(task.u16(7)));
    Ok(())
}

/// Format 0000b: the tracks from `from` on, and the lead-out.
fn toc(disc: &Disc, msf: bool, from: u8) -> Result<Vec<u8>, Sense> {
    let numbers = || disc.tracks().map(|track| track.number);
    let (first, last) = (numbers().next().unwrap_or(1), numbers().next_back().unwrap_or(1));
    if from > last && from != 0xAA {
        return Err(Sense::invalid_cdb_byte(6));
    }
    let mut data = vec![first, last];
    for entry in disc.toc().filter(|entry| entry.track >= from) {
        data.extend([0, entry.control.with_adr(1), entry.track, 0]);
        data.extend(entry.start.to_field(msf));
    }
    Ok(with_length(&data))
}

/// Format 0001b: first and last session, and the first track of the last.
fn sessions(disc: &Disc, msf: bool) -> Vec<u8> {
    let (first, last) = session_numbers(disc);
    let mut data = vec![first, last];
    if let Some(track) = disc.sessions.last().and_then(|session| session.tracks.first()) {
        data.extend([0, track.control.with_adr(1), track.number, 0]);
        data.extend(track.start.to_field(msf));
    }
    with_length(&data)
}

/// Format 0010b: the lead-ins from session `from` on. Times are MSF whatever the MSF bit says: MMC-6 defines no block
/// address here, and programs that leave the bit clear expect them so.
fn full_toc(disc: &Disc, from: u8) -> Result<Vec<u8>, Sense> {
    let (first, last) = session_numbers(disc);
    if from > last {
        return Err(Sense::invalid_cdb_byte(6));
    }
    let mut data = vec![first, last];
    for line in disc.full_toc(from) {
        data.extend(line.to_bytes());
    }
    Ok(with_length(&data))
}

/// Format 0101b: the CD-TEXT packs of the first session that has any; without packs the header alone.
fn cd_text(disc: &Disc) -> Vec<u8> {
    let packs = disc.sessions.iter().map(|session| &session.cd_text[..]).find(|packs| !packs.is_empty());
    let mut packs = packs.unwrap_or_default().to_vec();
    // Zeros stand for a CRC that the image does not keep.
    packs.iter_mut().filter(|pack| pack[16..] == [0, 0]).for_each(cdtext::seal);
    with_length(&[&[0, 0], packs.as_flattened()].concat())
}

fn session_numbers(disc: &Disc) -> (u8, u8) {
    let number = |session: Option<&crate::disc::Session>| session.map_or(1, |session| session.number);
    (number(disc.sessions.first()), number(disc.sessions.last()))
}

/// Puts the two-byte length of what follows in front.
fn with_length(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&length[..], data].concat()
}
