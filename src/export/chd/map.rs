//! The compressed map of version 5 (formats.md, 13.3).

use super::huffman::Code;
use crate::export::bits::BitWriter;
use crate::image::chd::crc16;

/// Where a hunk is.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// After the one before, packed by this codec of the header's list.
    Packed { codec: u8, len: u32, crc: u16 },
    /// After the one before, as it is.
    Stored { crc: u16 },
    /// As this hunk.
    Same(u32),
}

const STORED: u8 = 4;
const SAME: u8 = 5;
const RUN: u8 = 7;
const LONG_RUN: u8 = 8;
const SAME_AGAIN: u8 = 9;
const SAME_NEXT: u8 = 10;

/// The map with its header; hunks lie from `first` on.
pub fn pack(places: &[Place], first: u64, hunk_bytes: u32) -> Vec<u8> {
    let mut last_same = 0;
    let types: Vec<u8> = places
        .iter()
        .map(|place| match *place {
            Place::Packed { codec, .. } => codec,
            Place::Stored { .. } => STORED,
            Place::Same(other) => {
                let kind = match other {
                    _ if other == last_same => SAME_AGAIN,
                    _ if other == last_same + 1 => SAME_NEXT,
                    _ => SAME,
                };
                last_same = other;
                kind
            }
        })
        .collect();
    let symbols = with_runs(&types);
    let mut counts = [0; 16];
    symbols.iter().for_each(|&symbol| counts[usize::from(symbol)] += 1);
    let code = Code::for_counts(counts);
    let longest = places.iter().map(|place| if let Place::Packed { len, .. } = place { *len } else { 0 }).max();
    let length_bits = width(longest.unwrap_or(0));
    let same_bits =
        width(places.iter().map(|place| if let Place::Same(other) = place { *other } else { 0 }).max().unwrap_or(0));

    let mut bits = BitWriter::default();
    code.put_lengths(&mut bits);
    symbols.iter().for_each(|&symbol| code.put(symbol, &mut bits));
    let mut crc = crc16::START;
    let mut offset = first;
    for (place, &kind) in places.iter().zip(&types) {
        let entry = match *place {
            Place::Packed { codec, len, crc } => {
                bits.put(len, length_bits);
                bits.put(crc.into(), 16);
                (codec, len, offset, crc)
            }
            Place::Stored { crc } => {
                bits.put(crc.into(), 16);
                (STORED, hunk_bytes, offset, crc)
            }
            Place::Same(other) => {
                if kind == SAME {
                    bits.put(other, same_bits);
                }
                (SAME, 0, u64::from(other), 0)
            }
        };
        crc = crc16::update(crc, &expanded(entry));
        if !matches!(place, Place::Same(_)) {
            offset += u64::from(entry.1);
        }
    }
    let packed = bits.finish();
    let mut map = Vec::with_capacity(16 + packed.len());
    map.extend((packed.len() as u32).to_be_bytes());
    map.extend(&first.to_be_bytes()[2..]);
    map.extend(crc.to_be_bytes());
    map.extend([length_bits as u8, same_bits as u8, 0, 0]);
    map.extend(packed);
    map
}

/// An entry as it is without packing: what the CRC is of.
fn expanded((kind, len, offset, crc): (u8, u32, u64, u16)) -> [u8; 12] {
    let mut bytes = [kind; 12];
    bytes[1..4].copy_from_slice(&len.to_be_bytes()[1..]);
    bytes[4..10].copy_from_slice(&offset.to_be_bytes()[2..]);
    bytes[10..].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// Bits that `value` needs.
fn width(value: u32) -> u32 {
    u32::BITS - value.leading_zeros()
}

/// Types with what repeats the one before replaced by runs: of 3 to 18, of 19 to 274.
fn with_runs(types: &[u8]) -> Vec<u8> {
    let mut symbols = Vec::new();
    for run in types.chunk_by(|one, other| one == other) {
        let (kind, mut left) = (run[0], run.len() - 1);
        symbols.push(kind);
        while left >= 19 {
            let count = left.min(274);
            let rest = (count - 19) as u8;
            symbols.extend([LONG_RUN, rest >> 4, rest & 15]);
            left -= count;
        }
        if left >= 3 {
            symbols.extend([RUN, (left - 3) as u8]);
            left = 0;
        }
        symbols.extend(std::iter::repeat_n(kind, left));
    }
    symbols
}
