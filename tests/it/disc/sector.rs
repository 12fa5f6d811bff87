//! Whole sectors out of what files store. The expected bytes are those of real discs: the first sector of `isofs-m1.bin` and two of
//! `videocd.nrg` in libcdio's test data.

use std::sync::Arc;

use spindle::disc::sector::{Damage, Form, RAW, SYNC, complete, damage};
use spindle::disc::{Disc, Lba, TrackMode};
use spindle::source::MemorySource;

use crate::support::disc::cd;

/// A sector of zeros, of which only the user data is stored.
fn made(mode: TrackMode, stored: std::ops::Range<usize>, lba: i32) -> ([u8; RAW], Form) {
    let mut raw = [0x55; RAW];
    raw[stored.clone()].fill(0);
    let form = complete(Lba(lba), mode, &stored, &mut raw);
    (raw, form)
}

#[test]
fn a_mode_1_sector_is_that_of_a_real_disc() {
    let (raw, form) = made(TrackMode::Mode1, 16..2064, 0);
    assert_eq!((form, &raw[..12], &raw[12..16]), (Form::Mode1, &SYNC[..], &[0, 2, 0, 1][..]));
    assert_eq!(raw[2064..2068], [0xC5, 0x13, 0x68, 0x2B]);
    assert_eq!(raw[2068..2076], [0; 8]);
    assert_eq!(raw[2076..2082], [0, 0xF7, 0, 0xF5, 0, 0]);
    assert_eq!(raw[2336..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x90, 0, 0xC1, 0, 0x12]);
}

#[test]
fn form_1_and_form_2_sectors_are_those_of_a_real_disc() {
    let (raw, form) = made(TrackMode::Mode2Xa, 24..2072, 0);
    assert_eq!((form, &raw[12..24]), (Form::Form1, &[0, 2, 0, 2, 0, 0, 8, 0, 0, 0, 8, 0][..]));
    assert_eq!(raw[2072..2076], [0x0B, 0x88, 0x81, 0x94]);
    assert_eq!(raw[2336..2347], [0, 0, 0x42, 0, 0x21, 0, 0x56, 0, 0x94, 0, 0xA1]);

    // A real disc's Form 2 sector, whose sub-header says nothing but Form 2.
    let mut raw = [0; RAW];
    (raw[18], raw[22]) = (0x20, 0x20);
    assert_eq!(complete(Lba(0), TrackMode::Mode2Xa, &(16..2348), &mut raw), Form::Form2);
    assert_eq!(raw[2348..], [0x3F, 0x13, 0xB0, 0xBE]);
}

#[test]
fn what_is_stored_stays_as_stored() {
    for stored in [0..2352, 12..2352, 16..2352, 16..2348, 24..2352, 24..2348, 24..2072, 16..2072, 16..2064, 12..2064] {
        for mode in [TrackMode::Audio, TrackMode::Mode1, TrackMode::Mode2Formless, TrackMode::Mode2Xa] {
            let mut raw = [0; RAW];
            raw.iter_mut().zip(1..).for_each(|(byte, value): (_, u32)| *byte = (value * 7 % 251) as u8);
            let before = raw;
            complete(Lba(1000), mode, &stored, &mut raw);
            assert_eq!(raw[stored.clone()], before[stored.clone()], "{mode:?} {stored:?}");
        }
    }
}

#[test]
fn damage_is_told_and_only_damage() {
    for (mode, stored) in [(TrackMode::Mode1, 16..2064), (TrackMode::Mode2Xa, 24..2072), (TrackMode::Mode2Xa, 24..2348)]
    {
        let (raw, form) = made(mode, stored.clone(), 4242);
        assert_eq!(damage(&raw, form), None);
        assert_eq!(Form::of(&raw), form);
        let mut bad = raw;
        bad[stored.start + 100] ^= 1;
        assert_eq!(damage(&bad, form), Some(Damage::Edc));
        if form != Form::Form2 {
            let mut bad = raw;
            bad[2200] ^= 1;
            assert_eq!(damage(&bad, form), Some(Damage::Ecc));
        }
    }
    // CD-ROM XA: the EDC of a Form 2 sector may be left out.
    let (mut raw, form) = made(TrackMode::Mode2Xa, 24..2348, 7);
    raw[2348..].fill(0);
    raw[100] = 9;
    assert_eq!(damage(&raw, form), None);
}

#[test]
fn every_stored_layout_gives_the_same_user_data() {
    let user: Vec<u8> = (0..2048_u32).map(|value| (value % 253) as u8).collect();
    for (mode, form, layouts) in [
        (TrackMode::Mode1, Form::Mode1, [16..2064, 12..2064, 0..2064, 0..2352]),
        (TrackMode::Mode2Xa, Form::Form1, [24..2072, 16..2072, 12..2352, 0..2352]),
    ] {
        let mut raw = [0; RAW];
        raw[form.user_data()].copy_from_slice(&user);
        complete(Lba(0), mode, &form.user_data(), &mut raw);
        for stored in layouts {
            let mut disc = Disc::single_data_track(vec![]).unwrap();
            let track = &mut disc.sessions[0].tracks[0];
            let source = Arc::new(MemorySource::new(raw[stored.clone()].to_vec()));
            let stride = stored.len() as u32;
            let extent = spindle::disc::Extent { stride, stored: stored.clone(), ..extent(source) };
            (track.mode, track.end, track.extents) = (mode, Lba(1), vec![extent]);
            let (mut block, mut sector) = ([0; 2048], [0; RAW]);
            disc.read_block(Lba(0), &mut block).unwrap();
            assert_eq!(block[..], user[..], "{mode:?} {stored:?}");
            assert_eq!(disc.read_sector(Lba(0), &mut sector).unwrap(), form);
            assert_eq!(sector, raw, "{mode:?} {stored:?}");
        }
    }
}

fn extent(source: Arc<MemorySource>) -> spindle::disc::Extent {
    spindle::disc::Extent::plain(Lba(0), 1, source)
}

#[test]
fn a_form_2_sector_has_no_block() {
    let mut raw = [0; RAW];
    (raw[18], raw[22]) = (0x20, 0x20);
    complete(Lba(0), TrackMode::Mode2Xa, &(16..2348), &mut raw);
    for stored in [0..2352, 16..2352, 24..2348] {
        let mut disc = Disc::single_data_track(vec![]).unwrap();
        let track = &mut disc.sessions[0].tracks[0];
        let source = Arc::new(MemorySource::new(raw[stored.clone()].to_vec()));
        let extent = spindle::disc::Extent { stride: stored.len() as u32, stored: stored.clone(), ..extent(source) };
        (track.mode, track.end, track.extents) = (TrackMode::Mode2Xa, Lba(1), vec![extent]);
        assert!(disc.read_block(Lba(0), &mut [0; 2048]).is_err(), "{stored:?}");
        assert_eq!(disc.read_sector(Lba(0), &mut [0; RAW]).unwrap(), Form::Form2);
    }
}

#[test]
fn a_sector_that_no_file_stores_is_made_for_its_track() {
    let mut disc = cd(
        1,
        &[&[(TrackMode::Audio, 200), (TrackMode::Mode1, 30), (TrackMode::Mode2Xa, 30), (TrackMode::Mode2Formless, 30)]],
    );
    for session in &mut disc.sessions {
        session.tracks.iter_mut().for_each(|track| track.extents.clear());
    }
    for track in disc.tracks() {
        let mut raw = [9; RAW];
        let form = disc.read_sector(track.start, &mut raw).unwrap();
        assert_eq!(form == Form::Audio, track.mode == TrackMode::Audio);
        assert!(raw[form.user_data()].iter().all(|&byte| byte == 0));
        assert_eq!(damage(&raw, form), None);
    }
}
