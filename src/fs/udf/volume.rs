//! A UDF volume: from the anchor to the root directory.

use super::super::node::{Listing, Node, Place};
use super::super::read::{BLOCK, Fields, Piece, range_of};
use super::super::{FileSystem, FsError, Namespace, Timestamp};
use super::descriptor::{Sequence, anchor, recognise, tag, tag_of};
use super::directory;
use super::entry::{Entry, Reader, file_type};
use super::mapping::{Contents, Mapping, sparing_table};
use super::text::dstring;
use super::work::Work;
use crate::disc::{BLOCK_SIZE, Disc, Lba};

/// Blocks before the end of the disc that may hold the VAT's file entry: the link and run-out blocks after it differ.
const VAT_SEARCH: u32 = 256;
/// Partition maps that one logical volume descriptor has room for.
const MAX_MAPS: u32 = 64;
/// Runs of the files that partitions lie in or are looked up in, all together: of real ones there are some tens.
const MAX_MAP_RUNS: usize = 1 << 18;

/// What a volume says about itself.
#[derive(Debug, Clone)]
pub struct VolumeInfo {
    /// UDF revision, as in the domain identifier: 0x0250 is 2.50.
    pub revision: u16,
    /// 2 (ECMA-167, second edition) or 3; `None` without a volume recognition sequence.
    pub nsr: Option<u8>,
    /// Logical volume identifier: the label.
    pub label: String,
    /// Primary volume identifier.
    pub volume: String,
    /// Volume set identifier.
    pub volume_set: String,
    /// The application that made it.
    pub application: String,
    /// When it was recorded.
    pub recorded: Option<Timestamp>,
    /// Kinds of its partitions, in order of reference.
    pub partitions: Vec<&'static str>,
}

/// A UDF file set, ready to be read.
#[derive(Debug)]
pub struct Volume<'a> {
    disc: &'a Disc,
    info: VolumeInfo,
    maps: Vec<Mapping>,
    /// Partition reference and block of the root directory's entry.
    root: (u16, u32),
    work: Work,
}

impl<'a> Volume<'a> {
    /// Opens the volume in the session that starts at `start`.
    ///
    /// # Errors
    /// `Absent` when there is neither a recognition sequence nor an anchor.
    pub fn open(disc: &'a Disc, start: Lba) -> Result<Self, FsError> {
        let nsr = recognise(disc, start);
        let Some([main, reserve]) = anchor(disc, start) else {
            return Err(match nsr {
                Some(_) => FsError::invalid("the anchor of the UDF volume", start.plus(256).0.unsigned_abs()),
                None => FsError::Absent,
            });
        };
        let sequence = Sequence::read(disc, main).or_else(|error| Sequence::read(disc, reserve).map_err(|_| error))?;
        let Sequence { primary, logical: Some(logical), partitions } = sequence else {
            return Err(FsError::invalid("the UDF volume descriptor sequence", main.block));
        };
        if logical.le32(212) != BLOCK_SIZE {
            return Err(FsError::Unsupported("a UDF logical block size other than 2048"));
        }
        let primary = primary.as_ref().map_or(&[][..], |sector| &sector[..]);
        let mut volume = Self {
            disc,
            info: VolumeInfo {
                revision: logical.le16(240),
                nsr,
                label: dstring(logical.part(84, 128)),
                volume: dstring(primary.part(24, 32)),
                volume_set: dstring(primary.part(72, 128)),
                application: identifier(primary.part(344, 32)),
                recorded: Timestamp::from_udf(primary.part(376, 12)),
                partitions: Vec::new(),
            },
            maps: Vec::new(),
            root: (0, 0),
            work: Work::default(),
        };
        volume.map(&logical, &partitions)?;
        volume.info.partitions = volume.maps.iter().map(Mapping::name).collect();
        volume.root = volume.file_set(logical.le16(256), logical.le32(252))?;
        Ok(volume)
    }

    /// What the volume says about itself.
    #[must_use]
    pub fn info(&self) -> &VolumeInfo {
        &self.info
    }

    /// Blocks from the start of the disc to the end of its last partition. Nothing where that can be more than was ever
    /// written, as on write-once media.
    #[must_use]
    pub fn blocks(&self) -> Option<u32> {
        let end = |map: &Mapping| match map {
            Mapping::Physical { start, blocks } => Some(start.saturating_add(*blocks)),
            Mapping::Metadata { .. } => Some(0),
            Mapping::Sparable { .. } | Mapping::Virtual { .. } => None,
        };
        self.maps.iter().map(end).try_fold(0, |most, end| end.map(|end| most.max(end)))
    }

    /// The partition maps (ECMA-167, 3/10.6.13; UDF 2.60, 2.2.8 to 2.2.10). Metadata and virtual partitions lie in others,
    /// so those come first.
    fn map(&mut self, logical: &[u8], partitions: &[[u8; BLOCK as usize]]) -> Result<(), FsError> {
        let mut maps = Vec::new();
        let mut rest = logical.part(440, logical.le32(264) as usize);
        for _ in 0..logical.le32(268).min(MAX_MAPS) {
            let len = usize::from(rest.u8(1));
            let map = rest.part(0, len);
            if len < 6 || map.len() < len {
                return Err(FsError::invalid("the UDF partition maps", logical.le32(12)));
            }
            maps.push(map);
            rest = rest.get(len..).unwrap_or(&[]);
        }
        let physical = |number: u16| {
            let found = partitions.iter().find(|partition| partition.le16(22) == number);
            let partition = found.ok_or(FsError::invalid("a UDF partition number", number))?;
            Ok::<_, FsError>((partition.le32(188), partition.le32(192)))
        };
        let mut dependent = Vec::new();
        for map in &maps {
            let number = map.le16(if map.u8(0) == 1 { 4 } else { 38 });
            let (start, blocks) = physical(number)?;
            let plain = Mapping::Physical { start, blocks };
            self.maps.push(match (map.u8(0), map.part(5, 23)) {
                (1, _) => plain,
                (2, b"*UDF Sparable Partition") => {
                    let packet = u32::from(map.le16(40)).max(1);
                    Mapping::Sparable { start, blocks, packet, spared: sparing_table(self.disc, map) }
                }
                (2, id) if id.starts_with(b"*UDF Virtual Partition") || id.starts_with(b"*UDF Metadata Partition") => {
                    dependent.push((self.maps.len(), *map));
                    plain
                }
                _ => return Err(FsError::Unsupported("a kind of UDF partition map")),
            });
        }
        for (index, map) in dependent {
            let mapping = match map.part(5, 12) {
                b"*UDF Virtual" => self.virtual_partition(index)?,
                _ => self.metadata_partition(&maps, index, map)?,
            };
            self.maps[index] = mapping;
            if self.maps.iter().map(Mapping::runs).sum::<usize>() > MAX_MAP_RUNS {
                return Err(FsError::limit("runs of UDF partitions", MAX_MAP_RUNS));
            }
        }
        Ok(())
    }

    /// A metadata partition: the metadata file, else its mirror, in the partition that its map names (2.2.10, 2.2.13).
    fn metadata_partition(&self, maps: &[&[u8]], index: usize, map: &[u8]) -> Result<Mapping, FsError> {
        let below = maps.iter().position(|other| {
            let kind = other.part(5, 23);
            other.u8(0) == 1 && other.le16(4) == map.le16(38) || kind == b"*UDF Sparable Partition"
        });
        let below = below.unwrap_or(index) as u16;
        let file = |block| {
            let entry = self.reader().entry(below, block)?;
            let blocks = u32::try_from(entry.size() / BLOCK).unwrap_or(u32::MAX);
            Ok(Mapping::Metadata { file: Contents::new(self.reader().pieces(&entry)?), blocks })
        };
        file(map.le32(40)).or_else(|error: FsError| file(map.le32(44)).map_err(|_| error))
    }

    /// A virtual partition: its table is the file recorded last (UDF 2.60, 2.2.8, 2.2.11 and 6.10).
    fn virtual_partition(&self, index: usize) -> Result<Mapping, FsError> {
        let Some(Mapping::Physical { start, blocks }) = self.maps.get(index) else { return Err(FsError::Absent) };
        let (start, blocks) = (*start, *blocks);
        let last = self.disc.blocks().saturating_sub(1);
        for lba in (last.saturating_sub(VAT_SEARCH)..=last).rev() {
            let Some(block) = lba.checked_sub(start).filter(|block| *block < blocks) else { continue };
            let Ok(entry) = self.reader().entry(index as u16, block) else { continue };
            if let Some((table, first_entry, entries)) = self.table(&entry)? {
                let table = Contents::new(table);
                return Ok(Mapping::Virtual { start, blocks, table, first_entry, entries });
            }
        }
        Err(FsError::invalid("the virtual allocation table", last))
    }

    /// Contents, first byte and number of the table's entries; `None` when the file is no table.
    fn table(&self, entry: &Entry) -> Result<Option<(Vec<Piece>, u64, u32)>, FsError> {
        let size = entry.size();
        // The type first: every block near the end of the disc is asked, and where its file lies may be long to find out.
        if entry.file_type() != file_type::VAT && !(entry.file_type() == 0 && size >= 36) {
            return Ok(None);
        }
        let pieces = self.reader().pieces(entry)?;
        let (first, end) = match entry.file_type() {
            // 2.00 and later: a header whose length comes first.
            file_type::VAT => (u64::from(range_of(self.disc, &pieces, 0, 2)?.le16(0)), size),
            // 1.50: an identifier and the block of the previous table come last.
            _ => {
                let tail = range_of(self.disc, &pieces, size - 36, 36)?;
                if tail.part(1, 22) != b"*UDF Virtual Alloc Tbl" {
                    return Ok(None);
                }
                (0, size - 36)
            }
        };
        let entries = u32::try_from(end.saturating_sub(first) / 4).unwrap_or(u32::MAX);
        Ok(Some((pieces, first, entries)))
    }

    /// The root directory of the file set descriptor (ECMA-167, 4/14.1).
    fn file_set(&self, partition: u16, block: u32) -> Result<(u16, u32), FsError> {
        let descriptor = self.reader().block(partition, block)?;
        match tag_of(&descriptor, block) {
            Some(tag::FILE_SET) => Ok((descriptor.le16(408), descriptor.le32(404))),
            _ => Err(FsError::invalid("the UDF file set descriptor", block)),
        }
    }

    fn reader(&self) -> Reader<'_> {
        Reader { disc: self.disc, maps: &self.maps, work: &self.work }
    }

    fn entry(&self, node: &Node) -> Result<Entry, FsError> {
        match node.place {
            Place::Udf { partition, block } => self.reader().entry(partition, block),
            Place::Iso { .. } => Err(FsError::Absent),
        }
    }
}

impl FileSystem for Volume<'_> {
    fn namespace(&self) -> Namespace {
        Namespace::Udf
    }

    fn root(&self) -> Result<Node, FsError> {
        let (partition, block) = self.root;
        let node = self.reader().node(&self.reader().entry(partition, block)?)?;
        match node.is_dir() {
            true => Ok(node),
            false => Err(FsError::invalid("the UDF root directory", block)),
        }
    }

    fn read_dir(&self, directory: &Node) -> Result<Listing, FsError> {
        if !directory.is_dir() {
            return Err(FsError::NotADirectory);
        }
        let pieces = self.reader().pieces(&self.entry(directory)?)?;
        Ok(directory::read(&self.reader(), &pieces))
    }

    fn pieces(&self, file: &Node) -> Result<Vec<Piece>, FsError> {
        self.reader().pieces(&self.entry(file)?)
    }
}

/// The identifier of a regid, without padding.
fn identifier(regid: &[u8]) -> String {
    let id: String = regid.part(1, 23).iter().copied().map(char::from).collect();
    id.trim_end_matches(['\0', ' ']).to_owned()
}
