//! El Torito catalogs made byte by byte: sections, extensions, damage.

use spindle::disc::Lba;
use spindle::fs::eltorito::{self, Catalog, Emulation};

use super::disc;
use crate::support::volume::iso;

/// A catalog entry that begins with `bytes`.
fn entry(bytes: &[u8]) -> Vec<u8> {
    let mut entry = bytes.to_vec();
    entry.resize(32, 0);
    entry
}

/// A validation entry with a right checksum.
fn validation() -> Vec<u8> {
    let mut validation = entry(b"\x01\0\0\0Maker of discs");
    validation[30..].copy_from_slice(&[0x55, 0xAA]);
    let sum = validation.chunks(2).fold(0_u16, |sum, word| sum.wrapping_add(u16::from_le_bytes([word[0], word[1]])));
    validation[28..30].copy_from_slice(&sum.wrapping_neg().to_le_bytes());
    validation
}

fn image(record_block: u32, catalog: &[Vec<u8>]) -> Vec<u8> {
    let mut record = b"\0CD001\x01EL TORITO SPECIFICATION".to_vec();
    record.resize(0x47, 0);
    record.extend(50_u32.to_le_bytes());
    let end = b"\xFFCD001\x01".to_vec();
    let mut blocks = vec![(record_block, record), (record_block + 1, end), (50, catalog.concat())];
    if record_block > 17 {
        blocks.push((17, b"\x03CD001\x01".to_vec()));
    }
    iso(b"", &[], &blocks)
}

fn read(catalog: &[Vec<u8>]) -> Catalog {
    eltorito::read(&disc(image(17, catalog)), Lba(0)).unwrap().unwrap()
}

#[test]
fn sections_entries_and_extensions_are_read() {
    let catalog = read(&[
        validation(),
        entry(&[0x88, 2, 0, 0, 0x0C, 0, 1, 0, 40]),
        entry(b"\x90\xEF\x02\0first section"),
        entry(&[0x88, 0x20, 0x00, 0x20, 0, 0, 4, 0, 41, 0, 0, 0, 1, b'a']),
        entry(&[0x44, 0x20, b'b']),
        entry(&[0x44, 0, b'c']),
        entry(&[0, 4, 0, 0, 0x83, 0, 8, 0, 42]),
        entry(b"\x91\0\x01\0last"),
        entry(&[0x88, 1, 0, 0, 0, 0, 1, 0, 43]),
        entry(&[0x88, 0, 0, 0, 0, 0, 1, 0, 44]),
    ]);
    assert_eq!((catalog.id.as_str(), catalog.checksum_ok, catalog.key_ok), ("Maker of discs", true, true));
    let found: Vec<_> = catalog
        .entries
        .iter()
        .map(|entry| (entry.platform.0, entry.bootable, entry.emulation, entry.load_rba, entry.section_id.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (0, true, Emulation::Floppy1440, 40, ""),
            (0xEF, true, Emulation::None, 41, "first section"),
            (0xEF, false, Emulation::HardDisk, 42, "first section"),
            (0, true, Emulation::Floppy1200, 43, "last"),
        ]
    );
    assert_eq!((catalog.entries[0].load_segment, catalog.entries[0].system_type), (0x7C0, 0x0C));
    assert_eq!(catalog.entries[0].bytes(), 1_474_560);
    assert_eq!((catalog.entries[1].load_segment, catalog.entries[1].criteria_type), (0x2000, 1));
    assert_eq!(catalog.entries[1].criteria, b"abc");
    assert_eq!(catalog.entries[1].bytes(), 2048);
    assert!(catalog.warnings.is_empty(), "{:?}", catalog.warnings);
}

#[test]
fn a_damaged_validation_entry_is_told() {
    let mut broken = validation();
    broken[5] ^= 1;
    let catalog = read(&[broken, entry(&[0x88])]);
    assert_eq!((catalog.checksum_ok, catalog.key_ok, catalog.warnings.len()), (false, true, 1));
    let mut broken = validation();
    (broken[30], broken[28]) = (0, broken[28].wrapping_add(0x55));
    let catalog = read(&[broken, entry(&[0x88])]);
    assert_eq!((catalog.checksum_ok, catalog.key_ok, catalog.warnings.len()), (true, false, 1));
}

#[test]
fn a_boot_record_that_firmware_does_not_see_is_told() {
    let image = disc(image(18, &[validation(), entry(&[0x88])]));
    let catalog = eltorito::read(&image, Lba(0)).unwrap().unwrap();
    assert_eq!(catalog.warnings, ["the El Torito boot record is in block 18, firmware looks in 17"]);
}

#[test]
fn an_entry_past_the_end_of_the_disc_is_told() {
    let catalog = read(&[validation(), entry(&[0x88, 0, 0, 0, 0, 0, 4, 0, 64])]);
    assert_eq!(catalog.warnings, ["boot entry 1 begins past the end of the disc"]);
}

#[test]
fn a_catalog_without_end_is_read_up_to_a_bound() {
    let mut catalog = vec![validation(), entry(&[0x88]), entry(&[0x90, 0, 0xFF, 0xFF])];
    catalog.resize(catalog.len() + 800, entry(&[0x88]));
    assert_eq!(read(&catalog).entries.len(), 512 - 2);
}

#[test]
fn a_disc_without_a_boot_record_has_no_catalog() {
    assert!(eltorito::read(&disc(iso(b"", &[], &[])), Lba(0)).unwrap().is_none());
}
