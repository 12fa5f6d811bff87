//! READ CD and READ CD MSF (MMC-6): sectors of a CD whole or in parts, with error flags and sub-channels.

mod selection;

use self::selection::C2;
pub(super) use self::selection::{Selection, Sub};
use super::Context;
use super::commands::{Access, Command};
use super::fetch::{Part, SLICE, Unread, Wanted};
use super::read::{sector_sense, time};
use super::subchannel::need_cd;
use crate::disc::sector::RAW;
use crate::disc::subchannel::interleaved;
use crate::disc::{Disc, Lba, Lost, SectorError};
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0xBE,
        service_action: None,
        name: "READ CD",
        standard: "MMC-6",
        access: Access::HEAD,
        usage: &[0xBE, 0x1C, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0x07, 0],
        run: |cx, task| read_cd(cx, task, Lba(task.u32(2).cast_signed()), task.u24(6)),
    },
    Command {
        opcode: 0xB9,
        service_action: None,
        name: "READ CD MSF",
        standard: "MMC-6",
        access: Access::HEAD,
        usage: &[0xB9, 0x1C, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0x07, 0],
        run: |cx, task| {
            let (start, end) = (time(task, 3)?, time(task, 6)?);
            if start > end {
                return Err(Sense::invalid_cdb_byte(3));
            }
            read_cd(cx, task, start, end.since(start))
        },
    },
];

/// Returns sectors up to the first that cannot be, which the sense names. Sound and data are not returned by one command:
/// it ends where one follows the other. DAP, the control of error concealment, has nothing to change.
fn read_cd(cx: &Context<'_>, task: &mut Task<'_>, start: Lba, blocks: u32) -> Result<(), Sense> {
    let disc = need_cd(cx)?;
    let selection = Selection::of(task)?;
    let end = start.plus(blocks);
    if end > disc.lead_out() || disc.tracks().next().is_none_or(|track| start < track.first()) {
        return Err(Sense::LBA_OUT_OF_RANGE);
    }
    let is_data = disc.track_at(start).map(|track| track.mode.is_data());
    let mut at = if selection.is_nothing() { end } else { start };
    while at < end && !task.data_in.overrun() {
        let blocks = end.since(at).min(SLICE);
        let unread = cx.fetched(Wanted { part: Part::Sectors(selection.sub), start: at, blocks })?;
        at = slice(cx, task, disc, &selection, is_data, (at, at.plus(blocks)), unread.as_ref())?;
        if at < end {
            task.give_way()?;
        }
    }
    cx.drive.move_head(at);
    Ok(())
}

/// Returns sectors of one kind from an address up to another, or to the end of the buffer; the address after what was returned.
fn slice(
    cx: &Context<'_>,
    task: &mut Task<'_>,
    disc: &Disc,
    selection: &Selection,
    is_data: Option<bool>,
    (mut at, end): (Lba, Lba),
    unread: Option<&Unread>,
) -> Result<Lba, Sense> {
    let readable = unread.map_or(end, |unread| unread.at);
    let lost = cx.lost(disc, at, readable.since(at))?;
    let upto = lost.map_or(readable, |lost| lost.lba);
    // The end of a run that could not be read whole: up to there sectors are given one by one.
    let mut singly = at;
    while at < end && !task.data_in.overrun() {
        let track = disc.track_at(at);
        let result = match (track, lost, unread) {
            (Some(track), ..) if is_data != Some(track.mode.is_data()) => Err(illegal_mode(cx, at)),
            (_, Some(lost), _) if lost.lba == at => give_lost(cx, task, disc, selection, lost),
            (.., Some(unread)) if unread.at == at => Err(sector_sense(cx, &unread.error())),
            _ if at < singly => one(cx, task, disc, selection, at, &CORRECT).map(|()| at.plus(1)),
            _ => transfer(cx, task, disc, selection, (at, upto), &mut singly),
        };
        match result {
            Ok(next) => at = next,
            Err(sense) => {
                cx.drive.move_head(at);
                return Err(sense);
            }
        }
    }
    Ok(at)
}

/// Fails for a sector that was lost, and gives it before that if the initiator wants it. C2 could correct none of it.
fn give_lost(
    cx: &Context<'_>,
    task: &mut Task<'_>,
    disc: &Disc,
    selection: &Selection,
    lost: Lost,
) -> Result<Lba, Sense> {
    if cx.transfers_lost_blocks() {
        one(cx, task, disc, selection, lost.lba, &UNCORRECTED)?;
    }
    Err(sector_sense(cx, &lost.error()))
}

/// Error flags: the block error byte, its pad, and a C2 pointer for each byte of the sector.
type Flags = [u8; 2 + C2];
/// What a sector has that was read: no error that C2 did not correct.
const CORRECT: Flags = [0; 2 + C2];
/// What one has of which every byte is in doubt.
const UNCORRECTED: Flags = {
    let mut flags = [0xFF; 2 + C2];
    flags[1] = 0;
    flags
};

fn illegal_mode(cx: &Context<'_>, at: Lba) -> Sense {
    sector_sense(cx, &SectorError::WrongMode(at))
}

/// Returns at least one of the sectors from `at` up to `end`, the address after what was returned. A run that cannot be read is not tried
/// again from its next sector on: `singly` becomes its end.
fn transfer(
    cx: &Context<'_>,
    task: &mut Task<'_>,
    disc: &Disc,
    selection: &Selection,
    (at, end): (Lba, Lba),
    singly: &mut Lba,
) -> Result<Lba, Sense> {
    // Straight from the file where it has what is asked for as it is asked for.
    let room = u32::try_from(task.data_in.left() / RAW).unwrap_or(u32::MAX);
    if let Some((mode, run)) = disc.whole_sectors(at)
        && selection.is_all_of(mode)
    {
        let count = run.min(end.since(at)).min(room);
        let bytes = count as usize * RAW;
        if count > 0 && disc.read_whole_sectors(at, task.data_in.window(bytes)).is_ok() {
            task.data_in.advance(bytes);
            return Ok(at.plus(count));
        }
        *singly = at.plus(count);
    }
    one(cx, task, disc, selection, at, &CORRECT).map(|()| at.plus(1))
}

fn one(
    cx: &Context<'_>,
    task: &mut Task<'_>,
    disc: &Disc,
    selection: &Selection,
    at: Lba,
    flags: &Flags,
) -> Result<(), Sense> {
    let failed = |error: SectorError| sector_sense(cx, &error);
    let mut raw = [0; RAW];
    let form = disc.read_sector(at, &mut raw).map_err(failed)?;
    if !selection.accepts(form) {
        return Err(illegal_mode(cx, at));
    }
    let main = selection.main_channel(form)?;
    let sub = match selection.sub {
        Sub::None => None,
        Sub::Raw | Sub::Q => Some(disc.read_subchannel(at).map_err(failed)?),
        Sub::Packs => Some(disc.read_packs(at).map_err(failed)?),
    };
    task.data_in.put(&raw[main]);
    task.data_in.put(&flags[flags.len() - selection.errors..]);
    match (selection.sub, sub) {
        (Sub::Raw, Some(linear)) => task.data_in.put(&interleaved(&linear)),
        (Sub::Q, Some(linear)) => task.data_in.put(&formatted_q(&linear)),
        (_, Some(packs)) => task.data_in.put(&packs),
        (_, None) => {}
    }
    Ok(())
}

/// Q with its CRC, three zeros, and P in the most significant bit of the last byte.
fn formatted_q(linear: &[u8; 96]) -> [u8; 16] {
    let mut data = [0; 16];
    data[..12].copy_from_slice(&linear[12..24]);
    data[15] = linear[0] & 0x80;
    data
}
