//! DiscJuggler files, after section 11 of the formats' description.

use super::put::Put;
use super::source_disc::{Mode, SourceDisc, SourceTrack, interleaved, q16};

/// The descriptor's generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum Version {
    V2,
    V3,
    /// Version 3 with what 3.5 has too: extra bytes before a record, before the medium, and at the end of a record.
    V3Long,
    V35,
}

/// What is stored of data sectors, and after every sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// 2,048 bytes of data sectors.
    UserData,
    /// 2,336 bytes of Mode 2 sectors.
    WithoutHeader,
    Raw,
    /// With Q.
    RawQ,
    /// With all of the subchannel.
    RawPw,
}

/// Ends the first half of a mark that every record has twice; the header of a record begins with the rest.
const MARK: [u8; 8] = [0, 0, 1, 0, 0, 0, 0xFF, 0xFF];

pub fn files(disc: &SourceDisc, version: Version, stored: Stored) -> Vec<(String, Vec<u8>)> {
    let mut file = Vec::new();
    for track in &disc.tracks {
        // A DVD has the pre-gap of a CD in its file.
        if disc.dvd {
            file.zeros(150 * 2048);
        }
        file.put(&sectors(track, stored));
    }
    let descriptor_at = file.len();
    let sessions = disc.by_session();
    file.push(sessions.len() as u8);
    let mut index = 0;
    for (number, tracks) in (0..).zip(&sessions) {
        file.put(&[0, tracks.len() as u8, 0]);
        mark(&mut file, version);
        for (at, track) in (1..).zip(*tracks) {
            let last = (at == tracks.len()).then_some(session_type(tracks));
            header(&mut file, disc, version);
            record(&mut file, disc, track, version, stored, [number, index]);
            trailer(&mut file, version, last, track.start);
            index += 1;
        }
    }
    file.zeros(3);
    mark(&mut file, Version::V35);
    header(&mut file, disc, version);
    end(&mut file, disc, version, descriptor_at);
    vec![("disc.cdi".to_owned(), file)]
}

fn sectors(track: &SourceTrack, stored: Stored) -> Vec<u8> {
    let range = match (read_mode(track, stored), track.user_data()) {
        (0, user_data) => user_data,
        (1, _) => 16..2352,
        _ => 0..2352,
    };
    track.stored(track.first(), range, |lba| match stored {
        Stored::RawQ => q16(&track.subchannel(lba)),
        Stored::RawPw => interleaved(&track.subchannel(lba)),
        Stored::UserData | Stored::WithoutHeader | Stored::Raw => Vec::new(),
    })
}

fn read_mode(track: &SourceTrack, stored: Stored) -> u32 {
    match stored {
        Stored::UserData if track.mode != Mode::Audio => 0,
        Stored::WithoutHeader if track.mode != Mode::Audio => 1,
        Stored::UserData | Stored::WithoutHeader | Stored::Raw => 2,
        Stored::RawQ => 3,
        Stored::RawPw => 4,
    }
}

fn mode(track: &SourceTrack) -> u32 {
    match track.mode {
        Mode::Audio => 0,
        Mode::Mode1 => 1,
        Mode::Form1 | Mode::Form2 | Mode::Mixed => 2,
    }
}

fn session_type(tracks: &[SourceTrack]) -> u8 {
    tracks.iter().map(|track| mode(track) as u8).max().unwrap()
}

/// What comes before the header of a record, with the first half of its mark.
fn mark(file: &mut Vec<u8>, version: Version) {
    let extra = version == Version::V3Long;
    file.le32(extra.into());
    file.zeros(if extra { 8 } else { 0 });
    file.put(&MARK);
}

fn header(file: &mut Vec<u8>, disc: &SourceDisc, version: Version) {
    file.put(&[0xFF, 0xFF, 0, 0, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
    file.put(&[0, 1, 0, disc.tracks.len() as u8]);
    let name = b"C:\\Images\\d\xEFsc.cdi";
    file.push(name.len() as u8);
    file.put(name);
    let mut fixed = [0; 19];
    fixed[11] = 2;
    file.put(&fixed);
    if version >= Version::V3Long {
        file.le32(0x8000_0000);
        file.le32(360_000);
        file.le16(0);
        file.le16(if disc.dvd { 0x38 } else { 0x98 });
    } else {
        file.le32(0);
    }
}

fn record(
    file: &mut Vec<u8>,
    disc: &SourceDisc,
    track: &SourceTrack,
    version: Version,
    stored: Stored,
    [session, index]: [u32; 2],
) {
    let pregap = if disc.dvd { 150 } else { track.pregap };
    let length = pregap + track.blocks();
    let starts = [&[0], &track.indices[..], &[track.blocks()]].concat();
    let lengths: Vec<u32> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    file.le16(1 + lengths.len() as u16);
    file.le32(pregap);
    file.le32s(&lengths);
    // CD-TEXT of the track: eighteen strings.
    let texts: &[&[u8]] = if disc.cd_text.is_empty() { &[] } else { &[b"First", b"Artist", b""] };
    file.le32(u32::from(!texts.is_empty()));
    for text in texts.iter().chain(&[&b""[..]; 15]).take(6 * texts.len()) {
        file.push(text.len() as u8);
        file.put(text);
    }
    file.le16(0);
    file.le32s(&[mode(track), 0, session, index]);
    file.le32((track.start + 150) as u32 - pregap);
    file.le32(length);
    file.zeros(16);
    file.le32(read_mode(track, stored));
    file.le32(track.control().into());
    file.push(0);
    file.le32s(&[length, 0]);
    file.put(&track.isrc.unwrap_or([0; 12]));
    file.le32(track.isrc.is_some().into());
    if version > Version::V2 {
        file.zeros(5);
        file.put(if version >= Version::V3Long { &[0xFF; 4] } else { &[0; 4] });
    }
    if version >= Version::V3Long {
        file.zeros(78);
    }
}

/// What separates a record from the next: the first half of its mark, but at the end of a session.
fn trailer(file: &mut Vec<u8>, version: Version, last: Option<u8>, address: i32) {
    match last {
        None => mark(file, version),
        Some(session_type) => {
            file.le32(session_type.into());
            file.le32(0);
            file.put(&address.to_le_bytes());
        }
    }
}

fn end(file: &mut Vec<u8>, disc: &SourceDisc, version: Version, descriptor_at: usize) {
    let length = disc.tracks.last().unwrap().end() + 150;
    file.put(&length.to_le_bytes());
    file.push(4);
    file.put(b"DISC");
    file.zeros(9);
    file.put(&disc.mcn.unwrap_or([0; 13]));
    file.le32(disc.mcn.is_some().into());
    file.le32(18 * disc.cd_text.len() as u32);
    file.put(disc.cd_text.as_flattened());
    file.zeros(8);
    let (word, position) = match version {
        Version::V2 => (0x8000_0004, descriptor_at),
        Version::V3 | Version::V3Long => (0x8000_0005, descriptor_at),
        Version::V35 => (0x8000_0006, file.len() + 8 - descriptor_at),
    };
    file.le32s(&[word, position as u32]);
}
