//! Opening an image so that its files can be passed on, or found again.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::{ImageError, OpenOptions, Opened, open_with};
use crate::source::siblings::Folder;
use crate::source::{FileSource, SharedSource, Siblings};

/// An image opened with the files kept that it is made of, so that they can be passed on.
pub struct Passable {
    /// The image itself.
    pub file: File,
    /// The files that it names, by name.
    pub companions: Vec<(Vec<u8>, File)>,
    /// What it is.
    pub opened: Opened,
}

/// Opens the image at `path`, keeping its files.
///
/// # Errors
/// When it cannot be opened; the error names the file.
pub fn open_passable(path: &Path, options: &OpenOptions<'_>) -> Result<Passable, ImageError> {
    let open = || {
        let source = FileSource::open(path).map_err(ImageError::io)?;
        let file = source.file().try_clone().map_err(ImageError::io)?;
        let folder = Folder::of(path, options.allow_outside).map_err(ImageError::io)?;
        let siblings = Arc::new(Recording { folder, files: Mutex::default() });
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let opened = open_with(Arc::new(source), &name, Arc::clone(&siblings) as _, options)?;
        let mut files = std::mem::take(&mut *siblings.files.lock().unwrap_or_else(PoisonError::into_inner));
        // Only what the format kept belongs to the image, not what was looked at.
        files.retain(|(name, _)| opened.companions.iter().any(|companion| companion.name == *name));
        Ok(Passable { file, companions: files, opened })
    };
    open().map_err(|error: ImageError| error.in_file(path.display().to_string()))
}

/// A folder that keeps what was opened in it.
#[derive(Debug)]
struct Recording {
    folder: Folder,
    files: Mutex<Vec<(Vec<u8>, File)>>,
}

impl Siblings for Recording {
    fn open(&self, name: &[u8]) -> io::Result<SharedSource> {
        let file = self.folder.open_file(name)?;
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if !files.iter().any(|(known, _)| known == name) {
            files.push((name.to_vec(), file.try_clone()?));
        }
        Ok(Arc::new(FileSource::from_file(file)?))
    }

    fn look_at(&self, name: &[u8]) -> io::Result<SharedSource> {
        self.folder.open(name)
    }

    fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        self.folder.names()
    }
}
