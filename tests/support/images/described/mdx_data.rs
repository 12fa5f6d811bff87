//! The data of DAEMON Tools' files, after section 8.6 of the formats' description.

use std::io::Write;
use std::ops::Range;

use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};

use super::mdx::{Options, Stored, Subchannel};
use super::mdx_cipher::Keys;
use super::put::Put;
use super::source_disc::{Mode, SourceDisc, SourceTrack, interleaved, q16};

/// Sectors that are compressed together.
pub const GROUP: usize = 4;

/// A track's data in its file.
pub struct Data {
    pub offset: usize,
    pub size: usize,
    pub sectors: usize,
    pub table: usize,
}

pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn range(disc: &SourceDisc, track: &SourceTrack, stored: Stored) -> Range<usize> {
    match (track.mode, stored) {
        (Mode::Audio, _) => 0..2352,
        _ if disc.dvd => track.user_data(),
        (_, Stored::Raw) => 0..2352,
        (_, Stored::UserData) => track.user_data(),
        (_, Stored::WithHeader) => 12..track.user_data().end,
    }
}

pub fn pregap_stored(track: &SourceTrack, options: Options) -> bool {
    options.pregaps && track.pregap != 150
}

/// The first address that is stored.
pub fn from(track: &SourceTrack, options: Options) -> i32 {
    if pregap_stored(track, options) { track.first() } else { track.start }
}

/// The sectors `part` of those that are stored.
pub fn put_data(
    file: &mut Vec<u8>,
    disc: &SourceDisc,
    track: &SourceTrack,
    options: Options,
    part: Range<usize>,
    keys: &Keys,
) -> Data {
    let from = from(track, options);
    let all = track.stored(from, range(disc, track, options.stored), |lba| match options.subchannel {
        Subchannel::None => Vec::new(),
        Subchannel::Pw => interleaved(&track.subchannel(lba)),
        Subchannel::Q16 => q16(&track.subchannel(lba)),
        Subchannel::Rw => interleaved(&track.subchannel(lba)).iter().map(|bits| bits & 0x3F).collect(),
    });
    let offset = file.len();
    let size = all.len() / (track.end() - from) as usize;
    let all = &all[part.start * size..part.end * size];
    let mut table: Vec<u8> = Vec::new();
    let unit = if options.compressed { GROUP } else { 1 };
    for (index, group) in all.chunks(unit * size).enumerate() {
        let fill = options.compressed && group.iter().all(|byte| *byte == group[0]);
        let mut bytes = if fill { Vec::new() } else { group.to_vec() };
        if options.compressed && !fill {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(group).unwrap();
            let packed = encoder.finish().unwrap();
            if packed.len() < group.len() {
                bytes = packed;
            }
        }
        let stored = bytes.len() == group.len();
        table.le16(if fill {
            0x8000 | u16::from(group[0])
        } else if stored {
            0
        } else {
            bytes.len() as u16
        });
        if options.is_encrypted() {
            keys.encrypt_data(index * unit, size, &mut bytes);
        }
        file.put(&bytes);
    }
    let end = file.len();
    if options.compressed {
        file.put(&zlib(&table));
    }
    Data { offset, size, sectors: part.len(), table: end - offset }
}
