//! BlindWrite 4: descriptor, data and subchannel, after section 10 of the formats' description.

use super::put::Put;
use super::source_disc::{Mode, SourceDisc, SourceTrack};
use super::source_sector::RAW;

#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    pub subchannel: bool,
    /// Every track in a file of its own, which its descriptor names.
    pub separate: bool,
    /// Titles and performers.
    pub texts: bool,
}

pub fn files(disc: &SourceDisc, options: Options) -> Vec<(String, Vec<u8>)> {
    let mut data: Vec<(String, Vec<u8>)> = vec![("disc.bwi".to_owned(), Vec::new())];
    let mut subchannel = Vec::new();
    let mut descriptors = vec![disc_descriptor(disc)];
    for track in &disc.tracks {
        if options.separate {
            data.push((format!("track{}.bwi", track.number), Vec::new()));
        }
        let (name, file) = data.last_mut().unwrap();
        let name = if options.separate { name.as_str() } else { "" };
        // Of the pre-gaps only that of the disc lies in no file.
        let from = if track.number == 1 { track.start } else { track.first() };
        descriptors.push(descriptor(track, name, file.len(), (track.start - from) as u32, options));
        file.put(&track.stored(from, 0..RAW, |_| Vec::new()));
        subchannel.extend((from..track.end()).flat_map(|lba| track.subchannel(lba)));
    }
    let mut file = b"BLINDWRITE TOC FILE".to_vec();
    file.le32(2);
    file.le64(0x01D0_0000_0000_0000);
    for text in ["VOLUME", "SYSTEM", "made by a test"] {
        string(&mut file, text.as_bytes());
    }
    file.le32(descriptors.len() as u32);
    string(&mut file, b"disc.bwi");
    string(&mut file, if options.subchannel { b"disc.bws" } else { b"" });
    file.le32(0);
    file.put(&[3, 1, 2, 3]);
    file.put(&descriptors.concat());
    let mut files = vec![("disc.bwt".to_owned(), file)];
    files.append(&mut data);
    if options.subchannel {
        files.push(("disc.bws".to_owned(), subchannel));
    }
    if let Some(dpm) = &disc.dpm {
        let mut positions = Vec::new();
        positions.le32s(&[1, 8, 1, dpm.start, dpm.resolution, dpm.entries.len() as u32]);
        positions.le32s(&dpm.entries);
        files.push(("disc.bwa".to_owned(), positions));
    }
    files
}

fn string(file: &mut Vec<u8>, text: &[u8]) {
    file.le32(text.len() as u32);
    file.put(text);
}

/// `offset`: where the pre-gap, or index 1 where that is not stored, lies in the file.
fn descriptor(track: &SourceTrack, name: &str, offset: usize, pregap: u32, options: Options) -> Vec<u8> {
    let mode = match track.mode {
        Mode::Audio => 0,
        Mode::Mode1 => 1,
        Mode::Form1 | Mode::Form2 | Mode::Mixed => 2,
    };
    let mut bytes = Vec::new();
    string(&mut bytes, name.as_bytes());
    bytes.le32(offset as u32);
    bytes.push(options.subchannel.into());
    bytes.zeros(8);
    bytes.put(&[track.session, 0, 0x10 | track.control(), 0, mode, 0, track.number]);
    bytes.le32s(&[0, 0, 150 - pregap, 0]);
    bytes.le16(0);
    bytes.put(&track.end().to_le_bytes());
    bytes.push(0);
    bytes.put(&track.first().to_le_bytes());
    bytes.put(&track.start.to_le_bytes());
    bytes.le32s(&[0, 0]);
    for text in [&b"Title"[..], b"Performer"].iter().chain(&[&b""[..]; 12]) {
        string(&mut bytes, if options.texts { text } else { b"" });
    }
    string(&mut bytes, track.isrc.as_ref().map_or(b"", |isrc| isrc));
    bytes
}

/// The lead-in entry that holds what is said of the whole disc.
fn disc_descriptor(disc: &SourceDisc) -> Vec<u8> {
    let mut bytes = Vec::new();
    string(&mut bytes, b"");
    bytes.zeros(13);
    bytes.put(&[1, 0, 0x14, 0, 0, 0, 0xA0]);
    bytes.zeros(18);
    bytes.zeros(21);
    for _ in 0..14 {
        string(&mut bytes, b"");
    }
    string(&mut bytes, disc.mcn.as_ref().map_or(b"", |mcn| mcn));
    bytes
}
