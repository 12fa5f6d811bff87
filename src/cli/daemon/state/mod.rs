//! `--state-dir`: what drives remember over the end of the daemon.
//!
//! One file for each drive, written before a guest or a client is told of a change. It has no password: an image that needs one asks
//! again. Descriptors that clients passed are kept by the service manager where there is one.

mod file;
mod record;
mod reopen;
mod slots;
mod store;

use std::collections::HashMap;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use log::warn;

use self::file::Current;
pub use self::file::StateFile;
use self::record::{Record, bytes};
pub use self::reopen::{How, Reopening};
use self::slots::{Found, Slots};
pub use self::store::STORED;
use self::store::Store;
use crate::cli::error::{CliError, Exit};
use crate::drive::{Absent, Drive, Identity, Medium};
use crate::sys::service::Manager;

/// The folder, and the descriptors that were kept.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    /// The folder that was looked at, whatever its path leads to meanwhile.
    folder: File,
    spool: PathBuf,
    store: Arc<Store>,
    /// What was kept, by name. Drives that have a file in common share it.
    kept: HashMap<String, Arc<File>>,
}

impl StateFolder {
    /// Opens or makes the folder, which must be this user's alone: the next daemon opens what the files in it name.
    ///
    /// # Errors
    /// When it cannot be made, or somebody else may enter it.
    pub fn open(
        path: &Path,
        spool: &Path,
        manager: Option<Arc<Manager>>,
        kept: Vec<(String, OwnedFd)>,
    ) -> Result<Self, CliError> {
        let open = || {
            match DirBuilder::new().recursive(true).mode(0o700).create(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            let folder = File::options().read(true).custom_flags(libc::O_DIRECTORY).open(path)?;
            let found = folder.metadata()?;
            if found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o077 != 0 {
                return Err(io::Error::other("is not a private folder of this user (mode 0700)"));
            }
            Ok(folder)
        };
        let folder = open().map_err(|error| refused(path, &error))?;
        let kept = kept.into_iter().map(|(name, file)| (name, Arc::new(File::from(file)))).collect();
        let (path, spool, store) = (path.to_owned(), spool.to_owned(), Arc::new(Store::new(manager)));
        Ok(Self { path, folder, spool, store, kept })
    }

    /// The file of the drive called `name`, and what it says.
    ///
    /// # Errors
    /// When another daemon uses it, or it cannot be opened.
    pub fn drive(&self, name: &str) -> Result<(StateFile, Option<Remembered>), CliError> {
        let name_of_file = format!("{name}.state");
        let path = self.path.join(&name_of_file);
        let (slots, found) = Slots::open(self.folder.as_fd(), &name_of_file).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => refused(&path, &io::Error::other("is in use by another spindled")),
            _ => refused(&path, &error),
        })?;
        let record = match found {
            Found::Nothing => None,
            Found::Record(record) => serde_json::from_slice::<Record>(&record).ok().or_else(|| garbage(&path)),
            Found::Garbage => garbage(&path),
        };
        let file = StateFile {
            name: name.to_owned(),
            store: Arc::clone(&self.store),
            current: Mutex::new(Current { slots, medium: Weak::new(), record: None, superseded: None, failed: false }),
        };
        Ok((file, record.map(Remembered)))
    }

    /// Has what was kept for no drive closed.
    pub fn finish(self) {
        let unused: Vec<_> = self.kept.keys().filter(|name| !self.store.is_used(name)).collect();
        self.store.let_go(unused.into_iter().map(String::as_str));
    }
}

fn refused(path: &Path, error: &io::Error) -> CliError {
    CliError::new(Exit::Failure, format!("--state-dir: {}: {error}", path.display()))
}

fn garbage<T>(path: &Path) -> Option<T> {
    warn!("{} is damaged, or of another version of Spindle: its drive starts anew", path.display());
    None
}

/// What a drive's file said when the daemon started.
#[derive(Debug)]
pub struct Remembered(Record);

impl Remembered {
    /// Whether the command line asked for this image then. If it asks for another now, that is what its writer wants.
    pub fn asked_for(&self, image: Option<&Path>) -> bool {
        self.0.asked == image.map(record::asked)
    }

    /// Where those files of its disc are, as far as that is known, that nobody has kept open.
    pub fn files(&self, folder: &StateFolder) -> Vec<PathBuf> {
        self.0.medium.iter().flat_map(|medium| medium.paths(&folder.kept)).collect()
    }

    /// The names that the drive had.
    pub fn identity(&self, name: &str) -> Identity {
        let was = &self.0.identity;
        let mut identity = Identity::named(name);
        for (was, most, field) in [
            (&was.vendor, 8, &mut identity.vendor),
            (&was.product, 16, &mut identity.product),
            (&was.revision, 4, &mut identity.revision),
            (&was.serial, 20, &mut identity.serial),
        ] {
            if !was.is_empty() && was.len() <= most && was.bytes().all(|byte| (0x20..0x7F).contains(&byte)) {
                field.clone_from(was);
            }
        }
        identity
    }

    /// Begins to open its disc, if it had one.
    pub fn reopen(&self, folder: &StateFolder, how: &How) -> Option<Reopening> {
        let record = self.0.medium.clone()?;
        let origin = record.origin(&folder.kept);
        // Whoever put it in had allowed that.
        let spool = record.spool.then(|| folder.spool.clone());
        Some(Reopening::begin(record, origin, spool, how.clone()))
    }

    /// The same for a disc whose storage does not answer, which is not asked again.
    pub fn unanswered(&self) -> Option<Reopening> {
        self.0.medium.as_ref().map(|record| Reopening::unanswered(&record.locator))
    }

    /// The drive as it was, with its medium if that could be had.
    pub fn restore(
        self,
        drive: Drive,
        file: &StateFile,
        folder: &StateFolder,
        medium: Option<Result<Arc<Medium>, Absent>>,
    ) -> Drive {
        let Record { drive: kept, medium: record, notes, .. } = self.0;
        let medium = medium.transpose();
        match (&medium, record) {
            (Ok(Some(medium)), Some(mut record)) => {
                record.forget_lost(&folder.kept);
                file.holds(medium, record);
            }
            (Err(absent), _) => warn!("{} is not put into its drive again: {}", absent.locator, absent.reason),
            _ => {}
        }
        let notes = notes.into_iter().filter_map(|(key, note)| Some((key, bytes(&note)?))).collect();
        drive.restored(&kept, medium, notes)
    }
}
