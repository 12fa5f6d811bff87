//! El Torito (version 1.0): the boot catalog.

use super::FsError;
use super::iso9660;
use super::read::{BLOCK, Fields, block_at};
use crate::disc::{Disc, Lba};

/// Bytes of a catalog entry.
const ENTRY: usize = 32;
/// Entries read at most: 8 blocks. Firmware reads one.
const MAX_ENTRIES: usize = 512;

/// A boot catalog.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Where the boot record says it lies.
    pub block: u32,
    /// Identifier string of the validation entry: who made the disc.
    pub id: String,
    /// The words of the validation entry add up to zero, as they must.
    pub checksum_ok: bool,
    /// The validation entry begins with 01h and ends with 55h AAh, as it must.
    pub key_ok: bool,
    /// The initial/default entry, then those of the sections.
    pub entries: Vec<Entry>,
    /// What contradicts the specification.
    pub warnings: Vec<String>,
}

/// One way to boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The initial/default entry, or one of a section.
    pub initial: bool,
    /// Of the section header, or of the validation entry for the initial one.
    pub platform: Platform,
    /// Boot indicator 88h.
    pub bootable: bool,
    /// What the firmware shall pretend.
    pub emulation: Emulation,
    /// Real-mode segment; 0 in the entry means 7C0h.
    pub load_segment: u16,
    /// Copy of the system type byte of an emulated hard disk's partition.
    pub system_type: u8,
    /// Virtual sectors of 512 bytes that the firmware loads.
    pub sectors: u16,
    /// Where the boot image begins.
    pub load_rba: u32,
    /// Identifier string of the section; empty for the initial entry.
    pub section_id: String,
    /// Selection criteria type; 0 is none, 1 is language and version.
    pub criteria_type: u8,
    /// Vendor unique selection criteria, with those of extension entries.
    pub criteria: Vec<u8>,
}

/// Which firmware an entry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform(pub u8);

/// What an entry's image is presented as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emulation {
    /// The image is loaded as it is.
    None,
    /// 1.2 MB floppy disk.
    Floppy1200,
    /// 1.44 MB floppy disk.
    Floppy1440,
    /// 2.88 MB floppy disk.
    Floppy2880,
    /// Hard disk with a partition table.
    HardDisk,
    /// A number without meaning.
    Reserved(u8),
}

impl Platform {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "x86 BIOS",
            1 => "PowerPC",
            2 => "Macintosh",
            0xEF => "EFI",
            _ => "unknown",
        }
    }
}

impl Emulation {
    /// As JSON spells it.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Floppy1200 => "floppy-1.2",
            Self::Floppy1440 => "floppy-1.44",
            Self::Floppy2880 => "floppy-2.88",
            Self::HardDisk => "hard-disk",
            Self::Reserved(_) => "reserved",
        }
    }

    fn new(media_type: u8) -> Self {
        match media_type & 0xF {
            0 => Self::None,
            1 => Self::Floppy1200,
            2 => Self::Floppy1440,
            3 => Self::Floppy2880,
            4 => Self::HardDisk,
            other => Self::Reserved(other),
        }
    }
}

impl Entry {
    /// Bytes that the entry stands for: the whole emulated floppy disk, else the virtual sectors it names.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self.emulation {
            Emulation::Floppy1200 => 1200 * 1024,
            Emulation::Floppy1440 => 1440 * 1024,
            Emulation::Floppy2880 => 2880 * 1024,
            _ => u64::from(self.sectors) * 512,
        }
    }

    fn read(entry: &[u8], initial: bool, platform: Platform) -> Self {
        Self {
            initial,
            platform,
            bootable: entry.u8(0) == 0x88,
            emulation: Emulation::new(entry.u8(1)),
            load_segment: match entry.le16(2) {
                0 => 0x7C0,
                segment => segment,
            },
            system_type: entry.u8(4),
            sectors: entry.le16(6),
            load_rba: entry.le32(8),
            section_id: String::new(),
            criteria_type: if initial { 0 } else { entry.u8(12) },
            criteria: if initial { Vec::new() } else { trimmed(entry.part(13, 19)) },
        }
    }
}

/// The catalog of the session that starts at `start`, if it has one.
///
/// # Errors
/// When the boot record names a catalog that cannot be read.
pub fn read(disc: &Disc, start: Lba) -> Result<Option<Catalog>, FsError> {
    let records = iso9660::descriptors(disc, start)?.boot_records;
    let Some(record) = records.iter().find(|record| record.system.starts_with("EL TORITO SPECIFICATION")) else {
        return Ok(None);
    };
    let mut cursor = Cursor { disc, block: record.catalog, index: 0 };
    let Some(validation) = cursor.next()? else { return Ok(None) };
    let words = (0..ENTRY).step_by(2).fold(0_u16, |sum, at| sum.wrapping_add(validation.le16(at)));
    let platform = Platform(validation.u8(1));
    let mut catalog = Catalog {
        block: record.catalog,
        id: text(validation.part(4, 24)),
        checksum_ok: words == 0,
        key_ok: validation.u8(0) == 1 && validation.part(30, 2) == [0x55, 0xAA],
        entries: Vec::new(),
        warnings: Vec::new(),
    };
    // Firmware looks at this block alone (2.0: "must reside at sector 11 hex").
    if record.block.since(start) != 17 {
        catalog.warnings.push(format!("the El Torito boot record is in block {}, firmware looks in 17", record.block));
    }
    if !catalog.checksum_ok || !catalog.key_ok {
        catalog.warnings.push("the validation entry of the boot catalog is damaged: firmware will not boot".to_owned());
    }
    if let Some(initial) = cursor.next()? {
        catalog.entries.push(Entry::read(&initial, true, platform));
        catalog.sections(&mut cursor)?;
    }
    for (number, entry) in (1..).zip(&catalog.entries) {
        if entry.bootable && u64::from(entry.load_rba) >= u64::from(disc.blocks()) {
            catalog.warnings.push(format!("boot entry {number} begins past the end of the disc"));
        }
    }
    Ok(Some(catalog))
}

impl Catalog {
    /// Section headers (90h: more follow, 91h: the last) and their entries (2.3 and 2.4).
    fn sections(&mut self, cursor: &mut Cursor<'_>) -> Result<(), FsError> {
        while let Some(header) = cursor.next()? {
            if !matches!(header[0], 0x90 | 0x91) {
                // Zeros, or a boot catalog without sections.
                return Ok(());
            }
            let platform = Platform(header.u8(1));
            let id = text(header.part(4, 28));
            for _ in 0..header.le16(2) {
                let Some(bytes) = cursor.next()? else { return Ok(()) };
                if !matches!(bytes[0], 0x88 | 0) {
                    self.warnings.push("a section of the boot catalog has fewer entries than it says".to_owned());
                    return Ok(());
                }
                let mut entry = Entry { section_id: id.clone(), ..Entry::read(&bytes, false, platform) };
                // Bit 5 of the media type: an extension follows, and bit 5 of its flags: another one (2.5).
                let mut more = bytes.u8(1) & 1 << 5 != 0;
                while more {
                    match cursor.peek()? {
                        Some(extension) if extension[0] == 0x44 => {
                            entry.criteria.extend(trimmed(extension.part(2, 30)));
                            more = extension.u8(1) & 1 << 5 != 0;
                            cursor.index += 1;
                        }
                        _ => more = false,
                    }
                }
                self.entries.push(entry);
            }
            if header[0] == 0x91 {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Walks the entries of a catalog, up to the bound.
struct Cursor<'a> {
    disc: &'a Disc,
    block: u32,
    index: usize,
}

impl Cursor<'_> {
    fn next(&mut self) -> Result<Option<[u8; ENTRY]>, FsError> {
        let entry = self.peek()?;
        self.index += 1;
        Ok(entry)
    }

    fn peek(&self) -> Result<Option<[u8; ENTRY]>, FsError> {
        let offset = u64::from(self.block) * BLOCK + (self.index * ENTRY) as u64;
        if self.index >= MAX_ENTRIES {
            return Ok(None);
        }
        // Reading each block again for each entry is cheap at this size.
        Ok(Some(block_at(self.disc, offset)?.array((offset % BLOCK) as usize)))
    }
}

fn trimmed(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.part(0, end).to_vec()
}

/// Identifier strings are ASCII, padded with NUL or spaces.
fn text(bytes: &[u8]) -> String {
    trimmed(bytes).into_iter().map(char::from).collect::<String>().trim_end().to_owned()
}
