//! ECM, after section 19 of the formats' description.

use super::put::Put;
use super::source_sector::{RAW, edc};

/// A run of what is stored alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// So many bytes as they are.
    Bytes(usize),
    /// So many sectors of Mode 1.
    Mode1(usize),
    /// So many sectors of Mode 2 Form 1 without their first 16 bytes: 2,336 bytes each.
    Form1(usize),
    Form2(usize),
}

/// `data` as the records tell, which cover all of it.
pub fn file(data: &[u8], records: &[Record]) -> Vec<u8> {
    let mut file = b"ECM\0".to_vec();
    let mut rest = data;
    for &record in records {
        let (kind, count, size, parts): (_, _, _, [_; 2]) = match record {
            Record::Bytes(count) => (0, count, 1, [0..0, 0..1]),
            Record::Mode1(count) => (1, count, RAW, [12..15, 16..2064]),
            Record::Form1(count) => (2, count, 2336, [4..8, 8..2056]),
            Record::Form2(count) => (3, count, 2336, [4..8, 8..2332]),
        };
        head(&mut file, kind, count as u32 - 1);
        let (units, after) = rest.split_at(count * size);
        for unit in units.chunks_exact(size) {
            parts.iter().for_each(|part| file.put(&unit[part.clone()]));
        }
        rest = after;
    }
    assert!(rest.is_empty(), "{} bytes in no record", rest.len());
    head(&mut file, 0, u32::MAX);
    file.le32(edc(data));
    file
}

fn head(file: &mut Vec<u8>, kind: u8, n: u32) {
    let mut left = n >> 5;
    file.push(kind | (n as u8 & 31) << 2 | u8::from(left > 0) << 7);
    while left > 0 {
        file.push(left as u8 & 0x7F | u8::from(left > 0x7F) << 7);
        left >>= 7;
    }
}
