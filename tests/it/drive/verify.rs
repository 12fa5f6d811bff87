//! VERIFY (10) (12) (16), SEEK (10), PRE-FETCH, SYNCHRONIZE CACHE.

use crate::support::disc::{block, patterned, with_bad_block};
use crate::support::initiator::{Answer, Initiator};

/// The three forms, with BYTCHK in byte 1.
fn forms(check: u8, lba: u32, blocks: u8) -> [Vec<u8>; 3] {
    let [a, b, c, d] = lba.to_be_bytes();
    [
        vec![0x2F, check << 1, a, b, c, d, 0, 0, blocks, 0],
        vec![0xAF, check << 1, a, b, c, d, 0, 0, 0, blocks, 0, 0],
        vec![0x8F, check << 1, 0, 0, 0, 0, a, b, c, d, 0, 0, 0, blocks, 0, 0],
    ]
}

fn verify(guest: &Initiator, check: u8, lba: u32, blocks: u8, out: &[u8]) -> Vec<Answer> {
    forms(check, lba, blocks).iter().map(|cdb| guest.send(cdb, 0, out)).collect()
}

fn information(answer: &Answer) -> u32 {
    assert_eq!(answer.sense[0], 0xF0, "VALID");
    u32::from_be_bytes(answer.sense[3..7].try_into().unwrap())
}

#[test]
fn bytchk_0_reads_and_returns_nothing() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    for (lba, blocks) in [(0, 1), (290, 10), (300, 0)] {
        for answer in verify(&guest, 0, lba, blocks, &[]) {
            assert_eq!((answer.status, answer.data.len(), answer.residual), (0, 0, 0));
        }
    }
    let (_drive, guest) = Initiator::with(with_bad_block(1, 300, 12));
    for answer in verify(&guest, 0, 10, 5, &[]) {
        assert_eq!((answer.kaq(), information(&answer)), ((3, 0x11, 0), 12));
    }
}

#[test]
fn bytchk_1_compares_every_block() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    let mut data: Vec<u8> = (5..8).flat_map(|lba| block(1, lba)).collect();
    for answer in verify(&guest, 1, 5, 3, &data) {
        assert_eq!((answer.status, answer.residual, answer.overrun), (0, 0, false));
    }
    data[2 * 2048 + 9] ^= 1;
    for answer in verify(&guest, 1, 5, 3, &data) {
        assert_eq!((answer.kaq(), information(&answer)), ((0xE, 0x1D, 0), 2 * 2048 + 9));
    }
    // Data that did not come are not compared: the transport tells of the overrun.
    for answer in verify(&guest, 1, 5, 3, &data[..2048]) {
        assert_eq!((answer.status, answer.overrun), (0, true));
    }
}

#[test]
fn bytchk_3_compares_one_block_with_all() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    for answer in verify(&guest, 3, 5, 1, &block(1, 5)) {
        assert_eq!((answer.status, answer.residual), (0, 0));
    }
    // The blocks differ in their address.
    for answer in verify(&guest, 3, 5, 2, &block(1, 5)) {
        assert_eq!((answer.kaq(), information(&answer)), ((0xE, 0x1D, 0), 2048));
    }
    for answer in verify(&guest, 3, 5, 0, &[]) {
        assert_eq!(answer.status, 0);
    }
}

#[test]
fn bytchk_2_is_reserved() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    for answer in verify(&guest, 2, 0, 1, &[]) {
        assert_eq!(answer.kaq(), (5, 0x24, 0));
    }
}

#[test]
fn addresses_past_the_end_are_refused_by_all_of_them() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    for lba in [300, 0x7FFF_FFFF, u32::MAX] {
        let [a, b, c, d] = lba.to_be_bytes();
        let mut cdbs = forms(0, lba, 1).to_vec();
        cdbs.push(vec![0x2B, 0, a, b, c, d, 0, 0, 0, 0]);
        cdbs.push(vec![0x34, 0, a, b, c, d, 0, 0, 1, 0]);
        cdbs.push(vec![0x90, 0, 0, 0, 0, 0, a, b, c, d, 0, 0, 0, 1, 0, 0]);
        // The address has 64 bits here.
        cdbs.push(vec![0x8F, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 1, 0, 0]);
        for cdb in cdbs {
            assert_eq!(guest.run(&cdb, 0).kaq(), (5, 0x21, 0), "{cdb:02x?}");
        }
    }
}

#[test]
fn the_last_block_is_reached_and_no_cache_waits_to_be_written() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    for cdb in [
        &[0x2B, 0, 0, 0, 1, 0x2B, 0, 0, 0, 0][..],
        &[0x34, 0, 0, 0, 1, 0x2B, 0, 0, 1, 0],
        &[0x90, 0, 0, 0, 0, 0, 0, 0, 1, 0x2B, 0, 0, 0, 1, 0, 0],
        &[0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ] {
        guest.run(cdb, 0).good();
    }
}
