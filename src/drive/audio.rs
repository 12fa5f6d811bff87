//! Playing sound: PLAY AUDIO (10), (12), MSF and TRACK INDEX, PAUSE/RESUME, STOP PLAY/SCAN, SCAN (MMC-5, CD Audio External Play
//! feature; TRACK INDEX of SCSI-2).
//!
//! A play goes on after its command has ended, in real time, until it has reached its end or a command ends it. See
//! [`playback`](super::playback) for how, and [`player`](super::player) for who hears it.

use std::ptr;
use std::sync::Arc;

use super::commands::{Access, Command};
use super::playback::{Motion, Span};
use super::read::time;
use super::state::State;
use super::subchannel::need_cd;
use super::{Context, Drive, state};
use crate::disc::{Disc, Lba, Track, TrackMode};
use crate::scsi::{Nexus, Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[
    Command {
        opcode: 0x45,
        service_action: None,
        name: "PLAY AUDIO (10)",
        standard: "MMC-5",
        access: Access::MEDIUM,
        usage: &[0x45, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0],
        run: |cx, task| play_blocks(cx, task, u32::from(task.u16(7))),
    },
    Command {
        opcode: 0xA5,
        service_action: None,
        name: "PLAY AUDIO (12)",
        standard: "MMC-5",
        access: Access::MEDIUM,
        usage: &[0xA5, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
        run: |cx, task| play_blocks(cx, task, task.u32(6)),
    },
    Command {
        opcode: 0x47,
        service_action: None,
        name: "PLAY AUDIO MSF",
        standard: "MMC-5",
        access: Access::MEDIUM,
        usage: &[0x47, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0],
        run: play_msf,
    },
    Command {
        opcode: 0x48,
        service_action: None,
        name: "PLAY AUDIO TRACK INDEX",
        standard: "SCSI-2",
        access: Access::MEDIUM,
        usage: &[0x48, 0, 0, 0, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0],
        run: play_track_index,
    },
    Command {
        opcode: 0x4B,
        service_action: None,
        name: "PAUSE/RESUME",
        standard: "MMC-5",
        access: Access::MEDIUM,
        usage: &[0x4B, 0, 0, 0, 0, 0, 0, 0, 0x01, 0],
        run: pause_resume,
    },
    Command {
        opcode: 0x4E,
        service_action: None,
        name: "STOP PLAY/SCAN",
        standard: "MMC-5",
        access: Access::MEDIUM,
        usage: &[0x4E, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        run: stop_play_scan,
    },
    Command {
        opcode: 0xBA,
        service_action: None,
        name: "SCAN",
        standard: "MMC-5",
        access: Access::MEDIUM,
        usage: &[0xBA, 0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0xC0, 0, 0],
        run: scan,
    },
];

/// In place of an address: where the head is.
const HERE: u32 = 0xFFFF_FFFF;
const HERE_MSF: [u8; 3] = [0xFF; 3];

/// No blocks are no error, and no play.
fn play_blocks(cx: &Context<'_>, task: &mut Task<'_>, blocks: u32) -> Result<(), Sense> {
    let start = match task.u32(2) {
        HERE => None,
        lba => Some(Lba(lba.cast_signed())),
    };
    play(cx, task.nexus, start, |start| Ok(start.plus(blocks)))
}

/// Times that are equal are no error, and no play.
fn play_msf(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let start = match [3, 4, 5].map(|at| task.u8(at)) {
        HERE_MSF => None,
        _ => Some(time(task, 3)?),
    };
    let end = time(task, 6)?;
    play(cx, task.nexus, start, |start| if start > end { Err(Sense::invalid_cdb_byte(6)) } else { Ok(end) })
}

/// From the start of one index to the end of another. Programs for Linux and DOS leave indices at zero for whole tracks; an
/// index that the last track does not have is its last one, a track that the disc does not have is its last one (SCSI-2, 14.2.8).
fn play_track_index(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let disc = need_cd(cx)?;
    let (first, first_index, last, last_index) = (task.u8(4), task.u8(5), task.u8(7), task.u8(8));
    let track = disc.track(first).ok_or_else(|| Sense::invalid_cdb_byte(4))?;
    let start = index(track, first_index.max(1)).ok_or_else(|| Sense::invalid_cdb_byte(5))?;
    if (last, if last_index == 0 { 99 } else { last_index }) < (first, first_index) {
        return Err(Sense::invalid_cdb_byte(7));
    }
    let end = match disc.track(last) {
        Some(track) if last_index > 0 => index(track, last_index.saturating_add(1)).unwrap_or(track.end),
        Some(track) => track.end,
        None => disc.lead_out(),
    };
    play(cx, task.nexus, Some(start), |_| Ok(end))
}

/// Where an index of a track starts, from 1.
fn index(track: &Track, number: u8) -> Option<Lba> {
    match number.checked_sub(2) {
        None => Some(track.start),
        Some(at) => track.indices.get(usize::from(at)).copied(),
    }
}

/// Plays from `start`, else from where the head is, up to the address that `end` gives.
///
/// # Errors
/// 05/21/00 where there is no track; 05/64/00 where it is one of data.
fn play(
    cx: &Context<'_>,
    by: Nexus,
    start: Option<Lba>,
    end: impl FnOnce(Lba) -> Result<Lba, Sense>,
) -> Result<(), Sense> {
    let disc = need_cd(cx)?;
    sounding(cx, |drive, state, medium| {
        let start = start.unwrap_or_else(|| drive.head());
        let end = end(start)?;
        let span = span(disc, start, end, state.stops_on_track_crossing())?;
        if start < end {
            state.playback_mut().start(medium, by, Motion::Play, start, span, drive.clock.now());
        }
        Ok(())
    })
}

/// MMC-5, PAUSE/RESUME.
fn pause_resume(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    need_cd(cx)?;
    let resume = task.u8(8) & 0x01 != 0;
    sounding(cx, |drive, state, _| {
        let playback = state.playback_mut();
        if resume { playback.resume(drive.clock.now()) } else { playback.pause() }
    })
}

/// MMC-5, STOP PLAY/SCAN: a scan goes over into a play, anything else ends. It is no error when nothing plays.
fn stop_play_scan(cx: &Context<'_>, _: &mut Task<'_>) -> Result<(), Sense> {
    need_cd(cx)?;
    sounding(cx, |drive, state, _| {
        let playback = state.playback_mut();
        if playback.is_scanning() {
            return playback.resume(drive.clock.now());
        }
        playback.stop();
        Ok(())
    })
}

/// MMC-5, SCAN: by block, time or track. What plays goes on to its own end afterwards; else the sound around the start is
/// scanned.
fn scan(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    let disc = need_cd(cx)?;
    let start = match task.u8(9) >> 6 {
        0b00 if task.u32(2) == HERE => None,
        0b00 => Some(Lba(task.u32(2).cast_signed())),
        0b01 => Some(time(task, 3)?),
        0b10 => Some(disc.track(task.u8(5)).ok_or_else(|| Sense::invalid_cdb_byte(5))?.start),
        _ => return Err(Sense::invalid_cdb_bit(9, 7)),
    };
    let motion = if task.u8(1) & 0x10 == 0 { Motion::Forward } else { Motion::Reverse };
    sounding(cx, |drive, state, medium| {
        let start = start.unwrap_or_else(|| drive.head());
        let around = span(disc, start, disc.lead_out(), false)?;
        let playing = state.playback().span().filter(|playing| start < playing.end);
        let span = playing.map_or(around, |playing| Span { first: around.first, ..playing });
        state.playback_mut().start(medium, task.nexus, motion, start, span, drive.clock.now());
        Ok(())
    })
}

/// The sound around `start`, up to `end`, or to where there is no more before that. To a lead-out is as far as any play can
/// go, and what follows sound before its index 1 is a gap: software that takes the start of the next track for the end of one
/// has then heard all.
fn span(disc: &Disc, start: Lba, end: Lba, stop_on_track_crossing: bool) -> Result<Span, Sense> {
    let track = disc.track_at(start).ok_or(Sense::LBA_OUT_OF_RANGE)?;
    if track.mode != TrackMode::Audio {
        return Err(Sense::ILLEGAL_MODE_FOR_TRACK);
    }
    let sound = |at: Lba| disc.track_at(at).filter(|track| track.mode == TrackMode::Audio);
    let mut first = track.first();
    while let Some(before) = sound(first.minus(1)) {
        first = before.first();
    }
    let mut reached = track.end;
    while reached < end
        && !stop_on_track_crossing
        && let Some(next) = sound(reached)
    {
        reached = next.end;
    }
    let completes = stop_on_track_crossing || disc.track_at(reached).is_none_or(|next| end <= next.start.max(reached));
    Ok(Span { first, end: reached.min(end).max(start), completes })
}

/// Changes what plays, with the head where it is by now, and while the command's disc is the one in the drive.
fn sounding(
    cx: &Context<'_>,
    change: impl FnOnce(&Drive, &mut State, &Arc<super::Medium>) -> Result<(), Sense>,
) -> Result<(), Sense> {
    let drive = cx.drive;
    let mut state = drive.state_by_now();
    let medium = match (&cx.medium, state.loaded()) {
        (Some(medium), Some(loaded)) if ptr::eq(Arc::as_ptr(medium), Arc::as_ptr(loaded)) => medium,
        _ => return Err(state::not_present(state.tray())),
    };
    let result = change(drive, &mut state, medium);
    drop(state);
    drive.wake_player();
    result
}
