//! Alcohol 120% and GameJack, descriptor and data files, after section 7 of the formats' description.

use super::put::Put;
use super::source_disc::{Mode, SourceDisc, SourceTrack, interleaved};
use super::source_sector::msf;

#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    pub subchannel: bool,
    /// GameJack's names.
    pub gamejack: bool,
    /// 2,048 bytes of Mode 1 sectors.
    pub user_data: bool,
    /// The data of a DVD in two files, of which the first has this many sectors.
    pub split: Option<usize>,
}

const SESSIONS_AT: usize = 88;

pub fn files(disc: &SourceDisc, options: Options) -> Vec<(String, Vec<u8>)> {
    let [descriptor_name, data_name] =
        if options.gamejack { ["disc.xmd", "disc.xmf"] } else { ["disc.mds", "disc.mdf"] };
    let stored: Vec<Vec<u8>> = disc.tracks.iter().map(|track| stored(disc, track, options)).collect();
    let mut data = stored.concat();
    let mut files = vec![];
    if let Some(sectors) = options.split {
        files.push(("disc.md1".to_owned(), data.split_off(sectors * 2048)));
    }
    files.insert(0, (data_name.to_owned(), data));
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let descriptor = descriptor(disc, options, &stored, &names);
    files.insert(0, (descriptor_name.to_owned(), descriptor));
    files
}

fn stored(disc: &SourceDisc, track: &SourceTrack, options: Options) -> Vec<u8> {
    let mode_1 = track.mode == Mode::Mode1;
    let range = if disc.dvd || options.user_data && mode_1 { track.user_data() } else { 0..2352 };
    let after = |lba| if options.subchannel { interleaved(&track.subchannel(lba)) } else { Vec::new() };
    track.stored(track.start, range, after)
}

fn descriptor(disc: &SourceDisc, options: Options, stored: &[Vec<u8>], names: &[&str]) -> Vec<u8> {
    let sessions = disc.by_session();
    let lead_in = if disc.dvd { 0 } else { 3 };
    let blocks = disc.tracks.len() + lead_in * sessions.len();
    let blocks_at = SESSIONS_AT + 24 * sessions.len();
    let extras_at = blocks_at + 80 * blocks;
    let footers_at = extras_at + if disc.dvd { 0 } else { 8 * disc.tracks.len() };
    let names_at = footers_at + 16 * names.len();
    let mut tail = Vec::new();
    let mut footers = Vec::new();
    for name in names {
        footers.le32s(&[(names_at + tail.len()) as u32, u32::from(options.split.is_some()), 0, 0]);
        if options.split.is_some() {
            tail.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
            tail.le16(0);
        } else {
            // The descriptor's own name with this ending.
            tail.put(format!("*{}\0", &name[4..]).as_bytes());
        }
    }
    let structures_at = names_at + tail.len();
    for format in [1, 4, 0] {
        let of_format = disc.structures.iter().filter(|structure| structure.0 == format);
        of_format.for_each(|(_, data)| tail.put(data));
    }
    let dpm_at = names_at + tail.len();
    if let Some(dpm) = &disc.dpm {
        tail.le32s(&[1, dpm_at as u32 + 8, 1, dpm.start, dpm.resolution, dpm.entries.len() as u32]);
        tail.le32s(&dpm.entries);
    }

    let mut file = b"MEDIA DESCRIPTOR\x01\x05".to_vec();
    file.le16(if disc.dvd { 0x10 } else { 0 });
    file.le16(sessions.len() as u16);
    file.zeros(42);
    file.le32(if disc.structures.is_empty() { 0 } else { structures_at as u32 });
    file.zeros(12);
    file.le32s(&[SESSIONS_AT as u32, if disc.dpm.is_some() { dpm_at as u32 } else { 0 }]);
    let mut at = blocks_at;
    for tracks in &sessions {
        let (first, last) = (&tracks[0], &tracks[tracks.len() - 1]);
        file.put(&first.first().to_le_bytes());
        file.put(&last.end().to_le_bytes());
        file.le16(first.session.into());
        file.put(&[(lead_in + tracks.len()) as u8, lead_in as u8]);
        file.le16(first.number.into());
        file.le16(last.number.into());
        file.le32s(&[0, at as u32]);
        at += 80 * (lead_in + tracks.len());
    }
    let mut offset = 0;
    let mut extras = Vec::new();
    let mut stored = stored.iter();
    for tracks in &sessions {
        let (first, last) = (&tracks[0], &tracks[tracks.len() - 1]);
        let points = [(0xA0, [first.number, 0, 0]), (0xA1, [last.number, 0, 0]), (0xA2, msf(last.end() + 150))];
        for (point, position) in &points[..lead_in] {
            file.put(&[0, 0, 0x10 | first.control(), 0, *point, 0, 0, 0, 0]);
            file.put(position);
            file.zeros(68);
        }
        for (track, bytes) in tracks.iter().zip(stored.by_ref()) {
            let extra = if disc.dvd { track.blocks() } else { (extras_at + extras.len()) as u32 };
            if !disc.dvd {
                extras.le32s(&[track.pregap, track.blocks()]);
            }
            let size = bytes.len() / track.blocks() as usize;
            file.put(&[mode(track), if options.subchannel { 8 } else { 0 }, 0x10 | track.control(), 0]);
            file.put(&[track.number, 0, 0, 0, 0]);
            file.put(&msf(track.start + 150));
            file.le32(extra);
            file.le16(size as u16);
            file.zeros(18);
            file.put(&track.start.to_le_bytes());
            file.le64(offset);
            file.le32s(&[names.len() as u32, footers_at as u32]);
            file.zeros(24);
            offset += bytes.len() as u64;
        }
    }
    file.put(&extras);
    file.put(&footers);
    file.put(&tail);
    file
}

fn mode(track: &SourceTrack) -> u8 {
    match track.mode {
        Mode::Audio => 0xA9,
        Mode::Mode1 => 0xAA,
        Mode::Form1 => 0xAC,
        Mode::Form2 => 0xAD,
        Mode::Mixed => 0xAB,
    }
}
