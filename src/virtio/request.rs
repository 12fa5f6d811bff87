//! The request queues: one chain is one SCSI command (virtio 1.2, 5.6.6.1).

use zerocopy::{FromZeros, IntoBytes};

use super::chain::{Chain, Fault};
use super::wire::{Address, CommandRequest, CommandResponse, address, response};
use crate::scsi::{DataIn, DataOut, Delay, GivesWay, Lun, Nexus, Status, Target, Task, Wake};
use crate::source::Scatter;

const REQUEST: usize = size_of::<CommandRequest>();
const RESPONSE: usize = size_of::<CommandResponse>();

/// What became of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Bytes written to the chain: what the used ring reports.
    pub written: u32,
    /// Why it was no request, if so.
    pub fault: Option<RequestFault>,
    /// The unit with a change that must be kept before the chain is returned.
    pub unkept: Option<Lun>,
    /// The command has given way: the chain must stay where it is, and is carried out again from its start or never.
    pub given_up: bool,
}

impl Outcome {
    /// A chain that was answered, and nothing more.
    #[must_use]
    pub fn of(written: u32) -> Self {
        Self { written, fault: None, unkept: None, given_up: false }
    }

    /// A chain that was no request.
    #[must_use]
    pub fn no_request(written: u32, fault: RequestFault) -> Self {
        Self { fault: Some(fault), ..Self::of(written) }
    }
}

/// Why a chain is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFault {
    /// The chain itself breaks the rules.
    Chain(Fault),
    /// The device-readable part is shorter than a request.
    ShortRequest,
    /// The device-writable part is shorter than a response.
    ShortResponse,
    /// A control request of no known type.
    UnknownType(u32),
}

/// Carries out the command in `chain` and writes its response. Never fails: what is no request is answered with
/// `VIRTIO_SCSI_S_FAILURE`, if there is room for an answer at all. A command that takes long gives way when it is `asked` to.
pub fn execute(target: &Target, nexus: Nexus, chain: &Chain<'_>, asked: &dyn Fn() -> bool) -> Outcome {
    let readable = Scatter::new(&chain.readable);
    let writable = Scatter::new(&chain.writable);
    if writable.len() < RESPONSE {
        return Outcome::no_request(0, chain.fault.map_or(RequestFault::ShortResponse, RequestFault::Chain));
    }
    let mut request = CommandRequest::new_zeroed();
    let complete = readable.copy_to(request.as_mut_bytes()) == REQUEST;
    let fault = chain.fault.map(RequestFault::Chain).or((!complete).then_some(RequestFault::ShortRequest));
    if let Some(fault) = fault {
        return Outcome::no_request(fail(writable, response::FAILURE), fault);
    }
    let lun = match address(request.lun) {
        Address::Unit(lun) => lun,
        Address::OtherTarget => return Outcome::of(fail(writable, response::BAD_TARGET)),
        Address::Malformed => return Outcome::of(fail(writable, response::INCORRECT_LUN)),
    };
    let data_in = writable.slice(RESPONSE, usize::MAX);
    let data_out = readable.slice(REQUEST, usize::MAX);
    // In its place: it has some hundred bytes, and would be copied.
    let mut task = Task {
        nexus,
        luns: target.luns(),
        cdb: request.cdb,
        data_in: DataIn::new(data_in),
        data_out: DataOut::new(data_out),
        unkept: false,
        given_up: false,
        gives_way: GivesWay(Some(asked)),
    };
    let status = target.execute(lun, &mut task);
    if task.given_up {
        return Outcome { given_up: true, ..Outcome::of(0) };
    }
    let written = respond(writable, &task, status);
    Outcome { unkept: task.unkept.then_some(lun), ..Outcome::of(written) }
}

/// What the command in `chain` waits for before [`execute`] may have it; nothing for what is no command of a unit.
pub fn delay(target: &Target, nexus: Nexus, chain: &Chain<'_>, wake: &Wake) -> Option<Delay> {
    let (lun, task) = preview(target, nexus, chain)?;
    target.delay(lun, &task, wake)
}

/// Has the unit fetch what the command in `chain` will read; nothing for what is no command of a unit.
pub fn read_ahead(target: &Target, nexus: Nexus, chain: &Chain<'_>) {
    if let Some((lun, task)) = preview(target, nexus, chain) {
        target.read_ahead(lun, &task);
    }
}

/// The command in `chain`, with its buffers empty.
fn preview<'c>(target: &'c Target, nexus: Nexus, chain: &Chain<'_>) -> Option<(Lun, Task<'c>)> {
    let mut request = CommandRequest::new_zeroed();
    if chain.fault.is_some() || Scatter::new(&chain.readable).copy_to(request.as_mut_bytes()) < REQUEST {
        return None;
    }
    let Address::Unit(lun) = address(request.lun) else { return None };
    let (data_in, data_out) = (DataIn::new(Scatter::new(&[])), DataOut::new(Scatter::new(&[])));
    Some((lun, Task::new(nexus, target.luns(), request.cdb, data_in, data_out)))
}

/// Writes the response head; returns the bytes written to the chain, data included.
fn respond(writable: Scatter<'_>, task: &Task<'_>, status: Status) -> u32 {
    let mut head = CommandResponse::new_zeroed();
    head.status = match status {
        Status::Good => 0x00,
        Status::CheckCondition(sense, format) => {
            let (bytes, len) = sense.encode(format);
            head.sense[..len].copy_from_slice(&bytes[..len]);
            head.sense_len = (len as u32).into();
            0x02
        }
        Status::ReservationConflict => 0x18,
    };
    // 5.6.6.1.1: OVERRUN when the command has more to move than the buffers hold.
    if task.data_in.overrun() || task.data_out.overrun() {
        head.response = response::OVERRUN;
    }
    let residual = task.data_in.left().saturating_add(task.data_out.left());
    head.residual = u32::try_from(residual).unwrap_or(u32::MAX).into();
    writable.copy_from(head.as_bytes());
    (RESPONSE + task.data_in.filled()) as u32
}

/// Answers the command in `chain`, if there is room for an answer, without carrying it out.
#[must_use]
pub fn refuse(chain: &Chain<'_>, response: u8) -> Outcome {
    let writable = Scatter::new(&chain.writable);
    Outcome::of(if writable.len() < RESPONSE { 0 } else { fail(writable, response) })
}

/// Writes a response that says only why there is none.
fn fail(writable: Scatter<'_>, response: u8) -> u32 {
    let mut head = CommandResponse::new_zeroed();
    head.response = response;
    let residual = writable.len().saturating_sub(RESPONSE);
    head.residual = u32::try_from(residual).unwrap_or(u32::MAX).into();
    writable.copy_from(head.as_bytes()) as u32
}
