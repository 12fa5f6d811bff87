//! The control queue: task management and asynchronous notification (virtio 1.2, 5.6.6.2).
//!
//! Every request is answered: Linux waits for the answer without a time limit.
//!
//! A driver that is told that a command was ended uses its memory for something else. So whoever calls this has seen to it
//! that no such command is in a ring any more (`vhost_user::ending`): those that ran have come to their end (SAM-6, 7.2: a task that
//! completed is not aborted), those that waited have been returned with [`response::ABORTED`] or [`response::RESET`].

use zerocopy::{FromZeros, IntoBytes};

use super::chain::Chain;
use super::request::{Outcome, RequestFault};
use super::wire::{Address, NotificationRequest, TaskManagementRequest, address, control_type, response, tmf};
use crate::scsi::{Lun, Nexus, Reset, Target};
use crate::source::Scatter;

/// Carries out the control request in `chain` and writes its response. `left`: commands that it ends, or asks for, are in a ring.
pub fn execute(target: &Target, nexus: Nexus, chain: &Chain<'_>, left: bool) -> Outcome {
    let readable = Scatter::new(&chain.readable);
    let writable = Scatter::new(&chain.writable);
    let mut kind = [0; 4];
    let short = readable.copy_to(&mut kind) < kind.len();
    let kind = u32::from_le_bytes(kind);
    let refuse = |fault| Outcome::no_request(fail(kind, writable), fault);
    if let Some(fault) = chain.fault {
        return refuse(RequestFault::Chain(fault));
    }
    if short {
        return refuse(RequestFault::ShortRequest);
    }
    match kind {
        control_type::TMF => {
            let mut request = TaskManagementRequest::new_zeroed();
            if readable.copy_to(request.as_mut_bytes()) < size_of::<TaskManagementRequest>() {
                return refuse(RequestFault::ShortRequest);
            }
            if writable.is_empty() {
                return refuse(RequestFault::ShortResponse);
            }
            let code = match request.function.get() {
                tmf::QUERY_TASK | tmf::QUERY_TASK_SET if left => response::FUNCTION_SUCCEEDED,
                _ if left => response::FUNCTION_REJECTED,
                _ => manage(target, nexus, &request),
            };
            Outcome::of(answer(writable, &[code]))
        }
        control_type::AN_QUERY | control_type::AN_SUBSCRIBE => {
            let mut request = NotificationRequest::new_zeroed();
            if readable.copy_to(request.as_mut_bytes()) < size_of::<NotificationRequest>() {
                return refuse(RequestFault::ShortRequest);
            }
            if writable.len() < 5 {
                return refuse(RequestFault::ShortResponse);
            }
            let code = match address(request.lun) {
                Address::Unit(lun) if exists(target, lun) => response::OK,
                Address::OtherTarget => response::BAD_TARGET,
                _ => response::INCORRECT_LUN,
            };
            // event_actual: none is sent this way, a guest polls GET EVENT STATUS NOTIFICATION instead.
            Outcome::of(answer(writable, &[0, 0, 0, 0, code]))
        }
        other => refuse(RequestFault::UnknownType(other)),
    }
}

fn exists(target: &Target, lun: Lun) -> bool {
    target.luns().contains(&lun)
}

/// One task management function; returns its response code.
fn manage(target: &Target, nexus: Nexus, request: &TaskManagementRequest) -> u8 {
    let lun = match address(request.lun) {
        Address::Unit(lun) if exists(target, lun) => lun,
        Address::OtherTarget => return response::BAD_TARGET,
        _ => return response::INCORRECT_LUN,
    };
    match request.function.get() {
        // Nothing is ever queued behind the rings, where nothing is left to abort, clear or find.
        tmf::ABORT_TASK
        | tmf::ABORT_TASK_SET
        | tmf::CLEAR_TASK_SET
        | tmf::CLEAR_ACA
        | tmf::QUERY_TASK
        | tmf::QUERY_TASK_SET => response::FUNCTION_COMPLETE,
        tmf::LOGICAL_UNIT_RESET => {
            target.reset_unit(lun, Reset::LogicalUnit);
            response::FUNCTION_COMPLETE
        }
        tmf::I_T_NEXUS_RESET => {
            target.reset_all(Reset::NexusLoss(nexus));
            response::FUNCTION_COMPLETE
        }
        _ => response::FUNCTION_REJECTED,
    }
}

/// Writes FAILURE where the response of this type of request stands: behind `event_actual` in a notification's.
fn fail(kind: u32, writable: Scatter<'_>) -> u32 {
    match kind {
        control_type::AN_QUERY | control_type::AN_SUBSCRIBE => answer(writable, &[0, 0, 0, 0, response::FAILURE]),
        _ => answer(writable, &[response::FAILURE]),
    }
}

fn answer(writable: Scatter<'_>, bytes: &[u8]) -> u32 {
    writable.copy_from(bytes) as u32
}
