//! READ DISC INFORMATION and READ TRACK INFORMATION.

use spindle::disc::FullTocEntry;
use spindle::disc::TrackMode::{Audio, Mode1, Mode2Formless, Mode2Xa};

use crate::support::disc::{self, patterned};
use crate::support::initiator::{Answer, Initiator};

/// Tracks start at 0, 1000, 3000, and in session 2 at 14,900.
fn two_sessions() -> Initiator {
    let disc = disc::cd(1, &[&[(Mode2Xa, 1000), (Audio, 2000), (Mode2Formless, 500)], &[(Mode1, 1500)]]);
    Initiator::with(disc::of(disc)).1
}

fn track(guest: &Initiator, kind: u8, address: u32) -> Answer {
    let [a, b, c, d] = address.to_be_bytes();
    guest.run(&[0x52, kind, a, b, c, d, 0, 0, 255, 0], 255)
}

#[test]
fn disc_information_describes_a_complete_disc() {
    let data = two_sessions().run(&[0x51, 0, 0, 0, 0, 0, 0, 0, 255, 0], 255).good();
    let mut expected = [0; 34];
    // Length; complete; first track, sessions, first and last track of the last session; URU; XA; no next session.
    expected[..9].copy_from_slice(&[0, 32, 0x0E, 1, 2, 4, 4, 0x20, 0x20]);
    expected[16..24].fill(0xFF);
    assert_eq!(data, expected);
}

#[test]
fn disc_information_follows_the_medium() {
    for (blocks, disc_type) in [(5000, 0x00), (1_000_000, 0xFF), (12_000_000, 0xFF)] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        let data = guest.run(&[0x51, 0, 0, 0, 0, 0, 0, 0, 255, 0], 255).good();
        assert_eq!(data[..9], [0, 32, 0x0E, 1, 1, 1, 1, 0x20, disc_type]);
    }
}

#[test]
fn a_read_only_drive_has_no_resources_to_tell_of() {
    let guest = two_sessions();
    for kind in 1..8 {
        assert_eq!(guest.run(&[0x51, kind, 0, 0, 0, 0, 0, 0, 255, 0], 255).kaq(), (5, 0x24, 0), "type {kind}");
    }
}

#[test]
fn a_track_is_found_by_number_by_session_and_by_any_of_its_blocks() {
    let guest = two_sessions();
    let by_number: Vec<_> = (1..=4).map(|number| track(&guest, 1, number).good()).collect();
    // Number, session, reserved, control, data mode; start; size.
    for (data, (head, start, size)) in by_number.iter().zip([
        ([1, 1, 0, 4, 2], 0_u32, 1000_u32),
        ([2, 1, 0, 0, 15], 1000, 2000),
        ([3, 1, 0, 4, 2], 3000, 500),
        ([4, 2, 0, 4, 1], 14_900, 1500),
    ]) {
        assert_eq!(data.len(), 48);
        assert_eq!(data[..2], [0, 46]);
        assert_eq!(data[2..7], head);
        assert_eq!(data[7], 0, "neither a next writable nor a last recorded address");
        assert_eq!(data[8..12], start.to_be_bytes());
        assert_eq!(data[24..28], size.to_be_bytes());
        assert_eq!(data[32..], [0; 16]);
    }
    for (lba, number) in [(0, 1), (999, 1), (1000, 2), (2999, 2), (3499, 3), (14_750, 4), (14_900, 4), (16_399, 4)] {
        assert_eq!(track(&guest, 0, lba).good(), by_number[number - 1], "block {lba}");
    }
    // The pre-gap of track 1 lies below block 0.
    assert_eq!(track(&guest, 0, (-150_i32).cast_unsigned()).good(), by_number[0]);
    assert_eq!(track(&guest, 2, 1).good(), by_number[0]);
    assert_eq!(track(&guest, 2, 2).good(), by_number[3]);
}

#[test]
fn what_names_no_track_is_refused() {
    let guest = two_sessions();
    for lba in [3500, 14_749, 16_400, u32::MAX - 150, 0x7FFF_FFFF] {
        assert_eq!(track(&guest, 0, lba).kaq(), (5, 0x21, 0), "block {lba}");
    }
    // The lead-in, the invisible track, a track that is not there.
    for number in [0, 0xFF, 5, 0x101, u32::MAX] {
        assert_eq!(track(&guest, 1, number).kaq(), (5, 0x24, 0), "track {number}");
    }
    for session in [0, 3, 0xFF, 0x102] {
        assert_eq!(track(&guest, 2, session).kaq(), (5, 0x24, 0), "session {session}");
    }
    assert_eq!(track(&guest, 3, 1).kaq(), (5, 0x24, 0));
    for open in 4..8 {
        assert_eq!(track(&guest, open, 1).kaq(), (5, 0x24, 0), "no track is open");
    }
}

/// One session of 500 blocks, then room for another up to 79:57:74.
fn open_disc(track: u8) -> Initiator {
    let mut disc = disc::cd(1, &[&[(Mode1, 500)]]);
    disc.sessions[0].tracks[0].number = track;
    // The program area would begin 11,250 blocks after the lead-out at 500: 02:38:50.
    disc.sessions[0].mode_5 = vec![FullTocEntry::from_bytes([1, 0x54, 0, 0xB0, 2, 38, 50, 1, 79, 57, 74])];
    Initiator::with(disc::of(disc)).1
}

#[test]
fn an_open_disc_ends_with_an_empty_session() {
    let guest = open_disc(1);
    let data = guest.run(&[0x51, 0, 0, 0, 0, 0, 0, 0, 255, 0], 255).good();
    let mut expected = [0; 34];
    // Incomplete, the last session empty; two sessions, the first and last track of the second are the invisible one.
    expected[..9].copy_from_slice(&[0, 32, 0x01, 1, 2, 2, 2, 0x20, 0]);
    // The lead-in is a minute before its program area.
    expected[16..24].copy_from_slice(&[0, 1, 38, 50, 0, 79, 57, 74]);
    assert_eq!(data, expected);
    // What can be read ends as before, and the sessions that READ TOC tells are complete ones.
    assert_eq!(guest.run(&[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8).good(), [0, 0, 1, 0xF3, 0, 0, 8, 0]);
    assert_eq!(guest.run(&[0x43, 0, 1, 0, 0, 0, 0, 0, 255, 0], 255).good()[..4], [0, 10, 1, 1]);
}

#[test]
fn the_invisible_track_of_an_open_disc_is_blank() {
    let guest = open_disc(1);
    let by_number = track(&guest, 1, 2).good();
    let start = 11_900_u32;
    let blocks = 359_699 - start;
    let mut expected = [0; 48];
    expected[..8].copy_from_slice(&[0, 46, 2, 2, 0, 4, 0x4F, 1]);
    expected[8..20].copy_from_slice([start, start, blocks].map(u32::to_be_bytes).as_flattened());
    expected[24..28].copy_from_slice(&blocks.to_be_bytes());
    assert_eq!(by_number, expected);
    for (kind, address) in [(1, 0xFF), (2, 2), (0, start), (0, start + blocks - 1)] {
        assert_eq!(track(&guest, kind, address).good(), by_number, "{kind} {address}");
    }
    for address in [500, start - 1, start + blocks] {
        assert_eq!(track(&guest, 0, address).kaq(), (5, 0x21, 0), "{address}");
    }
    assert_eq!(track(&guest, 1, 3).kaq(), (5, 0x24, 0));
    assert_eq!(track(&guest, 1, 1).good()[2..7], [1, 1, 0, 4, 1]);
}

#[test]
fn a_disc_whose_numbers_are_used_up_is_closed() {
    let guest = open_disc(99);
    assert_eq!(guest.run(&[0x51, 0, 0, 0, 0, 0, 0, 0, 255, 0], 255).good()[2], 0x0E);
    assert_eq!(track(&guest, 1, 0xFF).kaq(), (5, 0x24, 0));
}

#[test]
fn the_last_track_ends_where_the_capacity_does() {
    // Linux (cdrom_get_last_written) takes start plus size of the last track as the capacity.
    for blocks in [5000, 1_000_001, 12_000_000] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        let data = track(&guest, 1, 1).good();
        assert_eq!((&data[2..7], &data[24..28]), (&[1, 1, 0, 4, 1][..], &blocks.to_be_bytes()[..]));
    }
}
