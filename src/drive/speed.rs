//! The speed that the drive says it reads at: SET CD SPEED, SET STREAMING, SET READ AHEAD, GET PERFORMANCE (MMC-6).
//!
//! Speeds are in kilobytes (1,000 bytes) per second. The storage sets the real one; what an initiator chooses is
//! remembered and reported, as a drive that is faster than its specification would. With the behaviour `real-speed` it is the
//! real one.

use super::Context;
use super::commands::{Access, Command};
use super::mechanism::Track;
use super::read::check_range;
use crate::disc::MediumType;
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0xA7,
        service_action: None,
        name: "SET READ AHEAD",
        standard: "MMC-6",
        access: Access::MEDIUM,
        usage: &[0xA7, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
        run: set_read_ahead,
    },
    Command {
        opcode: 0xAC,
        service_action: None,
        name: "GET PERFORMANCE",
        standard: "MMC-6",
        access: Access::MEDIUM,
        usage: &[0xAC, 0x1F, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0xFF, 0],
        run: get_performance,
    },
    Command {
        opcode: 0xB6,
        service_action: None,
        name: "SET STREAMING",
        standard: "MMC-6",
        access: Access::DRIVE,
        usage: &[0xB6, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0],
        run: set_streaming,
    },
    Command {
        opcode: 0xBB,
        service_action: None,
        name: "SET CD SPEED",
        standard: "MMC-6",
        access: Access::DRIVE,
        usage: &[0xBB, 0, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0],
        run: set_cd_speed,
    },
];

/// The read speed that initiators chose. It holds until they choose another, the medium changes, or a reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Speed {
    /// As asked for; `None` is the fastest.
    chosen: Option<u32>,
}

impl Speed {
    /// The fastest speed with a medium of this type: 52 x 176.4, 16 x 1,385, 12 x 4,495.5. Without one, that of a CD.
    pub fn maximum(medium: Option<MediumType>) -> u32 {
        match medium.unwrap_or(MediumType::CdRom) {
            MediumType::CdRom => 9_173,
            MediumType::DvdRom => 22_160,
            MediumType::BdRom => 53_946,
        }
    }

    /// The slowest: CD, DVD and BD 1x.
    fn minimum(medium: Option<MediumType>) -> u32 {
        match medium.unwrap_or(MediumType::CdRom) {
            MediumType::CdRom => 176,
            MediumType::DvdRom => 1_385,
            MediumType::BdRom => 4_495,
        }
    }

    /// The speed at which a medium of this type is read now.
    pub fn current(self, medium: Option<MediumType>) -> u32 {
        let maximum = Self::maximum(medium);
        self.chosen.map_or(maximum, |chosen| chosen.clamp(Self::minimum(medium), maximum))
    }

    /// As an initiator chose it.
    pub fn chosen(self) -> Option<u32> {
        self.chosen
    }

    /// Chooses a speed; `None` is the fastest.
    pub fn choose(&mut self, speed: Option<u32>) {
        self.chosen = speed;
    }
}

/// FFFFh is the fastest. A speed that the drive does not have becomes the nearest that it has. Rotational control
/// means nothing to a drive without a motor, the write speed nothing to one that does not write.
fn set_cd_speed(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let speed = match task.u16(2) {
        0xFFFF => None,
        speed => Some(u32::from(speed)),
    };
    cx.drive.state().speed_mut().choose(speed);
    Ok(())
}

/// A hint, as PRE-FETCH is: after the trigger block the read-ahead block will be read. The host's page cache finds that out by
/// itself, so only the blocks are looked at.
fn set_read_ahead(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let disc = cx.need_disc()?;
    check_range(disc, u64::from(task.u32(2)), 1)?;
    check_range(disc, u64::from(task.u32(6)), 1)?;
    Ok(())
}

/// Length of a performance descriptor.
const DESCRIPTOR: u16 = 28;

/// Type 00h: one performance descriptor. RDD restores the defaults; Exact asks for a speed that the drive must have.
fn set_streaming(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    if task.u8(8) != 0 {
        return Err(Sense::invalid_cdb_byte(8));
    }
    match task.u16(9) {
        0 => return Ok(()),
        DESCRIPTOR => {}
        _ => return Err(Sense::PARAMETER_LIST_LENGTH),
    }
    let mut data = [0; DESCRIPTOR as usize];
    if task.data_out.take(&mut data) < data.len() {
        return Err(Sense::PARAMETER_LIST_LENGTH);
    }
    let field = |at: usize| u32::from_be_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]);
    let (restore, exact) = (data[0] & 0x04 != 0, data[0] & 0x02 != 0);
    if restore {
        cx.drive.state().speed_mut().choose(None);
        return Ok(());
    }
    let (start, end, size, time) = (field(4), field(8), field(12), field(16));
    if start > end {
        return Err(Sense::invalid_parameter_byte(4));
    }
    // Kilobytes per so many milliseconds.
    let speed = (u64::from(size) * 1000).checked_div(u64::from(time)).ok_or(Sense::invalid_parameter_byte(16))?;
    if exact && speed > u64::from(Speed::maximum(cx.disc().map(|disc| disc.medium))) {
        return Err(Sense::invalid_parameter_byte(12));
    }
    cx.drive.state().speed_mut().choose(Some(u32::try_from(speed).unwrap_or(u32::MAX)));
    Ok(())
}

/// Type 00h: how fast the disc reads, one descriptor for all of it or one for each part of its curve, no exceptions. Type 03h, write
/// speeds, goes with the bit WSPD of the Real-Time Streaming feature, which is zero; types 01h, 02h, 04h and 05h tell of unusable
/// areas, defects and caches of recordable discs.
fn get_performance(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let disc = cx.need_disc()?;
    let (data_type, start, most) = (task.u8(1) & 0x1F, task.u32(2), usize::from(task.u16(8)));
    if task.u8(10) != 0x00 {
        return Err(Sense::invalid_cdb_byte(10));
    }
    let (tolerance, write, except) = (data_type >> 3, data_type & 0x04 != 0, data_type & 0x03);
    // 10b is the only tolerance: 10% nominal, 20% where there are exceptions.
    if tolerance != 0b10 {
        return Err(Sense::invalid_cdb_bit(1, 4));
    }
    if write {
        return Err(Sense::invalid_cdb_bit(1, 2));
    }
    if start >= disc.blocks() {
        return Err(Sense::LBA_OUT_OF_RANGE);
    }
    let (flags, lines) = if except & 0b10 != 0 {
        (0x01, Vec::new())
    } else {
        let speed = cx.drive.state().speed();
        let lines = if cx.drive.behaviours.real_speed {
            Track::new(disc, speed).curve(start)
        } else {
            let speed = speed.current(Some(disc.medium));
            vec![[start, speed, disc.blocks() - 1, speed]]
        };
        (0x00, lines)
    };
    let descriptors: Vec<u8> = lines.as_flattened().iter().flat_map(|word| word.to_be_bytes()).collect();
    let length = (descriptors.len() + 4) as u32;
    let mut data = length.to_be_bytes().to_vec();
    data.extend([flags, 0, 0, 0]);
    data.extend(descriptors);
    task.reply(&data, 8 + 16 * most);
    Ok(())
}
