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
    // Many bytes in one step: what each of them does to the sum does not depend on the others.
    let (steps, rest) = bytes.as_chunks::<STEP>();
    let crc = steps.iter().fold(before, |crc, step| {
        let of = |at: usize, byte: u8| EDC_TABLES[STEP - 1 - at][usize::from(byte)];
        // The bytes that wait for the step before come last.
        let later = (4..STEP).fold(0, |sum, at| sum ^ of(at, step[at]));
        let first = u32::from_le_bytes([step[0], step[1], step[2], step[3]]) ^ crc;
        let [a, b, c, d] = first.to_le_bytes();
        later ^ (of(0, a) ^ of(1, b)) ^ (of(2, c) ^ of(3, d))
    });
    rest.iter().fold(crc, |crc, &byte| crc >> 8 ^ EDC_TABLES[0][usize::from(crc as u8 ^ byte)])
}

/// How many bytes are added to an EDC in one step.
const STEP: usize = 16;

/// What a byte does to the sum, after so many more bytes.
static EDC_TABLES: [[u32; 256]; STEP] = {
    let mut tables = [[0; 256]; STEP];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 != 0 { 0xD801_8001 } else { 0 };
            bit += 1;
        }
        tables[0][index] = crc;
        index += 1;
    }
    let mut ahead = 1;
    while ahead < STEP {
        let mut index = 0;
        while index < 256 {
            let crc: u32 = tables[ahead - 1][index];
            tables[ahead][index] = crc >> 8 ^ tables[0][(crc & 0xFF) as usize];
            index += 1;
        }
        ahead += 1;
    }
    tables
};

/// What P and Q parity cover, from the header on: rows of P are 86 bytes, and the P parity is the end of what Q covers.
const COVERED: usize = 12;
const P_ROW: usize = 86;
const P_ROWS: usize = 24;
const P_AT: usize = COVERED + P_ROW * P_ROWS;
const Q_AT: usize = P_AT + 2 * P_ROW;
/// Q runs over pairs of bytes, in 26 rows of 43: element n of a diagonal is in column n, one row further down each time.
const Q_ROWS: usize = 26;
const Q_COLUMNS: usize = 43;
const Q_ROW: usize = 2 * Q_COLUMNS;
/// The last diagonal of Q begins so many steps after the first; with it all are over.
const Q_DELAY: usize = Q_ROWS - 1;
const Q_STEPS: usize = Q_DELAY + Q_COLUMNS;
/// How many vectors are added up side by side: as many as there are, in whole registers.
const P_LANES: usize = P_ROW.next_multiple_of(16);
const Q_LANES: usize = (2 * Q_ROWS).next_multiple_of(16);

/// Writes P and Q parity of a sector whose bytes before them are in place. For Mode 2 Form 1 the header counts as zero, so that a
/// sector can be moved to another address (CD-ROM XA): `header` is then false.
pub fn write_ecc(raw: &mut [u8; RAW], header: bool) {
    let kept = [raw[COVERED], raw[COVERED + 1], raw[COVERED + 2], raw[COVERED + 3]];
    if !header {
        raw[COVERED..COVERED + 4].fill(0);
    }
    write_p(raw);
    write_q(raw);
    raw[COVERED..COVERED + 4].copy_from_slice(&kept);
}

fn write_p(raw: &mut [u8; RAW]) {
    let mut sums = Sums::<P_LANES>::new();
    for row in 0..P_ROWS {
        // The lanes behind the row get what lies behind it, and are not looked at.
        sums.add(raw[COVERED + P_ROW * row..].first_chunk().expect("Q's parity is longer than the lanes behind a row"));
    }
    let (first, second) = raw[P_AT..Q_AT].split_at_mut(P_ROW);
    for (lane, pair) in first.iter_mut().zip(second).enumerate() {
        (*pair.0, *pair.1) = parity(sums.a[lane], sums.b[lane]);
    }
}

/// Each diagonal begins one row below the one before it. So where all begin one after the other, a step apart, in every step one row is
/// read from left to right: by the diagonals from the last one to the first.
fn write_q(raw: &mut [u8; RAW]) {
    // Zeros around the rows: a diagonal that has not begun is zero still, and one that is over is doubled and no more.
    let mut rows = [[0; 2 * (Q_STEPS - 1) + Q_LANES]; Q_ROWS];
    for (row, bytes) in rows.iter_mut().zip(raw[COVERED..Q_AT].as_chunks::<Q_ROW>().0) {
        row[2 * Q_DELAY..][..Q_ROW].copy_from_slice(bytes);
    }
    let mut sums = Sums::<Q_LANES>::new();
    for step in 0..Q_STEPS {
        sums.add(rows[step % Q_ROWS][2 * step..].first_chunk().expect("a row is as long as the last step asks for"));
    }
    let (first, second) = raw[Q_AT..].split_at_mut(2 * Q_ROWS);
    for (at, pair) in first.iter_mut().zip(second).enumerate() {
        let (diagonal, half) = (at / 2, at % 2);
        let doubled = Q_DELAY - diagonal;
        let lane = 2 * doubled + half;
        (*pair.0, *pair.1) = parity(halve(sums.a[lane], doubled), sums.b[lane]);
    }
}

/// True when the P and Q parity of a sector are what its other bytes ask for.
#[must_use]
pub fn ecc_is_right(raw: &[u8; RAW], header: bool) -> bool {
    let mut made = *raw;
    write_ecc(&mut made, header);
    made[P_AT..] == raw[P_AT..]
}

/// The sums that parity is made of, of `N` vectors whose elements are added side by side: `a` is doubled after each element, `b` is not.
struct Sums<const N: usize> {
    a: [u8; N],
    b: [u8; N],
}

impl<const N: usize> Sums<N> {
    fn new() -> Self {
        Self { a: [0; N], b: [0; N] }
    }

    /// The next element of each vector.
    fn add(&mut self, elements: &[u8; N]) {
        for ((a, b), byte) in self.a.iter_mut().zip(&mut self.b).zip(elements) {
            *a = double(*a ^ byte);
            *b ^= byte;
        }
    }
}

/// The parity bytes of a vector with these sums. They make both syndromes zero: p0 + p1 = b, and p0 * 2 + p1 = a * 2 over GF(2^8).
fn parity(a: u8, b: u8) -> (u8, u8) {
    let first = THIRD[usize::from(double(a) ^ b)];
    (first, first ^ b)
}

/// x * 2 in GF(2^8) with the field polynomial x^8 + x^4 + x^3 + x^2 + 1 (annex A).
const fn double(byte: u8) -> u8 {
    byte << 1 ^ if byte & 0x80 != 0 { 0x1D } else { 0 }
}

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

/// x / 2^`times` in GF(2^8); `times` is at most 255.
fn halve(x: u8, times: usize) -> u8 {
    if x == 0 { 0 } else { POWERS[usize::from(LOGARITHMS[usize::from(x)]) + 255 - times] }
}

/// 2^n; after 255 doublings it begins anew.
static POWERS: [u8; 2 * 255] = {
    let mut powers = [1; 2 * 255];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = double(powers[n - 1]);
        n += 1;
    }
    powers
};

/// The n below 255 with 2^n = x; of 0 there is none.
static LOGARITHMS: [u8; 256] = {
    let mut logarithms = [0; 256];
    let mut n = 0;
    while n < 255 {
        logarithms[POWERS[n] as usize] = n as u8;
        n += 1;
    }
    logarithms
};
