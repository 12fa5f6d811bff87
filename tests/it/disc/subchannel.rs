//! The subchannel. The expected Q frames are those of a real disc (`TEST2.mdf` of the iat package, which keeps its subchannel).

use spindle::disc::subchannel::{Q, StoredSubchannel, SubchannelForm, interleaved, linear};
use spindle::disc::{Control, Disc, Lba, Msf, TrackMode};
use spindle::source::MemorySource;
use std::sync::Arc;

use crate::support::disc::{cd, patterned};

#[test]
fn positions_are_those_of_a_real_disc() {
    let disc = &patterned(1, 300).disc;
    assert_eq!(disc.q(Lba(0)).0, [0x41, 1, 1, 0, 0, 0, 0, 0, 2, 0, 0x28, 0x32]);
    assert_eq!(disc.q(Lba(1)).0, [0x41, 1, 1, 0, 0, 1, 0, 0, 2, 1, 0x92, 0x42]);
    assert_eq!(disc.q(Lba(2)).0, [0x41, 1, 1, 0, 0, 2, 0, 0, 2, 2, 0x4C, 0xF3]);
}

#[test]
fn time_runs_down_in_a_pre_gap_and_up_in_the_lead_out() {
    let disc = &patterned(1, 300).disc;
    assert_eq!(disc.q(Lba(-150)).0[..10], [0x41, 1, 0, 0, 2, 0, 0, 0, 0, 0]);
    assert_eq!(disc.q(Lba(-1)).0[..10], [0x41, 1, 0, 0, 0, 1, 0, 0, 1, 0x74]);
    assert_eq!(disc.q(Lba(300)).0[..10], [0x41, 0xAA, 1, 0, 0, 0, 0, 0, 6, 0]);
    assert_eq!(disc.q(Lba(375)).0[..10], [0x41, 0xAA, 1, 0, 1, 0, 0, 0, 7, 0]);
}

#[test]
fn indices_count_from_where_they_start() {
    let mut disc = Disc::single_data_track(patterned(1, 300).disc.sessions[0].tracks[0].extents.clone()).unwrap();
    disc.sessions[0].tracks[0].indices = vec![Lba(10), Lba(20)];
    let index = |lba| disc.q(Lba(lba)).0[2];
    assert_eq!([index(9), index(10), index(19), index(20), index(299)], [1, 2, 2, 3, 3]);
}

#[test]
fn number_and_code_are_told_in_every_hundred_sectors() {
    let disc = cd(
        1,
        &[&[(TrackMode::Audio, 200), (TrackMode::Mode1, 30), (TrackMode::Mode2Xa, 30), (TrackMode::Mode2Formless, 30)]],
    );
    let audio = disc.tracks().find(|track| track.isrc.is_some()).unwrap();
    let kinds: Vec<u8> = (0..100).map(|at| disc.q(audio.start.plus(at)).0[0] & 0xF).collect();
    for adr in [1, 2, 3] {
        assert!(kinds.contains(&adr), "ADR {adr} in {kinds:?}");
    }
    assert_eq!(kinds.iter().filter(|&&adr| adr != 1).count(), 2);
    assert!((-200..2000).all(|lba| disc.q(Lba(lba)).is_sound()));
}

#[test]
fn digits_and_characters_lie_where_the_standard_has_them() {
    let mcn = Q::mcn(Control::AUDIO, b"1234567890123", Lba(0));
    assert_eq!(mcn.0[..10], [0x02, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x30, 0, 0]);
    // D, E, A, B, 1 as six bits each: 14h, 15h, 11h, 12h, 01h.
    let isrc = Q::isrc(Control::AUDIO, b"DEAB12345678", Lba(1));
    let owner: u32 = (0x14 << 24 | 0x15 << 18 | 0x11 << 12 | 0x12 << 6 | 1) << 2;
    assert_eq!(isrc.0[1..5], owner.to_be_bytes());
    assert_eq!((isrc.0[0], &isrc.0[5..10]), (0x03, &[0x23, 0x45, 0x67, 0x80, 0x01][..]));
    let position = Q::position(Control::AUDIO, 99, 12, Msf { minute: 1, second: 2, frame: 3 }, Lba(0));
    assert_eq!(position.0[1..6], [0x99, 0x12, 1, 2, 3]);
}

#[test]
fn stored_subchannel_is_given_as_stored_in_each_form() {
    let base = &patterned(1, 300).disc;
    let bytes: Vec<u8> = (0..96).map(|value: u8| value.wrapping_mul(37) ^ 0x5A).collect();
    let channels: [u8; 96] = bytes.clone().try_into().unwrap();
    assert_eq!(linear(&interleaved(&channels)), channels);
    let mut q16 = channels[12..24].to_vec();
    q16.extend([0, 0, 0, 0x80]);
    for (form, stored) in [
        (SubchannelForm::Linear, channels.to_vec()),
        (SubchannelForm::Interleaved, interleaved(&channels).to_vec()),
        (SubchannelForm::Q16, q16),
    ] {
        let mut disc = base.clone();
        let stride = stored.len() as u32;
        // Two sectors' worth; only the second is looked at.
        let source = Arc::new(MemorySource::new([vec![0; stored.len()], stored].concat()));
        disc.sessions[0].tracks[0].extents[0].subchannel = Some(StoredSubchannel { source, offset: 0, stride, form });
        let read = disc.read_subchannel(Lba(1)).unwrap();
        assert_eq!(read[12..24], channels[12..24], "{form:?}");
        if form == SubchannelForm::Q16 {
            assert_eq!((&read[..12], &read[24..]), (&[0xFF; 12][..], &[0; 72][..]));
        } else {
            assert_eq!(read, channels);
        }
        assert!(disc.read_subchannel(Lba(2)).is_err(), "past the end of the file");
    }
}

#[test]
fn p_and_q_are_made_where_a_file_stores_the_other_channels_alone() {
    let mut disc = patterned(1, 300).disc.clone();
    let mut graphics = [0; 96];
    graphics[24..].fill(0x35);
    let source = Arc::new(MemorySource::new(graphics));
    let form = SubchannelForm::Linear;
    let made = disc.read_subchannel(Lba(0)).unwrap();
    disc.sessions[0].tracks[0].extents[0].subchannel = Some(StoredSubchannel { source, offset: 0, stride: 96, form });
    let read = disc.read_subchannel(Lba(0)).unwrap();
    assert_eq!((&read[..24], &read[24..]), (&made[..24], &graphics[24..]));
    assert_eq!(read[12..24], disc.q(Lba(0)).0);
}

#[test]
fn p_marks_the_pre_gap() {
    let disc = &patterned(1, 300).disc;
    assert_eq!(disc.read_subchannel(Lba(-5)).unwrap()[..12], [0xFF; 12]);
    assert_eq!(disc.read_subchannel(Lba(5)).unwrap()[..12], [0; 12]);
    assert_eq!(disc.read_subchannel(Lba(5)).unwrap()[24..], [0; 72]);
}
