//! Error detection and correction of CD-ROM sectors (ECMA-130, 14.3 to 14.6 and annex A).

use super::sector::RAW;

/// EDC of `bytes`: the CRC with polynomial (x^16 + x^15 + x^2 + 1)(x^16 + x^2 + x + 1), bit 0 first.
#[must_use]
pub fn edc(bytes: &[u8]) -> u32 {
    edc_continued(0, bytes)
}

/// The EDC of all bytes up to the end of `bytes`, where `before` is that of those before them.
#[must_use]
pub fn edc_continued(before: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(before, |crc, &byte| crc >> 8 ^ EDC_TABLE[usize::from(crc as u8 ^ byte)])
}

static EDC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 != 0 { 0xD801_8001 } else { 0 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

/// First byte of the area that P and Q parity cover, relative to which their vectors count.
const COVERED: usize = 12;
/// P parity: 86 columns, two bytes each, interleaved in two halves.
const P: Parity = Parity { at: 2076, vectors: 86, length: 24 };
/// Q parity: 52 diagonals. They cover the P parity too.
const Q: Parity = Parity { at: 2248, vectors: 52, length: 43 };
/// Q diagonals wrap within what they cover.
const Q_COVERED: usize = 2236;

/// Where one of the two codes lies in a sector.
struct Parity {
    at: usize,
    vectors: usize,
    length: usize,
}

/// Writes P and Q parity of a sector whose bytes before them are in place. For Mode 2 Form 1 the header counts as zero, so that a
/// sector can be moved to another address (CD-ROM XA): `header` is then false.
pub fn write_ecc(raw: &mut [u8; RAW], header: bool) {
    P.write(raw, header, |vector, element| vector + 86 * element);
    Q.write(raw, header, |vector, element| ((vector >> 1) * 86 + (vector & 1) + 88 * element) % Q_COVERED);
}

/// True when the P and Q parity of a sector are what its other bytes ask for.
#[must_use]
pub fn ecc_is_right(raw: &[u8; RAW], header: bool) -> bool {
    let mut made = *raw;
    write_ecc(&mut made, header);
    made[P.at..] == raw[P.at..]
}

impl Parity {
    fn write(&self, raw: &mut [u8; RAW], header: bool, place: impl Fn(usize, usize) -> usize) {
        for vector in 0..self.vectors {
            let (mut a, mut b) = (0, 0);
            for element in 0..self.length {
                let at = place(vector, element);
                let byte = if header || at >= 4 { raw[COVERED + at] } else { 0 };
                a = DOUBLE[usize::from(a ^ byte)];
                b ^= byte;
            }
            // The two parity bytes make both syndromes zero: p0 + p1 = b, and p0 * 2 + p1 = a * 2 over GF(2^8).
            let first = THIRD[usize::from(DOUBLE[usize::from(a)] ^ b)];
            raw[self.at + vector] = first;
            raw[self.at + self.vectors + vector] = first ^ b;
        }
    }
}

/// x * 2 in GF(2^8) with the field polynomial x^8 + x^4 + x^3 + x^2 + 1 (annex A).
const fn double(byte: u8) -> u8 {
    byte << 1 ^ if byte & 0x80 != 0 { 0x1D } else { 0 }
}

static DOUBLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        table[index] = double(index as u8);
        index += 1;
    }
    table
};

/// x / 3: the inverse of x -> x + x * 2.
static THIRD: [u8; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        table[(index as u8 ^ double(index as u8)) as usize] = index as u8;
        index += 1;
    }
    table
};
