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
    // Eight bytes in one step: what each of them does to the sum does not depend on the others.
    let mut crc = before;
    let mut eights = bytes.chunks_exact(8);
    for eight in &mut eights {
        let [a, b, c, d] = crc.to_le_bytes();
        let of = |ahead: usize, byte: u8| EDC_TABLES[ahead][usize::from(byte)];
        crc = of(7, a ^ eight[0])
            ^ of(6, b ^ eight[1])
            ^ of(5, c ^ eight[2])
            ^ of(4, d ^ eight[3])
            ^ of(3, eight[4])
            ^ of(2, eight[5])
            ^ of(1, eight[6])
            ^ of(0, eight[7]);
    }
    eights.remainder().iter().fold(crc, |crc, &byte| crc >> 8 ^ EDC_TABLES[0][usize::from(crc as u8 ^ byte)])
}

/// What a byte does to the sum, after so many more bytes.
static EDC_TABLES: [[u32; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
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
    while ahead < 8 {
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

/// Writes P and Q parity of a sector whose bytes before them are in place. For Mode 2 Form 1 the header counts as zero, so that a
/// sector can be moved to another address (CD-ROM XA): `header` is then false.
pub fn write_ecc(raw: &mut [u8; RAW], header: bool) {
    let kept = [raw[COVERED], raw[COVERED + 1], raw[COVERED + 2], raw[COVERED + 3]];
    if !header {
        raw[COVERED..COVERED + 4].fill(0);
    }
    let mut p = Parity::<P_ROW>::new();
    for row in raw[COVERED..P_AT].as_chunks().0 {
        p.add(row);
    }
    p.write(&mut raw[P_AT..Q_AT]);
    let mut q = Parity::<{ 2 * Q_ROWS }>::new();
    for column in &columns(&raw[COVERED..Q_AT]) {
        q.add(column);
    }
    q.write(&mut raw[Q_AT..]);
    raw[COVERED..COVERED + 4].copy_from_slice(&kept);
}

/// The columns of Q's pairs, each from the row on where the first diagonal meets it: element by element all diagonals.
fn columns(covered: &[u8]) -> [[u8; 2 * Q_ROWS]; Q_COLUMNS] {
    let mut columns = [[0; 2 * Q_ROWS]; Q_COLUMNS];
    for (row, pairs) in covered.chunks_exact(Q_ROW).enumerate() {
        for (at, (column, pair)) in columns.iter_mut().zip(pairs.as_chunks::<2>().0).enumerate() {
            let diagonal = (row + 2 * Q_ROWS - at) % Q_ROWS;
            column[2 * diagonal..2 * diagonal + 2].copy_from_slice(pair);
        }
    }
    columns
}

/// True when the P and Q parity of a sector are what its other bytes ask for.
#[must_use]
pub fn ecc_is_right(raw: &[u8; RAW], header: bool) -> bool {
    let mut made = *raw;
    write_ecc(&mut made, header);
    made[P_AT..] == raw[P_AT..]
}

/// The parity of `N` vectors, whose elements are added side by side.
struct Parity<const N: usize> {
    a: [u8; N],
    b: [u8; N],
}

impl<const N: usize> Parity<N> {
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

    /// Writes both parity bytes of each vector: the first ones, then the second ones.
    fn write(&self, parity: &mut [u8]) {
        let (first, second) = parity.split_at_mut(N);
        for (at, (&a, &b)) in self.a.iter().zip(&self.b).enumerate() {
            // They make both syndromes zero: p0 + p1 = b, and p0 * 2 + p1 = a * 2 over GF(2^8).
            first[at] = THIRD[usize::from(double(a) ^ b)];
            second[at] = first[at] ^ b;
        }
    }
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
