//! ISO 9660 (ECMA-119): volume descriptors and directories; with Joliet and Rock Ridge names.
//!
//! Path tables are not needed: the tree is followed from its root. Interleaved files (ECMA-119, 6.4.3) are refused.

use super::node::{Listing, Node, Place, Section};
use super::read::{BLOCK, Block, Fields, Piece, block, block_at};
use super::rockridge::{self, Attributes};
use super::{FileSystem, FsError, Kind, Namespace, Timestamp, joliet};
use crate::disc::{Disc, Lba};

/// Volume descriptors looked at: discs have two to five.
const MAX_DESCRIPTORS: i32 = 64;
/// Sections of one file: 256 TiB in the largest sections there are.
const MAX_SECTIONS: usize = 1 << 16;

/// The volume descriptor set (ECMA-119, 6.7.1).
#[derive(Debug, Clone, Default)]
pub struct Descriptors {
    /// The first primary descriptor.
    pub primary: Option<Descriptor>,
    /// The first supplementary descriptor that is Joliet's.
    pub joliet: Option<Descriptor>,
    /// An enhanced descriptor (ISO 9660:1999) is present.
    pub enhanced: bool,
    /// Blocks with boot records and the boot systems they name.
    pub boot_records: Vec<BootRecord>,
    /// The set ends with a terminator.
    pub terminated: bool,
}

/// A boot record (ECMA-119, 8.2).
#[derive(Debug, Clone)]
pub struct BootRecord {
    /// Its block.
    pub block: Lba,
    /// Boot system identifier, without padding.
    pub system: String,
    /// Where an El Torito catalog begins (El Torito 1.0, 2.0 figure 7).
    pub catalog: u32,
}

/// A primary or supplementary volume descriptor (ECMA-119, 8.4 and 8.5). Texts are without padding.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// Its block.
    pub block: Lba,
    /// System identifier.
    pub system: String,
    /// Volume identifier: the label.
    pub volume: String,
    /// Volume set identifier.
    pub volume_set: String,
    /// Publisher identifier.
    pub publisher: String,
    /// Data preparer identifier.
    pub preparer: String,
    /// Application identifier.
    pub application: String,
    /// Volume space size in logical blocks.
    pub blocks: u32,
    /// Bytes of a logical block.
    pub block_size: u16,
    /// When the volume was made.
    pub created: Option<Timestamp>,
    /// When it was modified last.
    pub modified: Option<Timestamp>,
    /// UCS-2 level when this is Joliet's.
    pub joliet_level: Option<u8>,
    root: Section,
}

/// Reads the volume descriptors of the session that starts at `start`. None at all is no error.
///
/// # Errors
/// When the first of them cannot be read.
pub fn descriptors(disc: &Disc, start: Lba) -> Result<Descriptors, FsError> {
    let mut found = Descriptors::default();
    for index in 16..16 + MAX_DESCRIPTORS {
        let lba = Lba(start.0.saturating_add(index));
        let Ok(number) = u32::try_from(lba.0) else { break };
        let sector = match block(disc, number) {
            Ok(sector) => sector,
            Err(_) if index > 16 || lba >= disc.lead_out() => break,
            Err(error) => return Err(error.into()),
        };
        if sector.part(1, 5) != b"CD001" {
            // A bridge disc has the UDF descriptors after these.
            break;
        }
        match sector[0] {
            0 => found.boot_records.push(BootRecord {
                block: lba,
                system: text(sector.part(7, 32)),
                catalog: sector.le32(0x47),
            }),
            1 if found.primary.is_none() => found.primary = Some(Descriptor::read(&sector, lba, None)),
            2 => match joliet::level(sector.part(88, 32)) {
                Some(level) if found.joliet.is_none() => {
                    found.joliet = Some(Descriptor::read(&sector, lba, Some(level)));
                }
                Some(_) => {}
                None => found.enhanced |= sector[6] == 2,
            },
            255 => {
                found.terminated = true;
                break;
            }
            _ => {}
        }
    }
    Ok(found)
}

impl Descriptor {
    fn read(sector: &Block, lba: Lba, joliet_level: Option<u8>) -> Self {
        let field = |at, bytes| match joliet_level {
            Some(_) => joliet::text(sector.part(at, bytes)).trim_end_matches([' ', '\0']).to_owned(),
            None => text(sector.part(at, bytes)),
        };
        let block_size = sector.le16(128);
        Self {
            block: lba,
            system: field(8, 32),
            volume: field(40, 32),
            volume_set: field(190, 128),
            publisher: field(318, 128),
            preparer: field(446, 128),
            application: field(574, 128),
            blocks: sector.le32(80),
            block_size,
            created: Timestamp::from_iso_long(sector.part(813, 17)),
            modified: Timestamp::from_iso_long(sector.part(830, 17)),
            joliet_level,
            root: Record(sector.part(156, 34)).section(block_size),
        }
    }
}

/// One tree of names of an ISO 9660 volume.
#[derive(Debug)]
pub struct Volume<'a> {
    disc: &'a Disc,
    namespace: Namespace,
    block_size: u16,
    root: Section,
    /// Bytes before the system use fields in each record (SUSP, SP: LEN_SKP).
    skip: usize,
}

impl<'a> Volume<'a> {
    /// Opens the tree of `namespace` in the session that starts at `start`.
    ///
    /// # Errors
    /// `Absent` when the session has no such tree.
    pub fn open(disc: &'a Disc, start: Lba, namespace: Namespace) -> Result<Self, FsError> {
        let found = descriptors(disc, start)?;
        let descriptor = match namespace {
            Namespace::Joliet => found.joliet,
            Namespace::Iso | Namespace::RockRidge => found.primary,
            Namespace::Udf => None,
        };
        let descriptor = descriptor.ok_or(FsError::Absent)?;
        if !matches!(descriptor.block_size, 512 | 1024 | 2048) {
            return Err(FsError::invalid("the logical block size of the volume", descriptor.block.0.unsigned_abs()));
        }
        let mut volume = Self { disc, namespace, block_size: descriptor.block_size, root: descriptor.root, skip: 0 };
        if namespace == Namespace::RockRidge {
            let first = volume.first_record(volume.root.offset)?;
            volume.skip = rockridge::detect(disc, Record(&first).system_use()).ok_or(FsError::Absent)?;
        }
        Ok(volume)
    }

    /// The first record of the directory at `offset`: its own.
    fn first_record(&self, offset: u64) -> Result<Vec<u8>, FsError> {
        let sector = block_at(self.disc, offset)?;
        let at = (offset % BLOCK) as usize;
        let record = sector.part(at, usize::from(sector.u8(at)));
        match Record(record).is_valid() {
            true => Ok(record.to_vec()),
            false => Err(FsError::invalid("the directory", offset / BLOCK)),
        }
    }

    fn node(&self, record: Record<'_>, attributes: &Attributes) -> Result<Node, FsError> {
        let mut section = record.section(self.block_size);
        let directory = record.flags() & Record::DIRECTORY != 0;
        let kind = if let Some(child) = attributes.child {
            section.offset = u64::from(child) * u64::from(self.block_size);
            section.bytes = Record(&self.first_record(section.offset)?).section(self.block_size).bytes;
            Kind::Directory
        } else if directory {
            Kind::Directory
        } else {
            attributes.kind()
        };
        let stored = u64::from(section.bytes);
        let size = match (&kind, attributes.zisofs) {
            (Kind::Symlink(target), _) => target.len() as u64,
            (Kind::File, Some(size)) => u64::from(size),
            (Kind::File | Kind::Directory, _) => stored,
            _ => 0,
        };
        Ok(Node {
            name: Vec::new(),
            kind,
            size,
            mode: attributes.mode.map(|mode| mode & 0o7777),
            uid: attributes.uid,
            gid: attributes.gid,
            modified: attributes.modified.or_else(|| Timestamp::from_iso_short(record.0.part(18, 7))),
            place: Place::Iso { sections: vec![section], zisofs: attributes.zisofs.is_some() },
        })
    }

    fn name(&self, record: Record<'_>, attributes: &mut Attributes) -> Vec<u8> {
        if let Some(name) = attributes.name.take() {
            return name;
        }
        let bytes = record.identifier();
        let text = match self.namespace {
            Namespace::Joliet => joliet::text(bytes).into_bytes(),
            _ => bytes.to_vec(),
        };
        without_version(text)
    }

    /// Adds what one record describes; `open` says that the record before it announced another section of its file.
    fn add(&self, record: Record<'_>, open: &mut bool, listing: &mut Listing) -> Result<(), FsError> {
        let flags = record.flags();
        if matches!(record.identifier(), [0 | 1]) || flags & Record::ASSOCIATED != 0 {
            return Ok(());
        }
        let mut attributes = Attributes::default();
        if self.namespace == Namespace::RockRidge {
            let problem = attributes.read(self.disc, record.system_use().get(self.skip..).unwrap_or(&[]));
            if let Err(problem) = problem {
                listing.problem(problem);
            }
            listing.reads(attributes.areas + usize::from(attributes.child.is_some()))?;
            if attributes.relocated {
                return Ok(());
            }
        }
        let name = self.name(record, &mut attributes);
        let more = flags & Record::MORE_SECTIONS != 0;
        if std::mem::replace(open, more)
            && let Some(Node { name: last, size, place: Place::Iso { sections, .. }, .. }) = listing.nodes.last_mut()
            && *last == name
        {
            if sections.len() >= MAX_SECTIONS {
                return Err(FsError::limit("sections of a file", MAX_SECTIONS));
            }
            let section = record.section(self.block_size);
            sections.push(section);
            *size = size.saturating_add(u64::from(section.bytes));
            return listing.takes(size_of::<Section>());
        }
        let node = self.node(record, &attributes)?;
        listing.push(Node { name, ..node })
    }
}

impl FileSystem for Volume<'_> {
    fn namespace(&self) -> Namespace {
        self.namespace
    }

    fn root(&self) -> Result<Node, FsError> {
        let first = self.first_record(self.root.offset)?;
        let mut attributes = Attributes::default();
        if self.namespace == Namespace::RockRidge {
            // What cannot be read of the root's own attributes is missing there and nowhere else.
            let _ = attributes.read(self.disc, Record(&first).system_use().get(self.skip..).unwrap_or(&[]));
            attributes.child = None;
        }
        let mut node = self.node(Record(&first), &attributes)?;
        node.kind = Kind::Directory;
        node.size = u64::from(self.root.bytes);
        node.place = Place::Iso { sections: vec![self.root], zisofs: false };
        Ok(node)
    }

    fn read_dir(&self, directory: &Node) -> Result<Listing, FsError> {
        let (Kind::Directory, Place::Iso { sections, .. }) = (&directory.kind, &directory.place) else {
            return Err(FsError::NotADirectory);
        };
        let mut listing = Listing::default();
        let mut open = false;
        for section in sections {
            let end = section.offset.saturating_add(u64::from(section.bytes));
            let mut offset = section.offset;
            while offset < end {
                if let Err(error) = listing.reads_own() {
                    listing.ends(error);
                    return Ok(listing);
                }
                let sector = match block_at(self.disc, offset) {
                    Ok(sector) => sector,
                    Err(error) => {
                        listing.problem(error.into());
                        break;
                    }
                };
                let mut at = (offset % BLOCK) as usize;
                let until = at.saturating_add(usize::try_from(end - offset).unwrap_or(usize::MAX)).min(sector.len());
                // A record lies in one sector; zeros fill the rest (ECMA-119, 6.8.1.1).
                while at < until && sector[at] != 0 {
                    let record = Record(sector.part(at, usize::from(sector[at])));
                    if !record.is_valid() {
                        listing.problem(FsError::invalid("the directory", offset / BLOCK));
                        break;
                    }
                    match self.add(record, &mut open, &mut listing) {
                        Ok(()) => {}
                        Err(error @ FsError::Limit { .. }) => {
                            listing.ends(error);
                            return Ok(listing);
                        }
                        Err(error) => listing.problem(error),
                    }
                    at += record.0.len();
                }
                offset = (offset / BLOCK + 1) * BLOCK;
            }
        }
        Ok(listing)
    }

    fn pieces(&self, file: &Node) -> Result<Vec<Piece>, FsError> {
        let Place::Iso { sections, zisofs } = &file.place else { return Err(FsError::Absent) };
        if *zisofs {
            return Err(FsError::Unsupported("zisofs compression"));
        }
        if sections.iter().any(|section| section.interleaved) {
            return Err(FsError::Unsupported("interleaved recording"));
        }
        let pieces = sections.iter().filter(|section| section.bytes > 0);
        Ok(pieces.map(|section| Piece::Stored { offset: section.offset, bytes: u64::from(section.bytes) }).collect())
    }
}

/// A directory record (ECMA-119, 9.1): its bytes, as many as its first says.
#[derive(Debug, Clone, Copy)]
struct Record<'a>(&'a [u8]);

impl<'a> Record<'a> {
    const DIRECTORY: u8 = 1 << 1;
    const ASSOCIATED: u8 = 1 << 2;
    const MORE_SECTIONS: u8 = 1 << 7;

    fn is_valid(self) -> bool {
        let name = usize::from(self.0.u8(32));
        name > 0 && self.0.len() >= 33 + name && self.0.len() == usize::from(self.0.u8(0))
    }

    fn flags(self) -> u8 {
        self.0.u8(25)
    }

    fn section(self, block_size: u16) -> Section {
        let block_size = u64::from(block_size);
        Section {
            // The extended attribute record lies before the data (ECMA-119, 9.1.2).
            offset: (u64::from(self.0.le32(2)) + u64::from(self.0.u8(1))) * block_size,
            bytes: self.0.le32(10),
            interleaved: self.0.u8(26) != 0 || self.0.u8(27) != 0,
        }
    }

    fn identifier(self) -> &'a [u8] {
        self.0.part(33, usize::from(self.0.u8(32)))
    }

    /// After the identifier and its padding to an even length (ECMA-119, 9.1.12 and 9.1.13).
    fn system_use(self) -> &'a [u8] {
        let name = usize::from(self.0.u8(32));
        self.0.part(33 + name + usize::from(name % 2 == 0), 255)
    }
}

/// Without `;1`, and without the dot of an empty extension (ECMA-119, 7.5.1).
fn without_version(mut name: Vec<u8>) -> Vec<u8> {
    if let Some(at) = name.iter().rposition(|byte| *byte == b';')
        && at > 0
        && name[at + 1..].iter().all(u8::is_ascii_digit)
    {
        name.truncate(at);
        if at > 1 && name.ends_with(b".") {
            name.pop();
        }
    }
    name
}

/// a-characters, padded with spaces; other bytes as Latin-1 so that nothing is lost.
fn text(field: &[u8]) -> String {
    let text: String = match std::str::from_utf8(field) {
        Ok(text) => text.to_owned(),
        Err(_) => field.iter().copied().map(char::from).collect(),
    };
    text.trim_end_matches([' ', '\0']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_stripped_and_nothing_else() {
        for (from, to) in [
            ("README.TXT;1", "README.TXT"),
            ("README.;1", "README"),
            ("a;b", "a;b"),
            ("dir.", "dir."),
            (";1", ";1"),
            (".;1", "."),
            ("x;32767", "x"),
        ] {
            assert_eq!(without_version(from.as_bytes().to_vec()), to.as_bytes(), "{from}");
        }
    }
}
