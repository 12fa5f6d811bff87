//! Going through a tree, whatever a disc makes of it.

use std::collections::HashSet;

use super::{FileSystem, FsError, Listing, Node};

/// Folders in one another. ISO 9660 allows 8, relocated trees and UDF more; paths longer than this cannot be written anyway.
const MAX_DEPTH: usize = 512;
/// Nodes that one walk meets.
const MAX_NODES: usize = 1 << 22;
/// Bytes that the listings of all open folders take: two of the largest there are.
const MAX_BYTES: usize = 128 << 20;
/// Blocks that one walk reads for its folders: UDF has one for each node.
const MAX_BLOCKS: usize = 1 << 22;

/// What a walk meets.
#[derive(Debug)]
pub enum Step<'a> {
    /// A node; a folder comes before what it holds.
    Node(&'a Node),
    /// What cannot be read of the folder at the path.
    Problem(FsError),
}

/// How a walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Into the folder, when it is one.
    Into,
    /// Past it.
    Past,
    /// Not at all.
    Stop,
}

/// Goes through what `folder` holds, depth first in the order of the disc. `visit` gets the names on the way from `folder`,
/// the node's own last. Each folder is entered once: a tree that bites its tail ends with a problem, and so does one that takes
/// more memory or reading than any real one.
pub fn walk(fs: &dyn FileSystem, folder: &Node, visit: &mut dyn FnMut(&[Vec<u8>], Step<'_>) -> Flow) {
    walk_up_to(fs, folder, MAX_BLOCKS, visit);
}

/// As [`walk`], for who cannot wait: it ends after the folder with which more than `most` blocks were read.
pub fn walk_up_to(
    fs: &dyn FileSystem,
    folder: &Node,
    most: usize,
    visit: &mut dyn FnMut(&[Vec<u8>], Step<'_>) -> Flow,
) {
    let mut path: Vec<Vec<u8>> = Vec::new();
    let mut entered = HashSet::new();
    let mut met = 0;
    // The open folders, each with the memory that its listing takes; that of all, and the blocks that were read.
    let mut folders: Vec<(std::vec::IntoIter<Node>, usize)> = Vec::new();
    let (mut bytes, mut blocks) = (0_usize, 0_usize);
    let mut next = Some(folder.clone());
    loop {
        if let Some(folder) = next.take() {
            let listing = enter(fs, &folder, folders.len(), &mut entered);
            bytes += listing.bytes;
            blocks += listing.blocks;
            for problem in listing.problems {
                if visit(&path, Step::Problem(problem)) == Flow::Stop {
                    return;
                }
            }
            let end = match () {
                () if bytes > MAX_BYTES => Some(FsError::limit("bytes of open folders", MAX_BYTES)),
                () if blocks > most => Some(FsError::limit("blocks of folders", most)),
                () => None,
            };
            if let Some(problem) = end {
                visit(&path, Step::Problem(problem));
                return;
            }
            folders.push((listing.nodes.into_iter(), listing.bytes));
        }
        let Some((nodes, own)) = folders.last_mut() else { return };
        let Some(node) = nodes.next() else {
            bytes -= *own;
            folders.pop();
            path.pop();
            continue;
        };
        met += 1;
        if met > MAX_NODES {
            visit(&path, Step::Problem(FsError::limit("files and folders", MAX_NODES)));
            return;
        }
        path.push(node.name.clone());
        match visit(&path, Step::Node(&node)) {
            Flow::Into if node.is_dir() => next = Some(node),
            Flow::Into | Flow::Past => {
                path.pop();
            }
            Flow::Stop => return,
        }
    }
}

fn enter(fs: &dyn FileSystem, folder: &Node, depth: usize, entered: &mut HashSet<super::NodeId>) -> Listing {
    let refused = |problem| Listing { problems: vec![problem], ..Listing::default() };
    if depth >= MAX_DEPTH {
        return refused(FsError::limit("folders in one another", MAX_DEPTH));
    }
    // Empty folders may share one place.
    if folder.size > 0 && !entered.insert(folder.id()) {
        return refused(FsError::FolderAgain);
    }
    fs.read_dir(folder).unwrap_or_else(refused)
}
