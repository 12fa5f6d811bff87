//! An audio CD with everything that one can have: sound hidden before track 1, pre-gaps with and without sound, indices,
//! catalogue number, ISRCs, flags and CD-TEXT. As a CUE sheet and as a cdrdao TOC.

use std::fmt::Write;
use std::path::Path;

use super::super::described::source_disc::{Mode, SourceDisc, SourceTrack};
use super::super::described::source_sector::RAW;
use super::{plain, time, write};

/// Title and performer of the disc, then of each track.
pub const TEXTS: [(&str, &str); 5] = [
    ("Real Programs", "The Spindles"),
    ("Hidden and Found", "The Spindles"),
    ("Two Seconds Before", "A. Gap"),
    ("Nothing Stored", "The Spindles feat. A. Gap"),
    ("Indices", "Three of Them, with a Name That Takes More Than One Pack"),
];

/// The titles in another language, which the TOC has besides.
pub const GERMAN: [&str; 5] =
    ["Echte Programme", "Versteckt und gefunden", "Zwei Sekunden vorher", "Nichts da", "Indizes"];

pub fn disc() -> SourceDisc {
    let audio = Mode::Audio;
    let mut disc = plain(&[(1, audio, 375, 450), (1, audio, 150, 600), (1, audio, 120, 300), (1, audio, 0, 450)]);
    disc.mcn = Some(*b"4012345678901");
    for (track, flags) in disc.tracks.iter_mut().zip([0, 2, 1, 3]) {
        track.flags = flags;
        track.isrc = Some(*b"DESPN2600000");
        track.isrc.as_mut().unwrap()[11] += track.number;
    }
    disc.tracks[1].indices = vec![300];
    disc.tracks[2].sectors[..120].fill([0; RAW]);
    disc.tracks[3].indices = vec![75, 225, 301];
    disc
}

/// Writes the CUE sheet and its file; gives the sheet's path.
pub fn cue(disc: &SourceDisc, folder: &Path) -> String {
    let mut sheet = format!("CATALOG {}\n", String::from_utf8_lossy(&disc.mcn.unwrap()));
    let mut file = Vec::new();
    let texts = |sheet: &mut String, number: usize| {
        let (title, performer) = TEXTS[number];
        write!(sheet, "TITLE \"{title}\"\nPERFORMER \"{performer}\"\n").unwrap();
    };
    texts(&mut sheet, 0);
    sheet += "FILE \"audio.bin\" BINARY\n";
    for track in &disc.tracks {
        writeln!(sheet, "TRACK {:02} AUDIO", track.number).unwrap();
        texts(&mut sheet, track.number.into());
        writeln!(sheet, "ISRC {}", String::from_utf8_lossy(&track.isrc.unwrap())).unwrap();
        let flags = [(1, " PRE"), (2, " DCP")].iter().filter(|(bit, _)| track.flags & bit != 0);
        match flags.map(|&(_, word)| word).collect::<String>().as_str() {
            "" => {}
            flags => writeln!(sheet, "FLAGS{flags}").unwrap(),
        }
        let (silent, stored) = (silence(track), stored(track));
        let mut at = (file.len() / RAW) as u32;
        match stored {
            0 if silent > 0 => writeln!(sheet, "PREGAP {}", time(silent)).unwrap(),
            0 => {}
            _ => writeln!(sheet, "INDEX 00 {}", time(at)).unwrap(),
        }
        at += stored;
        let starts = [0].iter().chain(&track.indices);
        for (number, start) in (1..).zip(starts) {
            writeln!(sheet, "INDEX {number:02} {}", time(at + start)).unwrap();
        }
        file.extend(track.sectors[(track.pregap - stored) as usize..].concat());
    }
    write(folder, "audio.bin", &file);
    write(folder, "audio.cue", sheet.as_bytes())
}

/// Writes the TOC and its file, which has the high byte of each sample first; gives the TOC's path.
pub fn toc(disc: &SourceDisc, folder: &Path) -> String {
    let mut toc = format!("CD_DA\nCATALOG \"{}\"\n", String::from_utf8_lossy(&disc.mcn.unwrap()));
    let mut file = Vec::new();
    let texts = |toc: &mut String, number: usize, map: &str| {
        let (title, performer) = TEXTS[number];
        let german = GERMAN[number];
        writeln!(
            toc,
            "CD_TEXT {{ {map} LANGUAGE 0 {{ TITLE \"{title}\" PERFORMER \"{performer}\" }} LANGUAGE 1 {{ TITLE \"{german}\" }} }}"
        )
        .unwrap();
    };
    texts(&mut toc, 0, "LANGUAGE_MAP { 0 : EN 1 : 8 }");
    for track in &disc.tracks {
        let [copy, emphasis] = [(2, "COPY"), (1, "PRE_EMPHASIS")]
            .map(|(bit, word)| if track.flags & bit == 0 { format!("NO {word}") } else { word.to_owned() });
        writeln!(toc, "TRACK AUDIO\n{copy}\n{emphasis}\nISRC \"{}\"", String::from_utf8_lossy(&track.isrc.unwrap()))
            .unwrap();
        texts(&mut toc, track.number.into(), "");
        let (silent, stored) = (silence(track), stored(track));
        if silent > 0 && stored == 0 {
            writeln!(toc, "PREGAP {}", time(silent)).unwrap();
        }
        let (at, length) = ((file.len() / RAW) as u32, stored + track.blocks());
        writeln!(toc, "FILE \"audio.raw\" {} {}", time(at), time(length)).unwrap();
        if stored > 0 {
            writeln!(toc, "START {}", time(stored)).unwrap();
        }
        for index in &track.indices {
            writeln!(toc, "INDEX {}", time(*index)).unwrap();
        }
        file.extend(track.sectors[(track.pregap - stored) as usize..].concat());
    }
    file.as_chunks_mut::<2>().0.iter_mut().for_each(|sample| sample.reverse());
    write(folder, "audio.raw", &file);
    write(folder, "audio.toc", toc.as_bytes())
}

/// Sectors of silence at the start of the pre-gap.
fn silence(track: &SourceTrack) -> u32 {
    track.sectors[..track.pregap as usize].iter().take_while(|sector| **sector == [0; RAW]).count() as u32
}

/// Sectors of the pre-gap that have sound.
fn stored(track: &SourceTrack) -> u32 {
    track.pregap - silence(track)
}
