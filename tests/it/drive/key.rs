//! REPORT KEY and SEND KEY of a drive without a copy protection system.

use spindle::disc::StoredStructure;
use spindle::image::{OpenOptions, open_source};

use crate::support::disc::{Patterned, of, patterned};
use crate::support::initiator::{Answer, Initiator};

const DVD: u32 = 1_000_000;

fn report(guest: &Initiator, class: u8, agid: u8, format: u8) -> Answer {
    guest.run(&[0xA4, 0, 0, 0, 0, 0, 0, class, 0, 16, agid << 6 | format, 0], 16)
}

fn send(guest: &Initiator, class: u8, format: u8, list: &[u8]) -> Answer {
    guest.send(&[0xA3, 0, 0, 0, 0, 0, 0, class, 0, list.len() as u8, format, 0], 0, list)
}

/// What `regionset`, Windows and Linux' DVD_LU_SEND_RPC_STATE ask for, with and without a disc.
#[test]
fn no_region_is_set_and_all_changes_are_left() {
    let state = [0, 6, 0, 0, 0b00_100_101, 0xFF, 0x01, 0];
    let (drive, guest) = Initiator::fresh();
    guest.settle();
    assert_eq!(report(&guest, 0, 0, 0x08).good(), state);
    drive.open_tray(false).unwrap();
    assert_eq!(report(&guest, 0, 0, 0x08).good(), state);
    for blocks in [5000, DVD, 12_000_000] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        assert_eq!(report(&guest, 0, 0, 0x08).good(), state);
        // Setting one: the preferred region is 2.
        assert_eq!(send(&guest, 0, 0x06, &[0, 6, 0, 0, 0xFD, 0, 0, 0]).kaq(), (5, 0x24, 0));
        assert_eq!(report(&guest, 0, 0, 0x08).good(), state);
    }
}

/// libdvdcss gives up the four authentications that a program before it may have left, and looks at ASF.
#[test]
fn no_authentication_is_granted_and_giving_one_up_is_no_error() {
    let mut css =
        open_source(std::sync::Arc::new(Patterned { seed: 1, blocks: DVD }), &OpenOptions::default()).unwrap().disc;
    css.structures = vec![StoredStructure { layer: 0, format: 1, data: vec![1, 0, 0, 0] }];
    for medium in [patterned(1, DVD), of(css)] {
        let (_drive, guest) = Initiator::with(medium);
        for agid in 0..4 {
            assert!(report(&guest, 0, agid, 0x3F).good().is_empty());
            assert_eq!(report(&guest, 0, agid, 0x05).good(), [0, 6, 0, 0, 0, 0, 0, 0]);
            for format in [0x00, 0x01, 0x02, 0x04] {
                assert_eq!(report(&guest, 0, agid, format).kaq(), (5, 0x6F, 1), "format {format:02x}");
            }
        }
        for format in [0x01, 0x03] {
            assert_eq!(send(&guest, 0, format, &[0; 16]).kaq(), (5, 0x6F, 1), "format {format:02x}");
        }
        send(&guest, 0, 0x3F, &[]).good();
        assert_eq!(report(&guest, 0, 0, 0x05).good()[7], 0);
    }
}

#[test]
fn keys_are_asked_of_a_dvd_alone() {
    for blocks in [5000, 12_000_000] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        for format in [0x00, 0x01, 0x02, 0x04, 0x05] {
            assert_eq!(report(&guest, 0, 0, format).kaq(), (5, 0x30, 2), "format {format:02x}");
        }
        assert_eq!(send(&guest, 0, 0x01, &[0; 16]).kaq(), (5, 0x30, 2));
    }
    let (_drive, guest) = Initiator::fresh();
    guest.settle();
    assert_eq!(report(&guest, 0, 0, 0x00).kaq(), (2, 0x3A, 1));
    assert_eq!(report(&guest, 0, 0, 0x05).kaq(), (2, 0x3A, 1));
    assert!(report(&guest, 0, 0, 0x3F).good().is_empty());
}

#[test]
fn key_classes_and_formats_of_other_systems_are_refused() {
    let (_drive, guest) = Initiator::with(patterned(1, DVD));
    // Rewritable Security Services A, AACS, VCPS, SecurDisc.
    for class in [0x01, 0x02, 0x20, 0x21, 0xFF] {
        for format in [0x00, 0x08, 0x20, 0x3F] {
            let answer = report(&guest, class, 0, format);
            assert_eq!((answer.kaq(), &answer.sense[15..18]), ((5, 0x24, 0), &[0xC0, 0, 7][..]), "class {class:02x}");
            assert_eq!(send(&guest, class, format, &[]).kaq(), (5, 0x24, 0), "class {class:02x}");
        }
    }
    // 11h is the AGID of CPRM.
    for format in [0x03, 0x06, 0x07, 0x11, 0x20, 0x3E] {
        let answer = report(&guest, 0, 0, format);
        assert_eq!((answer.kaq(), &answer.sense[15..18]), ((5, 0x24, 0), &[0xCD, 0, 10][..]), "format {format:02x}");
    }
    for format in [0x00, 0x02, 0x06, 0x08, 0x3E] {
        assert_eq!(send(&guest, 0, format, &[0; 8]).kaq(), (5, 0x24, 0), "format {format:02x}");
    }
}
