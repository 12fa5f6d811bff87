//! Two sessions, each a bridge of ISO 9660, Joliet, UDF and HFS: hybrid discs of which every file system has to be looked for in the
//! right session. As a Nero file.

use super::super::described::source_disc::{Mode, SourceDisc};
use super::{fill, plain, text, volume};

/// The file in session `number`.
pub fn file(number: u8) -> String {
    format!("bridge{number}.txt")
}

pub fn content(number: u8) -> Vec<u8> {
    text(30 * u32::from(number))
}

/// Blocks of each track: more than its file systems have.
const BLOCKS: u32 = 700;

pub fn disc() -> SourceDisc {
    let mut disc = plain(&[1, 2].map(|session| (session, Mode::Form1, 150, BLOCKS)));
    for track in &mut disc.tracks {
        let number = track.session;
        let label = format!("BRIDGE{number}");
        // HFS counts its blocks from the start of the disc: only the first session can have one.
        let kinds = if number == 1 { &["-J", "-udf", "-hfs"][..] } else { &["-J", "-udf"] };
        let blocks = volume(kinds, track.start, &label, &file(number), &content(number));
        assert!(blocks.len() <= BLOCKS as usize * 2048);
        fill(track, &blocks);
    }
    disc
}
