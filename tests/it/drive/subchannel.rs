//! READ SUB-CHANNEL and READ HEADER.

use std::sync::Arc;

use spindle::disc::TrackMode::{Audio, Mode1, Mode2Xa};
use spindle::disc::sector::{RAW, SYNC};
use spindle::disc::subchannel::{Q, StoredSubchannel, SubchannelForm, crc};
use spindle::disc::{Control, Lba, Msf};
use spindle::source::MemorySource;

use crate::support::disc::{self, patterned};
use crate::support::initiator::{Answer, Initiator};

/// Track 1 data from 0, track 2 audio from 1000; session 2: track 3 XA from 12,600, its pre-gap from 12,450.
fn mixed() -> Initiator {
    let disc = disc::cd(1, &[&[(Mode1, 1000), (Audio, 200)], &[(Mode2Xa, 500)]]);
    Initiator::with(disc::of(disc)).1
}

fn sub_channel(guest: &Initiator, msf: bool, format: u8, track: u8) -> Answer {
    guest.run(&[0x42, u8::from(msf) << 1, 0x40, format, 0, 0, track, 0, 255, 0], 255)
}

fn header(guest: &Initiator, msf: bool, lba: u32) -> Answer {
    let [a, b, c, d] = lba.to_be_bytes();
    guest.run(&[0x44, u8::from(msf) << 1, a, b, c, d, 0, 0, 255, 0], 255)
}

fn seek(guest: &Initiator, lba: u32) {
    let [a, b, c, d] = lba.to_be_bytes();
    guest.run(&[0x2B, 0, a, b, c, d, 0, 0, 0, 0], 0).good();
}

#[test]
fn the_position_is_where_the_last_read_ended() {
    let guest = mixed();
    assert_eq!(sub_channel(&guest, false, 1, 0).good(), [0, 0x15, 0, 12, 1, 0x14, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    guest.run(&[0x28, 0, 0, 0, 0, 100, 0, 0, 5, 0], 5 * 2048).good();
    assert_eq!(sub_channel(&guest, false, 1, 0).good()[8..], [0, 0, 0, 105, 0, 0, 0, 105]);
    // 255 frames are 00:03:30; relative to the track 00:01:30.
    assert_eq!(sub_channel(&guest, true, 1, 0).good()[8..], [0, 0, 3, 30, 0, 0, 1, 30]);
    // A read stops where a track of another kind begins.
    assert_eq!(guest.run(&[0x28, 0, 0, 0, 0x03, 0xE4, 0, 0, 8, 0], 8 * 2048).kaq(), (5, 0x64, 0));
    let data = sub_channel(&guest, false, 1, 0).good();
    assert_eq!(data[4..], [1, 0x10, 2, 1, 0, 0, 0x03, 0xE8, 0, 0, 0, 0]);
}

#[test]
fn a_seek_moves_the_position_into_gaps_too() {
    let guest = mixed();
    seek(&guest, 12_500);
    // Index 0 of track 3, 100 blocks before it: a negative address, a time that runs down (SCSI-2, 14.2.10).
    assert_eq!(sub_channel(&guest, false, 1, 0).good()[4..], [1, 0x14, 3, 0, 0, 0, 0x30, 0xD4, 0xFF, 0xFF, 0xFF, 0x9C]);
    assert_eq!(sub_channel(&guest, true, 1, 0).good()[4..], [1, 0x14, 3, 0, 0, 2, 48, 50, 0, 0, 1, 25]);
    seek(&guest, 5000);
    // The lead-out of session 1, which begins at 1200.
    assert_eq!(sub_channel(&guest, false, 1, 0).good()[4..], [1, 0x10, 0xAA, 1, 0, 0, 0x13, 0x88, 0, 0, 0x0E, 0xD8]);
    // The end of the disc: the last block.
    guest.run(&[0x28, 0, 0, 0, 0x33, 0x2B, 0, 0, 1, 0], 2048).good();
    assert_eq!(sub_channel(&guest, false, 1, 0).good()[8..12], [0, 0, 0x33, 0x2B]);
}

#[test]
fn the_position_of_a_new_disc_is_its_start() {
    let (drive, guest) = Initiator::with(patterned(1, 5000));
    seek(&guest, 4000);
    drive.change_medium(patterned(2, 5000), false).unwrap();
    guest.settle();
    assert_eq!(sub_channel(&guest, false, 1, 0).good()[8..], [0; 8]);
}

#[test]
fn catalogue_number_and_isrc() {
    let guest = mixed();
    let mut mcn = vec![0, 0x15, 0, 20, 2, 0, 0, 0, 0x80];
    mcn.extend(b"0123456789012\0\0");
    assert_eq!(sub_channel(&guest, false, 2, 0).good(), mcn);
    let mut isrc = vec![0, 0x15, 0, 20, 3, 0x10, 2, 0, 0x80];
    isrc.extend(b"DEABC2400001\0\0\0");
    assert_eq!(sub_channel(&guest, false, 3, 2).good(), isrc);
    // A data track has none: TCVal is clear.
    let mut none = vec![0, 0x15, 0, 20, 3, 0x14, 1, 0];
    none.resize(24, 0);
    assert_eq!(sub_channel(&guest, false, 3, 1).good(), none);
    for track in [0, 4, 0xAA] {
        assert_eq!(sub_channel(&guest, false, 3, track).kaq(), (5, 0x24, 0), "track {track}");
    }
    let (_drive, guest) = Initiator::with(patterned(1, 5000));
    assert_eq!(
        sub_channel(&guest, false, 2, 0).good()[4..],
        [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    );
}

/// An audio track whose image stores the sub-channel and no code beside it: sector 30 has the catalogue number, 120 the ISRC, and
/// damaged ones come before both.
fn coded() -> spindle::disc::Disc {
    let mut channels = Vec::new();
    for lba in 0..300_u32 {
        let mut q = match lba {
            10 | 30 => [0x02, 0x40, 0x12, 0x34, 0x56, 0x78, 0x90, 0x10, 0, lba as u8, 0, 0],
            20 | 120 => [0x03, 0x51, 0x54, 0x52, 0x4C, 0x24, 0x00, 0x01, 0x70, lba as u8, 0, 0],
            _ => Q::position(Control::AUDIO, 1, 1, Msf::default(), Lba(lba as i32)).0,
        };
        let crc = crc(&q[..10]).to_be_bytes();
        q[10..].copy_from_slice(&crc);
        q[2] ^= if lba == 10 || lba == 20 { 0x05 } else { 0 };
        channels.extend([&[0; 12], &q[..], &[0; 72]].concat());
    }
    let mut disc = disc::cd(1, &[&[(Audio, 300)]]);
    disc.mcn = None;
    let track = &mut disc.sessions[0].tracks[0];
    track.isrc = None;
    track.extents[0].subchannel = Some(StoredSubchannel {
        source: Arc::new(MemorySource::new(channels)),
        offset: 0,
        stride: 96,
        form: SubchannelForm::Linear,
    });
    disc
}

#[test]
fn codes_that_the_stored_sub_channel_alone_has_are_found_there() {
    let disc = coded();
    assert_eq!((disc.catalogue_number(), disc.tracks().next().unwrap().recording_code()), (Some(*MCN), Some(*ISRC)));
    let guest = Initiator::with(disc::of(disc)).1;
    assert_eq!(sub_channel(&guest, false, 2, 0).good()[8..], [&[0x80][..], MCN, &[0, 0]].concat());
    assert_eq!(sub_channel(&guest, false, 3, 1).good()[8..], [&[0x80][..], ISRC, &[0, 0, 0]].concat());
    // What the descriptor says goes first.
    let mut told = coded();
    told.mcn = Some(*b"0123456789012");
    let guest = Initiator::with(disc::of(told)).1;
    assert_eq!(sub_channel(&guest, false, 2, 0).good()[9..22], *b"0123456789012");
}

const MCN: &[u8; 13] = b"4012345678901";
const ISRC: &[u8; 12] = b"DEABC2400017";

#[test]
fn without_subq_there_is_only_the_audio_status() {
    assert_eq!(mixed().run(&[0x42, 0, 0, 1, 0, 0, 0, 0, 255, 0], 255).good(), [0, 0x15, 0, 0]);
}

#[test]
fn other_formats_and_other_media_have_no_sub_channel() {
    for format in [0, 4, 0xF0, 0xFF] {
        assert_eq!(sub_channel(&mixed(), false, format, 0).kaq(), (5, 0x24, 0), "format {format}");
    }
    for blocks in [1_000_000, 12_000_000] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        assert_eq!(sub_channel(&guest, false, 1, 0).kaq(), (5, 0x30, 2));
        assert_eq!(header(&guest, false, 0).kaq(), (5, 0x30, 2));
    }
}

#[test]
fn the_header_of_a_sector_has_mode_and_address() {
    let guest = mixed();
    assert_eq!(header(&guest, false, 999).good(), [1, 0, 0, 0, 0, 0, 0x03, 0xE7]);
    assert_eq!(header(&guest, true, 16).good(), [1, 0, 0, 0, 0, 0, 2, 16]);
    assert_eq!(header(&guest, false, 12_600).good(), [2, 0, 0, 0, 0, 0, 0x31, 0x38]);
    let sound = header(&guest, false, 1000);
    assert_eq!((sound.kaq(), &sound.sense[3..7]), ((5, 0x64, 0), &[0, 0, 3, 0xE8][..]));
    // Between sessions, past the end, before block 0.
    for lba in [1200, 12_449, 13_100, u32::MAX] {
        assert_eq!(header(&guest, false, lba).kaq(), (5, 0x21, 0), "block {lba}");
    }
}

#[test]
fn the_header_is_that_of_the_sector_and_not_of_its_track() {
    let mut disc = disc::cd(1, &[&[(Mode1, 3)]]);
    let mut bytes = vec![0; 3 * RAW];
    for (sector, mode) in bytes.chunks_exact_mut(RAW).zip([1, 0, 1]) {
        sector[..12].copy_from_slice(&SYNC);
        sector[15] = mode;
    }
    let extent = &mut disc.sessions[0].tracks[0].extents[0];
    (extent.source, extent.stride, extent.stored) = (Arc::new(MemorySource::new(bytes)), RAW as u32, 0..RAW);
    let guest = Initiator::with(disc::of(disc)).1;
    let modes = [0, 1, 2].map(|lba| header(&guest, false, lba).good()[0]);
    assert_eq!(modes, [1, 0, 1]);
}
