//! RESERVE and RELEASE, (6) and (10).

use spindle::scsi::{LogicalUnit, Reset};

use crate::support::disc::patterned;
use crate::support::initiator::{Answer, Initiator};

const RESERVE_6: [u8; 6] = [0x16, 0, 0, 0, 0, 0];
const RELEASE_6: [u8; 6] = [0x17, 0, 0, 0, 0, 0];
const RESERVE_10: [u8; 10] = [0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const RELEASE_10: [u8; 10] = [0x57, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const TEST_UNIT_READY: [u8; 6] = [0; 6];
const CONFLICT: u8 = 0x18;

fn two() -> (std::sync::Arc<spindle::drive::Drive>, Initiator, Initiator) {
    let (drive, holder) = Initiator::with(patterned(1, 300));
    let other = holder.other(7);
    other.settle();
    (drive, holder, other)
}

#[track_caller]
fn conflicts(answer: &Answer) {
    assert_eq!((answer.status, &answer.sense[..], &answer.data[..]), (CONFLICT, &[][..], &[][..]));
}

#[test]
fn a_reservation_excludes_the_others_until_it_is_released() {
    let (_drive, holder, other) = two();
    for (reserve, release) in [(&RESERVE_6[..], &RELEASE_6[..]), (&RESERVE_10, &RELEASE_10), (&RESERVE_6, &RELEASE_10)]
    {
        holder.run(reserve, 0).good();
        holder.run(reserve, 0).good();
        conflicts(&other.run(&TEST_UNIT_READY, 0));
        conflicts(&other.run(&[0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0], 2048));
        conflicts(&other.run(reserve, 0));
        holder.run(&TEST_UNIT_READY, 0).good();
        other.run(release, 0).good();
        conflicts(&other.run(&TEST_UNIT_READY, 0));
        holder.run(release, 0).good();
        other.run(&TEST_UNIT_READY, 0).good();
    }
}

#[test]
fn what_takes_nothing_from_the_holder_is_allowed() {
    let (_drive, holder, other) = two();
    holder.run(&RESERVE_6, 0).good();
    for cdb in [
        &[0x12, 0, 0, 0, 96, 0][..],
        &[0x03, 0, 0, 0, 18, 0],
        &[0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0],
        &[0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0],
        &[0x4D, 0, 0, 0, 0, 0, 0, 0, 16, 0],
        &[0xA3, 0x0C, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        &[0xA3, 0x0D, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0],
        &[0x1E, 0, 0, 0, 0, 0],
        &[0x1B, 0, 0, 0, 1, 0],
    ] {
        other.run(cdb, 1024).good();
    }
    for cdb in [
        &[0x1E, 0, 0, 0, 1, 0][..],
        &[0x1B, 0, 0, 0, 2, 0],
        &[0x1B, 0, 0, 0, 0x31, 0],
        &[0x5A, 0, 1, 0, 0, 0, 0, 0, 9, 0],
    ] {
        conflicts(&other.run(cdb, 64));
    }
}

#[test]
fn a_conflict_comes_before_a_unit_attention_and_keeps_it() {
    let (drive, holder, other) = two();
    holder.run(&RESERVE_10, 0).good();
    drive.change_medium(patterned(2, 300), false).unwrap();
    conflicts(&other.run(&TEST_UNIT_READY, 0));
    assert_eq!(holder.run(&RELEASE_10, 0).kaq(), (6, 0x3A, 0));
    assert_eq!(holder.run(&RELEASE_10, 0).kaq(), (6, 0x28, 0));
    holder.run(&RELEASE_10, 0).good();
    assert_eq!(other.run(&TEST_UNIT_READY, 0).kaq(), (6, 0x3A, 0));
}

#[test]
fn a_reserve_that_reports_a_unit_attention_reserves_nothing() {
    let (drive, holder, other) = two();
    drive.change_medium(patterned(2, 300), false).unwrap();
    assert_eq!(holder.run(&RESERVE_6, 0).kaq(), (6, 0x3A, 0));
    other.settle();
    other.run(&TEST_UNIT_READY, 0).good();
}

#[test]
fn a_reset_or_the_loss_of_the_nexus_releases() {
    let (drive, holder, other) = two();
    for kind in [Reset::LogicalUnit, Reset::PowerOn, Reset::NexusLoss(holder.nexus)] {
        holder.run(&RESERVE_6, 0).good();
        drive.reset(Reset::NexusLoss(other.nexus));
        conflicts(&other.run(&TEST_UNIT_READY, 0));
        drive.reset(kind);
        other.settle();
        other.run(&TEST_UNIT_READY, 0).good();
        holder.settle();
    }
}

#[test]
fn third_parties_and_extents_are_refused_and_reserve_nothing() {
    let (_drive, holder, other) = two();
    for (opcode, len, bits) in
        [(0x16, 6, &[4, 0][..]), (0x17, 6, &[4, 0]), (0x56, 10, &[4, 1, 0]), (0x57, 10, &[4, 1, 0])]
    {
        for bit in bits {
            let mut cdb = vec![0; len];
            (cdb[0], cdb[1]) = (opcode, 1 << bit);
            let answer = holder.run(&cdb, 0);
            assert_eq!((answer.kaq(), &answer.sense[15..18]), ((5, 0x24, 0), &[0xC8 | bit, 0, 1][..]));
            other.run(&TEST_UNIT_READY, 0).good();
        }
    }
}
