//! Which sectors the requests read, in which order.

use super::options::{Command, Options};

/// The places of a load, one after another or at random, for as long as they are asked for.
#[derive(Debug, Clone)]
pub struct Plan {
    command: Command,
    /// Bytes of a sector.
    sector: usize,
    /// Sectors of one request.
    pub sectors: u32,
    first: u32,
    /// Requests that the range has room for.
    places: u64,
    random: Option<u64>,
    next: u64,
}

impl Plan {
    /// A plan over a disc of `disc` sectors of `sector` bytes.
    ///
    /// # Errors
    /// When no request fits.
    pub fn new(options: &Options, disc: u32, sector: usize) -> Result<Self, String> {
        if !options.block.is_multiple_of(sector) {
            return Err(format!("a request of {} bytes is not made of sectors of {sector}", options.block));
        }
        let sectors = u32::try_from(options.block / sector).map_err(|_| "the requests are too large")?;
        let end = options.sectors.map_or(disc, |sectors| options.start.saturating_add(sectors).min(disc));
        let places = u64::from(end.saturating_sub(options.start) / sectors);
        if places == 0 {
            return Err(format!("{} sectors have no room for a request of {sectors}", end));
        }
        // A generator of this kind must not start with 0.
        let random = options.random.then(|| options.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        Ok(Self { command: options.command, sector, sectors, first: options.start, places, random, next: 0 })
    }

    /// Requests from the start of the range to its end.
    pub fn places(&self) -> u64 {
        self.places
    }

    /// Where the next request starts.
    pub fn next(&mut self) -> u32 {
        let place = match &mut self.random {
            Some(state) => {
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                ((u128::from(*state) * u128::from(self.places)) >> 64) as u64
            }
            None => {
                let place = self.next;
                self.next = if place + 1 == self.places { 0 } else { place + 1 };
                place
            }
        };
        // Less than the disc's sectors, so it fits.
        self.first + place as u32 * self.sectors
    }

    /// Where the bytes of `lba` lie in a file of the disc's sectors.
    pub fn offset(&self, lba: u32) -> u64 {
        u64::from(lba) * self.sector as u64
    }

    /// The command that reads the request at `lba`.
    pub fn cdb(&self, lba: u32) -> [u8; 12] {
        let [a, b, c, d] = lba.to_be_bytes();
        let [n3, n2, n1, n0] = self.sectors.to_be_bytes();
        match self.command {
            Command::Read10 => [0x28, 0, a, b, c, d, 0, n1, n0, 0, 0, 0],
            Command::Read12 => [0xA8, 0, a, b, c, d, n3, n2, n1, n0, 0, 0],
            // Any type of sector; sync, headers, user data, EDC and ECC.
            Command::ReadCd => [0xBE, 0, a, b, c, d, n2, n1, n0, 0xF8, 0, 0],
        }
    }
}
