//! How the user area of a DVD or BD lies on its layers, in physical sector numbers.

use std::ops::RangeInclusive;

use super::Disc;

/// The physical sector number of the first user sector of a DVD (ECMA-267, 16.6).
const DVD_FIRST: u32 = 0x03_0000;
/// Physical sector numbers of a DVD have 24 bits.
const DVD_MASK: u32 = 0xFF_FFFF;
/// The first user sector of an even BD layer, and the address after the last of an odd one.
const BD_EVEN_FIRST: u32 = 0x010_0000;
const BD_ODD_END: u32 = 0x1F0_0000;
/// Each pair of BD layers has its own range of addresses: the layer number is in bits 26 to 24.
const BD_PAIR: u32 = 0x200_0000;

/// The layers of a DVD as the lead-in describes them; with two layers the track path is opposite (OTP).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DvdLayout {
    /// 1 or 2.
    pub layers: u8,
    /// First sector of the data area.
    pub first: u32,
    /// Last sector of the data area, on the last layer.
    pub last: u32,
    /// Last sector of layer 0; 0 with one layer.
    pub layer_0_last: u32,
}

impl Disc {
    /// User blocks of each layer, from layer 0. All layers but the last hold equally many whole ECC blocks.
    pub fn blocks_by_layer(&self) -> Vec<u32> {
        let ecc_block = u32::from(self.medium.blocks_per_ecc_block());
        let layers = u32::from(self.layers());
        let mut left = self.blocks();
        let each = left.div_ceil(layers).div_ceil(ecc_block) * ecc_block;
        (0..layers)
            .map(|_| {
                let here = left.min(each);
                left -= here;
                here
            })
            .collect()
    }

    /// Where a DVD's data lie. On the opposite track path layer 1 begins where layer 0 ended, with the complement of
    /// that sector number (ECMA-267, 16.6.2).
    pub fn dvd_layout(&self) -> DvdLayout {
        let blocks = self.blocks_by_layer();
        let last_of = |first: u32, count: u32| first.saturating_add(count).saturating_sub(1) & DVD_MASK;
        let layer_0_last = last_of(DVD_FIRST, blocks.first().copied().unwrap_or(0));
        match blocks.get(1) {
            Some(&second) => {
                let last = last_of(!layer_0_last & DVD_MASK, second);
                DvdLayout { layers: 2, first: DVD_FIRST, last, layer_0_last }
            }
            None => DvdLayout { layers: 1, first: DVD_FIRST, last: layer_0_last, layer_0_last: 0 },
        }
    }

    /// First and last user sector of each BD layer, as its disc information gives them: even layers run outwards from
    /// the inside, odd layers end there. Addresses count pairs of sectors, so the last one is even.
    pub fn bd_layers(&self) -> Vec<RangeInclusive<u32>> {
        (0..)
            .zip(self.blocks_by_layer())
            .map(|(layer, blocks): (u32, u32)| {
                let pair = layer / 2 * BD_PAIR;
                let span = blocks.next_multiple_of(2);
                if layer % 2 == 0 {
                    let first = BD_EVEN_FIRST + pair;
                    first..=first.saturating_add(span).saturating_sub(2)
                } else {
                    let end = BD_ODD_END + pair;
                    end.saturating_sub(span)..=end - 2
                }
            })
            .collect()
    }

    /// The last user sector of a BD, on its last layer.
    pub fn bd_last_sector(&self) -> u32 {
        let on_last = self.blocks_by_layer().last().copied().unwrap_or(0);
        let first = self.bd_layers().last().map_or(BD_EVEN_FIRST, |range| *range.start());
        first.saturating_add(on_last).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::disc::{Extent, Lba};
    use crate::source::MemorySource;

    fn disc(blocks: u32) -> Disc {
        let source = Arc::new(MemorySource::new([]));
        let extent = Extent::plain(Lba(0), blocks, source);
        Disc::single_data_track(vec![extent]).unwrap()
    }

    #[test]
    fn layers_hold_all_blocks_and_the_first_is_never_smaller() {
        for blocks in [500_000, 2_295_104, 2_295_105, 4_173_824, 5_000_001, 12_219_393, 24_438_785, 62_500_864] {
            let layers = disc(blocks).blocks_by_layer();
            assert_eq!(layers.len(), usize::from(disc(blocks).layers()));
            assert_eq!(layers.iter().sum::<u32>(), blocks);
            assert!(layers.windows(2).all(|pair| pair[0] >= pair[1]), "{layers:?}");
        }
    }

    #[test]
    fn a_full_bd_has_the_sector_numbers_of_pressed_ones() {
        assert_eq!(disc(12_219_392).bd_layers(), [0x10_0000..=0xCA_73FE]);
        assert_eq!(disc(24_438_784).bd_layers(), [0x10_0000..=0xCA_73FE, 0x135_8C00..=0x1EF_FFFE]);
        assert_eq!(disc(24_438_784).bd_last_sector(), 0x1EF_FFFF);
        assert_eq!(disc(12_219_390).bd_last_sector(), 0xCA_73FD);
    }

    #[test]
    fn the_second_dvd_layer_counts_on_from_the_complement() {
        let layout = disc(4_000_000).dvd_layout();
        assert_eq!(layout.layer_0_last, 0x3_0000 + 2_000_000 - 1);
        assert_eq!(layout.last, (!layout.layer_0_last & 0xFF_FFFF) + 2_000_000 - 1);
        assert_eq!(
            disc(500_000).dvd_layout(),
            DvdLayout { layers: 1, first: 0x3_0000, last: 0x3_0000 + 499_999, layer_0_last: 0 }
        );
    }
}
