//! Why a file system cannot be read.

use thiserror::Error;

use crate::disc::SectorError;

/// Why a file system, or a part of it, cannot be read.
#[derive(Debug, Error)]
pub enum FsError {
    /// The disc does not have it.
    #[error("the disc holds no such file system")]
    Absent,
    /// No such name.
    #[error("{0}: no such file or folder on the disc")]
    NotFound(String),
    /// A name on the way is a file.
    #[error("not a folder")]
    NotADirectory,
    /// The tree leads to one folder in two ways, which no sound disc has.
    #[error("the folder was met before: the tree is damaged")]
    FolderAgain,
    /// A structure contradicts its standard or itself.
    #[error("{what} in block {block} is damaged")]
    Invalid {
        /// The structure, as its standard calls it.
        what: &'static str,
        /// Where it begins.
        block: u64,
    },
    /// Recorded in a way that is not read here.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    /// More than the bound of this reader.
    #[error("more than {limit} {what}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// The bound.
        limit: u64,
    },
    /// A block cannot be read.
    #[error(transparent)]
    Sector(#[from] SectorError),
}

impl FsError {
    pub(super) fn invalid(what: &'static str, block: impl Into<u64>) -> Self {
        Self::Invalid { what, block: block.into() }
    }

    pub(super) fn limit(what: &'static str, limit: usize) -> Self {
        Self::Limit { what, limit: limit as u64 }
    }
}
