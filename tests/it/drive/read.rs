//! READ (6) (10) (12) (16) and READ CAPACITY.

use crate::support::disc::{block, patterned};
use crate::support::initiator::Initiator;

#[test]
fn every_read_returns_the_blocks_it_names() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    let expected: Vec<u8> = (5..8).flat_map(|lba| block(1, lba)).collect();
    for cdb in [
        &[0x08, 0, 0, 5, 3, 0][..],
        &[0x28, 0, 0, 0, 0, 5, 0, 0, 3, 0],
        &[0xA8, 0, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0],
        &[0x88, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0],
    ] {
        assert_eq!(guest.run(cdb, 3 * 2048).good(), expected, "{cdb:02x?}");
    }
}

#[test]
fn a_read_past_the_end_moves_nothing() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    let answer = guest.run(&[0x28, 0, 0, 0, 1, 0x2B, 0, 0, 2, 0], 2 * 2048);
    assert_eq!(answer.kaq(), (5, 0x21, 0));
    assert_eq!(answer.sense[0], 0x70, "no INFORMATION: Linux would take the blocks before it as read");
    assert_eq!((answer.data.len(), answer.residual), (0, 2 * 2048));
    assert_eq!(guest.run(&[0x28, 0, 0, 0, 1, 0x2C, 0, 0, 0, 0], 0).status, 0);
}

#[test]
fn a_short_buffer_gets_whole_blocks_and_an_overrun() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    let answer = guest.run(&[0x28, 0, 0, 0, 0, 7, 0, 0, 2, 0], 2048 + 100);
    assert!(answer.overrun);
    assert_eq!(answer.good(), block(1, 7));
}
