//! Files and folders, whichever file system they come from.

use super::{FsError, Timestamp};

/// Entries that one directory may have: more than any real disc's, few enough to hold.
pub const MAX_ENTRIES: usize = 1 << 18;

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
}

/// What a directory holds.
#[derive(Debug, Default)]
pub struct Listing {
    /// In the order of the disc.
    pub nodes: Vec<Node>,
    /// What could not be read.
    pub problems: Vec<FsError>,
}

impl Listing {
    /// Problems worth keeping: a directory that is damaged throughout needs not be told entry by entry.
    const MAX_PROBLEMS: usize = 16;

    /// Adds an entry.
    ///
    /// # Errors
    /// When there are [`MAX_ENTRIES`].
    pub(super) fn push(&mut self, node: Node) -> Result<(), FsError> {
        if self.nodes.len() >= MAX_ENTRIES {
            return Err(FsError::limit("entries in a folder", MAX_ENTRIES));
        }
        self.nodes.push(node);
        Ok(())
    }

    pub(super) fn problem(&mut self, problem: FsError) {
        if self.problems.len() < Self::MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }
}
