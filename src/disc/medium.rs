//! Which kind of medium a disc is, by how much it holds.

use thiserror::Error;

/// The family of a read-only medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediumType {
    /// CD-ROM, also CD-DA and mixed discs.
    CdRom,
    /// DVD-ROM, one or two layers.
    DvdRom,
    /// BD-ROM, one to four layers.
    BdRom,
}

/// No optical medium holds that many blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{blocks} blocks of 2048 bytes do not fit the largest optical medium, a BDXL of 128 GB ({} blocks)", BD_QL)]
pub struct TooLarge {
    /// Blocks of the image.
    pub blocks: u64,
}

/// 90 minutes: the longest CD that drives read in practice.
const CD: u64 = 90 * 60 * 75;
/// One DVD layer (ECMA-267: 4.7 GB).
const DVD_SL: u64 = 2_295_104;
/// Two DVD layers (ECMA-267: 8.5 GB).
const DVD_DL: u64 = 4_173_824;
/// BD layers: 25, 50, 100 and 128 GB.
const BD_SL: u64 = 12_219_392;
const BD_DL: u64 = 24_438_784;
const BD_TL: u64 = 48_878_592;
const BD_QL: u64 = 62_500_864;

impl MediumType {
    /// The smallest medium that holds `blocks`.
    ///
    /// # Errors
    /// When none does.
    pub fn for_blocks(blocks: u64) -> Result<Self, TooLarge> {
        if blocks <= CD {
            Ok(Self::CdRom)
        } else if blocks <= DVD_DL {
            Ok(Self::DvdRom)
        } else if blocks <= BD_QL {
            Ok(Self::BdRom)
        } else {
            Err(TooLarge { blocks })
        }
    }

    /// Layers that `blocks` take on this medium.
    #[must_use]
    pub fn layers(self, blocks: u32) -> u8 {
        let blocks = u64::from(blocks);
        match self {
            Self::CdRom => 1,
            Self::DvdRom => 1 + u8::from(blocks > DVD_SL),
            Self::BdRom => 1 + u8::from(blocks > BD_SL) + u8::from(blocks > BD_DL) + u8::from(blocks > BD_TL),
        }
    }

    /// Blocks that one unit of error correction covers.
    #[must_use]
    pub fn blocks_per_ecc_block(self) -> u16 {
        match self {
            Self::CdRom => 1,
            Self::DvdRom => 16,
            Self::BdRom => 32,
        }
    }

    /// The name people know.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CdRom => "CD-ROM",
            Self::DvdRom => "DVD-ROM",
            Self::BdRom => "BD-ROM",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_medium_that_holds_it() {
        assert_eq!(MediumType::for_blocks(0), Ok(MediumType::CdRom));
        assert_eq!(MediumType::for_blocks(CD + 1), Ok(MediumType::DvdRom));
        assert_eq!(MediumType::for_blocks(DVD_DL + 1), Ok(MediumType::BdRom));
        assert_eq!(MediumType::for_blocks(BD_QL + 1), Err(TooLarge { blocks: BD_QL + 1 }));
        assert_eq!(MediumType::DvdRom.layers(DVD_SL as u32), 1);
        assert_eq!(MediumType::DvdRom.layers(DVD_SL as u32 + 1), 2);
        assert_eq!(MediumType::BdRom.layers(BD_QL as u32), 4);
        assert_eq!(MediumType::BdRom.layers(BD_TL as u32), 3);
    }
}
