//! Files and folders, whichever file system they come from.

use super::{FsError, Timestamp};

/// Entries that one directory may have: more than any real disc's, few enough to hold.
pub const MAX_ENTRIES: usize = 1 << 18;

/// Bytes that what is listed of one directory may take: as many entries with names and links of some 200 bytes.
const MAX_BYTES: usize = 96 << 20;
/// Blocks of one directory: as many entries with names as long as they can be.
pub(super) const MAX_OWN_BLOCKS: usize = 1 << 16;
/// Blocks that are read to list one directory: its own, and one for each of its entries.
const MAX_BLOCKS: usize = 1 << 19;

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A file with contents.
    File,
    /// A folder.
    Directory,
    /// A symbolic link with its target, as the disc says it.
    Symlink(Vec<u8>),
    /// A block device.
    BlockDevice,
    /// A character device.
    CharDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// Tells directories apart: where their contents lie. Two nodes with the same one hold the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(pub(super) u64);

/// One entry of a directory.
#[derive(Debug, Clone)]
pub struct Node {
    /// As the disc has it, in UTF-8 where the disc says which characters it means. Untrusted: may be `..` or hold `/`.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Bytes of contents, as the disc states them.
    pub size: u64,
    /// POSIX permission bits (0 to 7777 octal), when recorded.
    pub mode: Option<u32>,
    /// Owner, when recorded.
    pub uid: Option<u32>,
    /// Group, when recorded.
    pub gid: Option<u32>,
    /// When the contents changed last.
    pub modified: Option<Timestamp>,
    pub(super) place: Place,
}

/// Where a node's contents are described.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Iso {
        sections: Vec<Section>,
        /// Compressed with zisofs: the contents are not those of the file.
        zisofs: bool,
    },
    Udf {
        partition: u16,
        block: u32,
    },
}

/// One file section (ECMA-119, 6.5): bytes that lie together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    /// Bytes from LBA 0.
    pub offset: u64,
    pub bytes: u32,
    pub interleaved: bool,
}

impl Node {
    /// The identity of its contents.
    #[must_use]
    pub fn id(&self) -> NodeId {
        match &self.place {
            Place::Iso { sections, .. } => NodeId(sections.first().map_or(u64::MAX, |section| section.offset)),
            Place::Udf { partition, block } => NodeId(u64::from(*partition) << 32 | u64::from(*block)),
        }
    }

    /// True for a folder.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.kind == Kind::Directory
    }

    /// The memory that it takes, but for what an allocator adds.
    fn bytes(&self) -> usize {
        let link = if let Kind::Symlink(target) = &self.kind { target.capacity() } else { 0 };
        let sections = if let Place::Iso { sections, .. } = &self.place { sections.capacity() } else { 0 };
        size_of::<Self>() + self.name.capacity() + link + sections * size_of::<Section>()
    }
}

/// What a directory holds.
#[derive(Debug, Default)]
pub struct Listing {
    /// In the order of the disc.
    pub nodes: Vec<Node>,
    /// What could not be read.
    pub problems: Vec<FsError>,
    /// The memory that the nodes take.
    pub(super) bytes: usize,
    /// Blocks of the directory, and blocks of any kind, that were read for it.
    pub(super) own_blocks: usize,
    pub(super) blocks: usize,
}

impl Listing {
    /// Problems worth keeping: a directory that is damaged throughout needs not be told entry by entry.
    const MAX_PROBLEMS: usize = 16;

    /// Adds an entry.
    ///
    /// # Errors
    /// When there are [`MAX_ENTRIES`], or they take too much memory.
    pub(super) fn push(&mut self, node: Node) -> Result<(), FsError> {
        if self.nodes.len() >= MAX_ENTRIES {
            return Err(FsError::limit("entries in a folder", MAX_ENTRIES));
        }
        self.takes(node.bytes())?;
        self.nodes.push(node);
        Ok(())
    }

    /// Counts memory of the nodes.
    ///
    /// # Errors
    /// When it is too much.
    pub(super) fn takes(&mut self, bytes: usize) -> Result<(), FsError> {
        if self.bytes + bytes > MAX_BYTES {
            return Err(FsError::limit("bytes of a folder's entries", MAX_BYTES));
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Counts a block of the directory, before it is read: extents may be long and hold nothing, or overlap.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn reads_own(&mut self) -> Result<(), FsError> {
        self.own_blocks += 1;
        if self.own_blocks > MAX_OWN_BLOCKS {
            return Err(FsError::limit("blocks of a folder", MAX_OWN_BLOCKS));
        }
        self.reads(1)
    }

    /// Counts blocks that are read for entries.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn reads(&mut self, blocks: usize) -> Result<(), FsError> {
        self.blocks += blocks;
        if self.blocks > MAX_BLOCKS {
            return Err(FsError::limit("blocks read for a folder", MAX_BLOCKS));
        }
        Ok(())
    }

    /// Notes why it ends before all of it was read, whatever else there is to tell.
    pub(super) fn ends(&mut self, problem: FsError) {
        self.problems.truncate(Self::MAX_PROBLEMS - 1);
        self.problems.push(problem);
    }

    pub(super) fn problem(&mut self, problem: FsError) {
        if self.problems.len() < Self::MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }
}
