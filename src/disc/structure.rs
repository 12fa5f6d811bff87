//! How the user area of a DVD or BD lies on its layers, in physical sector numbers: as the structures say that the image
//! stores, else by size.

use std::ops::RangeInclusive;

use super::{Disc, MediumType};

/// Format code of the physical format information of a DVD, and of the disc information of a BD.
const PHYSICAL: u8 = 0x00;
/// Bytes of a disc information unit of a BD-ROM.
pub const BD_UNIT: usize = 64;

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
    /// What the image stores of a structure. What it stores of one layer alone holds for the others too: the lead-in
    /// describes the whole disc.
    #[must_use]
    pub fn stored_structure(&self, layer: u8, format: u8) -> Option<&[u8]> {
        let mut stored = self.structures.iter().filter(|stored| stored.format == format);
        let other = stored.clone().next();
        stored.find(|stored| stored.layer == layer).or(other).map(|stored| &stored.data[..])
    }

    /// Layers of the medium, 1 to 4: those that its stored structure counts, else as many as its blocks need.
    #[must_use]
    pub fn layers(&self) -> u8 {
        let counted = self.stored_structure(0, PHYSICAL).and_then(|data| match self.medium {
            MediumType::CdRom => None,
            // ECMA-267, 16.3.1: number of layers - 1, in two bits of which two values are in use.
            MediumType::DvdRom => data.get(2).map(|byte| 1 + (byte >> 5 & 0b11)).filter(|layers| *layers <= 2),
            MediumType::BdRom => data.get(12).map(|byte| byte >> 4).filter(|layers| (1..=4).contains(layers)),
        });
        counted.unwrap_or_else(|| self.medium.layers(self.blocks()))
    }

    /// User blocks of each layer, from layer 0, as many in all as the disc has. Where no structure says where layers end, all
    /// but the last hold equally many whole ECC blocks.
    #[must_use]
    pub fn blocks_by_layer(&self) -> Vec<u32> {
        let stored = match self.medium {
            MediumType::CdRom => None,
            MediumType::DvdRom => self.stored_dvd_layers(),
            MediumType::BdRom => self.stored_bd_layers(),
        };
        stored.unwrap_or_else(|| self.equal_layers())
    }

    /// By the last sector of layer 0. Layers of a parallel track path have a structure each.
    fn stored_dvd_layers(&self) -> Option<Vec<u32>> {
        if self.layers() != 2 {
            return None;
        }
        let data = self.stored_structure(0, PHYSICAL)?;
        let parallel = data.get(2)? & 0x10 == 0;
        let last = psn(data, if parallel { 8 } else { 12 })?;
        let first = last.checked_add(1)?.checked_sub(psn(data, 4)?)?;
        let second = self.blocks().checked_sub(first).filter(|&second| first > 0 && second > 0)?;
        Some(vec![first, second])
    }

    /// By the first and the last sector of each unit. Their last address is that of a pair of sectors.
    fn stored_bd_layers(&self) -> Option<Vec<u32>> {
        let data = self.stored_structure(0, PHYSICAL)?;
        let units = data.chunks_exact(BD_UNIT).take(usize::from(self.layers()));
        let spans = units.map(|unit| psn(unit, 28)?.checked_sub(psn(unit, 24)?)?.checked_add(2));
        let mut layers = spans.collect::<Option<Vec<u32>>>()?;
        let last = layers.pop()?;
        let before = layers.iter().try_fold(0_u32, |sum, span| sum.checked_add(*span))?;
        let left = self.blocks().checked_sub(before).filter(|left| left.next_multiple_of(2) == last)?;
        layers.push(left);
        (layers.len() == usize::from(self.layers())).then_some(layers)
    }

    fn equal_layers(&self) -> Vec<u32> {
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
    #[must_use]
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
    #[must_use]
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
    #[must_use]
    pub fn bd_last_sector(&self) -> u32 {
        let on_last = self.blocks_by_layer().last().copied().unwrap_or(0);
        let first = self.bd_layers().last().map_or(BD_EVEN_FIRST, |range| *range.start());
        first.saturating_add(on_last).saturating_sub(1)
    }
}

/// A physical sector number of four bytes.
fn psn(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::disc::{Extent, Lba, StoredStructure};
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

    fn with_structure(blocks: u32, data: Vec<u8>) -> Disc {
        Disc { structures: vec![StoredStructure { layer: 0, format: PHYSICAL, data }], ..disc(blocks) }
    }

    fn physical(layers: u8, fields: [u32; 3]) -> Vec<u8> {
        let mut data = vec![0x01, 0x02, layers, 0x10];
        data.extend(fields.iter().flat_map(|field| field.to_be_bytes()));
        data.resize(2048, 0);
        data
    }

    #[test]
    fn a_stored_physical_format_decides_where_a_dvd_breaks() {
        // 1,000,000 blocks on layer 0, 600,000 on layer 1: a disc that by its size would have one layer.
        let (end_0, end_1) = (0x3_0000 + 999_999, (!(0x3_0000 + 999_999) & DVD_MASK) + 599_999);
        let found = with_structure(1_600_000, physical(0x31, [0x3_0000, end_1, end_0]));
        assert_eq!((found.layers(), found.blocks_by_layer()), (2, vec![1_000_000, 600_000]));
        let layout = DvdLayout { layers: 2, first: 0x3_0000, last: end_1, layer_0_last: end_0 };
        assert_eq!(found.dvd_layout(), layout);
        // On the parallel track path each layer has its own last sector.
        let parallel = with_structure(1_600_000, physical(0x21, [0x3_0000, end_0, 0]));
        assert_eq!(parallel.blocks_by_layer(), [1_000_000, 600_000]);
        assert_eq!(with_structure(3_000_000, physical(0x01, [0x3_0000, 0x3_0000 + 2_999_999, 0])).layers(), 1);
    }

    #[test]
    fn a_stored_structure_that_cannot_be_is_no_guide() {
        for fields in [[0x3_0000, 0, 0x2_0000], [0x3_0000, 0, u32::MAX - 1], [0x3_0000, 0, 0x3_0000 + 3_000_000]] {
            let found = with_structure(3_000_000, physical(0x31, fields));
            assert_eq!(found.blocks_by_layer(), [1_500_000, 1_500_000], "{fields:x?}");
        }
        assert_eq!(with_structure(3_000_000, physical(0x71, [0; 3])).layers(), 2);
        assert_eq!(with_structure(3_000_000, Vec::new()).layers(), 2);
        assert_eq!(with_structure(12_000_000, vec![0xFF; 4096]).blocks_by_layer(), [12_000_000]);
    }

    #[test]
    fn stored_disc_information_decides_where_a_bd_breaks() {
        let mut data = vec![0; 4096];
        for (unit, (first, last)) in
            data.chunks_exact_mut(BD_UNIT).zip([(0x10_0000_u32, 7_999_998_u32), (0, 3_999_998)])
        {
            unit[12] = 0x21;
            unit[24..28].copy_from_slice(&first.to_be_bytes());
            unit[28..32].copy_from_slice(&(first + last).to_be_bytes());
        }
        let found = with_structure(11_999_999, data.clone());
        assert_eq!((found.layers(), found.blocks_by_layer()), (2, vec![8_000_000, 3_999_999]));
        // Fewer blocks than the units tell of: the disc is as long as READ CAPACITY says.
        assert_eq!(with_structure(11_000_000, data).blocks_by_layer(), [5_500_000, 5_500_000]);
    }
}
