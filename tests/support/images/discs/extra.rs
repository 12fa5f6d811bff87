//! CD-Extra: sound in the first session, a file system of Form 1 in the second. As CloneCD files.

use super::super::described::source_disc::{Mode, SourceDisc};
use super::{file_system, fill, plain, text};

/// The file on the disc, and its length.
pub const FILE: &str = "extra.txt";
pub const BLOCKS: u32 = 60;
/// Blocks of sound, and where the second session begins.
const SOUND: u32 = 600;
pub const START: i32 = SOUND as i32 + 11_400;

pub fn disc() -> SourceDisc {
    let volume = file_system(START, "EXTRA", FILE, &text(BLOCKS));
    let blocks = (volume.len() / 2048) as u32;
    let audio = Mode::Audio;
    let mut disc = plain(&[(1, audio, 150, SOUND / 2), (1, audio, 0, SOUND / 2), (2, Mode::Form1, 150, blocks)]);
    fill(&mut disc.tracks[2], &volume);
    disc
}
