//! Addresses on a disc.

use serde::{Deserialize, Serialize};

/// Logical block address: frames from the start of the program area; the pre-gap of track 1 is -150 to -1 on a CD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Lba(pub i32);

/// Minute, second and frame (1/75 s), with 00:00:00 at LBA -150 (MMC-6, 4.2.3.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Msf {
    /// 0 to 99 as the disc stores it; larger where a long medium is described.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 74.
    pub frame: u8,
}

impl std::fmt::Display for Lba {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Lba {
    /// Later by `blocks`, at most the largest address.
    #[must_use]
    pub fn plus(self, blocks: u32) -> Self {
        Self(self.0.saturating_add_unsigned(blocks))
    }

    /// Earlier by `blocks`, at least the smallest address.
    #[must_use]
    pub fn minus(self, blocks: u32) -> Self {
        Self(self.0.saturating_sub_unsigned(blocks))
    }

    /// Blocks from `earlier` up to this address; 0 when it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> u32 {
        u32::try_from(i64::from(self.0) - i64::from(earlier.0)).unwrap_or(0)
    }

    /// As MSF. Addresses before -150 are those of a lead-in (MMC-6, table "LBA to MSF"): they wrap from 99:59:74.
    /// What an MSF cannot say, beyond minute 255, becomes the last one it can.
    #[must_use]
    pub fn to_msf(self) -> Msf {
        const FRAMES: i64 = 75;
        let mut frames = i64::from(self.0) + 150;
        if frames < 0 {
            frames = (frames + 100 * 60 * FRAMES).max(0);
        }
        let minute = frames / (60 * FRAMES);
        match u8::try_from(minute) {
            Ok(minute) => Msf { minute, second: (frames / FRAMES % 60) as u8, frame: (frames % FRAMES) as u8 },
            Err(_) => Msf { minute: u8::MAX, second: 59, frame: 74 },
        }
    }

    /// The four bytes of an address field: MSF as `00 M S F` when `msf`, else the block address, big-endian.
    #[must_use]
    pub fn to_field(self, msf: bool) -> [u8; 4] {
        if msf {
            let Msf { minute, second, frame } = self.to_msf();
            [0, minute, second, frame]
        } else {
            self.0.to_be_bytes()
        }
    }
}

impl Msf {
    /// Its three numbers in BCD, as headers and the Q channel have them. A minute from 100 on loses its hundreds.
    #[must_use]
    pub fn to_bcd(self) -> [u8; 3] {
        [self.minute, self.second, self.frame].map(|number| ((number / 10 % 10) << 4) | (number % 10))
    }

    /// From three numbers in BCD; nothing when they are none, or no time.
    #[must_use]
    pub fn from_bcd(bcd: [u8; 3]) -> Option<Self> {
        let [minute, second, frame] =
            bcd.map(|byte| (byte & 0xF <= 9 && byte >> 4 <= 9).then(|| (byte >> 4) * 10 + (byte & 0xF)));
        let msf = Self { minute: minute?, second: second?, frame: frame? };
        (msf.second < 60 && msf.frame < 75).then_some(msf)
    }

    /// The block address of a time that exists: below 100 minutes, 60 seconds and 75 frames. FFh stands for no time in a TOC.
    #[must_use]
    pub fn checked_lba(self) -> Option<Lba> {
        (self.minute < 100 && self.second < 60 && self.frame < 75).then(|| self.to_lba())
    }

    /// The block address; minutes from 90 on with a negative result are not assumed (READ CD MSF decides that).
    #[must_use]
    pub fn to_lba(self) -> Lba {
        Lba((i32::from(self.minute) * 60 + i32::from(self.second)) * 75 + i32::from(self.frame) - 150)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn msf_and_lba_agree() {
        assert_eq!(Lba(0).to_msf(), Msf { minute: 0, second: 2, frame: 0 });
        assert_eq!(Lba(-150).to_msf(), Msf::default());
        assert_eq!(Lba(-151).to_msf(), Msf { minute: 99, second: 59, frame: 74 });
        assert_eq!(Lba(i32::MIN).to_msf(), Msf::default());
        assert_eq!(Lba(i32::MAX).to_msf().minute, 255);
        for lba in [-150, -1, 0, 74, 75, 4349, 4350, 359_999, 449_849] {
            assert_eq!(Lba(lba).to_msf().to_lba(), Lba(lba));
        }
        assert_eq!(Msf::from_bcd([0x99, 0x59, 0x74]), Some(Msf { minute: 99, second: 59, frame: 74 }));
        for no_time in [[0x9A, 0, 0], [0xA0, 0, 0], [0, 0x60, 0], [0, 0, 0x75]] {
            assert_eq!(Msf::from_bcd(no_time), None);
        }
        assert_eq!(Lba(16).to_field(true), [0, 0, 2, 16]);
        assert_eq!(Lba(-2).to_field(false), [0xFF, 0xFF, 0xFF, 0xFE]);
    }
}
