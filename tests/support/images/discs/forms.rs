//! Mode 2 alone: a track of Form 1, then one of Form 2. As CUE sheets whose files store more or less of each sector.

use std::path::Path;

use super::super::described::source_disc::{Mode, SourceDisc};
use super::{plain, time, write};

pub fn disc() -> SourceDisc {
    plain(&[(1, Mode::Form1, 150, 400), (1, Mode::Form2, 0, 350)])
}

/// How much of each sector a file stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// 2,352 bytes.
    Sectors,
    /// 2,336 bytes: what follows the header.
    FromSubheader,
    /// 2,048 bytes of Form 1 and 2,324 of Form 2.
    UserData,
}

/// Writes the CUE sheet and its files, one for each track; gives the sheet's path.
pub fn cue(disc: &SourceDisc, folder: &Path, stored: Stored) -> String {
    let mut sheet = String::new();
    for track in &disc.tracks {
        let part = match stored {
            Stored::Sectors => 0..2352,
            Stored::FromSubheader => 16..2352,
            Stored::UserData => track.user_data(),
        };
        let name = format!("track{}.{}", track.number, part.len());
        sheet += &format!("FILE \"{name}\" BINARY\nTRACK {:02} MODE2/{}\n", track.number, part.len());
        sheet += &format!("INDEX 01 {}\n", time(0));
        write(folder, &name, &track.stored(track.start, part, |_| Vec::new()));
    }
    write(folder, &format!("{stored:?}.cue"), sheet.as_bytes())
}
