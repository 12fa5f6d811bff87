//! The table of commands, and how a task finds its row.
//!
//! Dispatch, REPORT SUPPORTED OPERATION CODES and `docs/conformance/` all come from the rows. Each topic file lists the
//! commands that it implements; this file only joins the lists.

use std::sync::{Arc, LazyLock};

use super::{
    Context, Drive, audio, basic, disc_info, event, feature, inquiry, key, log, medium, mode, read, read_cd, reserve,
    speed, state, status, structure, subchannel, supported, toc, verify,
};
use crate::scsi::{Sense, Task};

/// One command of the drive.
pub struct Command {
    /// Operation code: CDB byte 0.
    pub opcode: u8,
    /// Service action, where the operation code has several: CDB byte 1, bits 4 to 0.
    pub service_action: Option<u8>,
    /// Name as the standard prints it.
    pub name: &'static str,
    /// Where it is defined.
    pub standard: &'static str,
    /// What must hold before it runs.
    pub access: Access,
    /// CDB usage data (SPC-6, REPORT SUPPORTED OPERATION CODES): as long as the CDB, byte 0 the operation code, then a
    /// one for every bit that the drive evaluates.
    pub usage: &'static [u8],
    /// Carries it out. What it put into the Data-In Buffer is dropped when it fails, except by READ commands, which
    /// return the blocks before the one at fault.
    pub(super) run: fn(&Context<'_>, &mut Task<'_>) -> Result<(), Sense>,
}

/// What must hold before a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// A pending unit attention is reported instead of running the command.
    pub attention: bool,
    /// Whether it needs a medium.
    pub medium: MediumNeed,
    /// Another nexus' reservation is a conflict (SPC-2, 5.5.1, table of allowed commands).
    pub reservation: bool,
    /// It moves the head, which ends an audio play.
    pub ends_play: bool,
}

/// Whether a command needs a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediumNeed {
    /// Without one it ends with 02/3A/01 or 02/3A/02 by the position of the tray.
    Needed,
    /// It runs either way.
    Either,
}

impl Access {
    /// Runs always: what identifies the drive or reports its state.
    pub const ALWAYS: Self =
        Self { attention: false, medium: MediumNeed::Either, reservation: false, ends_play: false };
    /// Runs without a medium, after unit attentions.
    pub const DRIVE: Self = Self { attention: true, reservation: true, ..Self::ALWAYS };
    /// Runs only with a medium.
    pub const MEDIUM: Self = Self { medium: MediumNeed::Needed, ..Self::DRIVE };
    /// Moves the head over a medium.
    pub const HEAD: Self = Self { ends_play: true, ..Self::MEDIUM };
}

/// Why a command did not end with GOOD.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Check(Sense),
    Conflict,
}

impl From<Sense> for Refusal {
    fn from(sense: Sense) -> Self {
        Self::Check(sense)
    }
}

/// NACA in the CONTROL byte, the last of every CDB.
pub(super) const NACA: u8 = 0x04;

/// All commands, in the order of operation code and service action.
pub static COMMANDS: LazyLock<Vec<&'static Command>> = LazyLock::new(|| {
    let topics: &[&'static [Command]] = &[
        audio::COMMANDS,
        basic::COMMANDS,
        disc_info::COMMANDS,
        event::COMMANDS,
        feature::COMMANDS,
        inquiry::COMMANDS,
        key::COMMANDS,
        log::COMMANDS,
        medium::COMMANDS,
        mode::COMMANDS,
        read::COMMANDS,
        read_cd::COMMANDS,
        reserve::COMMANDS,
        speed::COMMANDS,
        status::COMMANDS,
        structure::COMMANDS,
        subchannel::COMMANDS,
        supported::COMMANDS,
        toc::COMMANDS,
        verify::COMMANDS,
    ];
    let mut all: Vec<_> = topics.iter().flat_map(|topic| topic.iter()).collect();
    all.sort_by_key(|command| (command.opcode, command.service_action));
    all
});

/// First row and number of rows of each operation code.
static INDEX: LazyLock<[(u16, u16); 256]> = LazyLock::new(|| {
    let mut index = [(0, 0); 256];
    for (at, command) in (0..).zip(COMMANDS.iter()) {
        let slot: &mut (u16, u16) = &mut index[usize::from(command.opcode)];
        if slot.1 == 0 {
            slot.0 = at;
        }
        slot.1 += 1;
    }
    index
});

/// The rows of `opcode`: none when the drive does not have it.
pub(super) fn rows(opcode: u8) -> &'static [&'static Command] {
    let (first, count) = INDEX[usize::from(opcode)];
    &COMMANDS[usize::from(first)..][..usize::from(count)]
}

/// Finds the row, checks what must hold, runs it.
pub(super) fn dispatch(drive: &Drive, task: &mut Task<'_>) -> Result<(), Refusal> {
    let rows = rows(task.u8(0));
    if rows.is_empty() {
        return Err(Sense::INVALID_OPCODE.into());
    }
    let action = task.u8(1) & 0x1F;
    let command = rows
        .iter()
        .find(|command| command.service_action.is_none_or(|wanted| wanted == action))
        .ok_or_else(|| Sense::invalid_cdb_bit(1, 4))?;
    // No ACA condition is ever established, so nobody may ask for one (SAM-5, 5.2).
    let control = command.usage.len().saturating_sub(1);
    if task.u8(control) & NACA != 0 {
        return Err(Sense::invalid_cdb_bit(control as u16, 2).into());
    }
    let context = admit(drive, command, task)?;
    (command.run)(&context, task)?;
    Ok(())
}

/// One short critical section: reservation, attention, and the medium as it is now. RESERVATION CONFLICT takes
/// precedence over other statuses (SAM-5, 5.3.3).
fn admit<'a>(drive: &'a Drive, command: &Command, task: &Task<'_>) -> Result<Context<'a>, Refusal> {
    let access = command.access;
    let mut state = drive.state();
    if state.reserved_from(task.nexus) && reserve::conflicts(command, task) {
        return Err(Refusal::Conflict);
    }
    if access.attention
        && let Some(sense) = state.attention(task.nexus, true)
    {
        return Err(sense.into());
    }
    let tray = state.tray();
    let medium = state.loaded().map(Arc::clone);
    if access.medium == MediumNeed::Needed && medium.is_none() {
        return Err(state::not_present(tray).into());
    }
    if reserve::takes(command, task) {
        state.reserve(task.nexus);
    }
    if access.ends_play && state.playback().is_under_way() {
        drop(state);
        drive.end_play();
    }
    Ok(Context { drive, tray, medium })
}
