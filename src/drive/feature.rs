//! GET CONFIGURATION (MMC-6): the features of a read-only CD, DVD and BD drive, current by the medium in it.

use super::Context;
use super::commands::{Access, Command};
use super::mode_page::VOLUME_LEVELS;
use crate::disc::{MediumType, TrackMode};
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[Command {
    opcode: 0x46,
    service_action: None,
    name: "GET CONFIGURATION",
    standard: "MMC-6",
    access: Access::ALWAYS,
    usage: &[0x46, 0x03, 0xFF, 0xFF, 0, 0, 0, 0xFF, 0xFF, 0],
    run: get_configuration,
}];

/// One feature of the drive (MMC-6, 5.3).
struct Feature {
    code: u16,
    version: u8,
    current: When,
    data: fn(&Context<'_>) -> Vec<u8>,
}

/// When a feature is current.
enum When {
    /// Always: the feature is persistent too.
    Always,
    /// With any medium.
    Medium,
    /// With a medium of this type.
    Type(MediumType),
    /// With a CD that has audio tracks.
    Sound,
}

/// In ascending order, as they are returned.
static FEATURES: &[Feature] = &[
    Feature { code: 0x0000, version: 0, current: When::Always, data: profile_list },
    // Core: SCSI family; INQ2 (INQUIRY as SPC-3 has it) and DBE (device busy class events).
    Feature { code: 0x0001, version: 2, current: When::Always, data: |_| vec![0, 0, 0, 1, 0x03, 0, 0, 0] },
    // Morphing: OCEvent, events of the operational change class; no asynchronous events.
    Feature { code: 0x0002, version: 1, current: When::Always, data: |_| vec![0x02, 0, 0, 0] },
    // Removable Medium: a tray that loads, ejects and locks on command, and is not locked at power-on.
    Feature { code: 0x0003, version: 2, current: When::Always, data: |_| vec![0x39, 0, 0, 0] },
    Feature { code: 0x0010, version: 0, current: When::Medium, data: random_readable },
    // Multi-Read.
    Feature { code: 0x001D, version: 0, current: When::Type(MediumType::CdRom), data: |_| Vec::new() },
    // CD Read: C2 error pointers and CD-TEXT; DAP of READ CD is ignored.
    Feature { code: 0x001E, version: 2, current: When::Type(MediumType::CdRom), data: |_| vec![0x03, 0, 0, 0] },
    // DVD Read: not DVD Multi 1.1, no dual-layer DVD-R or DVD-RW.
    Feature { code: 0x001F, version: 1, current: When::Type(MediumType::DvdRom), data: |_| vec![0; 4] },
    Feature { code: 0x0040, version: 0, current: When::Type(MediumType::BdRom), data: bd_read },
    // Power Management.
    Feature { code: 0x0100, version: 0, current: When::Always, data: |_| Vec::new() },
    // CD Audio External Play: SCAN, a mute and a volume for each output.
    Feature { code: 0x0103, version: 0, current: When::Sound, data: external_play },
    // Timeout: Group 3 is not supported.
    Feature { code: 0x0105, version: 1, current: When::Always, data: |_| vec![0; 4] },
    // Real-Time Streaming: RBCB (READ BUFFER CAPACITY counts in blocks), SCS (SET CD SPEED); nothing of writing.
    Feature { code: 0x0107, version: 4, current: When::Medium, data: |_| vec![0x18, 0, 0, 0] },
    Feature { code: 0x0108, version: 0, current: When::Always, data: serial_number },
];

/// The profile of a medium (MMC-6, table "Profile list").
fn profile(medium: MediumType) -> u16 {
    match medium {
        MediumType::CdRom => 0x0008,
        MediumType::DvdRom => 0x0010,
        MediumType::BdRom => 0x0040,
    }
}

/// RT 00b: all features; 01b: the current ones; 10b: the one that the starting feature number names. The first two
/// begin at that number. The data length tells of all of them, however few fit.
fn get_configuration(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let start = task.u16(2);
    let wanted: fn(&Feature, &Context<'_>, u16) -> bool = match task.u8(1) & 0x03 {
        0b00 => |feature, _, start| feature.code >= start,
        0b01 => |feature, cx, start| feature.code >= start && feature.is_current(cx),
        0b10 => |feature, _, start| feature.code == start,
        _ => return Err(Sense::invalid_cdb_bit(1, 1)),
    };
    let mut data = vec![0; 8];
    let current = cx.disc().map_or(0, |disc| profile(disc.medium));
    data[6..8].copy_from_slice(&current.to_be_bytes());
    for feature in FEATURES.iter().filter(|feature| wanted(feature, cx, start)) {
        feature.push(cx, &mut data);
    }
    let length = (data.len() - 4) as u32;
    data[..4].copy_from_slice(&length.to_be_bytes());
    task.reply(&data, usize::from(task.u16(7)));
    Ok(())
}

impl Feature {
    fn is_current(&self, cx: &Context<'_>) -> bool {
        match self.current {
            When::Always => true,
            When::Medium => cx.medium.is_some(),
            When::Type(medium) => cx.disc().is_some_and(|disc| disc.medium == medium),
            When::Sound => cx.disc().is_some_and(|disc| disc.tracks().any(|track| track.mode == TrackMode::Audio)),
        }
    }

    fn push(&self, cx: &Context<'_>, out: &mut Vec<u8>) {
        let persistent = u8::from(matches!(self.current, When::Always));
        let data = (self.data)(cx);
        out.extend(self.code.to_be_bytes());
        out.push(self.version << 2 | persistent << 1 | u8::from(self.is_current(cx)));
        out.push(data.len() as u8);
        out.extend(data);
    }
}

/// The most able profile first.
fn profile_list(cx: &Context<'_>) -> Vec<u8> {
    let row = |medium| {
        let [high, low] = profile(medium).to_be_bytes();
        [high, low, u8::from(cx.disc().is_some_and(|disc| disc.medium == medium)), 0]
    };
    [MediumType::BdRom, MediumType::DvdRom, MediumType::CdRom].into_iter().flat_map(row).collect()
}

/// Block size; blocks per unit of error correction of the medium; PP: the error recovery mode page is there.
fn random_readable(cx: &Context<'_>) -> Vec<u8> {
    let blocking = cx.disc().map_or(1, |disc| disc.medium.blocks_per_ecc_block());
    let mut data = vec![0, 0, 0x08, 0x00, 0, 0, 0x01, 0];
    data[4..6].copy_from_slice(&blocking.to_be_bytes());
    data
}

/// Scan, SCM, SV; volume levels.
fn external_play(_: &Context<'_>) -> Vec<u8> {
    let [high, low] = VOLUME_LEVELS.to_be_bytes();
    vec![0x07, 0, high, low]
}

/// Version bit maps of class 0 to 3 for BD-RE, BD-R and BD-ROM: of these, the two versions of BD-ROM class 0 that the disc
/// information of layers of 25 GB and of larger ones tells.
fn bd_read(_: &Context<'_>) -> Vec<u8> {
    let mut data = vec![0; 28];
    data[20..22].copy_from_slice(&(1_u16 << 1 | 1 << 3).to_be_bytes());
    data
}

/// The unit serial number, padded with spaces to a multiple of four (MMC-6, Logical Unit Serial Number feature).
fn serial_number(cx: &Context<'_>) -> Vec<u8> {
    let mut data = cx.drive.identity.serial.as_bytes().to_vec();
    data.truncate(20);
    data.resize(data.len().next_multiple_of(4), b' ');
    data
}
