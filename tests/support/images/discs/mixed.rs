//! Mixed mode: a file system in track 1, sound after it. As a CUE sheet, whole sectors in one file; and its file system
//! alone, as an ISO file.

use std::path::Path;

use super::super::described::source_disc::{Mode, SourceDisc};
use super::super::described::source_sector::RAW;
use super::{file_system, fill, plain, text, time, write};

/// The file on the disc, and its length.
pub const FILE: &str = "counted.txt";
pub const BLOCKS: u32 = 100;

pub fn disc() -> SourceDisc {
    let volume = file_system(0, "MIXED", FILE, &text(BLOCKS));
    let blocks = (volume.len() / 2048) as u32;
    let mut disc = plain(&[(1, Mode::Mode1, 150, blocks), (1, Mode::Audio, 150, 300), (1, Mode::Audio, 0, 300)]);
    fill(&mut disc.tracks[0], &volume);
    disc
}

/// Writes the CUE sheet and its file; gives the sheet's path.
pub fn cue(disc: &SourceDisc, folder: &Path) -> String {
    let (mut sheet, mut file) = ("FILE \"mixed.bin\" BINARY\n".to_owned(), Vec::new());
    for track in &disc.tracks {
        let mode = if track.mode == Mode::Audio { "AUDIO" } else { "MODE1/2352" };
        sheet += &format!("TRACK {:02} {mode}\n", track.number);
        let stored = if track.number == 1 { 0 } else { track.pregap };
        let at = (file.len() / RAW) as u32;
        if stored > 0 {
            sheet += &format!("INDEX 00 {}\n", time(at));
        }
        sheet += &format!("INDEX 01 {}\n", time(at + stored));
        file.extend(track.sectors[(track.pregap - stored) as usize..].concat());
    }
    write(folder, "mixed.bin", &file);
    write(folder, "mixed.cue", sheet.as_bytes())
}

/// Writes the file system alone; gives its path.
pub fn iso(disc: &SourceDisc, folder: &Path) -> String {
    let track = &disc.tracks[0];
    let blocks = track.sectors[track.pregap as usize..].iter().flat_map(|sector| sector[16..2064].to_vec());
    write(folder, "mixed.iso", &blocks.collect::<Vec<u8>>())
}
