//! READ DISC STRUCTURE (MMC-6): what the lead-in of a DVD or BD says, where the image stores it; else made from the disc's
//! size.

use std::collections::BTreeMap;

use super::Context;
use super::commands::{Access, Command};
use crate::disc::{Disc, MediumType};
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[Command {
    opcode: 0xAD,
    service_action: None,
    name: "READ DISC STRUCTURE",
    standard: "MMC-6",
    access: Access::MEDIUM,
    usage: &[0xAD, 0x0F, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
    run: read_disc_structure,
}];

/// A structure of one kind of media.
struct Structure {
    format: u8,
    /// Bytes after the header.
    len: u16,
    build: fn(&Disc) -> Vec<u8>,
}

const DVD: &[Structure] = &[
    Structure { format: 0x00, len: 2048, build: dvd_physical_format },
    Structure { format: 0x01, len: 4, build: dvd_copyright },
    Structure { format: 0x04, len: 2048, build: |_| vec![0; 2048] },
];
const BD: &[Structure] = &[Structure { format: 0x00, len: 4096, build: bd_disc_information }];

/// The format that lists the others.
const STRUCTURE_LIST: u8 = 0xFF;

/// A CD has no structures.
fn read_disc_structure(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let disc = cx.need_disc()?;
    let (structures, media_type) = match disc.medium {
        MediumType::CdRom => return Err(Sense::INCOMPATIBLE_FORMAT),
        MediumType::DvdRom => (DVD, 0),
        MediumType::BdRom => (BD, 1),
    };
    let (layer, format) = (task.u8(6), task.u8(7));
    let body = if format == STRUCTURE_LIST {
        list(disc, structures)
    } else {
        match task.u8(1) & 0x0F {
            wanted if wanted == media_type => {}
            0 | 1 => return Err(Sense::INCOMPATIBLE_FORMAT),
            _ => return Err(Sense::invalid_cdb_bit(1, 3)),
        }
        let stored = disc.structures.iter().find(|stored| (stored.layer, stored.format) == (layer, format));
        match (stored, structures.iter().find(|structure| structure.format == format)) {
            (Some(stored), _) => stored.data.clone(),
            (None, Some(_)) if layer >= disc.layers() => return Err(Sense::invalid_cdb_byte(6)),
            (None, Some(structure)) => (structure.build)(disc),
            (None, None) => return Err(Sense::invalid_cdb_byte(7)),
        }
    };
    let mut data = vec![0; 4];
    data[..2].copy_from_slice(&length(&body).saturating_add(2).to_be_bytes());
    data.extend(body);
    task.reply(&data, usize::from(task.u16(8)));
    Ok(())
}

/// Format FFh: each structure that can be read (RDS), with the length of its answer.
fn list(disc: &Disc, made: &[Structure]) -> Vec<u8> {
    let made = made.iter().map(|structure| (structure.format, structure.len));
    // What is stored comes later, so it takes the place of what would be made.
    let stored = disc.structures.iter().rev().map(|stored| (stored.format, length(&stored.data)));
    let rows: BTreeMap<u8, u16> = made.chain(stored).collect();
    let row = |(format, len): (u8, u16)| {
        let [high, low] = len.saturating_add(4).to_be_bytes();
        [format, 0x40, high, low]
    };
    rows.into_iter().flat_map(row).collect()
}

fn length(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX)
}

/// Format 00h of DVD (ECMA-267, 16.3.1: physical format information).
fn dvd_physical_format(disc: &Disc) -> Vec<u8> {
    let layout = disc.dvd_layout();
    let two = layout.layers > 1;
    let mut data = vec![0; 2048];
    // DVD-ROM, part version 1; 120 mm, 10.08 Mbit/s.
    data[0] = 0x01;
    data[1] = 0x02;
    // Number of layers - 1, opposite track path, embossed.
    data[2] = if two { 0x31 } else { 0x01 };
    // Linear density: 0.293 µm with two layers, 0.267 µm with one; track density 0.74 µm.
    data[3] = if two { 0x10 } else { 0x00 };
    data[4..8].copy_from_slice(&layout.first.to_be_bytes());
    data[8..12].copy_from_slice(&layout.last.to_be_bytes());
    data[12..16].copy_from_slice(&layout.layer_0_last.to_be_bytes());
    data
}

/// Format 01h of DVD: no copyright protection system, every region allowed.
fn dvd_copyright(_: &Disc) -> Vec<u8> {
    vec![0; 4]
}

/// Format 00h of BD: one disc information unit of 64 bytes per layer, 32 of them in use.
fn bd_disc_information(disc: &Disc) -> Vec<u8> {
    const UNIT: usize = 64;
    let layers = disc.bd_layers();
    let mut data = vec![0; 4096];
    for ((unit, range), index) in data.chunks_exact_mut(UNIT).zip(&layers).zip(0_u8..) {
        unit[..2].copy_from_slice(b"DI");
        unit[2] = 1;
        unit[3] = layers.len() as u8;
        unit[5] = index;
        unit[6] = 32;
        unit[8..11].copy_from_slice(b"BDO");
        // 120 mm, class 0, version 1.
        unit[11] = 0x01;
        // Layers of the disc; embossed.
        unit[12] = disc.layers() << 4 | 0x01;
        unit[13] = 0x01;
        unit[14] = 0x01;
        unit[20..24].copy_from_slice(&disc.bd_last_sector().to_be_bytes());
        unit[24..28].copy_from_slice(&range.start().to_be_bytes());
        unit[28..32].copy_from_slice(&range.end().to_be_bytes());
    }
    data
}
