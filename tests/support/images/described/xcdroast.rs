//! X-CD-Roast: table of contents and a file for each track, after section 3.3 of the formats' description.

use std::fmt::Write;

use super::source_disc::{Mode, SourceDisc, SourceTrack};

#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// How sound is kept.
    pub wave: bool,
    pub title: Option<&'static str>,
    /// A description beside each file of sound. Where strings have quotes and how a file is called that describes
    /// `track-02.raw` is as in the table; values of `preemp` and `copyperm` are not known.
    pub described: bool,
}

/// The pre-gap of a track counts as the end of the track before it, and lies in no file.
pub fn files(disc: &SourceDisc, options: Options) -> Vec<(String, Vec<u8>)> {
    let Options { wave, title, described } = options;
    let mut text = String::from("# made by a test\n");
    if let Some(title) = title {
        writeln!(text, "cdtitle = \"{title}\"").unwrap();
    }
    write!(text, "cdsize = {}\ndiscid = \"00000000\"\n", disc.tracks.last().unwrap().end()).unwrap();
    let mut files = Vec::new();
    for (index, track) in disc.tracks.iter().enumerate() {
        let size = track.blocks() + disc.tracks.get(index + 1).map_or(0, |next| next.pregap);
        let audio = track.mode == Mode::Audio;
        let ending = match (audio, wave) {
            (false, _) => "img",
            (true, true) => "wav",
            (true, false) => "raw",
        };
        let name = format!("track-{:02}.{ending}", track.number);
        write!(text, "\ntrack = {}\ntype = {}\nsize = {size}\n", track.number, u8::from(audio)).unwrap();
        write!(text, "startsec = {}\nfile = \"{name}\"\n", track.start).unwrap();
        if described && audio {
            let (number, count) = (track.number, disc.tracks.len());
            let mut text = format!("file = \"{name}\"\ntrack = {number} of {count}\ntitle = \"Song {number}\"\n");
            write!(text, "artist = \"Singer {number}\"\nsize = {size}\ntype = 1\nstereo = 1\n").unwrap();
            write!(text, "cd_title = \"{}\"\ncd_artist = \"Artist\"\n", title.unwrap_or_default()).unwrap();
            text.push_str("cd_discid = \"00000000\"\n");
            files.push((format!("track-{number:02}.xinf"), text.into_bytes()));
        }
        files.push((name, data(track, wave)));
    }
    files.insert(0, ("disc.toc".to_owned(), text.into_bytes()));
    files
}

fn data(track: &SourceTrack, wave: bool) -> Vec<u8> {
    let bytes = track.stored(track.start, track.user_data(), |_| Vec::new());
    match (track.mode, wave) {
        (Mode::Mode1 | Mode::Form1 | Mode::Form2 | Mode::Mixed, _) => bytes,
        (Mode::Audio, false) => bytes.chunks_exact(2).flat_map(|sample| [sample[1], sample[0]]).collect(),
        (Mode::Audio, true) => {
            let length = bytes.len() as u32;
            let mut file = [*b"RIFF", (36 + length).to_le_bytes(), *b"WAVE", *b"fmt "].concat();
            file.extend([16_u32, 0x0002_0001, 44_100, 176_400, 0x0010_0004].into_iter().flat_map(u32::to_le_bytes));
            file.extend(b"data");
            file.extend(length.to_le_bytes());
            file.extend(bytes);
            file
        }
    }
}
