//! Which commands a task management function ends, or asks for (SAM-6, 7; virtio 1.2, 5.6.6.1.1 and 5.6.6.2).

use zerocopy::{FromZeros, IntoBytes};

use super::chain::{Chain, Fault};
use super::wire::{Address, CommandRequest, TaskManagementRequest, address, control_type, response, tmf};
use crate::scsi::{Lun, Target};
use crate::source::Scatter;

/// The commands of one unit, or one of them, or all; and what they are answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    lun: Option<Lun>,
    tag: Option<u64>,
    /// None when they go on.
    response: Option<u8>,
}

impl Ends {
    /// What the control request in `chain` is about; None when it does not matter what the rings hold.
    #[must_use]
    pub fn of(target: &Target, chain: &Chain<'_>) -> Option<Self> {
        let mut request = TaskManagementRequest::new_zeroed();
        let complete = Scatter::new(&chain.readable).copy_to(request.as_mut_bytes()) == size_of_val(&request);
        if chain.fault.is_some() || !complete || request.kind.get() != control_type::TMF {
            return None;
        }
        let Address::Unit(lun) = address(request.lun) else { return None };
        if !target.luns().contains(&lun) {
            return None;
        }
        let (lun, tag, response) = match request.function.get() {
            tmf::ABORT_TASK => (Some(lun), Some(request.tag.get()), Some(response::ABORTED)),
            tmf::ABORT_TASK_SET | tmf::CLEAR_TASK_SET => (Some(lun), None, Some(response::ABORTED)),
            tmf::LOGICAL_UNIT_RESET => (Some(lun), None, Some(response::RESET)),
            tmf::I_T_NEXUS_RESET => (None, None, Some(response::RESET)),
            tmf::QUERY_TASK => (Some(lun), Some(request.tag.get()), None),
            tmf::QUERY_TASK_SET => (Some(lun), None, None),
            _ => return None,
        };
        Some(Self { lun, tag, response })
    }

    /// Whether the command in `chain` is one of those.
    #[must_use]
    pub fn has(&self, chain: &Chain<'_>) -> bool {
        let mut request = CommandRequest::new_zeroed();
        let complete = Scatter::new(&chain.readable).copy_to(request.as_mut_bytes()) == size_of_val(&request);
        let Address::Unit(lun) = address(request.lun) else { return false };
        complete
            && matches!(chain.fault, None | Some(Fault::OutsideMemory))
            && self.lun.is_none_or(|own| own == lun)
            && self.tag.is_none_or(|tag| tag == request.tag.get())
    }

    /// The answer of such a command that is not carried out, of which not a byte of its data is written; None when they go on.
    #[must_use]
    pub fn response(&self) -> Option<u8> {
        self.response
    }
}
