//! Reading file systems on a disc: ISO 9660, Joliet, Rock Ridge, UDF, El Torito, partition tables. Read only.
//!
//! Everything on a disc is untrusted. Nothing here panics, recurses, or allocates by a size that the disc states:
//! directories are read block by block up to [`MAX_ENTRIES`], file contents are given as [`Piece`]s to be streamed, every
//! chain has a bound. Each parser has an entry function that takes a [`Disc`](crate::disc::Disc) alone, so that it can be fuzzed:
//! [`iso9660::descriptors`], [`eltorito::read`], [`hybrid::read`], [`udf::Volume::open`], and [`open`] with the
//! [`FileSystem`] it gives. Not responsible for writing files anywhere (see `cli::extract`).

pub mod eltorito;
mod error;
pub mod hybrid;
pub mod iso9660;
mod joliet;
mod node;
mod read;
mod rockridge;
mod susp;
mod time;
pub mod udf;
mod walk;

use crate::disc::{Disc, Lba};

pub use self::error::FsError;
pub use self::node::{Kind, Listing, MAX_ENTRIES, Node, NodeId};
pub use self::read::{CopyError, Piece, Target, copy, stored};
pub use self::time::Timestamp;
pub use self::walk::{Flow, Step, walk, walk_up_to};

/// Which set of names to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// ISO 9660 names as the primary descriptor's tree has them, without version numbers.
    Iso,
    /// The supplementary tree with Unicode names.
    Joliet,
    /// The primary tree with POSIX names and attributes.
    RockRidge,
    /// The UDF file set.
    Udf,
}

impl Namespace {
    /// Preference: Rock Ridge has POSIX attributes and links; UDF has full names, times and sizes; Joliet has long
    /// names only; plain ISO 9660 has neither.
    pub const PREFERENCE: [Self; 4] = [Self::RockRidge, Self::Udf, Self::Joliet, Self::Iso];

    /// As `--fs` and JSON spell it.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Iso => "iso",
            Self::Joliet => "joliet",
            Self::RockRidge => "rockridge",
            Self::Udf => "udf",
        }
    }
}

/// One name space of a disc, ready to be read.
pub trait FileSystem {
    /// Which one.
    fn namespace(&self) -> Namespace;

    /// The root directory. Its name is empty.
    ///
    /// # Errors
    /// When its own record cannot be read.
    fn root(&self) -> Result<Node, FsError>;

    /// What `directory` holds, in the order of the disc, without `.` and `..`. What cannot be read of it is among the
    /// listing's problems; the rest is there. Names are as the disc has them: hostile ones too.
    ///
    /// # Errors
    /// When it is no directory or nothing of it can be read.
    fn read_dir(&self, directory: &Node) -> Result<Listing, FsError>;

    /// Where the contents of `file` lie, in order.
    ///
    /// # Errors
    /// When they are recorded in a way that is not supported or contradict themselves.
    fn pieces(&self, file: &Node) -> Result<Vec<Piece>, FsError>;
}

/// Opens `namespace`, or the first of [`Namespace::PREFERENCE`] that the disc has, in its last session that has one.
///
/// # Errors
/// `Absent` when the disc has none, else why the one it has cannot be read.
pub fn open(disc: &Disc, namespace: Option<Namespace>) -> Result<Box<dyn FileSystem + '_>, FsError> {
    let mut failure = FsError::Absent;
    for start in session_starts(disc) {
        for wanted in Namespace::PREFERENCE {
            if namespace.is_some_and(|only| only != wanted) {
                continue;
            }
            let opened: Result<Box<dyn FileSystem>, _> = match wanted {
                Namespace::Udf => udf::Volume::open(disc, start).map(|volume| Box::new(volume) as _),
                _ => iso9660::Volume::open(disc, start, wanted).map(|volume| Box::new(volume) as _),
            };
            match opened {
                Ok(opened) => return Ok(opened),
                Err(FsError::Absent) => {}
                Err(error) => failure = error,
            }
        }
    }
    Err(failure)
}

/// The first addresses of the data tracks that sessions begin with, the last session first: a later session supersedes the ones
/// before it. A file system's descriptors lie 16 blocks after such an address.
pub fn session_starts(disc: &Disc) -> impl Iterator<Item = Lba> {
    disc.sessions
        .iter()
        .rev()
        .filter_map(|session| session.tracks.iter().find(|track| track.mode.is_data()).map(|track| track.start))
}

/// The node at `path` (components by `/`; empty and `.` components are skipped).
///
/// # Errors
/// `NotFound`, or what [`FileSystem::read_dir`] reports.
pub fn find(fs: &dyn FileSystem, path: &[u8]) -> Result<Node, FsError> {
    let mut node = fs.root()?;
    for part in path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")) {
        let listing = fs.read_dir(&node)?;
        let found = listing.nodes.into_iter().find(|child| child.name == part);
        node = match (found, listing.problems.into_iter().next()) {
            (Some(found), _) => found,
            (None, Some(problem)) => return Err(problem),
            (None, None) => return Err(FsError::NotFound(String::from_utf8_lossy(path).into_owned())),
        };
    }
    Ok(node)
}
