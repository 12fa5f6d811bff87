//! GET CONFIGURATION.

use spindle::disc::TrackMode;

use crate::support::disc::{cd, of, patterned};
use crate::support::initiator::{Answer, Initiator};

fn configuration(guest: &Initiator, rt: u8, start: u16) -> Answer {
    let [high, low] = start.to_be_bytes();
    guest.run(&[0x46, rt, high, low, 0, 0, 0, 0x10, 0, 0], 4096)
}

/// Profile, then code, byte 2 (version, persistent, current) and data of every feature.
fn parse(data: &[u8]) -> (u16, Vec<(u16, u8, Vec<u8>)>) {
    assert_eq!(u32::from_be_bytes(data[..4].try_into().unwrap()) as usize, data.len() - 4);
    assert_eq!(data[4..6], [0, 0]);
    let mut features = Vec::new();
    let mut rest = &data[8..];
    while let [high, low, flags, len, tail @ ..] = rest {
        assert_eq!(len % 4, 0);
        let (body, next) = tail.split_at(usize::from(*len));
        features.push((u16::from_be_bytes([*high, *low]), *flags, body.to_vec()));
        rest = next;
    }
    assert!(rest.is_empty());
    (u16::from_be_bytes([data[6], data[7]]), features)
}

const ALL: [u16; 14] = [0x00, 0x01, 0x02, 0x03, 0x10, 0x1D, 0x1E, 0x1F, 0x40, 0x100, 0x103, 0x105, 0x107, 0x108];
const PERSISTENT: [u16; 7] = [0x00, 0x01, 0x02, 0x03, 0x100, 0x105, 0x108];

#[test]
fn the_features_that_are_current_follow_the_medium() {
    let mixed = of(cd(1, &[&[(TrackMode::Mode1, 1000), (TrackMode::Audio, 1000)]]));
    let cases: [(_, u16, &[u16]); 5] = [
        (None, 0x0000, &[]),
        (Some(patterned(1, 5000)), 0x0008, &[0x10, 0x1D, 0x1E, 0x107]),
        (Some(mixed), 0x0008, &[0x10, 0x1D, 0x1E, 0x103, 0x107]),
        (Some(patterned(1, 1_000_000)), 0x0010, &[0x10, 0x1F, 0x107]),
        (Some(patterned(1, 12_000_000)), 0x0040, &[0x10, 0x40, 0x107]),
    ];
    for (medium, profile, by_medium) in cases {
        let guest = match medium {
            Some(medium) => Initiator::with(medium).1,
            None => Initiator::fresh().1,
        };
        let all = parse(&configuration(&guest, 0, 0).good());
        assert_eq!(all.0, profile);
        assert_eq!(all.1.iter().map(|feature| feature.0).collect::<Vec<_>>(), ALL);
        for (code, flags, _) in &all.1 {
            let persistent = PERSISTENT.contains(code);
            assert_eq!(flags >> 1 & 1 != 0, persistent, "persistent: {code:04x}");
            assert_eq!(flags & 1 != 0, persistent || by_medium.contains(code), "current: {code:04x}");
        }
        let current: Vec<_> = all.1.iter().filter(|feature| feature.1 & 1 != 0).cloned().collect();
        assert_eq!(parse(&configuration(&guest, 1, 0).good()), (profile, current));
    }
}

#[test]
fn what_the_features_say() {
    let (_drive, guest) = Initiator::with(patterned(1, 1_000_000));
    let (_, features) = parse(&configuration(&guest, 0, 0).good());
    let expected: [(u16, u8, &[u8]); 14] = [
        (0x000, 0x03, &[0, 0x40, 0, 0, 0, 0x10, 1, 0, 0, 0x08, 0, 0]),
        // Core version 2: SCSI family, INQ2, DBE.
        (0x001, 0x0B, &[0, 0, 0, 1, 0x03, 0, 0, 0]),
        (0x002, 0x07, &[0x02, 0, 0, 0]),
        // Tray, load, eject, lock.
        (0x003, 0x0B, &[0x39, 0, 0, 0]),
        // 2,048 bytes, 16 blocks, PP.
        (0x010, 0x01, &[0, 0, 8, 0, 0, 16, 1, 0]),
        (0x01D, 0x00, &[]),
        // C2 pointers, CD-TEXT.
        (0x01E, 0x08, &[3, 0, 0, 0]),
        (0x01F, 0x05, &[0, 0, 0, 0]),
        (0x040, 0x00, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0A, 0, 0, 0, 0, 0, 0]),
        (0x100, 0x03, &[]),
        // SCAN, mutes, volumes, of 256 levels.
        (0x103, 0x00, &[7, 0, 1, 0]),
        (0x105, 0x07, &[0, 0, 0, 0]),
        // RBCB, SCS.
        (0x107, 0x11, &[0x18, 0, 0, 0]),
        (0x108, 0x03, b"SP-cd0  "),
    ];
    let expected = expected.map(|(code, flags, data)| (code, flags, data.to_vec()));
    assert_eq!(features, expected);
}

#[test]
fn the_blocking_of_random_readable_is_the_mediums() {
    for (blocks, blocking) in [(5000, 1), (1_000_000, 16), (12_000_000, 32)] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        let data = configuration(&guest, 2, 0x10).good();
        assert_eq!(data[12..], [0, 0, 8, 0, 0, blocking, 1, 0]);
    }
}

#[test]
fn the_starting_feature_cuts_the_list_and_type_2_names_one() {
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    let codes = |rt, start| -> Vec<u16> {
        parse(&configuration(&guest, rt, start).good()).1.iter().map(|feature| feature.0).collect()
    };
    assert_eq!(codes(0, 0x1E), ALL[6..]);
    assert_eq!(codes(0, 0x20), ALL[8..]);
    assert!(codes(0, 0xFFFF).is_empty());
    assert_eq!(codes(1, 0x1E), [0x1E, 0x100, 0x105, 0x107, 0x108]);
    // Also when it is not current.
    assert_eq!(codes(2, 0x40), [0x40]);
    assert!(codes(2, 0x41).is_empty());
    assert_eq!(configuration(&guest, 2, 0x41).good(), [0, 0, 0, 4, 0, 0, 0, 8]);
    assert_eq!(configuration(&guest, 3, 0).kaq(), (5, 0x24, 0));
}

#[test]
fn a_header_alone_tells_the_full_length_as_windows_asks_first() {
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    let full = configuration(&guest, 0, 0).good();
    assert_eq!(guest.run(&[0x46, 0, 0, 0, 0, 0, 0, 0, 8, 0], 8).good(), full[..8]);
}

#[test]
fn a_pending_unit_attention_waits() {
    let (drive, guest) = Initiator::with(patterned(1, 5000));
    drive.change_medium(patterned(2, 1_000_000), false).unwrap();
    assert_eq!(configuration(&guest, 1, 0).good()[6..8], [0, 0x10]);
    assert_eq!(guest.run(&[0; 6], 0).kaq(), (6, 0x3A, 0));
}
