//! GET EVENT STATUS NOTIFICATION (MMC-6, 6.7).

use super::commands::{Access, Command};
use super::{Context, Tray};
use crate::scsi::{Sense, Task};

/// This topic's rows.
pub(super) static COMMANDS: &[Command] = &[Command {
    opcode: 0x4A,
    service_action: None,
    name: "GET EVENT STATUS NOTIFICATION",
    standard: "MMC-6",
    access: Access::ALWAYS,
    usage: &[0x4A, 0x01, 0, 0, 0xFF, 0, 0, 0xFF, 0xFF, 0],
    run: get_event_status_notification,
}];

/// Notification classes, by bit number of the request.
const OPERATIONAL_CHANGE: u8 = 1;
const POWER_MANAGEMENT: u8 = 2;
const EXTERNAL_REQUEST: u8 = 3;
const MEDIA: u8 = 4;
const MULTI_HOST: u8 = 5;
const DEVICE_BUSY: u8 = 6;
const SUPPORTED: u8 = 1 << OPERATIONAL_CHANGE
    | 1 << POWER_MANAGEMENT
    | 1 << EXTERNAL_REQUEST
    | 1 << MEDIA
    | 1 << MULTI_HOST
    | 1 << DEVICE_BUSY;

/// Polled mode only: the drive has no asynchronous notification. Answers with the lowest requested class that has an
/// event, else with the lowest requested one, else with the header alone (NEA).
fn get_event_status_notification(cx: &Context<'_>, task: &mut Task<'_>) -> Result<(), Sense> {
    if task.u8(1) & 0x01 == 0 {
        return Err(Sense::invalid_cdb_bit(1, 0));
    }
    let wanted = task.u8(4) & SUPPORTED;
    let allocation = usize::from(task.u16(7));
    if wanted == 0 {
        // The length counts what follows the length field: two bytes.
        task.reply(&[0x00, 0x02, 0x80, SUPPORTED], allocation);
        return Ok(());
    }
    let asked = |class: u8| wanted & 1 << class != 0;
    // An event is consumed only if the answer reaches its bytes.
    let consume = allocation > 4;
    let mut state = cx.drive.state();
    let feature_change = consume && asked(OPERATIONAL_CHANGE) && state.take_feature_change(task.nexus);
    let media = if consume && !feature_change && asked(MEDIA) { state.take_media_event(task.nexus) } else { None };
    let persistent = u8::from(state.is_locked_persistently()) << 7;
    // As they are with the event taken, not as they were on admission: a change may lie between.
    let status = u8::from(state.loaded().is_some()) << 1 | u8::from(state.tray() == Tray::Open);
    drop(state);
    let class = match media {
        Some(_) => MEDIA,
        None if feature_change => OPERATIONAL_CHANGE,
        None => wanted.trailing_zeros() as u8,
    };
    let event = match class {
        // Event 2h, change 0001h: features changed, read GET CONFIGURATION again. Persistent Prevented; available.
        OPERATIONAL_CHANGE => [u8::from(feature_change) << 1, persistent, 0, u8::from(feature_change)],
        MEDIA => [media.map_or(0, |event| event as u8), status, 0, 0],
        // NoChg; power status 1: active.
        POWER_MANAGEMENT => [0, 1, 0, 0],
        // NoChg; ready.
        EXTERNAL_REQUEST | MULTI_HOST => [0, persistent, 0, 0],
        // NoChg; not busy.
        _ => [0, 0, 0, 0],
    };
    let mut data = [0x00, 0x06, class, SUPPORTED, 0, 0, 0, 0];
    data[4..].copy_from_slice(&event);
    task.reply(&data, allocation);
    Ok(())
}
