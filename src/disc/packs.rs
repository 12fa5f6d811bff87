//! Packs of the R to W channels (IEC 60908, 17.5): four in each sector, of 24 symbols of six bits. On the disc the symbols of a
//! pack are exchanged and spread over eight packs; the last four correct errors in all of them.

use std::array::from_fn;

use super::subchannel::{SUBCHANNEL, interleaved};
use super::{Disc, Lba, SectorError};

/// Symbols of a pack.
const PACK: usize = 24;
/// Packs of a sector.
const PACKS: usize = SUBCHANNEL / PACK;
/// Packs that the symbols of one are spread over: it and the seven after it.
const SPREAD: usize = 8;
/// Sectors that hold all symbols of the packs of one.
const SECTORS: usize = (PACKS + SPREAD - 1).div_ceil(PACKS);

type Pack = [u8; PACK];

/// Where a symbol of a pack is put before the symbols are spread: three pairs change places.
fn exchanged(at: usize) -> usize {
    match at {
        1 => 18,
        18 => 1,
        2 => 5,
        5 => 2,
        3 => 23,
        23 => 3,
        other => other,
    }
}

impl Disc {
    /// The four packs of the sector at `lba`, de-interleaved and corrected: six bits in each byte. A pack that cannot be corrected
    /// is given as it was read.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn read_packs(&self, lba: Lba) -> Result<[u8; SUBCHANNEL], SectorError> {
        let mut symbols = [0; SECTORS * SUBCHANNEL];
        for (at, part) in (0..).zip(symbols.chunks_exact_mut(SUBCHANNEL)) {
            let lba = lba.plus(at);
            // Packs that the end of the track cuts off end in nothing.
            if self.track_at(lba).is_some() {
                let raw = interleaved(&self.read_subchannel(lba)?);
                part.iter_mut().zip(raw).for_each(|(symbol, byte)| *symbol = byte & 0x3F);
            }
        }
        let mut packs = [0; SUBCHANNEL];
        for (number, pack) in packs.chunks_exact_mut(PACK).enumerate() {
            let gathered = gather(&symbols, number);
            pack.copy_from_slice(&corrected(gathered).unwrap_or(gathered));
        }
        Ok(packs)
    }
}

/// Pack `number` out of symbols as they lie on the disc.
fn gather(symbols: &[u8], number: usize) -> Pack {
    from_fn(|at| {
        let place = exchanged(at);
        symbols.get((number + place % SPREAD) * PACK + place).copied().unwrap_or(0)
    })
}

/// The symbols of the last four packs of `packs`, which follow one another, as they lie on the disc.
#[must_use]
pub fn spread(packs: &[u8]) -> [u8; SUBCHANNEL] {
    let first = packs.len() / PACK - PACKS;
    let mut symbols = [0; SUBCHANNEL];
    for (at, symbol) in symbols.iter_mut().enumerate() {
        let (pack, place) = (first + at / PACK, at % PACK);
        let from = pack.checked_sub(place % SPREAD).map(|pack| pack * PACK + exchanged(place));
        *symbol = from.and_then(|from| packs.get(from)).map_or(0, |symbol| symbol & 0x3F);
    }
    symbols
}

/// Sectors before one that hold packs of which symbols lie in it.
pub const BEFORE: u32 = SECTORS as u32 - 1;

/// Powers of a root of x^6 + x + 1 in the field of 64 elements.
const POWERS: [u8; 63] = {
    let mut powers = [1; 63];
    let mut at = 1;
    while at < 63 {
        let doubled = powers[at - 1] << 1;
        powers[at] = if doubled & 0x40 != 0 { doubled ^ 0x43 } else { doubled };
        at += 1;
    }
    powers
};

/// The logarithm of an element that is not zero.
fn log(element: u8) -> usize {
    POWERS.iter().position(|power| *power == element).unwrap_or(0)
}

/// The product of an element and a power.
fn times(element: u8, power: usize) -> u8 {
    if element == 0 { 0 } else { POWERS[(log(element) + power) % 63] }
}

/// Sums of the symbols of a pack, the last with the weight 1, each with the powers of 0, 1, 2 and 3 of its place: all zero when
/// nothing is wrong.
fn syndromes(pack: &Pack) -> [u8; 4] {
    from_fn(|root| pack.iter().fold(0, |sum, symbol| times(sum, root) ^ symbol))
}

/// The pack without its errors, if there are no more than two.
fn corrected(pack: Pack) -> Option<Pack> {
    let found = syndromes(&pack);
    if found == [0; 4] {
        return Some(pack);
    }
    let patch = |errors: &[(usize, u8)]| {
        let mut patched = pack;
        errors.iter().for_each(|&(at, error)| patched[at] ^= error);
        (syndromes(&patched) == [0; 4]).then_some(patched)
    };
    // One error has the value of the first sum.
    let one = (0..PACK).find_map(|at| patch(&[(at, found[0])]));
    // Two have values that the first two sums give for each pair of places: a + b = s0, a x + b y = s1.
    one.or_else(|| {
        (0..PACK).find_map(|first| {
            (first + 1..PACK).find_map(|second| {
                let (x, y) = (PACK - 1 - first, PACK - 1 - second);
                let numerator = found[1] ^ times(found[0], y);
                if numerator == 0 {
                    return None;
                }
                let a = times(numerator, 63 - log(POWERS[x] ^ POWERS[y]));
                patch(&[(first, a), (second, found[0] ^ a)])
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With parity that makes all sums zero, found by trying.
    fn with_parity(seed: u8) -> Pack {
        let mut pack: Pack = from_fn(|at| if at < 20 { seed.wrapping_mul(at as u8 * 7 + 3) & 0x3F } else { 0 });
        // The generator of the code: (x + 1)(x + a)(x + a^2)(x + a^3), its highest power first.
        let mut generator = vec![1_u8];
        for root in 0..4 {
            let mut next = vec![0; generator.len() + 1];
            for (at, coefficient) in generator.iter().enumerate() {
                next[at] ^= coefficient;
                next[at + 1] ^= times(*coefficient, root);
            }
            generator = next;
        }
        let mut rest = pack;
        for at in 0..20 {
            let lead = rest[at];
            if lead != 0 {
                for (index, coefficient) in generator.iter().enumerate() {
                    rest[at + index] ^= times(lead, log(*coefficient));
                }
            }
        }
        pack[20..].copy_from_slice(&rest[20..]);
        pack
    }

    #[test]
    fn two_errors_anywhere_are_corrected() {
        let pack = with_parity(11);
        assert_eq!(syndromes(&pack), [0; 4]);
        for first in 0..PACK {
            for second in 0..PACK {
                let mut wrong = pack;
                wrong[first] ^= 0x15;
                wrong[second] ^= 0x2A;
                assert_eq!(corrected(wrong), Some(pack), "{first}, {second}");
            }
        }
    }

    #[test]
    fn what_is_spread_is_gathered() {
        let packs: Vec<u8> = (1..=24).flat_map(with_parity).collect();
        // Six sectors as they lie on the disc.
        let disc: Vec<u8> = (1..=6).flat_map(|sectors| spread(&packs[..sectors * SUBCHANNEL])).collect();
        for number in 0..24 - SPREAD {
            assert_eq!(gather(&disc, number)[..], packs[number * PACK..][..PACK], "pack {number}");
        }
        // The first symbol stays; the last goes to the place of the fourth, three packs later.
        assert_eq!(disc[0], packs[0]);
        assert_eq!(disc[3 * PACK + 3], packs[23]);
    }
}
