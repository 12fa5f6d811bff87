//! What the drive says of itself: operation codes, task management functions, log pages.

use spindle::drive::COMMANDS;

use crate::support::disc::patterned;
use crate::support::initiator::Initiator;

const RCTD: u8 = 0x80;

fn guest() -> Initiator {
    Initiator::with(patterned(1, 300)).1
}

/// REPORT SUPPORTED OPERATION CODES.
fn codes(options: u8, opcode: u8, action: u16, allocation: u32) -> [u8; 12] {
    let ([a, b], [c, d, e, f]) = (action.to_be_bytes(), allocation.to_be_bytes());
    [0xA3, 0x0C, options, opcode, a, b, c, d, e, f, 0, 0]
}

fn timeouts(descriptor: &[u8]) {
    assert_eq!(descriptor, [0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 30]);
}

#[test]
fn all_commands_are_listed_in_order_with_and_without_timeouts() {
    let guest = guest();
    for (options, step) in [(0, 8), (RCTD, 20)] {
        let data = guest.run(&codes(options, 0, 0, 4096), 4096).good();
        assert_eq!(u32::from_be_bytes(data[..4].try_into().unwrap()) as usize, data.len() - 4);
        let descriptors: Vec<_> = data[4..].chunks(step).collect();
        assert_eq!(descriptors.len(), COMMANDS.len());
        for (descriptor, command) in descriptors.iter().zip(COMMANDS.iter()) {
            let flags = u8::from(command.service_action.is_some()) | if step == 20 { 2 } else { 0 };
            let len = command.usage.len() as u8;
            assert_eq!(descriptor[..8], [command.opcode, 0, 0, command.service_action.unwrap_or(0), 0, flags, 0, len]);
            if step == 20 {
                timeouts(&descriptor[8..]);
            }
        }
    }
}

#[test]
fn one_command_is_told_by_each_option_that_fits_it() {
    let guest = guest();
    for command in COMMANDS.iter() {
        let action = command.service_action.map_or(0, u16::from);
        let (fits, other) = if command.service_action.is_some() { (2, 1) } else { (1, 2) };
        for options in [fits, 3, RCTD | fits, RCTD | 3] {
            let data = guest.run(&codes(options, command.opcode, action, 64), 64).good();
            let len = command.usage.len();
            assert_eq!(data[..4], [0, 0b011 | options & RCTD, 0, len as u8], "{}", command.name);
            assert_eq!(data[4..4 + len - 1], command.usage[..len - 1]);
            assert_eq!(data[4 + len - 1], command.usage[len - 1] | 0x04, "NACA is evaluated");
            if options & RCTD == 0 { assert_eq!(data.len(), 4 + len) } else { timeouts(&data[4 + len..]) }
        }
        let answer = guest.run(&codes(other, command.opcode, action, 64), 64);
        assert_eq!((answer.kaq(), &answer.sense[15..18]), ((5, 0x24, 0), &[0xC0, 0, 3][..]), "{}", command.name);
    }
}

#[test]
fn what_the_drive_does_not_have_is_reported_as_such() {
    let guest = guest();
    for (options, opcode, action) in
        [(1, 0x2A, 0), (2, 0x2A, 5), (3, 0x2A, 0), (2, 0x9E, 0x11), (3, 0x9E, 0x110), (3, 0x28, 1)]
    {
        assert_eq!(guest.run(&codes(options, opcode, action, 64), 64).good(), [0, 0b001, 0, 0]);
        assert_eq!(guest.run(&codes(RCTD | options, opcode, action, 64), 64).good(), [0, 0b001, 0, 0]);
    }
    for options in 4..8 {
        let answer = guest.run(&codes(options, 0x28, 0, 64), 64);
        assert_eq!((answer.kaq(), &answer.sense[15..18]), ((5, 0x24, 0), &[0xCA, 0, 2][..]));
    }
}

#[test]
fn the_allocation_length_has_four_bytes_and_cuts() {
    let guest = guest();
    let whole = guest.run(&codes(0, 0, 0, 0x0100_0000), 4096).good();
    for allocation in [0, 1, 3, 4, 5, 12, 255, 256, 4096, u32::MAX] {
        let answer = guest.run(&codes(0, 0, 0, allocation), 4096);
        assert_eq!(answer.residual, 4096 - answer.data.len());
        assert_eq!(answer.good(), whole[..whole.len().min(allocation as usize)]);
    }
}

#[test]
fn task_management_functions_are_those_of_the_control_queue() {
    let guest = guest();
    // All but TARGET RESET, WAKEUP and QUERY ASYNCHRONOUS EVENT, which virtio-scsi does not have.
    assert_eq!(guest.run(&[0xA3, 0x0D, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0], 64).good(), [0xFC, 0x03, 0, 0]);
    let extended = guest.run(&[0xA3, 0x0D, 0x80, 0, 0, 0, 0, 0, 0, 64, 0, 0], 64).good();
    assert_eq!(extended, [0xFC, 0x03, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(guest.run(&[0xA3, 0x0D, 0x80, 0, 0, 0, 0, 0, 0, 4, 0, 0], 64).good(), [0xFC, 0x03, 0, 12]);
    let answer = guest.run(&[0xA3, 0x0D, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0], 64);
    assert_eq!((answer.kaq(), &answer.sense[15..18]), ((5, 0x24, 0), &[0xC0, 0, 6][..]));
}

#[test]
fn an_unknown_service_action_is_an_invalid_field() {
    let answer = guest().run(&[0xA3, 0x1F, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0], 64);
    assert_eq!((answer.kaq(), &answer.sense[15..18]), ((5, 0x24, 0), &[0xCC, 0, 1][..]));
}

#[test]
fn the_only_log_pages_are_the_lists_of_pages() {
    let guest = guest();
    let log = |flags, page, subpage, pointer, allocation| {
        guest.run(&[0x4D, flags, page, subpage, 0, 0, pointer, 0, allocation, 0], 64)
    };
    for control in [0x00, 0x40, 0x80, 0xC0] {
        assert_eq!(log(0, control, 0, 0, 64).good(), [0, 0, 0, 1, 0]);
        assert_eq!(log(0, control, 0xFF, 0, 64).good(), [0x40, 0xFF, 0, 4, 0, 0, 0, 0xFF]);
    }
    for allocation in 0..=9 {
        let answer = log(0, 0, 0xFF, 0, allocation);
        assert_eq!((answer.residual, answer.data.len()), (64 - answer.data.len(), usize::from(allocation.min(8))));
    }
    for (flags, page, subpage, pointer, fault) in [
        (0, 0x0D, 0, 0, [0xCD, 0, 2]),
        (0, 0x3F, 0xFF, 0, [0xCD, 0, 2]),
        (0, 0x00, 1, 0, [0xC0, 0, 3]),
        (0, 0x00, 0, 1, [0xC0, 0, 5]),
        (1, 0x00, 0, 0, [0xC8, 0, 1]),
        (2, 0x00, 0, 0, [0xC9, 0, 1]),
    ] {
        let answer = log(flags, page, subpage, pointer, 64);
        assert_eq!((answer.kaq(), &answer.sense[15..18]), ((5, 0x24, 0), &fault[..]));
    }
}
