//! Nero files of both versions, disc-at-once and track-at-once, after section 5 of the formats' description.

use std::ops::Range;

use super::source_disc::{Mode, SourceDisc, SourceTrack, interleaved};
use super::source_sector::{bcd, msf};

/// What is stored of data sectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stored {
    #[default]
    Raw,
    /// 2,048 bytes where all sectors have as many, else 2,336.
    UserData,
    /// 2,336 bytes of Mode 2 sectors.
    WithoutHeader,
}

/// What other programs write, or other versions of the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Habit {
    #[default]
    None,
    /// Mode code 8 for sound.
    OtherSound,
    /// The footer of the other version.
    CrossedFooter,
    /// Chunks that say nothing of tracks.
    MoreChunks,
    /// Whole sectors under the mode codes of parts, a wrong number of tracks, an end behind the data, bytes behind the footer.
    MagicIso,
    /// The old list of tracks.
    Tinf,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The version before 5.5, with 32-bit offsets.
    pub old: bool,
    pub track_at_once: bool,
    pub subchannel: bool,
    pub stored: Stored,
    /// No pre-gap lies in the file.
    pub without_pregaps: bool,
    pub habit: Habit,
}

/// Where a track lies: pre-gap, index 1, end.
type Place = [u64; 3];

pub fn files(disc: &SourceDisc, options: Options) -> Vec<(String, Vec<u8>)> {
    let mut file = Vec::new();
    let mut places = Vec::new();
    for track in &disc.tracks {
        let from = if options.track_at_once || options.without_pregaps { track.start } else { track.first() };
        let range = range(disc, track, options.stored);
        let after = |lba| if options.subchannel { interleaved(&track.subchannel(lba)) } else { Vec::new() };
        let bytes = track.stored(from, range, after);
        let start = file.len() as u64;
        let size = bytes.len() as u64 / (track.end() - from) as u64;
        places.push([start, start + size * (track.start - from) as u64, start + bytes.len() as u64]);
        file.extend(bytes);
    }
    let chunks_at = file.len() as u64;
    let mut places = places.iter().copied();
    for tracks in disc.by_session() {
        let places: Vec<Place> = places.by_ref().take(tracks.len()).collect();
        if options.habit == Habit::Tinf {
            let entries = tracks.iter().zip(&places).map(|(track, place)| {
                let mode = mode_code(track, size(track, *place), options);
                [place[1] as u32, (place[2] - place[1]) as u32, mode.into()].map(u32::to_be_bytes).concat()
            });
            chunk(&mut file, b"TINF", &entries.collect::<Vec<_>>().concat());
        } else if options.track_at_once {
            let name = if options.old { b"ETNF" } else { b"ETN2" };
            let entries = tracks.iter().zip(&places).flat_map(|(track, place)| tao_entry(track, *place, options));
            chunk(&mut file, name, &entries.collect::<Vec<u8>>());
        } else {
            chunk(&mut file, if options.old { b"CUES" } else { b"CUEX" }, &cue(tracks, options.old));
            let name = if options.old { b"DAOI" } else { b"DAOX" };
            chunk(&mut file, name, &dao(disc, tracks, &places, options));
        }
        let wrong = if options.habit == Habit::MagicIso { 1 } else { 0 };
        chunk(&mut file, b"SINF", &(tracks.len() as u32 + wrong).to_be_bytes());
    }
    if !disc.cd_text.is_empty() {
        chunk(&mut file, b"CDTX", disc.cd_text.as_flattened());
    }
    chunk(&mut file, b"MTYP", &(if disc.dvd { 4_u32 } else { 1 }).to_be_bytes());
    chunk(&mut file, b"DINF", &[0; 4]);
    if options.habit == Habit::MoreChunks {
        chunk(&mut file, b"TOCT", &[0, 0]);
        chunk(&mut file, b"RELO", &[0; 4]);
        chunk(&mut file, b"AFNM", b"first.wav\0second.wav\0");
        chunk(&mut file, b"VOLM", b"VOLUME\0");
        chunk(&mut file, b"FOUR", &[0xFF; 7]);
    }
    chunk(&mut file, b"END!", &[]);
    if options.old != (options.habit == Habit::CrossedFooter) {
        file.extend(b"NERO");
        file.extend((chunks_at as u32).to_be_bytes());
    } else {
        file.extend(b"NER5");
        file.extend(chunks_at.to_be_bytes());
    }
    if options.habit == Habit::MagicIso {
        file.extend([0xA5; 1000]);
    }
    vec![("disc.nrg".to_owned(), file)]
}

fn range(disc: &SourceDisc, track: &SourceTrack, stored: Stored) -> Range<usize> {
    match (stored, track.mode) {
        _ if disc.dvd => track.user_data(),
        (_, Mode::Audio) | (Stored::Raw, _) | (Stored::WithoutHeader, Mode::Mode1) => 0..2352,
        (Stored::UserData, Mode::Mode1 | Mode::Form1) => track.user_data(),
        (Stored::UserData | Stored::WithoutHeader, _) => 16..2352,
    }
}

fn chunk(file: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    file.extend(name);
    file.extend((content.len() as u32).to_be_bytes());
    file.extend(content);
}

fn cue(tracks: &[SourceTrack], old: bool) -> Vec<u8> {
    let entry = |track: &SourceTrack, number: u8, index: u8, lba: i32| {
        let position = if old {
            let [minute, second, frame] = msf(lba + 150).map(bcd);
            [0, minute, second, frame]
        } else {
            lba.to_be_bytes()
        };
        [[track.control() << 4 | 1, number, bcd(index), 0], position].concat()
    };
    let (first, last) = (&tracks[0], &tracks[tracks.len() - 1]);
    let mut all = entry(first, 0, 0, first.first());
    for track in tracks {
        all.extend(entry(track, bcd(track.number), 0, track.first()));
        all.extend(entry(track, bcd(track.number), 1, track.start));
        for (number, index) in (2..).zip(&track.indices) {
            all.extend(entry(track, bcd(track.number), number, track.start + *index as i32));
        }
    }
    all.extend(entry(last, 0xAA, 1, last.end()));
    all
}

fn mode_code(track: &SourceTrack, size: u64, options: Options) -> u8 {
    match (track.mode, size) {
        (Mode::Mode1, 2352) if options.habit == Habit::MagicIso => 0,
        (Mode::Form1, 2352) if options.habit == Habit::MagicIso => 2,
        (Mode::Mixed | Mode::Form2, 2352) if options.habit == Habit::MagicIso => 3,
        (Mode::Audio, 2352) if options.habit == Habit::OtherSound => 8,
        (Mode::Mode1, 2048) => 0,
        (Mode::Form1, 2048) => 2,
        (Mode::Form1 | Mode::Form2 | Mode::Mixed, 2336) => 3,
        (Mode::Mode1, 2352) => 5,
        (Mode::Form1 | Mode::Form2 | Mode::Mixed, 2352) => 6,
        (Mode::Audio, 2352) => 7,
        (Mode::Mode1, _) => 0x0F,
        (Mode::Audio, _) => 0x10,
        (Mode::Form1 | Mode::Form2 | Mode::Mixed, _) => 0x11,
    }
}

fn size(track: &SourceTrack, place: Place) -> u64 {
    (place[2] - place[1]) / u64::from(track.blocks())
}

/// An offset or length in the width of the version.
fn wide(value: u64, old: bool) -> Vec<u8> {
    if old { (value as u32).to_be_bytes().to_vec() } else { value.to_be_bytes().to_vec() }
}

fn dao(disc: &SourceDisc, tracks: &[SourceTrack], places: &[Place], options: Options) -> Vec<u8> {
    let entry = if options.old { 30 } else { 42 };
    let mut all = (22 + entry * tracks.len() as u32).to_be_bytes().to_vec();
    all.extend(disc.mcn.unwrap_or([0; 13]));
    all.extend([0, 0, 1, tracks[0].number, tracks[tracks.len() - 1].number]);
    for (track, &(mut place)) in tracks.iter().zip(places) {
        let size = size(track, place);
        if options.habit == Habit::MagicIso && track.number == disc.tracks[disc.tracks.len() - 1].number {
            place[2] += 5000;
        }
        all.extend(track.isrc.unwrap_or([0; 12]));
        all.extend((size as u16).to_be_bytes());
        all.extend([mode_code(track, size, options), 0, 0, 1]);
        all.extend(place.into_iter().flat_map(|offset| wide(offset, options.old)));
    }
    all
}

fn tao_entry(track: &SourceTrack, place: Place, options: Options) -> Vec<u8> {
    let mut entry = wide(place[1], options.old);
    entry.extend(wide(place[2] - place[1], options.old));
    entry.extend([0, 0, 0, mode_code(track, size(track, place), options)]);
    entry.extend(track.start.to_be_bytes());
    entry.extend([0; 4]);
    if !options.old {
        entry.extend(track.blocks().to_be_bytes());
    }
    entry
}
