//! Three sessions of one data track each, every one with a file system of its own. As a Nero file.

use super::super::described::source_disc::{Mode, SourceDisc};
use super::{file_system, fill, plain, text};

/// The file in session `number`.
pub fn file(number: u8) -> String {
    format!("session{number}.txt")
}

pub fn content(number: u8) -> Vec<u8> {
    text(20 * u32::from(number))
}

/// Blocks of each track: more than its file system has.
const BLOCKS: u32 = 450;

pub fn disc() -> SourceDisc {
    let mut disc = plain(&[1, 2, 3].map(|session| (session, Mode::Mode1, 150, BLOCKS)));
    for track in &mut disc.tracks {
        let number = track.session;
        let volume = file_system(track.start, &format!("SESSION{number}"), &file(number), &content(number));
        fill(track, &volume);
    }
    disc
}
