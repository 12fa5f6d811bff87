//! Partition tables in the system area of a disc (blocks 0 to 15), as isohybrid images have them: MBR and GPT.
//!
//! They describe the same bytes to a machine that sees the image as a disk with 512-byte sectors.

use super::FsError;
use super::read::{Fields, range};
use crate::disc::Disc;

const SECTOR: u64 = 512;
/// Bytes of the GPT partition entry array that are read: 64 times what UEFI asks for at least.
const MAX_ARRAY: u64 = 1 << 20;

/// The partition tables.
#[derive(Debug, Clone, Default)]
pub struct Hybrid {
    /// The four primary entries that are in use.
    pub mbr: Vec<MbrPartition>,
    /// The primary GPT.
    pub gpt: Option<Gpt>,
}

/// An entry of the master boot record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MbrPartition {
    /// 1 to 4.
    pub number: u8,
    /// Status 80h.
    pub active: bool,
    /// Partition type; EEh protects a GPT, EFh is an EFI system partition.
    pub kind: u8,
    /// First sector of 512 bytes.
    pub start: u32,
    /// Sectors of 512 bytes.
    pub sectors: u32,
}

/// A GUID partition table (UEFI 2.10, 5.3).
#[derive(Debug, Clone)]
pub struct Gpt {
    /// Disk GUID.
    pub guid: Guid,
    /// The header's CRC is right.
    pub header_ok: bool,
    /// The CRC of the partition entry array is right.
    pub array_ok: bool,
    /// The entries in use.
    pub partitions: Vec<GptPartition>,
}

/// A GPT entry.
#[derive(Debug, Clone)]
pub struct GptPartition {
    /// From 1.
    pub number: u32,
    /// Partition type.
    pub kind: Guid,
    /// First sector of 512 bytes.
    pub start: u64,
    /// Last sector.
    pub last: u64,
    /// Name.
    pub name: String,
}

/// A GUID as it is stored: the first three groups little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guid(pub [u8; 16]);

impl std::fmt::Display for Guid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = &self.0[..];
        write!(f, "{:08x}-{:04x}-{:04x}-", bytes.le32(0), bytes.le16(4), bytes.le16(6))?;
        for (at, byte) in (8..).zip(bytes.part(8, 8)) {
            write!(f, "{}{byte:02x}", if at == 10 { "-" } else { "" })?;
        }
        Ok(())
    }
}

/// Reads the tables. A disc without any has an empty result.
///
/// # Errors
/// When the first block cannot be read.
pub fn read(disc: &Disc) -> Result<Hybrid, FsError> {
    let sector = range(disc, 0, 2 * SECTOR as usize)?;
    let mut found = Hybrid::default();
    if sector.part(510, 2) != [0x55, 0xAA] {
        return Ok(found);
    }
    let entries: Vec<_> = (0..4).map(|index| sector.part(446 + 16 * index, 16)).collect();
    // Boot code of a floppy image ends in the same two bytes; a status byte tells a table.
    if entries.iter().all(|entry| matches!(entry.u8(0), 0 | 0x80)) {
        found.mbr = (1..).zip(entries).filter_map(|(number, entry)| MbrPartition::read(number, entry)).collect();
    }
    if sector.part(512, 8) == b"EFI PART" {
        found.gpt = Gpt::read(disc, sector.part(512, 512));
    }
    Ok(found)
}

impl MbrPartition {
    fn read(number: u8, entry: &[u8]) -> Option<Self> {
        let partition = Self {
            number,
            active: entry.u8(0) == 0x80,
            kind: entry.u8(4),
            start: entry.le32(8),
            sectors: entry.le32(12),
        };
        (partition.kind != 0 || partition.sectors != 0).then_some(partition)
    }
}

impl Gpt {
    fn read(disc: &Disc, header: &[u8]) -> Option<Self> {
        let size = header.le32(12) as usize;
        let mut checked = header.part(0, size.clamp(92, 512)).to_vec();
        checked[16..20].fill(0);
        let (count, entry_size) = (u64::from(header.le32(80)), u64::from(header.le32(84)));
        let mut gpt = Self {
            guid: Guid(header.array(56)),
            header_ok: (92..=512).contains(&size) && crc32(&checked) == header.le32(16),
            array_ok: false,
            partitions: Vec::new(),
        };
        let bytes = count.saturating_mul(entry_size);
        if entry_size < 128 || bytes > MAX_ARRAY {
            return Some(gpt);
        }
        let Ok(array) = range(disc, header.le64(72).saturating_mul(SECTOR), bytes as usize) else { return Some(gpt) };
        gpt.array_ok = crc32(&array) == header.le32(88);
        for (number, entry) in (1..).zip(array.chunks_exact(entry_size as usize)) {
            if entry.part(0, 16) != [0; 16] {
                gpt.partitions.push(GptPartition::read(number, entry));
            }
        }
        Some(gpt)
    }
}

impl GptPartition {
    fn read(number: u32, entry: &[u8]) -> Self {
        let units = entry.part(56, 72).chunks_exact(2).map(|pair| pair.le16(0)).take_while(|unit| *unit != 0);
        Self {
            number,
            kind: Guid(entry.array(0)),
            start: entry.le64(32),
            last: entry.le64(40),
            name: char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect(),
        }
    }
}

/// CRC-32 as in ISO/IEC 3309, which UEFI 2.10, 5.3.2 names.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_has_its_check_value() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_guid_is_printed_in_mixed_order() {
        let esp = [0x28, 0x73, 0x2A, 0xC1, 0x1F, 0xF8, 0xD2, 0x11, 0xBA, 0x4B, 0x00, 0xA0, 0xC9, 0x3E, 0xC9, 0x3B];
        assert_eq!(Guid(esp).to_string(), "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
    }
}
