//! Files of sound that cost a reader more than they cost who made them.

use std::fs;
use std::io;

use spindle::image::{ImageError, ImageErrorKind};

use crate::support::host::run;
use crate::support::hostile::in_time;
use crate::support::image::open;

/// Opens a sheet whose only track is `sound`.
#[track_caller]
fn refused(sound: Vec<u8>) -> ImageError {
    in_time(move || {
        let sheet = b"FILE \"a.wav\" WAVE\n TRACK 01 AUDIO\n INDEX 01 00:00:00\n";
        open("disc.cue", sheet, &[("a.wav", &sound)]).map(|opened| opened.format.id).unwrap_err()
    })
}

#[test]
fn sound_of_64_channels_is_not_read() {
    let (channels, rate, bytes) = (64_u16, 768_000_u32, 8_u16);
    let mut wave = b"RIFF\xFF\xFF\0\0WAVEfmt \x10\0\0\0\x03\0".to_vec();
    wave.extend(channels.to_le_bytes());
    wave.extend(rate.to_le_bytes());
    wave.extend((rate * u32::from(channels * bytes)).to_le_bytes());
    wave.extend((channels * bytes).to_le_bytes());
    wave.extend((bytes * 8).to_le_bytes());
    wave.extend(b"data\0\x80\0\0");
    wave.resize(wave.len() + 0x8000, 0);
    let error = refused(wave);
    assert_eq!(error.kind(), ImageErrorKind::Unsupported);
    assert!(error.to_string().contains("64 channels"), "{error}");
}

#[test]
fn what_looks_like_frames_of_flac_is_not_decoded_without_end() {
    let crc = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0_u8, |crc, byte| (0..8).fold(crc ^ byte, |crc, _| crc << 1 ^ if crc & 0x80 != 0 { 7 } else { 0 }))
    };
    // Eight channels of 24 bits, as many samples as a frame can have, number 0.
    let header = [0xFF, 0xF8, 0x70, 0x7C, 0, 0xFF, 0xFE];
    let frame = [&header[..], &[crc(&header), 2]].concat();
    let packed = 44_100_u64 << 44 | 7 << 41 | 23 << 36;
    let mut flac = b"fLaC\x80\0\0\x22\x10\0\x10\0\0\0\0\0\0\0".to_vec();
    flac.extend(packed.to_be_bytes());
    flac.extend([0; 16]);
    flac.extend(frame.repeat((3 << 20) / frame.len()));
    let error = refused(flac);
    assert!(error.to_string().contains("FLAC"), "{error}");
}

#[test]
fn vorbis_that_never_says_where_it_is_is_refused() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    run("sox", &["-n", "-r", "44100", "-c", "2", "-b", "16", &path("a.wav"), "synth", "20", "pinknoise"]);
    run("oggenc", &["-Q", "-o", &path("a.ogg"), &path("a.wav")]);
    let mut ogg = fs::read(path("a.ogg"))?;
    let pages: Vec<usize> = (0..ogg.len()).filter(|at| ogg[*at..].starts_with(b"OggS\0")).collect();
    for at in pages.into_iter().skip(2) {
        ogg[at + 6..at + 14].fill(0xFF);
    }
    let error = refused(ogg);
    assert!(error.to_string().contains("a packet ends in an Ogg page that does not say where"), "{error}");
    Ok(())
}

#[test]
fn mp3_with_little_sound_in_much_else_ends() {
    // Three frames of 417 bytes in every 60 KB.
    let frame = [&[0xFF, 0xFB, 0x90, 0][..], &[0; 413]].concat();
    let piece = [frame.repeat(3), vec![0; 60_000]].concat();
    let sound = [frame.repeat(20), piece.repeat(800)].concat();
    let sectors = in_time(move || {
        let sheet = b"FILE \"a.mp3\" MP3\n TRACK 01 AUDIO\n INDEX 01 00:00:00\n";
        open("disc.cue", sheet, &[("a.mp3", &sound)]).unwrap().disc.lead_out().0
    });
    // 280 pieces are 16 MiB, and three frames are six sectors or less.
    assert!(sectors > 1000 && sectors < 290 * 6, "{sectors} sectors");
}
