//! The files that are written: under temporary names until all are there.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::ExportError;
use crate::source::is_remote_file;

/// Pieces of this length and above are written as they are. One of them and what is read beside it stay in a processor's own cache.
const BUFFER: usize = 128 << 10;

/// A file that becomes visible when [`Output::finish`] renames it.
pub type OutFile = BufWriter<File>;

/// The files of one image, in one folder. Dropped before [`finish`](Self::finish), it leaves nothing behind.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    replace: bool,
    /// Files that are never replaced: those that are read.
    keep: Vec<PathBuf>,
    /// In the order of their making.
    files: Vec<Unfinished>,
}

/// A file under its temporary name.
#[derive(Debug)]
struct Unfinished {
    temporary: PathBuf,
    /// What it is called by who asked for it, and what will be replaced: another name where that is a link.
    path: PathBuf,
    target: PathBuf,
    /// Kept where a write may fail after it has returned.
    remote: Option<File>,
}

impl Output {
    /// An image whose main file is `path`; `replace`: also when it is there.
    #[must_use]
    pub fn new(path: &Path, replace: bool) -> Self {
        Self { path: path.to_owned(), replace, keep: Vec::new(), files: Vec::new() }
    }

    /// Never replaces `files`, under whatever name.
    #[must_use]
    pub fn keep(mut self, files: &[PathBuf]) -> Self {
        self.keep = files.iter().filter_map(|file| file.canonicalize().ok()).collect();
        self
    }

    /// The main file.
    ///
    /// # Errors
    /// When it cannot be made, or exists and may not be replaced.
    pub fn main(&mut self) -> Result<OutFile, ExportError> {
        let path = self.path.clone();
        self.create(&path)
    }

    /// The file beside the main one whose name ends in `suffix` instead of the extension: its name, and the file.
    ///
    /// # Errors
    /// When it cannot be made, or exists and may not be replaced.
    pub fn beside(&mut self, suffix: &str) -> Result<(String, OutFile), ExportError> {
        let mut name = self.path.file_stem().map(OsStr::to_owned).unwrap_or_default();
        name.push(suffix);
        let file = self.create(&self.path.with_file_name(&name))?;
        Ok((name.to_string_lossy().into_owned(), file))
    }

    fn create(&mut self, path: &Path) -> Result<OutFile, ExportError> {
        let failed = |error| ExportError::File(path.display().to_string(), error);
        if !self.replace && fs::symlink_metadata(path).is_ok() {
            return Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, "exists already (--force replaces it)")));
        }
        if path.canonicalize().is_ok_and(|there| self.keep.contains(&there)) {
            return Err(failed(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "is the image that is read; choose another name",
            )));
        }
        let target = destination(path).map_err(failed)?;
        let mut name = OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".spindle-{}.partial", std::process::id()));
        let temporary = target.with_file_name(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&temporary).map_err(failed)?;
        // Among the files first, so that it goes with them if what follows fails.
        self.files.push(Unfinished { temporary, path: path.to_owned(), target, remote: None });
        if let Some(last) = self.files.last_mut()
            && is_remote_file(&file).map_err(failed)?
        {
            last.remote = Some(file.try_clone().map_err(failed)?);
        }
        Ok(BufWriter::with_capacity(BUFFER, file))
    }

    /// Gives every file its name; the main file, which names the others, last. Returns them, the main file first.
    ///
    /// # Errors
    /// When a file cannot be renamed, or a server did not take all of it.
    pub fn finish(mut self) -> Result<Vec<PathBuf>, ExportError> {
        self.files.sort_by_key(|file| file.path == self.path);
        let failed = |path: &Path, error| ExportError::File(path.display().to_string(), error);
        for Unfinished { path, remote, .. } in &self.files {
            remote.as_ref().map_or(Ok(()), File::sync_all).map_err(|error| failed(path, error))?;
        }
        let mut done = Vec::new();
        while let Some(Unfinished { temporary, path, target, .. }) = self.files.first() {
            fs::rename(temporary, target).map_err(|error| failed(path, error))?;
            done.push(self.files.remove(0).path);
        }
        done.rotate_right(1);
        Ok(done)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        for Unfinished { temporary, .. } in &self.files {
            // Nothing more can be done about a file that does not go away.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// The file to put in place of what is called `path`: where a link leads.
///
/// # Errors
/// When something is there that is no regular file, such as a device: replacing it would take it away from everybody.
pub fn destination(path: &Path) -> io::Result<PathBuf> {
    match fs::metadata(path) {
        Ok(there) if there.is_file() => path.canonicalize(),
        Ok(_) => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "is there and is no regular file; choose another name"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            Ok(path.to_owned())
        }
        Err(error) => Err(error),
    }
}

/// The error of a file called `name`.
pub fn file_error(name: &str) -> impl Fn(io::Error) -> ExportError + '_ {
    move |error| ExportError::File(name.to_owned(), error)
}
