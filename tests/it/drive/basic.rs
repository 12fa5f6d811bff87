//! TEST UNIT READY, REQUEST SENSE, REPORT LUNS.

use crate::support::disc::patterned;
use crate::support::initiator::Initiator;

const TEST_UNIT_READY: [u8; 6] = [0; 6];

fn request_sense(flags: u8, allocation: u8) -> [u8; 6] {
    [0x03, flags, 0, 0, allocation, 0]
}

fn report_luns(select: u8, allocation: u32) -> [u8; 12] {
    let [a, b, c, d] = allocation.to_be_bytes();
    [0xA0, 0, select, 0, 0, 0, a, b, c, d, 0, 0]
}

#[test]
fn the_unit_is_ready_with_a_medium_in_a_closed_tray() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    guest.run(&TEST_UNIT_READY, 0).good();
    drive.open_tray(false).unwrap();
    guest.settle();
    assert_eq!(guest.run(&TEST_UNIT_READY, 0).kaq(), (2, 0x3A, 2));
    drive.remove_medium().unwrap();
    drive.close_tray();
    assert_eq!(guest.run(&TEST_UNIT_READY, 0).kaq(), (2, 0x3A, 1));
}

#[test]
fn request_sense_takes_unit_attentions_and_then_tells_why_the_drive_is_not_ready() {
    let (_drive, guest) = Initiator::fresh();
    let attention = guest.run(&request_sense(0, 18), 18).good();
    assert_eq!(attention, [0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0, 0, 0, 0, 0]);
    // As often as SeaBIOS asks.
    for _ in 0..3 {
        assert_eq!(guest.run(&TEST_UNIT_READY, 0).kaq(), (2, 0x3A, 1));
        let sense = guest.run(&request_sense(0, 252), 252).good();
        assert_eq!((sense[2], sense[12], sense[13]), (2, 0x3A, 1));
    }
}

#[test]
fn request_sense_reports_attentions_in_order_in_the_format_asked_for() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    drive.change_medium(patterned(2, 300), false).unwrap();
    assert_eq!(guest.run(&request_sense(1, 252), 252).good(), [0x72, 6, 0x3A, 0, 0, 0, 0, 0]);
    assert_eq!(guest.run(&request_sense(0, 252), 252).good()[..3], [0x70, 0, 6]);
    assert_eq!(guest.run(&request_sense(1, 252), 252).good(), [0x72, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(
        guest.run(&request_sense(0, 252), 252).good(),
        [0x70, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    guest.run(&TEST_UNIT_READY, 0).good();
}

#[test]
fn desc_chooses_the_format_whatever_d_sense_says() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    let list = [0, 0, 0, 0, 0x0A, 0x0A, 0x06, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    guest.send(&[0x15, 0x10, 0, 0, 16, 0], 0, &list).good();
    assert_eq!(guest.run(&request_sense(0, 252), 252).good()[0], 0x70);
    assert_eq!(guest.run(&request_sense(1, 252), 252).good()[0], 0x72);
}

#[test]
fn the_allocation_length_of_request_sense_cuts_both_formats() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    for (flags, whole) in [(0, 18), (1, 8)] {
        for allocation in 0..=20 {
            let answer = guest.run(&request_sense(flags, allocation), 32);
            assert_eq!(answer.data.len(), usize::from(allocation).min(whole));
            assert_eq!((answer.status, answer.residual), (0, 32 - answer.data.len()));
        }
    }
}

#[test]
fn report_luns_lists_the_units_and_none_that_are_well_known() {
    let (_drive, guest) = Initiator::fresh();
    for select in [0, 2] {
        assert_eq!(guest.run(&report_luns(select, 16), 16).good(), [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    assert_eq!(guest.run(&report_luns(1, 4096), 4096).good(), [0; 8]);
    for select in [3, 0x10, 0xFF] {
        let answer = guest.run(&report_luns(select, 16), 16);
        assert_eq!((answer.kaq(), &answer.sense[15..18]), ((5, 0x24, 0), &[0xC0, 0, 2][..]));
    }
}

#[test]
fn a_short_report_of_luns_still_has_the_whole_length() {
    let (_drive, guest) = Initiator::fresh();
    for allocation in [0, 1, 4, 8, 15, 16, 17, 0x0100_0000, u32::MAX] {
        let answer = guest.run(&report_luns(0, allocation), 64);
        let whole = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(answer.residual, 64 - answer.data.len());
        assert_eq!(answer.good(), whole[..(allocation as usize).min(16)]);
    }
}
