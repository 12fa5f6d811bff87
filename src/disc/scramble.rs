//! Scrambling of data sectors (ECMA-130, annex B).

use super::sector::RAW;

/// What each byte of a sector is exclusive-ored with; nothing for the sync pattern.
static SEQUENCE: [u8; RAW] = {
    let mut sequence = [0; RAW];
    // A shift register of 15 bits with feedback x^15 + x + 1, preset to 1; the lowest bit comes out first.
    let mut register: u16 = 1;
    let mut at = 12;
    while at < RAW {
        let mut bit = 0;
        while bit < 8 {
            sequence[at] |= ((register & 1) as u8) << bit;
            let feedback = (register ^ register >> 1) & 1;
            register = register >> 1 | feedback << 14;
            bit += 1;
        }
        at += 1;
    }
    sequence
};

/// Scrambles the bytes of a sector from its byte `from` on, or makes them as they were.
pub fn unscramble(bytes: &mut [u8], from: usize) {
    bytes.iter_mut().zip(SEQUENCE.iter().skip(from)).for_each(|(byte, mixed)| *byte ^= mixed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_begins_as_the_annex_has_it() {
        let mut sector = [0; RAW];
        unscramble(&mut sector, 0);
        assert_eq!(sector[..12], [0; 12]);
        assert_eq!(sector[12..24], [0x01, 0x80, 0x00, 0x60, 0x00, 0x28, 0x00, 0x1E, 0x80, 0x08, 0x60, 0x06]);
        let mut part = [0; 4];
        unscramble(&mut part, 19);
        assert_eq!(part, [0x1E, 0x80, 0x08, 0x60]);
    }
}
