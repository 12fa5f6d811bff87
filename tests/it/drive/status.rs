//! MECHANISM STATUS, READ FORMAT CAPACITIES, READ BUFFER CAPACITY.

use crate::support::disc::patterned;
use crate::support::initiator::Initiator;

const MECHANISM: [u8; 12] = [0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0];
const CAPACITIES: [u8; 10] = [0x23, 0, 0, 0, 0, 0, 0, 0, 255, 0];

#[test]
fn the_mechanism_tells_of_the_door() {
    let (drive, guest) = Initiator::with(patterned(1, 5000));
    assert_eq!(guest.run(&MECHANISM, 255).good(), [0, 0, 0, 0, 0, 1, 0, 0]);
    drive.open_tray(false).unwrap();
    guest.settle();
    assert_eq!(guest.run(&MECHANISM, 255).good(), [0, 0x10, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn the_format_capacity_is_the_mediums_or_none() {
    for blocks in [5000_u32, 1_000_000, 12_000_000] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        let [a, b, c, d] = blocks.to_be_bytes();
        assert_eq!(guest.run(&CAPACITIES, 255).good(), [0, 0, 0, 8, a, b, c, d, 2, 0, 8, 0]);
    }
    let (_drive, guest) = Initiator::fresh();
    guest.settle();
    assert_eq!(guest.run(&CAPACITIES, 255).good(), [0, 0, 0, 8, 0, 0, 0, 0, 3, 0, 8, 0]);
}

#[test]
fn there_is_no_write_buffer() {
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    for block in [0, 1] {
        let answer = guest.run(&[0x5C, block, 0, 0, 0, 0, 0, 0, 255, 0], 255);
        assert_eq!(answer.good(), [0, 10, 0, block, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
