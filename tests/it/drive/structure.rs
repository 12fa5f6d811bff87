//! READ DISC STRUCTURE.

use std::sync::Arc;

use spindle::disc::{Disc, Lba, StoredStructure};
use spindle::image::{OpenOptions, open_source};

use crate::support::disc::{Patterned, of, patterned};
use crate::support::initiator::{Answer, Initiator};

fn disc(blocks: u32) -> Disc {
    open_source(Arc::new(Patterned { seed: 1, blocks }), &OpenOptions::default()).unwrap().disc
}

fn structure(guest: &Initiator, media: u8, layer: u8, format: u8) -> Answer {
    guest.run(&[0xAD, media, 0, 0, 0, 0, layer, format, 0x20, 0, 0, 0], 0x2000)
}

/// Rows of the list: format code, RDS, length with the header.
const PHYSICAL: [u8; 4] = [0x00, 0x40, 8, 4];
const COPYRIGHT: [u8; 4] = [0x01, 0x40, 0, 8];
const MANUFACTURING: [u8; 4] = [0x04, 0x40, 8, 4];
const SECTOR_COPYRIGHT: [u8; 4] = [0x05, 0x40, 0, 8];
const WRITE_PROTECTION: [u8; 4] = [0xC0, 0x40, 0, 8];

fn word(data: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(data[at..at + 4].try_into().unwrap())
}

#[test]
fn the_physical_format_of_a_dvd_follows_its_size() {
    let (_drive, guest) = Initiator::with(patterned(1, 1_000_000));
    let data = structure(&guest, 0, 0, 0).good();
    assert_eq!((data.len(), &data[..4]), (2052, &[8, 2, 0, 0][..]));
    // DVD-ROM; 120 mm; one embossed layer; densities.
    assert_eq!(data[4..8], [0x01, 0x02, 0x01, 0x00]);
    assert_eq!((word(&data, 8), word(&data, 12), word(&data, 16)), (0x03_0000, 0x03_0000 + 999_999, 0));
    assert!(data[20..].iter().all(|&byte| byte == 0));
}

#[test]
fn a_dual_layer_dvd_turns_back_where_layer_0_ends() {
    let (_drive, guest) = Initiator::with(patterned(1, 3_000_001));
    let data = structure(&guest, 0, 0, 0).good();
    // Two layers, opposite track path.
    assert_eq!(data[4..8], [0x01, 0x02, 0x31, 0x10]);
    let (end, layer_0_end) = (word(&data, 12), word(&data, 16));
    let layer_0 = layer_0_end - 0x03_0000 + 1;
    let layer_1 = end - (!layer_0_end & 0xFF_FFFF) + 1;
    assert_eq!(layer_0 + layer_1, 3_000_001);
    assert!(layer_0 % 16 == 0 && layer_0 >= layer_1);
    assert_eq!(structure(&guest, 0, 1, 0).good(), data);
    assert_eq!(structure(&guest, 0, 2, 0).kaq(), (5, 0x24, 0));
}

#[test]
fn the_other_structures_of_a_dvd() {
    let (_drive, guest) = Initiator::with(patterned(1, 1_000_000));
    assert_eq!(structure(&guest, 0, 0, 1).good(), [0, 6, 0, 0, 0, 0, 0, 0]);
    let manufacturing = structure(&guest, 0, 0, 4).good();
    assert_eq!((manufacturing.len(), &manufacturing[..4]), (2052, &[8, 2, 0, 0][..]));
    let list =
        [&[0, 22, 0, 0][..], &PHYSICAL, &COPYRIGHT, &MANUFACTURING, &SECTOR_COPYRIGHT, &WRITE_PROTECTION].concat();
    assert_eq!(structure(&guest, 0, 0, 0xFF).good(), list);
    // Keys and identifiers of protection systems, the burst cutting area, what only recordable discs and HD DVD have.
    let absent = [2, 3, 6, 7].into_iter().chain(0x08..=0x7F).chain(0x80..=0xBF).chain(0xC1..=0xFE);
    for format in absent {
        assert_eq!(structure(&guest, 0, 0, format).kaq(), (5, 0x24, 0), "format {format:02x}");
    }
    assert_eq!(structure(&guest, 0, 1, 0).kaq(), (5, 0x24, 0), "there is no layer 1");
}

#[test]
fn the_list_tells_the_length_that_each_answer_has() {
    for (media, blocks) in [(0, 1_000_000), (1, 12_000_000)] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        let list = structure(&guest, media, 0, 0xFF).good();
        for row in list[4..].chunks(4) {
            let full = structure(&guest, media, 0, row[0]).good();
            assert_eq!(full.len(), usize::from(u16::from_be_bytes([row[2], row[3]])), "format {:02x}", row[0]);
            assert_eq!(usize::from(u16::from_be_bytes([full[0], full[1]])), full.len() - 2);
        }
    }
}

#[test]
fn the_disc_information_of_a_bd_has_a_unit_for_each_layer() {
    for (blocks, layers) in [(12_000_000_u32, 1_u8), (20_000_001, 2), (40_000_000, 3), (60_000_000, 4)] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        let data = structure(&guest, 1, 0, 0).good();
        assert_eq!((data.len(), &data[..4]), (4100, &[0x10, 2, 0, 0][..]));
        let units: Vec<_> = data[4..].chunks(64).take_while(|unit| unit[0] != 0).collect();
        assert_eq!(units.len(), usize::from(layers));
        let mut before_last = 0;
        for (unit, layer) in units.iter().zip(0_u8..) {
            assert_eq!(unit[..8], [b'D', b'I', 1, 8 * layers, 0, layer, 32, 0]);
            // Type, class and version, layers, channel bit length.
            let kind: (&[u8], [u8; 3]) = match layers {
                1 | 2 => (b"BDO", [1, layers << 4 | 1, 1]),
                3 => (b"BDU", [3, 0x31, 5]),
                _ => (b"BDU", [3, 0x41, 6]),
            };
            assert_eq!((&unit[8..11], &unit[11..14]), (kind.0, &kind.1[..]));
            // The drive reads what it shows: class 0 of BD-ROM in the BD Read feature.
            let feature = guest.run(&[0x46, 2, 0, 0x40, 0, 0, 0, 0, 40, 0], 40).good();
            let versions = u16::from_be_bytes([feature[32], feature[33]]);
            assert_eq!(versions >> unit[11] & 1, 1, "version {}", unit[11]);
            let (first, last) = (word(unit, 24), word(unit, 28));
            assert_eq!(first >> 24, u32::from(layer), "bits 26 to 24 are the layer");
            if layer + 1 < layers {
                before_last += last - first + 2;
            } else {
                assert_eq!(before_last + word(unit, 20) - first + 1, blocks);
            }
        }
        assert_eq!(structure(&guest, 1, layers - 1, 0).good(), data);
        assert_eq!(structure(&guest, 1, layers, 0).kaq(), (5, 0x24, 0));
        let list = [&[0, 10, 0, 0, 0x00, 0x40, 0x10, 4][..], &WRITE_PROTECTION].concat();
        assert_eq!(structure(&guest, 1, 0, 0xFF).good(), list);
    }
}

#[test]
fn structures_of_another_medium_are_refused() {
    let (_drive, cd) = Initiator::with(patterned(1, 5000));
    for (media, format) in [(0, 0), (0, 1), (1, 0), (0, 0xFF)] {
        assert_eq!(structure(&cd, media, 0, format).kaq(), (5, 0x30, 2));
    }
    let (_drive, dvd) = Initiator::with(patterned(1, 1_000_000));
    assert_eq!(structure(&dvd, 1, 0, 0).kaq(), (5, 0x30, 2));
    assert_eq!(structure(&dvd, 2, 0, 0).kaq(), (5, 0x24, 0));
    let (_drive, bd) = Initiator::with(patterned(1, 12_000_000));
    assert_eq!(structure(&bd, 0, 0, 0).kaq(), (5, 0x30, 2));
    assert_eq!(structure(&bd, 1, 0, 3).kaq(), (5, 0x24, 0));
}

/// The disc information of a pressed single-layer BD, as archives publish it.
#[test]
fn the_disc_information_of_a_bd_is_that_of_a_pressed_one_of_its_size() {
    let last = 0x4F_947F_u32;
    let mut disc = disc(12_000_000);
    let end = Lba(0).plus(last + 1 - 0x10_0000);
    disc.sessions[0].lead_out = end;
    disc.sessions[0].tracks[0].end = end;
    disc.structures = vec![StoredStructure { layer: 0, format: 0x03, data: vec![1; 64] }];
    let (_drive, guest) = Initiator::with(of(disc));
    let pressed = [
        0x10, 0x02, 0x00, 0x00, 0x44, 0x49, 0x01, 0x08, 0x00, 0x00, 0x20, 0x00, 0x42, 0x44, 0x4F, 0x01, 0x11, 0x01,
        0x01, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x4F, 0x94, 0x7F, 0x00, 0x10, 0x00, 0x00, 0x00, 0x4F, 0x94, 0x7E,
    ];
    let data = structure(&guest, 1, 0, 0).good();
    assert_eq!(data[..36], pressed);
    assert!(data[36..].iter().all(|&byte| byte == 0));
}

#[test]
fn the_media_type_of_generic_formats_is_ignored() {
    for blocks in [1_000_000, 12_000_000] {
        let (_drive, guest) = Initiator::with(patterned(1, blocks));
        for media in [0, 1, 2, 15] {
            // MSWI.
            assert_eq!(structure(&guest, media, 0, 0xC0).good(), [0, 6, 0, 0, 8, 0, 0, 0]);
            assert_eq!(structure(&guest, media, 9, 0xC0).good(), [0, 6, 0, 0, 8, 0, 0, 0]);
            assert_eq!(
                structure(&guest, media, 0, 0xFF).good()[..4],
                [0, if blocks > 5_000_000 { 10 } else { 22 }, 0, 0]
            );
            assert_eq!(structure(&guest, media, 0, 0x80).kaq(), (5, 0x24, 0));
        }
    }
}

#[test]
fn the_copyright_of_a_sector_is_told_by_address_on_discs_without_protection() {
    let sector = |guest: &Initiator, lba: u32| {
        let [a, b, c, d] = lba.to_be_bytes();
        guest.run(&[0xAD, 0, a, b, c, d, 0, 5, 0, 8, 0, 0], 8)
    };
    let (_drive, guest) = Initiator::with(patterned(1, 1_000_000));
    for lba in [0, 999_999] {
        assert_eq!(sector(&guest, lba).good(), [0, 6, 0, 0, 0, 0, 0, 0]);
    }
    for lba in [1_000_000, u32::MAX] {
        assert_eq!(sector(&guest, lba).kaq(), (5, 0x21, 0));
    }
    // CSS, region 1 alone: the image does not say which sectors are scrambled.
    let mut css = disc(1_000_000);
    css.structures = vec![StoredStructure { layer: 0, format: 1, data: vec![1, 0xFE, 0, 0] }];
    let (_drive, guest) = Initiator::with(of(css));
    assert_eq!(structure(&guest, 0, 0, 1).good(), [0, 6, 0, 0, 1, 0xFE, 0, 0]);
    assert_eq!(sector(&guest, 0).kaq(), (5, 0x24, 0));
    let list = [&[0, 18, 0, 0][..], &PHYSICAL, &COPYRIGHT, &MANUFACTURING, &WRITE_PROTECTION].concat();
    assert_eq!(structure(&guest, 0, 0, 0xFF).good(), list);
}

#[test]
fn what_an_image_stores_goes_before_what_would_be_made() {
    let mut disc = disc(1_000_000);
    disc.structures = vec![
        StoredStructure { layer: 0, format: 0x00, data: vec![0x27; 2048] },
        StoredStructure { layer: 0, format: 0x03, data: vec![8; 188] },
        StoredStructure { layer: 1, format: 0x00, data: vec![0x29; 2048] },
    ];
    let (_drive, guest) = Initiator::with(of(disc));
    let answer = |layer, format| structure(&guest, 0, layer, format).good();
    assert_eq!((answer(0, 0).len(), answer(0, 0)[..5].to_vec()), (2052, vec![8, 2, 0, 0, 0x27]));
    assert_eq!(answer(1, 0)[4], 0x29);
    // What is stored of one layer is that of the disc.
    let cutting_area = [&[0, 190, 0, 0][..], &[8; 188]].concat();
    assert_eq!((answer(0, 3), answer(1, 3)), (cutting_area.clone(), cutting_area));
    assert_eq!(answer(0, 1), [0, 6, 0, 0, 0, 0, 0, 0]);
    let stored_area = [3, 0x40, 0, 192];
    let rows = [PHYSICAL, COPYRIGHT, stored_area, MANUFACTURING, SECTOR_COPYRIGHT, WRITE_PROTECTION];
    assert_eq!(answer(0, 0xFF), [&[0, 26, 0, 0][..], rows.as_flattened()].concat());
    for format in [0, 1, 3] {
        assert_eq!(structure(&guest, 0, 2, format).kaq(), (5, 0x24, 0), "there is no layer 2");
    }
    assert_eq!(structure(&guest, 1, 0, 0).kaq(), (5, 0x30, 2));
}

#[test]
fn a_burst_cutting_area_shows_in_the_physical_format() {
    let mut disc = disc(1_000_000);
    assert_eq!(structure(&Initiator::with(of(disc.clone())).1, 0, 0, 0).good()[20], 0);
    disc.structures = vec![StoredStructure { layer: 0, format: 0x03, data: vec![8; 188] }];
    assert_eq!(structure(&Initiator::with(of(disc)).1, 0, 0, 0).good()[20], 0x80);
}

/// An image that stores the physical format of layer 0 alone, as programs that ask for no other write it.
#[test]
fn the_stored_layer_break_holds_for_all_that_is_made() {
    let (end_0, end_1) = (0x3_0000 + 999_999_u32, (!(0x3_0000 + 999_999_u32) & 0xFF_FFFF) + 599_999);
    let mut physical = vec![0x01, 0x02, 0x31, 0x10];
    physical.extend([0x3_0000_u32, end_1, end_0].iter().flat_map(|field| field.to_be_bytes()));
    physical.resize(2048, 0);
    let mut disc = disc(1_600_000);
    disc.structures = vec![StoredStructure { layer: 0, format: 0x00, data: physical.clone() }];
    let (_drive, guest) = Initiator::with(of(disc));
    for layer in [0, 1] {
        assert_eq!(structure(&guest, 0, layer, 0).good()[4..], physical);
        assert_eq!(structure(&guest, 0, layer, 1).good(), [0, 6, 0, 0, 0, 0, 0, 0]);
    }
    assert_eq!(structure(&guest, 0, 2, 0).kaq(), (5, 0x24, 0));
    // The two layers hold what READ CAPACITY says.
    let capacity = guest.run(&[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8).good();
    assert_eq!(end_0 - 0x3_0000 + 1 + end_1 - (!end_0 & 0xFF_FFFF) + 1, word(&capacity, 0) + 1);
}
