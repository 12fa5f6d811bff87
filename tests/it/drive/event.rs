//! GET EVENT STATUS NOTIFICATION.

use std::time::Duration;

use spindle::drive::{Drive, Tray};

use crate::support::disc::patterned;
use crate::support::initiator::{Answer, Initiator};

const EJECT: [u8; 6] = [0x1B, 0, 0, 0, 2, 0];

const OPERATIONAL: u8 = 1 << 1;
const POWER: u8 = 1 << 2;
const EXTERNAL: u8 = 1 << 3;
const MEDIA: u8 = 1 << 4;
const MULTI_HOST: u8 = 1 << 5;
const BUSY: u8 = 1 << 6;

fn events(guest: &Initiator, classes: u8, allocation: u16) -> Answer {
    let [high, low] = allocation.to_be_bytes();
    guest.run(&[0x4A, 1, 0, 0, classes, 0, 0, high, low, 0], usize::from(allocation))
}

/// Event code and media status.
fn media(guest: &Initiator) -> (u8, u8) {
    let data = events(guest, MEDIA, 8).good();
    assert_eq!((&data[..4], &data[6..]), (&[0, 6, 4, 0x7E][..], &[0, 0][..]));
    (data[4], data[5])
}

fn prevent(guest: &Initiator, bits: u8) {
    guest.run(&[0x1E, 0, 0, 0, bits, 0], 0).good();
}

#[test]
fn every_class_answers_eight_bytes() {
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    for (class, number, body) in [
        (OPERATIONAL, 1, [0, 0, 0, 0]),
        (POWER, 2, [0, 1, 0, 0]),
        (EXTERNAL, 3, [0, 0, 0, 0]),
        (MEDIA, 4, [0, 2, 0, 0]),
        (MULTI_HOST, 5, [0, 0, 0, 0]),
        (BUSY, 6, [0, 0, 0, 0]),
    ] {
        let expected = [&[0, 6, number, 0x7E][..], &body].concat();
        assert_eq!(events(&guest, class, 8).good(), expected, "class {number}");
    }
    // Without an event the lowest class answers.
    assert_eq!(events(&guest, BUSY | EXTERNAL, 8).good()[2], 3);
}

#[test]
fn no_class_that_exists_is_the_header_alone() {
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    for classes in [0x00, 0x01, 0x80, 0x81] {
        assert_eq!(events(&guest, classes, 8).good(), [0, 2, 0x80, 0x7E]);
    }
}

#[test]
fn only_polled_operation_exists() {
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    assert_eq!(guest.run(&[0x4A, 0, 0, 0, MEDIA, 0, 0, 0, 8, 0], 8).kaq(), (5, 0x24, 0));
}

#[test]
fn an_answer_too_short_for_the_event_does_not_lose_it() {
    let (drive, guest) = Initiator::with(patterned(1, 5000));
    drive.change_medium(patterned(2, 5000), false).unwrap();
    for allocation in [0, 1, 2, 4] {
        let full = [0, 6, 4, 0x7E];
        assert_eq!(events(&guest, MEDIA, allocation).good(), full[..usize::from(allocation)]);
        assert_eq!(events(&guest, OPERATIONAL, allocation).good().len(), usize::from(allocation));
    }
    assert_eq!(media(&guest), (3, 2));
    assert_eq!(media(&guest), (2, 2));
    assert_eq!(media(&guest), (0, 2));
    assert_eq!(events(&guest, OPERATIONAL, 8).good()[4], 2);
}

#[test]
fn a_change_is_a_removal_and_then_a_new_medium() {
    let (drive, guest) = Initiator::with(patterned(1, 5000));
    let other = guest.other(1);
    other.settle();
    drive.change_medium(patterned(2, 5000), false).unwrap();
    for nexus in [&guest, &other] {
        assert_eq!(nexus.run(&[0; 6], 0).kaq(), (6, 0x3A, 0));
        assert_eq!(nexus.run(&[0; 6], 0).kaq(), (6, 0x28, 0));
        assert_eq!(nexus.run(&[0; 6], 0).status, 0);
        assert_eq!((media(nexus), media(nexus), media(nexus)), ((3, 2), (2, 2), (0, 2)));
    }
    // Two changes that nobody looked at are one.
    drive.change_medium(patterned(3, 5000), false).unwrap();
    drive.change_medium(patterned(4, 5000), false).unwrap();
    assert_eq!(guest.run(&[0; 6], 0).kaq(), (6, 0x3A, 0));
    assert_eq!(guest.run(&[0; 6], 0).kaq(), (6, 0x28, 0));
    assert_eq!(guest.run(&[0; 6], 0).status, 0);
    assert_eq!((media(&guest), media(&guest), media(&guest)), ((3, 2), (2, 2), (0, 2)));
}

#[test]
fn the_media_status_is_that_of_tray_and_medium() {
    let (drive, guest) = Initiator::with(patterned(1, 5000));
    drive.open_tray(false).unwrap();
    assert_eq!(media(&guest), (3, 1));
    drive.remove_medium();
    drive.close_tray();
    assert_eq!(media(&guest), (0, 0));
    assert_eq!(drive.snapshot().tray, Tray::Closed);
}

#[test]
fn an_eject_request_reaches_only_who_holds_the_lock() {
    let (drive, guest) = Initiator::with(patterned(1, 5000));
    let other = guest.other(1);
    other.settle();
    prevent(&guest, 1);
    drive.request_eject();
    assert_eq!((media(&guest), media(&guest)), ((1, 2), (0, 2)));
    assert_eq!(media(&other), (0, 2));
    // Asked twice before anybody looked: one request.
    drive.request_eject();
    drive.request_eject();
    assert_eq!((media(&guest), media(&guest)), ((1, 2), (0, 2)));
}

#[test]
fn an_insertion_changes_the_features_once_per_nexus() {
    let (drive, guest) = Initiator::with(patterned(1, 5000));
    let other = guest.other(1);
    other.settle();
    drive.change_medium(patterned(2, 1_000_000), false).unwrap();
    for nexus in [&guest, &other] {
        // The class of the lowest number comes first, and keeps the media events for later.
        assert_eq!(events(nexus, 0x7E, 8).good(), [0, 6, 1, 0x7E, 2, 0, 0, 1]);
        assert_eq!(events(nexus, 0x7E, 8).good(), [0, 6, 4, 0x7E, 3, 2, 0, 0]);
        assert_eq!(events(nexus, 0x7E, 8).good(), [0, 6, 4, 0x7E, 2, 2, 0, 0]);
        assert_eq!(events(nexus, 0x7E, 8).good(), [0, 6, 1, 0x7E, 0, 0, 0, 0]);
    }
}

#[test]
fn persistent_prevention_shows_in_the_classes_that_have_the_bit() {
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    for (bits, shown) in [(0b01, 0), (0b11, 0x80), (0b10, 0)] {
        prevent(&guest, bits);
        for class in [OPERATIONAL, EXTERNAL, MULTI_HOST] {
            assert_eq!(events(&guest, class, 8).good()[5], shown, "class {class:02x} after {bits:02b}");
        }
    }
}

#[test]
fn a_pending_unit_attention_waits() {
    let (drive, guest) = Initiator::with(patterned(1, 5000));
    drive.change_medium(patterned(2, 5000), false).unwrap();
    assert_eq!(media(&guest), (3, 2));
    assert_eq!(guest.run(&[0; 6], 0).kaq(), (6, 0x3A, 0));
}

/// The guest's next eject is for a disc that has left, and the one after it for this.
fn an_eject_is_late(drive: &Drive, guest: &Initiator) {
    guest.settle();
    assert_eq!(guest.run(&EJECT, 0).kaq(), (6, 0x28, 0));
    assert_eq!(drive.snapshot().tray, Tray::Closed);
    // A guest that means it says it again.
    guest.run(&EJECT, 0).good();
    assert_eq!(drive.snapshot().tray, Tray::Open);
}

#[test]
fn an_eject_that_answers_a_request_for_another_disc_leaves_the_new_one_in() {
    let (drive, guest) = Initiator::with(patterned(1, 5000));
    prevent(&guest, 1);
    drive.request_eject();
    assert_eq!(media(&guest), (1, 2));
    // The guest lets go; before it ejects, the host has put another disc in and somebody has read the attentions.
    prevent(&guest, 0);
    drive.change_medium(patterned(2, 5000), false).unwrap();
    an_eject_is_late(&drive, &guest);
}

#[test]
fn two_requests_have_two_answers() {
    let (drive, guest) = Initiator::with(patterned(1, 5000));
    prevent(&guest, 1);
    for _ in 0..2 {
        drive.request_eject();
        assert_eq!(media(&guest), (1, 2));
    }
    prevent(&guest, 0);
    guest.run(&EJECT, 0).good();
    drive.change_medium(patterned(2, 5000), false).unwrap();
    an_eject_is_late(&drive, &guest);
}

/// Linux takes a unit attention for its unlock for done, and the eject that follows is refused.
#[test]
fn an_answer_that_is_refused_is_one_and_the_guest_can_be_asked_again() {
    let (drive, guest) = Initiator::with(patterned(1, 5000));
    let answered = || drive.wait_answered(Duration::ZERO, || false);
    prevent(&guest, 1);
    drive.request_eject();
    assert!(!answered());
    assert_eq!(media(&guest), (1, 2));
    assert!(!answered());
    assert_eq!(guest.run(&EJECT, 0).kaq(), (5, 0x53, 2));
    assert!(answered());
    drive.request_eject();
    assert_eq!((answered(), media(&guest)), (false, (1, 2)));
}
