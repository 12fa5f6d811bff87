//! Easy CD Creator files, after section 6 of the formats' description.

use super::put::Put;
use super::source_disc::{Mode, SourceDisc, SourceTrack};

/// `short`: a length below four seconds is declared, which no track has.
pub fn files(disc: &SourceDisc, short: bool) -> Vec<(String, Vec<u8>)> {
    let mut file = Vec::new();
    block(&mut file, b"imag", &[0; 8]);
    block(&mut file, b"disc", &description(disc, short));
    block(&mut file, b"none", &[0xFF; 5]);
    let mut directory = vec![0; 8];
    directory.le16(disc.tracks.len() as u16);
    for track in &disc.tracks {
        let kind = if track.mode == Mode::Audio { b"adio" } else { b"info" };
        let content = track.stored(track.start, stored(track), |_| Vec::new());
        let type_at = file.len() + 8;
        block(&mut file, kind, &content);
        directory.put(b"RIFF");
        directory.le32(content.len() as u32 + 4);
        directory.put(kind);
        directory.le32(type_at as u32);
        directory.zeros(6);
    }
    block(&mut file, b"ofs ", &directory);
    vec![("disc.cif".to_owned(), file)]
}

fn block(file: &mut Vec<u8>, kind: &[u8; 4], content: &[u8]) {
    file.put(b"RIFF");
    file.le32(content.len() as u32 + 4);
    file.put(kind);
    file.put(content);
    file.zeros(content.len() % 2);
}

/// The part of a sector that lies in the file.
fn stored(track: &SourceTrack) -> std::ops::Range<usize> {
    match track.mode {
        Mode::Audio => 0..2352,
        Mode::Mode1 => 16..2064,
        Mode::Form1 => 16..2072,
        Mode::Form2 | Mode::Mixed => 16..2348,
    }
}

fn description(disc: &SourceDisc, short: bool) -> Vec<u8> {
    let sessions = disc.by_session();
    let text = b"Title\0Artist\0";
    let length = 16 + text.len() as u16;
    let mut bytes = vec![0; 8];
    for number in [length, sessions.len() as u16, disc.tracks.len() as u16, 5, length, 0, 2, 0] {
        bytes.le16(number);
    }
    bytes.put(text);
    for tracks in sessions {
        let data = tracks.iter().any(|track| track.mode != Mode::Audio);
        let kind =
            if tracks.iter().any(|track| !matches!(track.mode, Mode::Audio | Mode::Mode1)) { 3 } else { data.into() };
        for number in [18, tracks.len() as u16, 1, data.into(), 0, kind] {
            bytes.le16(number);
        }
        bytes.zeros(6);
        tracks.iter().for_each(|track| bytes.put(&track_descriptor(track, short)));
    }
    bytes
}

fn track_descriptor(track: &SourceTrack, short: bool) -> Vec<u8> {
    let audio = track.mode == Mode::Audio;
    let title = b"Song\0";
    let (kind, user_data, rest) = match track.mode {
        Mode::Audio => (0, 2352, 269 + title.len()),
        Mode::Mode1 => (1, 2048, 272),
        Mode::Form1 => (2, 2048, 272),
        Mode::Form2 | Mode::Mixed => (4, 2324, 272),
    };
    let mut bytes = Vec::new();
    bytes.le16(24 + rest as u16);
    bytes.le16(0);
    bytes.le32(if short { 12 } else { track.blocks() });
    bytes.le16(0);
    bytes.le16(kind);
    bytes.zeros(6);
    bytes.le16(4);
    bytes.le16(0);
    bytes.le16(user_data);
    if audio {
        bytes.zeros(205);
        bytes.put(&track.isrc.unwrap_or([0; 12]));
        bytes.zeros(269 - 217);
        bytes.put(title);
    } else {
        bytes.zeros(272);
    }
    bytes
}
