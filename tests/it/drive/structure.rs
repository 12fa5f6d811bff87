//! READ DISC STRUCTURE.

use std::sync::Arc;

use spindle::disc::StoredStructure;
use spindle::image::{OpenOptions, open_source};

use crate::support::disc::{Patterned, of, patterned};
use crate::support::initiator::{Answer, Initiator};

fn structure(guest: &Initiator, media: u8, layer: u8, format: u8) -> Answer {
    guest.run(&[0xAD, media, 0, 0, 0, 0, layer, format, 0x20, 0, 0, 0], 0x2000)
}

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
    let list = [0, 14, 0, 0, 0x00, 0x40, 8, 4, 0x01, 0x40, 0, 8, 0x04, 0x40, 8, 4];
    assert_eq!(structure(&guest, 0, 0, 0xFF).good(), list);
    // Disc key, burst cutting area, disc manufacturing of other media: not on this disc.
    for format in [2, 3, 5, 0x0E, 0x10, 0xC0, 0xFE] {
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
            assert_eq!(unit[..12], [b'D', b'I', 1, layers, 0, layer, 32, 0, b'B', b'D', b'O', 1]);
            assert_eq!(unit[12], layers << 4 | 1);
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
        assert_eq!(structure(&guest, 1, 0, 0xFF).good(), [0, 6, 0, 0, 0x00, 0x40, 0x10, 4]);
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

#[test]
fn what_an_image_stores_goes_before_what_would_be_made() {
    let opened = open_source(Arc::new(Patterned { seed: 1, blocks: 1_000_000 }), &OpenOptions::default()).unwrap();
    let mut disc = opened.disc;
    disc.structures = vec![
        StoredStructure { layer: 0, format: 0x00, data: vec![7; 2048] },
        StoredStructure { layer: 0, format: 0x03, data: vec![8; 188] },
        StoredStructure { layer: 1, format: 0x00, data: vec![9; 2048] },
    ];
    let (_drive, guest) = Initiator::with(of(disc));
    let answer = |layer, format| structure(&guest, 0, layer, format).good();
    assert_eq!((answer(0, 0).len(), answer(0, 0)[..5].to_vec()), (2052, vec![8, 2, 0, 0, 7]));
    assert_eq!(answer(1, 0)[4], 9);
    assert_eq!(answer(0, 3), [&[0, 190, 0, 0][..], &[8; 188]].concat());
    assert_eq!(answer(0, 1), [0, 6, 0, 0, 0, 0, 0, 0]);
    let list = [0, 18, 0, 0, 0, 0x40, 8, 4, 1, 0x40, 0, 8, 3, 0x40, 0, 192, 4, 0x40, 8, 4];
    assert_eq!(answer(0, 0xFF), list);
    assert_eq!(structure(&guest, 0, 1, 3).kaq(), (5, 0x24, 0));
    assert_eq!(structure(&guest, 1, 0, 0).kaq(), (5, 0x30, 2));
}
