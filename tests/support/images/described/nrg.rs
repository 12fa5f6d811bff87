//! Nero files of both versions, disc-at-once and track-at-once, after section 5 of the formats' description.

use super::source_disc::{Mode, SourceDisc, SourceTrack, interleaved};
use super::source_sector::{bcd, msf};

#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The version before 5.5, with 32-bit offsets.
    pub old: bool,
    pub track_at_once: bool,
    pub subchannel: bool,
    /// 2,048 bytes of data sectors.
    pub user_data: bool,
    /// No pre-gap lies in the file.
    pub without_pregaps: bool,
}

/// Where a track lies: pre-gap, index 1, end.
type Place = [u64; 3];

pub fn files(disc: &SourceDisc, options: Options) -> Vec<(String, Vec<u8>)> {
    let mut file = Vec::new();
    let mut places = Vec::new();
    for track in &disc.tracks {
        let from = if options.track_at_once || options.without_pregaps { track.start } else { track.first() };
        let range =
            if disc.dvd || options.user_data && track.mode != Mode::Audio { track.user_data() } else { 0..2352 };
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
        if options.track_at_once {
            let name = if options.old { b"ETNF" } else { b"ETN2" };
            let entries = tracks.iter().zip(&places).flat_map(|(track, place)| tao_entry(track, *place, options));
            chunk(&mut file, name, &entries.collect::<Vec<u8>>());
        } else {
            chunk(&mut file, if options.old { b"CUES" } else { b"CUEX" }, &cue(tracks, options.old));
            let name = if options.old { b"DAOI" } else { b"DAOX" };
            chunk(&mut file, name, &dao(disc, tracks, &places, options));
        }
        chunk(&mut file, b"SINF", &(tracks.len() as u32).to_be_bytes());
    }
    if !disc.cd_text.is_empty() {
        chunk(&mut file, b"CDTX", disc.cd_text.as_flattened());
    }
    chunk(&mut file, b"MTYP", &(if disc.dvd { 4_u32 } else { 1 }).to_be_bytes());
    chunk(&mut file, b"DINF", &[0; 4]);
    chunk(&mut file, b"END!", &[]);
    if options.old {
        file.extend(b"NERO");
        file.extend((chunks_at as u32).to_be_bytes());
    } else {
        file.extend(b"NER5");
        file.extend(chunks_at.to_be_bytes());
    }
    vec![("disc.nrg".to_owned(), file)]
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

fn mode_code(track: &SourceTrack, size: u64) -> u8 {
    match (track.mode, size) {
        (Mode::Mode1, 2048) => 0,
        (Mode::Form1, 2048) => 2,
        (Mode::Mode1, 2352) => 5,
        (Mode::Form1, 2352) => 6,
        (Mode::Audio, 2352) => 7,
        (Mode::Mode1, _) => 0x0F,
        (Mode::Audio, _) => 0x10,
        (Mode::Form1, _) => 0x11,
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
    for (track, &place) in tracks.iter().zip(places) {
        let size = size(track, place);
        all.extend(track.isrc.unwrap_or([0; 12]));
        all.extend((size as u16).to_be_bytes());
        all.extend([mode_code(track, size), 0, 0, 1]);
        all.extend(place.into_iter().flat_map(|offset| wide(offset, options.old)));
    }
    all
}

fn tao_entry(track: &SourceTrack, place: Place, options: Options) -> Vec<u8> {
    let mut entry = wide(place[1], options.old);
    entry.extend(wide(place[2] - place[1], options.old));
    entry.extend([0, 0, 0, mode_code(track, size(track, place))]);
    entry.extend(track.start.to_be_bytes());
    entry.extend([0; 4]);
    if !options.old {
        entry.extend(track.blocks().to_be_bytes());
    }
    entry
}
