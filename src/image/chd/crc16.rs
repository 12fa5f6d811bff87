//! The CRC of version 5: CCITT, x^16 + x^12 + x^5 + 1, started with ones (formats.md, 13.3). Every hunk that is read passes
//! through it, so eight bytes are taken at a time.

const SLICES: usize = 8;

static TABLES: [[u16; 256]; SLICES] = tables();

const fn tables() -> [[u16; 256]; SLICES] {
    let mut tables = [[0; 256]; SLICES];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x8000 != 0 { 0x1021 } else { 0 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut slice = 1;
    while slice < SLICES {
        let mut byte = 0;
        while byte < 256 {
            let before: u16 = tables[slice - 1][byte];
            tables[slice][byte] = before << 8 ^ tables[0][(before >> 8) as usize];
            byte += 1;
        }
        slice += 1;
    }
    tables
}

/// The CRC of no bytes.
pub const START: u16 = 0xFFFF;

/// `crc` with `bytes` added.
#[must_use]
pub fn update(crc: u16, bytes: &[u8]) -> u16 {
    let (eights, rest) = bytes.as_chunks::<SLICES>();
    let crc = eights.iter().fold(crc, |crc, eight| {
        let [high, low] = crc.to_be_bytes();
        let mixed = [eight[0] ^ high, eight[1] ^ low, eight[2], eight[3], eight[4], eight[5], eight[6], eight[7]];
        let tables = TABLES.iter().rev();
        mixed.iter().zip(tables).fold(0, |crc, (&byte, table)| crc ^ table[usize::from(byte)])
    });
    rest.iter().fold(crc, |crc, &byte| crc << 8 ^ TABLES[0][usize::from((crc >> 8) as u8 ^ byte)])
}

/// The CRC of `bytes`.
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    update(START, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_at_a_time_is_bit_by_bit() {
        // The check value of CRC-16/IBM-3740.
        assert_eq!(crc16(b"123456789"), 0x29B1);
        let bytes: Vec<u8> = (0..1000_u32).map(|n| ((n * n) >> 3) as u8).collect();
        let by_bits = bytes.iter().fold(START, |crc, &byte| {
            (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| crc << 1 ^ if crc & 0x8000 != 0 { 0x1021 } else { 0 })
        });
        assert_eq!(crc16(&bytes), by_bits);
        assert_eq!(update(crc16(&bytes[..13]), &bytes[13..]), by_bits);
    }
}
