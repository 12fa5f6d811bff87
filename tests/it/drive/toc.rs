//! READ TOC/PMA/ATIP.

use spindle::disc::FullTocEntry;
use spindle::disc::TrackMode::{Audio, Mode1, Mode2Xa};
use spindle::disc::cdtext::{CdText, ENGLISH, Kind, encode};

use crate::support::disc::{self, patterned};
use crate::support::initiator::{Answer, Initiator};

fn toc(guest: &Initiator, msf: bool, format: u8, from: u8) -> Answer {
    guest.run(&[0x43, u8::from(msf) << 1, format, 0, 0, 0, from, 0x10, 0, 0], 4096)
}

/// Three sessions: audio, audio and data; XA; data. Tracks start at 0, 1000, 14400, 22800.
fn three_sessions() -> Initiator {
    let disc = disc::cd(1, &[&[(Audio, 1000), (Mode1, 2000)], &[(Mode2Xa, 1500)], &[(Mode1, 400)]]);
    Initiator::with(disc::of(disc)).1
}

#[test]
fn the_toc_of_one_data_track() {
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    let lba = [0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xAA, 0, 0, 0, 0x13, 0x88];
    assert_eq!(toc(&guest, false, 0, 0).good(), lba);
    // 5150 frames are 01:08:50.
    let msf = [0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 2, 0, 0, 0x14, 0xAA, 0, 0, 1, 8, 50];
    assert_eq!(toc(&guest, true, 0, 1).good(), msf);
}

#[test]
fn the_toc_lists_every_session_and_starts_where_asked() {
    let guest = three_sessions();
    let all = toc(&guest, false, 0, 0).good();
    let rows: Vec<_> =
        all[4..].chunks(8).map(|row| (row[1], row[2], u32::from_be_bytes(row[4..].try_into().unwrap()))).collect();
    assert_eq!(all[..4], [0, 2 + 5 * 8, 1, 4]);
    assert_eq!(rows, [(0x10, 1, 0), (0x14, 2, 1000), (0x14, 3, 14_400), (0x14, 4, 22_800), (0x14, 0xAA, 23_200)]);

    let from_3 = toc(&guest, false, 0, 3).good();
    assert_eq!(from_3[..4], [0, 2 + 3 * 8, 1, 4]);
    assert_eq!(from_3[4..], all[4 + 2 * 8..]);
    let lead_out = toc(&guest, false, 0, 0xAA).good();
    assert_eq!(lead_out[..4], [0, 10, 1, 4]);
    assert_eq!(lead_out[4..], all[4 + 4 * 8..]);
    for bad in [5, 99, 0xA9, 0xAB, 0xFF] {
        let answer = toc(&guest, false, 0, bad);
        assert_eq!(answer.kaq(), (5, 0x24, 0), "track {bad}");
        // The field pointer names byte 6 of the CDB.
        assert_eq!(answer.sense[15..18], [0xC0, 0, 6]);
    }
}

#[test]
fn multi_session_information_names_the_first_track_of_the_last_session() {
    let guest = three_sessions();
    assert_eq!(toc(&guest, false, 1, 0).good(), [0, 10, 1, 3, 0, 0x14, 4, 0, 0, 0, 0x59, 0x10]);
    // 22950 frames are 05:06:00.
    assert_eq!(toc(&guest, true, 1, 0).good(), [0, 10, 1, 3, 0, 0x14, 4, 0, 0, 5, 6, 0]);
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    assert_eq!(toc(&guest, false, 1, 0).good(), [0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn the_format_may_stand_in_byte_9_as_linux_sends_it() {
    let guest = three_sessions();
    let sff =
        |msf: bool, bits: u8| guest.run(&[0x43, u8::from(msf) << 1, 0, 0, 0, 0, 0, 0x10, 0, bits << 6], 4096).good();
    for msf in [false, true] {
        assert_eq!(sff(msf, 1), toc(&guest, msf, 1, 0).good());
        assert_eq!(sff(msf, 2), toc(&guest, msf, 2, 0).good());
    }
    // The format of byte 2 wins.
    assert_eq!(guest.run(&[0x43, 0, 1, 0, 0, 0, 0, 0x10, 0, 0x80], 4096).good(), toc(&guest, false, 1, 0).good());
}

#[test]
fn the_full_toc_has_the_lead_in_of_every_session() {
    let guest = three_sessions();
    let data = toc(&guest, true, 2, 0).good();
    let rows: Vec<[u8; 11]> = data[4..].chunks(11).map(|row| row.try_into().unwrap()).collect();
    let expected: &[[u8; 11]] = &[
        [1, 0x10, 0, 0xA0, 0, 0, 0, 0, 1, 0, 0],
        [1, 0x14, 0, 0xA1, 0, 0, 0, 0, 2, 0, 0],
        // Lead-out at 3000: 00:42:00.
        [1, 0x14, 0, 0xA2, 0, 0, 0, 0, 0, 42, 0],
        [1, 0x10, 0, 1, 0, 0, 0, 0, 0, 2, 0],
        [1, 0x14, 0, 2, 0, 0, 0, 0, 0, 15, 25],
        // The next program area begins at 14250: 03:12:00; two pointers of mode 5.
        [1, 0x54, 0, 0xB0, 3, 12, 0, 2, 79, 59, 74],
        [1, 0x54, 0, 0xC0, 0, 0, 0, 0, 95, 0, 0],
        // PSEC 20h: a session with an XA track.
        [2, 0x14, 0, 0xA0, 0, 0, 0, 0, 3, 0x20, 0],
        [2, 0x14, 0, 0xA1, 0, 0, 0, 0, 3, 0, 0],
        [2, 0x14, 0, 0xA2, 0, 0, 0, 0, 3, 34, 0],
        [2, 0x14, 0, 3, 0, 0, 0, 0, 3, 14, 0],
        [2, 0x54, 0, 0xB0, 5, 4, 0, 1, 79, 59, 74],
        [3, 0x14, 0, 0xA0, 0, 0, 0, 0, 4, 0, 0],
        [3, 0x14, 0, 0xA1, 0, 0, 0, 0, 4, 0, 0],
        [3, 0x14, 0, 0xA2, 0, 0, 0, 0, 5, 11, 25],
        [3, 0x14, 0, 4, 0, 0, 0, 0, 5, 6, 0],
    ];
    assert_eq!(data[..4], [0, 2 + 16 * 11, 1, 3]);
    assert_eq!(rows, expected);
    // Block addresses do not exist here: the MSF bit changes nothing.
    assert_eq!(toc(&guest, false, 2, 0).good(), data);

    let last = toc(&guest, true, 2, 3).good();
    assert_eq!(last[..4], [0, 2 + 4 * 11, 1, 3]);
    assert_eq!(last[4..], data[4 + 12 * 11..]);
    assert_eq!(toc(&guest, true, 2, 4).kaq(), (5, 0x24, 0));
}

#[test]
fn a_read_only_disc_has_no_pma_no_atip_and_no_unknown_format() {
    let guest = three_sessions();
    for format in [3, 4, 6, 7, 15] {
        assert_eq!(toc(&guest, true, format, 0).kaq(), (5, 0x24, 0), "format {format}");
    }
    assert_eq!(guest.run(&[0x43, 0, 0, 0, 0, 0, 0, 0x10, 0, 0xC0], 4096).kaq(), (5, 0x24, 0));
}

#[test]
fn a_cd_without_cd_text_has_an_empty_list_of_packs_and_a_dvd_none() {
    assert_eq!(toc(&three_sessions(), false, 5, 0).good(), [0, 2, 0, 0]);
    let (_drive, guest) = Initiator::with(patterned(1, 1_000_000));
    assert_eq!(toc(&guest, false, 5, 0).kaq(), (5, 0x24, 0));
}

#[test]
fn cd_text_is_that_of_the_first_session_that_has_any() {
    let mut disc = disc::cd(1, &[&[(Audio, 1000)], &[(Mode1, 2000)]]);
    let texts = [("Album", 0), ("Track", 1)].map(|(text, track)| ((Kind::Title, track), text.to_owned()));
    let packs = encode(&[CdText { language: ENGLISH, texts: texts.into() }], 1, 1);
    // The CRC of one is not kept.
    disc.sessions[1].cd_text = packs.clone();
    disc.sessions[1].cd_text[0][16..].fill(0);
    let guest = Initiator::with(disc::of(disc)).1;
    let data = toc(&guest, true, 5, 0).good();
    assert_eq!(data[..4], [0, 2 + 18 * 4, 0, 0]);
    assert_eq!(data[4..], *packs.as_flattened());
    assert_eq!(data[8..16], *b"Album\0Tr");
}

#[test]
fn a_dvd_and_a_bd_have_a_made_up_toc() {
    // DVD: 1,000,150 frames are 222:15:25. BD: more minutes than a byte holds become the last time there is.
    for (blocks, lead_out) in [(1_000_000_u32, [0, 222, 15, 25]), (12_000_000, [0, 255, 59, 74])] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        let lba = toc(&guest, false, 0, 0).good();
        assert_eq!(lba[..12], [0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0]);
        assert_eq!(lba[12..16], [0, 0x14, 0xAA, 0]);
        assert_eq!(lba[16..], blocks.to_be_bytes());
        assert_eq!(toc(&guest, true, 0, 0).good()[16..], lead_out);
        assert_eq!(toc(&guest, false, 1, 0).good(), [0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0]);
        assert_eq!(toc(&guest, true, 2, 0).good()[..4], [0, 2 + 4 * 11, 1, 1]);
        assert_eq!(toc(&guest, true, 2, 0).good()[4 + 2 * 11 + 8..][..3], lead_out[1..]);
    }
}

#[test]
fn lines_of_mode_5_are_those_that_the_image_stores() {
    let mut disc = disc::cd(1, &[&[(Audio, 1000)], &[(Mode1, 2000)]]);
    let line = |session: u8, point, rest: [u8; 7]| {
        let [a, b, c, zero, p, s, f] = rest;
        [session, 0x54, 0, point, a, b, c, zero, p, s, f]
    };
    let stored = [
        line(1, 0xB0, [2, 45, 25, 3, 79, 59, 73]),
        line(1, 0xC0, [162, 128, 140, 0, 97, 27, 21]),
        line(1, 0xC1, [64, 88, 100, 0, 0, 0, 0]),
        line(2, 0xB0, [0xFF, 0xFF, 0xFF, 1, 0, 0, 0]),
    ];
    for bytes in stored {
        // Formats need not know the session's number.
        let line = FullTocEntry { session: 0, ..FullTocEntry::from_bytes(bytes) };
        disc.sessions[usize::from(bytes[0]) - 1].mode_5.push(line);
    }
    let data = toc(&Initiator::with(disc::of(disc)).1, true, 2, 0).good();
    let told: Vec<&[u8]> = data[4..].chunks(11).filter(|line| line[3] >= 0xB0).collect();
    assert_eq!(told, stored);
}
