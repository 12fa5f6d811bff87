//! Where an image was opened from, so that it can be opened again if its files are still the same.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ImageError, ImageErrorKind, OpenOptions, Opened, Passable, open_with};
use crate::source::siblings::NamedSources;
use crate::source::{FileIdentity, FileSource, SharedSource, is_remote, is_remote_file};

/// The files of an image. None for one that cannot be opened again.
#[derive(Debug, Default)]
pub struct Origin {
    /// The image itself, then the files that belong to it.
    pub files: Vec<OriginFile>,
    /// Whether it was decoded into a temporary file.
    pub spool: bool,
}

/// One of them.
#[derive(Debug)]
pub struct OriginFile {
    /// Its name for the image; for the image itself, its own without folders.
    pub name: Vec<u8>,
    /// Where it was, if that is known.
    pub path: Option<PathBuf>,
    /// Which it was.
    pub identity: FileIdentity,
    /// The file itself, where somebody else opened it, or somebody kept it.
    pub file: Option<Arc<File>>,
}

impl Origin {
    /// The files of the image at `path`.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn by_path(path: &Path, image: &Passable, spool: bool) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let file = |name: Vec<u8>, path: PathBuf, file: &File| {
            Ok(OriginFile { name, path: Some(path), identity: FileIdentity::of(file)?, file: None })
        };
        let beside = |(name, of): &(Vec<u8>, File)| {
            file(name.clone(), path.with_file_name(std::ffi::OsStr::from_bytes(name)), of)
        };
        let name = path.file_name().unwrap_or_default().as_bytes().to_vec();
        let first = std::iter::once(file(name, path.clone(), &image.file));
        let files = first.chain(image.companions.iter().map(beside)).collect::<io::Result<_>>()?;
        Ok(Self { files, spool })
    }

    /// The files of an image that somebody else opened, the image first. With `keep_open` they stay open.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn by_descriptors(files: Vec<(Vec<u8>, Arc<File>)>, spool: bool, keep_open: bool) -> io::Result<Self> {
        let file = |(name, file): (Vec<u8>, Arc<File>)| {
            let identity = FileIdentity::of(&file)?;
            Ok(OriginFile { name, path: path_of(&file, identity), identity, file: keep_open.then_some(file) })
        };
        Ok(Self { files: files.into_iter().map(file).collect::<io::Result<_>>()?, spool })
    }

    /// Whether any of them is on storage that may not answer for minutes.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        let remote = |file: &OriginFile| match (&file.file, &file.path) {
            (Some(file), _) => is_remote_file(file),
            (None, Some(path)) => is_remote(path),
            (None, None) => Ok(true),
        };
        // A file system that does not say what it is may be anything.
        self.files.iter().any(|file| remote(file).unwrap_or(true))
    }

    /// Opens the image again: the same files, and no others.
    ///
    /// # Errors
    /// When a file is not there or has changed, or what [`open_with`] says. The error names the file.
    pub fn reopen(&self, options: &OpenOptions<'_>) -> Result<Opened, ImageError> {
        let sources = self.files.iter().map(|file| Ok((file.name.clone(), file.source()?)));
        let mut sources = sources.collect::<Result<Vec<_>, ImageError>>()?.into_iter();
        let (name, image) = sources
            .next()
            .ok_or_else(|| ImageError::new(ImageErrorKind::Missing, "nothing is known of where it was"))?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let opened = open_with(image, &name, Arc::new(NamedSources(sources.collect())), options);
        let opened = opened.map_err(|error| error.in_file(self.files[0].shown()))?;
        if opened.companions.len() + 1 < self.files.len() {
            let message = "is not read from the same files as before";
            return Err(ImageError::new(ImageErrorKind::Invalid, message).in_file(self.files[0].shown()));
        }
        Ok(opened)
    }
}

impl OriginFile {
    fn source(&self) -> Result<SharedSource, ImageError> {
        let open = || match (&self.file, &self.path) {
            (Some(file), _) => FileSource::from_file(file.try_clone()?),
            (None, Some(path)) => open_storage(path),
            (None, None) => Err(io::Error::new(io::ErrorKind::NotFound, "it was passed open, and nobody has kept it")),
        };
        let source = open().and_then(|source| Ok((FileIdentity::of(source.file())?, source)));
        let (identity, source) = source.map_err(|error| ImageError::io(error).in_file(self.shown()))?;
        if identity != self.identity {
            let message = "the file has changed since it was put into the drive";
            return Err(ImageError::new(ImageErrorKind::Invalid, message).in_file(self.shown()));
        }
        Ok(Arc::new(source))
    }

    fn shown(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => String::from_utf8_lossy(&self.name).into_owned(),
        }
    }
}

/// Opens what an image can be in. Opening any other device may do something to it.
fn open_storage(path: &Path) -> io::Result<FileSource> {
    let kind = fs::metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is neither a regular file nor a block device"));
    }
    FileSource::open(path)
}

/// Where the file is that is open here, if it is there for this process too.
fn path_of(file: &File, identity: FileIdentity) -> Option<PathBuf> {
    let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let found = fs::metadata(&path).ok()?;
    (FileIdentity::from(&found) == identity).then_some(path)
}
