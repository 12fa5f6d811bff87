//! Writing below one folder, whatever names a disc asks for.
//!
//! Every folder on the way is opened by its one name, relative to the one before it and never through a symbolic link, so
//! neither a name nor a link from the disc, nor one that was there before, leads outside.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, Mode, OFlags, Timespec, Timestamps, futimens, mkdirat, open, openat, renameat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use thiserror::Error;

use crate::fs::{CopyError, FsError, Node, Target};

/// Why something could not be extracted.
#[derive(Debug, Error)]
pub enum FolderError {
    /// The name would lead elsewhere, or is none.
    #[error("refused: the name could lead outside the folder")]
    Name,
    /// A device, pipe or socket.
    #[error("refused: devices, pipes and sockets are not made")]
    Special,
    /// It is there already.
    #[error("exists already (--force replaces it)")]
    Exists,
    /// The disc cannot be read.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The disc cannot be read, or the file not be written.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The operating system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Errno> for FolderError {
    fn from(error: Errno) -> Self {
        match error {
            Errno::EXIST => Self::Exists,
            error => Self::Io(error.into()),
        }
    }
}

/// True for a name that stays in its folder.
pub fn safe_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, b'/' | 0))
}

/// The folder that files are written below.
#[derive(Debug)]
pub struct Folder {
    root: OwnedFd,
    force: bool,
    /// The folder that was used last, with its names.
    last: Option<(Vec<Vec<u8>>, OwnedFd)>,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Folder {
    /// `path` is the user's own and may be a link. `force`: replace what exists.
    ///
    /// # Errors
    /// When it is no folder.
    pub fn open(path: &Path, force: bool) -> io::Result<Self> {
        let root = open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { root, force, last: None })
    }

    /// Makes a folder and its parents, unless they are there.
    ///
    /// # Errors
    /// When a name could lead outside, or something else than a folder is in the way.
    pub fn directory(&mut self, names: &[Vec<u8>]) -> Result<(), FolderError> {
        self.enter(names).map(|_| ())
    }

    /// Makes a symbolic link with any target: nothing here follows it.
    ///
    /// # Errors
    /// When the name could lead outside or is taken.
    pub fn symlink(&mut self, names: &[Vec<u8>], target: &[u8]) -> Result<(), FolderError> {
        let force = self.force;
        let (name, folder) = self.parent(names)?;
        match symlinkat(target, folder, name) {
            Err(Errno::EXIST) if force => {
                unlinkat(folder, name, AtFlags::empty())?;
                Ok(symlinkat(target, folder, name)?)
            }
            result => Ok(result?),
        }
    }

    /// Makes a file with what `fill` writes and the node's permissions and date. When `fill` fails, no part of it stays, and
    /// with `force` what was there before does.
    ///
    /// # Errors
    /// When the name could lead outside or is taken, or `fill` fails.
    pub fn file(
        &mut self,
        names: &[Vec<u8>],
        node: &Node,
        fill: impl FnOnce(&mut dyn Target) -> Result<(), CopyError>,
    ) -> Result<(), FolderError> {
        let force = self.force;
        let (name, folder) = self.parent(names)?;
        let partial = format!(".spindle-{}.partial", std::process::id()).into_bytes();
        let made: &[u8] = if force { &partial } else { name };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Never more than the disc says, never set-user-ID.
        let mode = Mode::from_raw_mode(node.mode.unwrap_or(0o644) & 0o777 | 0o600);
        let file = File::from(openat(folder, made, flags, mode)?);
        let result = write_file(file, node, fill).and_then(|()| match force {
            true => Ok(renameat(folder, made, folder, name)?),
            false => Ok(()),
        });
        if result.is_err() {
            unlinkat(folder, made, AtFlags::empty())?;
        }
        result
    }

    fn parent<'n>(&mut self, names: &'n [Vec<u8>]) -> Result<(&'n [u8], &OwnedFd), FolderError> {
        let (name, parents) = names.split_last().filter(|(name, _)| safe_name(name)).ok_or(FolderError::Name)?;
        Ok((name, self.enter(parents)?))
    }

    /// The folder at `names`, made where it is missing.
    fn enter(&mut self, names: &[Vec<u8>]) -> Result<&OwnedFd, FolderError> {
        if self.last.as_ref().is_none_or(|(known, _)| known != names) {
            let mut at: Option<OwnedFd> = None;
            for name in names {
                if !safe_name(name) {
                    return Err(FolderError::Name);
                }
                let parent = at.as_ref().unwrap_or(&self.root);
                at = Some(subfolder(parent, name)?);
            }
            self.last = at.map(|folder| (names.to_vec(), folder));
        }
        Ok(self.last.as_ref().map_or(&self.root, |(_, folder)| folder))
    }
}

fn subfolder(parent: &OwnedFd, name: &[u8]) -> Result<OwnedFd, FolderError> {
    match mkdirat(parent, name, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    match openat(parent, name, FOLDER, Mode::empty()) {
        Err(Errno::NOTDIR | Errno::LOOP) => {
            Err(io::Error::other("something that is no folder is in the way; links are not followed").into())
        }
        result => Ok(result?),
    }
}

fn write_file(
    file: File,
    node: &Node,
    fill: impl FnOnce(&mut dyn Target) -> Result<(), CopyError>,
) -> Result<(), FolderError> {
    let mut target = FileTarget(BufWriter::with_capacity(1 << 16, file));
    fill(&mut target)?;
    let mut file = target.0.into_inner().map_err(io::IntoInnerError::into_error)?;
    // A file may end in a hole.
    let end = file.stream_position()?;
    file.set_len(end)?;
    if let Some(modified) = node.modified {
        let time = Timespec { tv_sec: modified.unix(), tv_nsec: 0 };
        futimens(file.as_fd(), &Timestamps { last_access: time, last_modification: time })?;
    }
    Ok(())
}

/// A file that has holes where the disc has nothing recorded.
struct FileTarget(BufWriter<File>);

impl Target for FileTarget {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn zeros(&mut self, bytes: u64) -> io::Result<()> {
        let bytes = i64::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.0.seek(SeekFrom::Current(bytes)).map(|_| ())
    }
}
