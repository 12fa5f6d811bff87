//! Structures as they lie in guest memory (virtio 1.2, 5.6.6). All numbers are little-endian.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::scsi::Lun;

/// CDB and sense bytes of a request, as the device's configuration space says by default (`cdb_size`, `sense_size`).
pub const CDB_SIZE: usize = 32;
/// See [`CDB_SIZE`].
pub const SENSE_SIZE: usize = 96;

/// `struct virtio_scsi_req_cmd`: the device-readable head of a command.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct CommandRequest {
    /// Which logical unit.
    pub lun: [u8; 8],
    /// The driver's name for the command.
    pub tag: U64,
    /// Simple, ordered, head of queue or ACA.
    pub task_attribute: u8,
    /// Priority.
    pub priority: u8,
    /// Command reference number.
    pub crn: u8,
    /// Command descriptor block.
    pub cdb: [u8; CDB_SIZE],
}

/// `struct virtio_scsi_resp_cmd`: the device-writable head of a command.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct CommandResponse {
    /// How many bytes of `sense` count.
    pub sense_len: U32,
    /// Bytes of the data buffers that were not moved.
    pub residual: U32,
    /// SAM status qualifier.
    pub status_qualifier: U16,
    /// SAM status.
    pub status: u8,
    /// One of [`response`].
    pub response: u8,
    /// Sense data.
    pub sense: [u8; SENSE_SIZE],
}

/// `struct virtio_scsi_ctrl_tmf`: a task management function.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TaskManagementRequest {
    /// [`control_type::TMF`].
    pub kind: U32,
    /// One of [`tmf`].
    pub function: U32,
    /// Which logical unit.
    pub lun: [u8; 8],
    /// The command it is about, if it is about one.
    pub tag: U64,
}

/// `struct virtio_scsi_ctrl_an`: query or subscribe asynchronous notifications.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct NotificationRequest {
    /// [`control_type::AN_QUERY`] or [`control_type::AN_SUBSCRIBE`].
    pub kind: U32,
    /// Which logical unit.
    pub lun: [u8; 8],
    /// Events asked for.
    pub requested: U32,
}

/// `struct virtio_scsi_event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Event {
    /// One of [`event`], with [`event::MISSED`] when earlier ones found no buffer.
    pub event: U32,
    /// Which logical unit.
    pub lun: [u8; 8],
    /// Details by event.
    pub reason: U32,
}

/// Values of `response` (5.6.6.1.1, 5.6.6.2).
#[expect(missing_docs, reason = "the names are the standard's")]
pub mod response {
    pub const OK: u8 = 0;
    pub const OVERRUN: u8 = 1;
    pub const ABORTED: u8 = 2;
    pub const BAD_TARGET: u8 = 3;
    pub const RESET: u8 = 4;
    pub const FAILURE: u8 = 9;
    pub const FUNCTION_SUCCEEDED: u8 = 10;
    pub const FUNCTION_REJECTED: u8 = 11;
    pub const INCORRECT_LUN: u8 = 12;
    /// FUNCTION_COMPLETE: the same number as OK.
    pub const FUNCTION_COMPLETE: u8 = 0;
}

/// Types of a control request (5.6.6.2).
#[expect(missing_docs, reason = "the names are the standard's")]
pub mod control_type {
    pub const TMF: u32 = 0;
    pub const AN_QUERY: u32 = 1;
    pub const AN_SUBSCRIBE: u32 = 2;
}

/// Task management functions (5.6.6.2).
#[expect(missing_docs, reason = "the names are the standard's")]
pub mod tmf {
    pub const ABORT_TASK: u32 = 0;
    pub const ABORT_TASK_SET: u32 = 1;
    pub const CLEAR_ACA: u32 = 2;
    pub const CLEAR_TASK_SET: u32 = 3;
    pub const I_T_NEXUS_RESET: u32 = 4;
    pub const LOGICAL_UNIT_RESET: u32 = 5;
    pub const QUERY_TASK: u32 = 6;
    pub const QUERY_TASK_SET: u32 = 7;
}

/// Events (5.6.6.3).
#[expect(missing_docs, reason = "the names are the standard's")]
pub mod event {
    pub const MISSED: u32 = 0x8000_0000;
    pub const PARAM_CHANGE: u32 = 3;
}

/// Feature bits (5.6.3).
pub mod feature {
    /// A request may carry data in both directions.
    pub const INOUT: u64 = 1 << 0;
    /// The event queue reports logical units that come and go.
    pub const HOTPLUG: u64 = 1 << 1;
    /// The event queue reports changed parameters of a logical unit.
    pub const CHANGE: u64 = 1 << 2;
}

/// What the LUN field names (5.6.6.1: first byte 1, then the target, then a single-level LUN).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// A logical unit of target 0.
    Unit(Lun),
    /// A target other than 0.
    OtherTarget,
    /// Not of this form, or a LUN of a form that single-level targets do not have.
    Malformed,
}

/// Reads a LUN field. The single-level LUN may be in flat space addressing (`40h | high, low`, as Linux and firmware
/// write it) or in peripheral device addressing (`00h, low`, as Windows writes it); the last four bytes are ignored, as
/// the standard asks.
#[must_use]
pub fn address(field: [u8; 8]) -> Address {
    let [1, target, high, low, ..] = field else { return Address::Malformed };
    if target != 0 {
        return Address::OtherTarget;
    }
    match high {
        0x00 => Address::Unit(Lun(u16::from(low))),
        0x40..=0x7F => Address::Unit(Lun(u16::from_be_bytes([high & 0x3F, low]))),
        _ => Address::Malformed,
    }
}

/// The LUN field of a logical unit of target 0 in an event. Linux takes the two bytes as a number there ("SCSI device 0 0 0
/// 16384 not found"), so a LUN that fits is in peripheral device addressing.
#[must_use]
pub fn event_lun(lun: Lun) -> [u8; 8] {
    match lun.0.to_be_bytes() {
        [0, low] => [1, 0, 0x00, low, 0, 0, 0, 0],
        [high, low] => [1, 0, 0x40 | high, low, 0, 0, 0, 0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_standard() {
        assert_eq!(size_of::<CommandRequest>(), 51);
        assert_eq!(size_of::<CommandResponse>(), 108);
        assert_eq!(size_of::<TaskManagementRequest>(), 24);
        assert_eq!(size_of::<NotificationRequest>(), 16);
        assert_eq!(size_of::<Event>(), 16);
    }

    #[test]
    fn both_forms_of_a_lun_name_the_same_unit() {
        assert_eq!(address([1, 0, 0x40, 3, 0, 0, 0, 0]), Address::Unit(Lun(3)));
        assert_eq!(address([1, 0, 0x00, 3, 0, 0, 0, 0]), Address::Unit(Lun(3)));
        assert_eq!(address([1, 0, 0x41, 3, 0, 0, 0, 0]), Address::Unit(Lun(0x103)));
        assert_eq!(address([1, 9, 0x40, 0, 0, 0, 0, 0]), Address::OtherTarget);
        assert_eq!(address([0, 0, 0x40, 0, 0, 0, 0, 0]), Address::Malformed);
        assert_eq!(address([1, 0, 0xC1, 1, 0, 0, 0, 0]), Address::Malformed);
        assert_eq!(address(event_lun(Lun(0x103))), Address::Unit(Lun(0x103)));
        assert_eq!(event_lun(Lun(3)), [1, 0, 0, 3, 0, 0, 0, 0]);
    }
}
