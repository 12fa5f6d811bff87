//! READ DISC STRUCTURE (MMC-6): what the lead-in of a DVD or BD says, where the image stores it; else made so that it fits
//! what is stored and what READ CAPACITY says.

use std::collections::BTreeMap;

use super::Context;
use super::commands::{Access, Command};
use super::read::check_range;
use crate::disc::{BD_UNIT, Disc, MediumType};
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[Command {
    opcode: 0xAD,
    service_action: None,
    name: "READ DISC STRUCTURE",
    standard: "MMC-6",
    access: Access::MEDIUM,
    usage: &[0xAD, 0x0F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
    run: read_disc_structure,
}];

/// A structure that can be made for discs whose image does not store it.
struct Structure {
    format: u8,
    /// Bytes after the header.
    len: u16,
    /// Nothing when this disc has no such structure.
    build: fn(&Disc) -> Option<Vec<u8>>,
}

const DVD: &[Structure] = &[
    Structure { format: 0x00, len: 2048, build: |disc| Some(dvd_physical_format(disc)) },
    Structure { format: COPYRIGHT, len: 4, build: |_| Some(vec![0; 4]) },
    Structure { format: 0x04, len: 2048, build: |_| Some(vec![0; 2048]) },
    Structure { format: SECTOR_COPYRIGHT, len: 4, build: sector_copyright },
    WRITE_PROTECTION,
];
const BD: &[Structure] =
    &[Structure { format: 0x00, len: 4096, build: |disc| Some(bd_disc_information(disc)) }, WRITE_PROTECTION];

/// Format C0h: MSWI, as the medium itself keeps from writing; neither the drive nor a cartridge protects it.
const WRITE_PROTECTION: Structure = Structure { format: 0xC0, len: 4, build: |_| Some(vec![0x08, 0, 0, 0]) };

/// Formats of DVD: copyright information of the disc and, by address, of one sector (CPR_MAI); burst cutting area.
const COPYRIGHT: u8 = 0x01;
const SECTOR_COPYRIGHT: u8 = 0x05;
/// The burst cutting area of either medium, which only an image can have.
const BCA: u8 = 0x03;
/// From here on formats are the same for any media type, which is ignored (MMC-6, 6.22.2.2).
const GENERIC: u8 = 0x80;
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
    match task.u8(1) & 0x0F {
        _ if format >= GENERIC => {}
        wanted if wanted == media_type => {}
        0 | 1 => return Err(Sense::INCOMPATIBLE_FORMAT),
        _ => return Err(Sense::invalid_cdb_bit(1, 3)),
    }
    let body = if format == STRUCTURE_LIST {
        list(disc, structures)
    } else {
        let made =
            || structures.iter().find(|structure| structure.format == format).and_then(|made| (made.build)(disc));
        let stored = disc.stored_structure(layer, format).map(<[u8]>::to_vec);
        let body = stored.or_else(made).ok_or(Sense::invalid_cdb_byte(7))?;
        // What is the same for any layer is the same for one that the disc does not have.
        if format < GENERIC && layer >= disc.layers() {
            return Err(Sense::invalid_cdb_byte(6));
        }
        if format == SECTOR_COPYRIGHT {
            check_range(disc, u64::from(task.u32(2)), 1)?;
        }
        body
    };
    let mut data = vec![0; 4];
    data[..2].copy_from_slice(&length(&body).saturating_add(2).to_be_bytes());
    data.extend(body);
    task.reply(&data, usize::from(task.u16(8)));
    Ok(())
}

/// Format FFh: each structure that can be read (RDS), with the length of its answer.
fn list(disc: &Disc, made: &[Structure]) -> Vec<u8> {
    let made = made.iter().filter(|made| (made.build)(disc).is_some()).map(|made| (made.format, made.len));
    // What is stored comes later, so it takes the place of what would be made.
    let stored = disc
        .structures
        .iter()
        .filter_map(|stored| disc.stored_structure(0, stored.format).map(|data| (stored.format, length(data))));
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
    // BCA flag.
    data[16] = if disc.stored_structure(0, BCA).is_some() { 0x80 } else { 0 };
    data
}

/// Format 05h of DVD: no sector is copyrighted material where the disc has no protection system. Where it has one, its image
/// does not say which sectors are.
fn sector_copyright(disc: &Disc) -> Option<Vec<u8>> {
    let system = disc.stored_structure(0, COPYRIGHT).and_then(|data| data.first());
    system.is_none_or(|system| *system == 0).then(|| vec![0; 4])
}

/// Format 00h of BD: one disc information unit for each layer, 32 bytes of them in use. The fields are those that the
/// information of pressed discs has, which archives of discs publish.
fn bd_disc_information(disc: &Disc) -> Vec<u8> {
    let layers = disc.layers();
    // 120 mm, class 0. Layers of 25 GB are BD-ROM version 1. Larger ones, of which there are three or four, have type
    // identifier BDU and the channel bit lengths of 33.4 and 32 GB.
    let (kind, version, bit_length) = match layers {
        ..=2 => (b"BDO", 0x01, 0x01),
        3 => (b"BDU", 0x03, 0x05),
        _ => (b"BDU", 0x03, 0x06),
    };
    let mut data = vec![0; 4096];
    for ((unit, range), index) in data.chunks_exact_mut(BD_UNIT).zip(disc.bd_layers()).zip(0_u8..) {
        unit[..2].copy_from_slice(b"DI");
        unit[2] = 1;
        // Units in a block of the lead-in: eight for each layer.
        unit[3] = 8 * layers;
        unit[5] = index;
        unit[6] = 32;
        unit[8..11].copy_from_slice(kind);
        unit[11] = version;
        // Layers of the disc; embossed.
        unit[12] = layers << 4 | 0x01;
        unit[13] = bit_length;
        unit[14] = 0x01;
        unit[16] = u8::from(disc.stored_structure(0, BCA).is_some());
        unit[20..24].copy_from_slice(&disc.bd_last_sector().to_be_bytes());
        unit[24..28].copy_from_slice(&range.start().to_be_bytes());
        unit[28..32].copy_from_slice(&range.end().to_be_bytes());
    }
    data
}
