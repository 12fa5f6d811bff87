//! MAME's compressed hunks before version 5, after section 13 of the formats' description.

use md5::Md5;
use sha1::{Digest, Sha1};

use super::pack::deflate;
use super::source_disc::{Mode, SourceDisc, SourceTrack, interleaved};

/// How the header says that hunks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    None,
    Zlib,
    ZlibPlus,
}

/// How tracks are described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metadata {
    Chtr,
    Cht2,
    /// As `Cht2`, with the subchannel.
    Cht2Raw,
    /// The binary table, in either byte order.
    ChcdBig,
    ChcdLittle,
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub version: u32,
    pub packing: Packing,
    pub metadata: Metadata,
    /// 2,048 bytes of data sectors.
    pub user_data: bool,
    /// All but the first hunk lie in another file.
    pub parent: bool,
}

const FRAME: usize = 2448;
const HUNK: usize = 4 * FRAME;

/// A CD of one session, of version 3 or 4.
pub fn files(disc: &SourceDisc, options: Options) -> Vec<(String, Vec<u8>)> {
    let data: Vec<u8> = disc.tracks.iter().flat_map(|track| frames(track, options)).collect();
    let metadata = metadata(disc, options);
    if !options.parent {
        return vec![("disc.chd".to_owned(), image(&data, None, &metadata, options))];
    }
    let mut other = data.clone();
    other[..HUNK].fill(0x55);
    vec![
        ("disc.chd".to_owned(), image(&data, Some(&other), &metadata, options)),
        ("parent.chd".to_owned(), image(&other, None, &metadata, options)),
    ]
}

/// The first sector that is stored: the pre-gap of the disc is not.
fn from(track: &SourceTrack) -> i32 {
    if track.pregap == 150 { track.start } else { track.first() }
}

fn frames(track: &SourceTrack, options: Options) -> Vec<u8> {
    let range = if options.user_data && track.mode != Mode::Audio { track.user_data() } else { 0..2352 };
    let mut all = Vec::new();
    for lba in from(track)..track.end() {
        let mut frame = track.sectors[(lba - track.first()) as usize][range.clone()].to_vec();
        if track.mode == Mode::Audio {
            frame.as_chunks_mut::<2>().0.iter_mut().for_each(|sample| sample.reverse());
        }
        frame.resize(2352, 0);
        if options.metadata == Metadata::Cht2Raw {
            frame.extend(interleaved(&track.subchannel(lba)));
        }
        frame.resize(FRAME, 0);
        all.extend(frame);
    }
    all.resize(all.len().next_multiple_of(4 * FRAME), 0);
    all
}

/// The entries of the list, each with its tag.
fn metadata(disc: &SourceDisc, options: Options) -> Vec<([u8; 4], Vec<u8>)> {
    let big = options.metadata == Metadata::ChcdBig;
    if big || options.metadata == Metadata::ChcdLittle {
        let tracks = disc.tracks.iter().flat_map(|track| {
            let frames = (track.end() - from(track)) as u32;
            let kind = match (track.mode, options.user_data) {
                (Mode::Audio, _) => [7, 2, 2352],
                (Mode::Mode1, true) => [0, 2, 2048],
                (Mode::Mode1, false) => [1, 2, 2352],
                (Mode::Form1, true) => [3, 2, 2048],
                (Mode::Form2, true) => [4, 2, 2324],
                (Mode::Mixed, true) => [5, 2, 2336],
                (Mode::Form1 | Mode::Form2 | Mode::Mixed, false) => [6, 2, 2352],
            };
            [&kind[..], &[0, frames, frames.next_multiple_of(4) - frames]].concat()
        });
        let words = std::iter::once(disc.tracks.len() as u32).chain(tracks);
        let bytes = words.flat_map(|word| if big { word.to_be_bytes() } else { word.to_le_bytes() });
        return vec![(*b"CHCD", bytes.collect())];
    }
    let text = |track: &SourceTrack| {
        let kind = match (track.mode, options.user_data) {
            (Mode::Audio, _) => "AUDIO",
            (Mode::Mode1, true) => "MODE1",
            (Mode::Mode1, false) => "MODE1_RAW",
            (Mode::Form1, true) => "MODE2_FORM1",
            (Mode::Form2, true) => "MODE2_FORM2",
            (Mode::Mixed, true) => "MODE2_FORM_MIX",
            (Mode::Form1 | Mode::Form2 | Mode::Mixed, false) => "MODE2_RAW",
        };
        let frames = track.end() - from(track);
        let subtype = if options.metadata == Metadata::Cht2Raw { "RW_RAW" } else { "NONE" };
        let first = format!("TRACK:{} TYPE:{kind} SUBTYPE:{subtype} FRAMES:{frames}", track.number);
        let pregap = track.start - from(track);
        let stored = if pregap > 0 { "V" } else { "" };
        match options.metadata {
            Metadata::Chtr => (*b"CHTR", format!("{first}\0").into_bytes()),
            _ => {
                let gaps = format!("PREGAP:{pregap} PGTYPE:{stored}{kind} PGSUB:{subtype} POSTGAP:0");
                (*b"CHT2", format!("{first} {gaps}\0").into_bytes())
            }
        }
    };
    disc.tracks.iter().map(text).collect()
}

fn image(data: &[u8], parent: Option<&[u8]>, metadata: &[([u8; 4], Vec<u8>)], options: Options) -> Vec<u8> {
    let header_length = if options.version == 3 { 120 } else { 108 };
    let hunks: Vec<&[u8]> = data.chunks(HUNK).collect();
    let stored_at = header_length + 16 * (hunks.len() + 1);
    let (mut map, mut stored) = (Vec::new(), Vec::new());
    for (index, hunk) in hunks.iter().enumerate() {
        let mut bytes = hunk.to_vec();
        let offset = (stored_at + stored.len()) as u64;
        let (kind, place) = if parent.is_some() && index > 0 {
            bytes.clear();
            (5, index as u64)
        } else if options.packing == Packing::None {
            (2, offset)
        } else if let Some(same) = hunks[..index].iter().position(|other| other == hunk) {
            bytes.clear();
            (4, same as u64)
        } else if hunk.chunks_exact(8).all(|eight| *eight == hunk[..8]) {
            bytes.clear();
            (3, u64::from_be_bytes(hunk[..8].try_into().unwrap()))
        } else {
            let packed = deflate(hunk);
            let smaller = packed.len() < hunk.len();
            if smaller {
                bytes = packed;
            }
            (if smaller { 1 } else { 2 }, offset)
        };
        map.extend(place.to_be_bytes());
        map.extend(crc32fast::hash(hunk).to_be_bytes());
        map.extend((bytes.len() as u16).to_be_bytes());
        map.extend([(bytes.len() >> 16) as u8, kind]);
        stored.extend(bytes);
    }
    map.extend(b"EndOfListCookie\0");
    let mut file = header(data, parent, hunks.len(), stored_at + stored.len(), metadata, options);
    file.extend(map);
    file.extend(stored);
    for (index, (tag, text)) in metadata.iter().enumerate() {
        let next = if index + 1 == metadata.len() { 0 } else { file.len() + 16 + text.len() };
        file.extend(tag);
        file.extend((1_u32 << 24 | text.len() as u32).to_be_bytes());
        file.extend((next as u64).to_be_bytes());
        file.extend(text);
    }
    file
}

fn header(
    data: &[u8],
    parent: Option<&[u8]>,
    hunks: usize,
    metadata_at: usize,
    metadata: &[([u8; 4], Vec<u8>)],
    options: Options,
) -> Vec<u8> {
    let packing = match options.packing {
        Packing::None => 0,
        Packing::Zlib => 1,
        Packing::ZlibPlus => 2,
    };
    let length = if options.version == 3 { 120 } else { 108 };
    let sha1 = |data: &[u8]| <[u8; 20]>::from(Sha1::digest(data));
    let md5 = |data: &[u8]| <[u8; 16]>::from(Md5::digest(data));
    let mut file = b"MComprHD".to_vec();
    for word in [length, options.version, parent.is_some().into(), packing, hunks as u32] {
        file.extend(word.to_be_bytes());
    }
    file.extend((data.len() as u64).to_be_bytes());
    file.extend((metadata_at as u64).to_be_bytes());
    if options.version == 3 {
        file.extend(md5(data));
        file.extend(parent.map_or([0; 16], md5));
        file.extend((HUNK as u32).to_be_bytes());
        file.extend(sha1(data));
        file.extend(parent.map_or([0; 20], sha1));
    } else {
        // The sum of the data's sum and of the tags and sums of the metadata, sorted.
        let with_metadata = |data: &[u8]| {
            let mut sums: Vec<Vec<u8>> = metadata.iter().map(|(tag, text)| [&tag[..], &sha1(text)].concat()).collect();
            sums.sort();
            sha1(&[&sha1(data)[..], &sums.concat()].concat())
        };
        file.extend((HUNK as u32).to_be_bytes());
        file.extend(with_metadata(data));
        file.extend(parent.map_or([0; 20], with_metadata));
        file.extend(sha1(data));
    }
    file
}

/// A hard disk of version 1 or 2 that holds `data`, which is a multiple of 8 KiB.
pub fn hard_disk(version: u32, data: &[u8]) -> Vec<(String, Vec<u8>)> {
    const SECTORS_PER_HUNK: usize = 8;
    let hunk_bytes = SECTORS_PER_HUNK * 512;
    let length = if version == 1 { 76 } else { 80 };
    let hunks = data.len() / hunk_bytes;
    let mut file = b"MComprHD".to_vec();
    let geometry = [data.len() / (16 * 512), 4, 4].map(|count| count as u32);
    for word in [length, version, 0, 1, SECTORS_PER_HUNK as u32, hunks as u32].iter().chain(&geometry) {
        file.extend(word.to_be_bytes());
    }
    file.extend(<[u8; 16]>::from(Md5::digest(data)));
    file.extend([0; 16]);
    if version == 2 {
        file.extend(512_u32.to_be_bytes());
    }
    let stored_at = length as usize + 8 * (hunks + 1);
    let (mut map, mut stored) = (Vec::new(), Vec::<u8>::new());
    for hunk in data.chunks(hunk_bytes) {
        let packed = deflate(hunk);
        let bytes = if packed.len() < hunk.len() { &packed } else { hunk };
        let entry = (bytes.len() as u64) << 44 | (stored_at + stored.len()) as u64;
        map.extend(entry.to_be_bytes());
        stored.extend(bytes);
    }
    map.extend(b"EndOfLis");
    file.extend(map);
    file.extend(stored);
    vec![("disc.chd".to_owned(), file)]
}
