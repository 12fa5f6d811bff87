//! GET PERFORMANCE, SET STREAMING, SET CD SPEED.

use crate::support::disc::patterned;
use crate::support::initiator::{Answer, Initiator};

const NOMINAL: u8 = 0x10;

fn performance(guest: &Initiator, data_type: u8, start: u32, most: u8, kind: u8) -> Answer {
    let [a, b, c, d] = start.to_be_bytes();
    guest.run(&[0xAC, data_type, a, b, c, d, 0, 0, 0, most, kind, 0], 256)
}

/// Speed of the nominal performance in kB/s.
fn speed(guest: &Initiator) -> u32 {
    let data = performance(guest, NOMINAL, 0, 1, 0).good();
    assert_eq!(data[12..16], data[20..24]);
    u32::from_be_bytes(data[12..16].try_into().unwrap())
}

/// Current read speed of mode page 2Ah.
fn page_speed(guest: &Initiator) -> u16 {
    let data = guest.run(&[0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 255, 0], 255).good();
    u16::from_be_bytes([data[8 + 14], data[8 + 15]])
}

fn set_cd_speed(guest: &Initiator, speed: u16) {
    let [high, low] = speed.to_be_bytes();
    guest.run(&[0xBB, 0, high, low, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0], 0).good();
}

/// A performance descriptor: flags, start, end, read size in kB, read time in ms.
fn descriptor(flags: u8, fields: [u32; 4]) -> Vec<u8> {
    let mut data = vec![flags, 0, 0, 0];
    data.extend(fields.iter().flat_map(|field| field.to_be_bytes()));
    data.resize(28, 0);
    data
}

fn set_streaming(guest: &Initiator, data: &[u8]) -> Answer {
    guest.send(&[0xB6, 0, 0, 0, 0, 0, 0, 0, 0, 0, data.len() as u8, 0], 0, data)
}

#[test]
fn the_nominal_performance_spans_the_disc() {
    for (blocks, speed) in [(5000_u32, 9173_u32), (1_000_000, 22_160), (12_000_000, 53_946)] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        let mut expected = vec![0, 0, 0, 20, 0, 0, 0, 0];
        expected.extend([0, speed, blocks - 1, speed].iter().flat_map(|word| word.to_be_bytes()));
        assert_eq!(performance(&guest, NOMINAL, 0, 9, 0).good(), expected);
        expected[8..12].copy_from_slice(&4999_u32.to_be_bytes());
        assert_eq!(performance(&guest, NOMINAL, 4999, 1, 0).good(), expected);
        // The header tells of the descriptor that there was no room for.
        assert_eq!(performance(&guest, NOMINAL, 0, 0, 0).good(), [0, 0, 0, 20, 0, 0, 0, 0]);
        assert_eq!(performance(&guest, NOMINAL, blocks, 9, 0).kaq(), (5, 0x21, 0));
    }
}

#[test]
fn there_are_no_exceptions() {
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    for except in [2, 3] {
        assert_eq!(performance(&guest, NOMINAL | except, 0, 9, 0).good(), [0, 0, 0, 4, 1, 0, 0, 0]);
    }
}

#[test]
fn what_get_performance_cannot_tell() {
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    for data_type in [0x00, 0x08, 0x18, NOMINAL | 0x04] {
        assert_eq!(performance(&guest, data_type, 0, 9, 0).kaq(), (5, 0x24, 0), "data type {data_type:02x}");
    }
    // No write speeds, as the Real-Time Streaming feature says.
    for kind in [1, 2, 3, 4, 5, 0xFF] {
        for data_type in [0, NOMINAL] {
            assert_eq!(performance(&guest, data_type, 0, 9, kind).kaq(), (5, 0x24, 0), "type {kind}");
        }
    }
    assert_eq!(guest.run(&[0x46, 2, 1, 0x07, 0, 0, 0, 0, 16, 0], 16).good()[12] & 0x02, 0, "WSPD");
}

#[test]
fn set_cd_speed_shows_in_performance_and_mode_page() {
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    set_cd_speed(&guest, 1764);
    assert_eq!((speed(&guest), page_speed(&guest)), (1764, 1764));
    // Slower and faster than the drive can: the nearest it has.
    set_cd_speed(&guest, 1);
    assert_eq!(speed(&guest), 176);
    set_cd_speed(&guest, 0xFFFE);
    assert_eq!(speed(&guest), 9173);
    set_cd_speed(&guest, 706);
    set_cd_speed(&guest, 0xFFFF);
    assert_eq!((speed(&guest), page_speed(&guest)), (9173, 9173));
}

#[test]
fn a_chosen_speed_ends_with_the_medium() {
    let (drive, guest) = Initiator::with(patterned(1, 5000));
    set_cd_speed(&guest, 706);
    drive.change_medium(patterned(2, 5000), false).unwrap();
    guest.settle();
    assert_eq!(speed(&guest), 9173);
}

#[test]
fn set_streaming_chooses_a_speed_as_size_per_time() {
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    set_streaming(&guest, &descriptor(0, [0, 4999, 353, 500])).good();
    assert_eq!(speed(&guest), 706);
    set_streaming(&guest, &descriptor(0, [0, u32::MAX, u32::MAX, 1])).good();
    assert_eq!(speed(&guest), 9173);
    set_cd_speed(&guest, 706);
    set_streaming(&guest, &descriptor(0x04, [0, 0, 0, 0])).good();
    assert_eq!(speed(&guest), 9173, "RDD restores the default");
    // Exact: a speed that the drive has, and one that it has not.
    set_streaming(&guest, &descriptor(0x02, [0, 4999, 9173, 1000])).good();
    let answer = set_streaming(&guest, &descriptor(0x02, [0, 4999, 9174, 1000]));
    assert_eq!(answer.kaq(), (5, 0x26, 0));
    assert_eq!(answer.sense[15..18], [0x80, 0, 12]);
}

#[test]
fn a_bad_performance_descriptor_changes_nothing() {
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    set_cd_speed(&guest, 706);
    assert_eq!(set_streaming(&guest, &descriptor(0, [1, 0, 100, 100])).kaq(), (5, 0x26, 0));
    assert_eq!(set_streaming(&guest, &descriptor(0, [0, 9, 100, 0])).kaq(), (5, 0x26, 0));
    for len in [1, 27, 29] {
        assert_eq!(set_streaming(&guest, &vec![0; len]).kaq(), (5, 0x1A, 0), "{len} bytes");
    }
    // The CDB promises a descriptor that does not come whole.
    let short = guest.send(&[0xB6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 28, 0], 0, &[0; 20]);
    assert_eq!((short.kaq(), short.overrun), ((5, 0x1A, 0), true));
    set_streaming(&guest, &[]).good();
    assert_eq!(guest.send(&[0xB6, 0, 0, 0, 0, 0, 0, 0, 5, 0, 28, 0], 0, &[0; 28]).kaq(), (5, 0x24, 0));
    assert_eq!(speed(&guest), 706);
}

#[test]
fn read_ahead_is_of_blocks_that_the_disc_has() {
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    let ahead = |trigger: u32, target: u32| {
        let ([a, b, c, d], [e, f, g, h]) = (trigger.to_be_bytes(), target.to_be_bytes());
        guest.run(&[0xA7, 0, a, b, c, d, e, f, g, h, 0, 0], 0)
    };
    for (trigger, target) in [(0, 0), (0, 4999), (4999, 16)] {
        ahead(trigger, target).good();
    }
    for (trigger, target) in [(5000, 0), (0, 5000), (u32::MAX, 0), (0, u32::MAX)] {
        assert_eq!(ahead(trigger, target).kaq(), (5, 0x21, 0), "{trigger} {target}");
    }
}

#[test]
fn the_capabilities_page_and_the_performance_agree_for_every_medium() {
    for blocks in [5000, 1_000_000, 12_000_000] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        for wanted in [0xFFFF, 5000, 8000, 30_000, 1] {
            set_cd_speed(&guest, wanted);
            assert_eq!(u32::from(page_speed(&guest)), speed(&guest), "{blocks} blocks at {wanted}");
        }
    }
}
