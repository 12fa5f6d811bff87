//! Logical units that do not exist.

use spindle::scsi::Lun;

use crate::support::disc::patterned;
use crate::support::initiator::Initiator;

fn nowhere() -> Initiator {
    let (_drive, mut guest) = Initiator::with(patterned(1, 300));
    guest.lun = Lun(5);
    guest
}

#[test]
fn inquiry_says_that_no_unit_can_be_there() {
    let guest = nowhere();
    let data = guest.run(&[0x12, 0, 0, 1, 0, 0], 256).good();
    assert_eq!(data[..8], [0x7F, 0, 6, 0x12, 31, 0, 0, 0]);
    assert_eq!(data[8..], [b' '; 28]);
    assert_eq!(guest.run(&[0x12, 0, 0, 0, 5, 0], 256).good(), data[..5]);
    assert_eq!(guest.run(&[0x12, 1, 0, 0, 255, 0], 256).kaq(), (5, 0x24, 0));
    assert_eq!(guest.run(&[0x12, 0, 1, 0, 255, 0], 256).kaq(), (5, 0x24, 0));
}

#[test]
fn request_sense_tells_the_reason_as_data() {
    let guest = nowhere();
    let sense = guest.run(&[0x03, 0, 0, 0, 18, 0], 32).good();
    assert_eq!((sense.len(), sense[0], sense[2], sense[12], sense[13]), (18, 0x70, 5, 0x25, 0));
    assert_eq!(guest.run(&[0x03, 1, 0, 0, 18, 0], 32).good(), [0x72, 5, 0x25, 0, 0, 0, 0, 0]);
}

#[test]
fn report_luns_lists_the_units_from_anywhere() {
    let luns = nowhere().run(&[0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0], 64).good();
    assert_eq!(luns, [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn every_other_command_is_refused() {
    let guest = nowhere();
    for opcode in (0..=0xFF).filter(|opcode| ![0x03, 0x12, 0xA0].contains(opcode)) {
        assert_eq!(guest.run(&[opcode, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 64).kaq(), (5, 0x25, 0), "{opcode:02x}");
    }
}
