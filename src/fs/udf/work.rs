//! What one volume may make its reader do: chains and runs cost the disc nothing, and every file may have the same.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::FsError;

/// Blocks with allocation descriptors or entries of a virtual allocation table, and pieces of links: the descriptors in them are
/// enough for every block of a BD to lie apart.
const MAX_BLOCKS: usize = 1 << 18;
/// Runs of files, each counted every time that its file is located.
const MAX_RUNS: usize = 1 << 24;

/// What was done so far.
#[derive(Debug, Default)]
pub(super) struct Work {
    blocks: AtomicUsize,
    runs: AtomicUsize,
}

impl Work {
    /// Counts blocks that are read.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn blocks(&self, blocks: usize) -> Result<(), FsError> {
        spend(&self.blocks, blocks, MAX_BLOCKS, "blocks of allocation descriptors")
    }

    /// Counts a run of a file.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn run(&self) -> Result<(), FsError> {
        spend(&self.runs, 1, MAX_RUNS, "runs of files")
    }
}

fn spend(spent: &AtomicUsize, more: usize, limit: usize, what: &'static str) -> Result<(), FsError> {
    match spent.fetch_add(more, Ordering::Relaxed).saturating_add(more) > limit {
        true => Err(FsError::limit(what, limit)),
        false => Ok(()),
    }
}
