//! READ (6) (10) (12) (16) and READ CAPACITY.

use spindle::disc::TrackMode::{Audio, Mode1};

use crate::support::disc::{self, block, patterned, with_bad_block, with_failing_block};
use crate::support::initiator::{Answer, Initiator};

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

/// Information of a sense that has one.
fn information(answer: &Answer) -> u32 {
    assert_eq!(answer.sense[0], 0xF0, "VALID");
    u32::from_be_bytes(answer.sense[3..7].try_into().unwrap())
}

#[test]
fn zero_blocks_is_no_error_but_256_for_read_6() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    for cdb in [&[0x28, 0, 0, 0, 0, 5, 0, 0, 0, 0][..], &[0xA8; 1], &[0x88; 1]] {
        let answer = guest.run(cdb, 2048);
        assert_eq!((answer.status, answer.data.len(), answer.residual), (0, 0, 2048));
    }
    let all: Vec<u8> = (0..256).flat_map(|lba| block(1, lba)).collect();
    assert_eq!(guest.run(&[0x08, 0, 0, 0, 0, 0], 256 * 2048).good(), all);
    // The three bits above the address are reserved.
    assert_eq!(guest.run(&[0x08, 0xE0, 0, 9, 1, 0], 2048).good(), block(1, 9));
}

#[test]
fn the_last_block_is_the_capacity() {
    for blocks in [300_u32, 1_000_000, 62_500_864] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        let last = blocks - 1;
        let [a, b, c, d] = last.to_be_bytes();
        assert_eq!(guest.run(&[0x25; 1], 8).good(), [a, b, c, d, 0, 0, 8, 0]);
        let long = guest.run(&[0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0], 255).good();
        assert_eq!((long.len(), &long[..12]), (32, &[0, 0, 0, 0, a, b, c, d, 0, 0, 8, 0][..]));
        for cdb in [
            &[0x28, 0, a, b, c, d, 0, 0, 1, 0][..],
            &[0xA8, 0, a, b, c, d, 0, 0, 0, 1, 0, 0],
            &[0x88, 0, 0, 0, 0, 0, a, b, c, d, 0, 0, 0, 1, 0, 0],
        ] {
            assert_eq!(guest.run(cdb, 2048).good(), block(1, last), "{cdb:02x?}");
        }
    }
}

#[test]
fn no_address_wraps_around() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    for cdb in [
        &[0x28, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 2, 0][..],
        &[0xA8, 0, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
        &[0x88, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 2, 0, 0],
        &[0x88, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0],
    ] {
        let answer = guest.run(cdb, 4096);
        assert_eq!((answer.kaq(), answer.data.len()), ((5, 0x21, 0), 0), "{cdb:02x?}");
    }
}

/// INTERNAL TARGET FAILURE of an aborted command: initiators try again, and do not take the disc for bad.
#[test]
fn a_block_for_which_there_is_no_memory_is_no_fault_of_the_disc() {
    let medium = with_failing_block(1, 300, 12, std::io::ErrorKind::OutOfMemory);
    let (_drive, guest) = Initiator::with(medium);
    let answer = guest.run(&[0x28, 0, 0, 0, 0, 10, 0, 0, 5, 0], 5 * 2048);
    assert_eq!((answer.kaq(), information(&answer)), ((0xB, 0x44, 0), 12));
    assert_eq!(answer.data, [block(1, 10), block(1, 11)].concat());
}

#[test]
fn a_bad_block_keeps_what_came_before_it() {
    let (_drive, guest) = Initiator::with(with_bad_block(1, 300, 12));
    for cdb in [
        &[0x08, 0, 0, 10, 5, 0][..],
        &[0x28, 0, 0, 0, 0, 10, 0, 0, 5, 0],
        &[0xA8, 0, 0, 0, 0, 10, 0, 0, 0, 5, 0, 0],
        &[0x88, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 5, 0, 0],
    ] {
        let answer = guest.run(cdb, 5 * 2048);
        assert_eq!((answer.kaq(), information(&answer)), ((3, 0x11, 0), 12), "{cdb:02x?}");
        assert_eq!((answer.residual, answer.overrun), (3 * 2048, false));
        assert_eq!(answer.data, [block(1, 10), block(1, 11)].concat());
    }
    // Its neighbours read.
    assert_eq!(guest.run(&[0x28, 0, 0, 0, 0, 13, 0, 0, 1, 0], 2048).good(), block(1, 13));
}

#[test]
fn a_track_of_sound_and_the_gap_between_sessions_end_a_read() {
    let disc = disc::cd(1, &[&[(Mode1, 100), (Audio, 50)], &[(Mode1, 20)]]);
    let (_drive, guest) = Initiator::with(disc::of(disc));
    let answer = guest.run(&[0x28, 0, 0, 0, 0, 98, 0, 0, 5, 0], 5 * 2048);
    assert_eq!((answer.kaq(), information(&answer)), ((5, 0x64, 0), 100));
    assert_eq!(answer.data, [block(1, 98), block(1, 99)].concat());
    assert_eq!(guest.run(&[0x28, 0, 0, 0, 0x01, 0, 0, 0, 1, 0], 2048).kaq(), (5, 0x21, 0));
    // Session 2 begins at 11,550; its pre-gap reads as zeros.
    assert_eq!(guest.run(&[0x28, 0, 0, 0, 0x2D, 0x1E, 0, 0, 1, 0], 2048).good(), block(1, 11_550));
    assert_eq!(guest.run(&[0x28, 0, 0, 0, 0x2D, 0x1D, 0, 0, 1, 0], 2048).good(), [0; 2048]);
}
