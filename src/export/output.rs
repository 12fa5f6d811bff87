//! The files that are written: under temporary names until all are there.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::ExportError;

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
    /// Temporary and final names, in the order of their making.
    files: Vec<(PathBuf, PathBuf)>,
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
        self.create(path)
    }

    /// The file beside the main one whose name ends in `suffix` instead of the extension: its name, and the file.
    ///
    /// # Errors
    /// When it cannot be made, or exists and may not be replaced.
    pub fn beside(&mut self, suffix: &str) -> Result<(String, OutFile), ExportError> {
        let mut name = self.path.file_stem().map(OsStr::to_owned).unwrap_or_default();
        name.push(suffix);
        let file = self.create(self.path.with_file_name(&name))?;
        Ok((name.to_string_lossy().into_owned(), file))
    }

    fn create(&mut self, path: PathBuf) -> Result<OutFile, ExportError> {
        let failed = |error| ExportError::File(path.display().to_string(), error);
        if !self.replace && fs::symlink_metadata(&path).is_ok() {
            return Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, "exists already (--force replaces it)")));
        }
        if path.canonicalize().is_ok_and(|there| self.keep.contains(&there)) {
            return Err(failed(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "is the image that is read; choose another name",
            )));
        }
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".spindle-{}.partial", std::process::id()));
        let temporary = path.with_file_name(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&temporary).map_err(failed)?;
        self.files.push((temporary, path));
        Ok(BufWriter::with_capacity(BUFFER, file))
    }

    /// Gives every file its name; the main file, which names the others, last. Returns them, the main file first.
    ///
    /// # Errors
    /// When a file cannot be renamed.
    pub fn finish(mut self) -> Result<Vec<PathBuf>, ExportError> {
        self.files.sort_by_key(|(_, path)| *path == self.path);
        let mut done = Vec::new();
        while let Some((temporary, path)) = self.files.first() {
            fs::rename(temporary, path).map_err(|error| ExportError::File(path.display().to_string(), error))?;
            done.push(self.files.remove(0).1);
        }
        done.rotate_right(1);
        Ok(done)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        for (temporary, _) in &self.files {
            // Nothing more can be done about a file that does not go away.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// The error of a file called `name`.
pub fn file_error(name: &str) -> impl Fn(io::Error) -> ExportError + '_ {
    move |error| ExportError::File(name.to_owned(), error)
}
