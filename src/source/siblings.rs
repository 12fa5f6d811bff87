//! The files beside an image: what a descriptor may name.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Dir, Mode, OFlags, ResolveFlags, openat2};

use super::{FileSource, SharedSource};

/// Opens the files that an image names. Names are bytes: descriptors come from systems with other encodings.
///
/// An implementer must never open a file outside the image's own folder unless the user allowed it, and must open regular
/// files only.
pub trait Siblings: Send + Sync + fmt::Debug {
    /// The file at `name`, a path relative to the image's folder, with `/` between its parts.
    ///
    /// # Errors
    /// `NotFound` when there is none, `PermissionDenied` when the name or a link leads outside, `InvalidInput` when it is no
    /// regular file, else what the operating system says.
    fn open(&self, name: &[u8]) -> io::Result<SharedSource>;

    /// The same to look at a file that may not belong to the image: who keeps what was opened need not keep it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    fn look_at(&self, name: &[u8]) -> io::Result<SharedSource> {
        self.open(name)
    }

    /// The names in the image's folder, at most [`MOST_NAMES`] of them, in no order.
    ///
    /// # Errors
    /// When the folder cannot be read.
    fn names(&self) -> io::Result<Vec<Vec<u8>>>;
}

/// How many names of a folder are looked at.
pub const MOST_NAMES: usize = 100_000;

/// An image that stands alone: a descriptor passed over a socket, bytes in memory.
#[derive(Debug, Clone, Copy)]
pub struct NoSiblings;

impl Siblings for NoSiblings {
    fn open(&self, _name: &[u8]) -> io::Result<SharedSource> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
}

/// Files that are at hand under fixed names: passed descriptors, parts of a container.
#[derive(Debug, Clone, Default)]
pub struct NamedSources(pub Vec<(Vec<u8>, SharedSource)>);

impl Siblings for NamedSources {
    fn open(&self, name: &[u8]) -> io::Result<SharedSource> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, source)| Arc::clone(source)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        Ok(self.0.iter().map(|(name, _)| name.clone()).collect())
    }
}

/// A folder. The kernel keeps every name inside it (`RESOLVE_BENEATH`): no `..`, no absolute name, no link that leads out.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    allow_outside: bool,
}

impl Folder {
    /// The folder that holds the file `image`. With `allow_outside` names and links may lead anywhere.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn of(image: &Path, allow_outside: bool) -> io::Result<Self> {
        let path = match image.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self { fd, allow_outside })
    }
}

impl Folder {
    /// The regular file at `name`, a path relative to the folder.
    ///
    /// # Errors
    /// As [`Siblings::open`].
    pub fn open_file(&self, name: &[u8]) -> io::Result<File> {
        // Opening a device may do something to it, and a FIFO waits: the type is looked at before. Should the name stand for
        // another file by then, O_NONBLOCK and the second look keep what is promised.
        regular(File::from(self.resolve(name, OFlags::PATH)?))?;
        regular(File::from(self.resolve(name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?))
    }

    fn resolve(&self, name: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
        let resolve = if self.allow_outside { ResolveFlags::empty() } else { ResolveFlags::BENEATH };
        let name = OsStr::from_bytes(name);
        loop {
            match openat2(&self.fd, name, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                // The kernel saw a rename while it looked: it asks to be called again.
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::XDEV | rustix::io::Errno::LOOP) => {
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, "leads outside the image's folder"));
                }
                other => return Ok(other?),
            }
        }
    }
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file"))
    }
}

impl Siblings for Folder {
    fn open(&self, name: &[u8]) -> io::Result<SharedSource> {
        Ok(Arc::new(FileSource::from_file(self.open_file(name)?)?))
    }

    fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = Dir::new(rustix::fs::openat(&self.fd, c".", flags, Mode::empty())?)?;
        dir.take(MOST_NAMES)
            .map(|entry| Ok(entry?.file_name().to_bytes().to_vec()))
            .filter(|name| !matches!(name.as_deref(), Ok(b"." | b"..")))
            .collect()
    }
}
