//! CD-ROM XA: a file system of Form 1, then sectors of Form 1 and Form 2 in turns, then a track of Form 2. As a CUE sheet.

use std::path::Path;

use super::super::described::source_disc::{Mode, SourceDisc};
use super::super::described::source_sector::{RAW, data_sector};
use super::{file_system, plain, text, time, write};

/// The file on the disc, and its length.
pub const FILE: &str = "forms.txt";
pub const BLOCKS: u32 = 200;
/// Sectors of both forms after the file system.
pub const TURNS: u32 = 90;

pub fn disc() -> SourceDisc {
    let volume = file_system(0, "XA", FILE, &text(BLOCKS));
    let blocks = (volume.len() / 2048) as u32;
    let mut disc = plain(&[(1, Mode::Mixed, 150, blocks + TURNS), (1, Mode::Form2, 0, 300)]);
    let sectors = &mut disc.tracks[0].sectors[150..];
    for ((lba, block), sector) in (0..).zip(volume.chunks_exact(2048)).zip(sectors) {
        *sector = data_sector(Mode::Form1, lba, block);
    }
    disc
}

/// Writes the CUE sheet and its file; gives the sheet's path.
pub fn cue(disc: &SourceDisc, folder: &Path) -> String {
    let (mut sheet, mut file) = ("FILE \"xa.bin\" BINARY\n".to_owned(), Vec::new());
    for track in &disc.tracks {
        let stored = if track.number == 1 { 0 } else { track.pregap };
        let at = (file.len() / RAW) as u32;
        sheet += &format!("TRACK {:02} MODE2/2352\nINDEX 01 {}\n", track.number, time(at + stored));
        file.extend(track.sectors[(track.pregap - stored) as usize..].concat());
    }
    write(folder, "xa.bin", &file);
    write(folder, "xa.cue", sheet.as_bytes())
}
