//! The file of one drive, written with every change.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use log::error;

use super::record::{FileRecord, MediumRecord, Names, Record, asked, hexadecimal};
use super::slots::Slots;
use super::store::Store;
use crate::drive::{Identity, Keeper, Kept, Medium};

/// The file, before its drive is made.
#[derive(Debug)]
pub struct StateFile {
    pub(super) name: String,
    pub(super) store: Arc<Store>,
    pub(super) current: Mutex<Current>,
}

#[derive(Debug)]
pub(super) struct Current {
    pub slots: Slots,
    /// The medium that `record` describes. Not held here: it is the drive's.
    pub medium: Weak<Medium>,
    pub record: Option<MediumRecord>,
    /// What the file says in place of `record`, which could not be written.
    pub superseded: Option<MediumRecord>,
    /// It could not be written, and that was said.
    pub failed: bool,
}

/// Keeps a drive in its file.
struct FileKeeper {
    file: StateFile,
    asked: Option<String>,
    identity: Names,
}

impl StateFile {
    /// The medium that `record` describes is in the drive.
    pub(super) fn holds(&self, medium: &Arc<Medium>, record: MediumRecord) {
        self.store.has(record.stored());
        let mut current = self.current();
        (current.medium, current.record) = (Arc::downgrade(medium), Some(record));
    }

    /// What keeps the drive with these names, for which the command line asks for `image`.
    #[must_use]
    pub fn keeper(self, identity: &Identity, image: Option<&Path>) -> Arc<dyn Keeper> {
        Arc::new(FileKeeper { file: self, asked: image.map(asked), identity: Names::of(identity) })
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing will open the files of this record again.
    fn let_go(&self, record: Option<&MediumRecord>) {
        self.store.let_go(record.into_iter().flat_map(MediumRecord::stored));
    }

    /// Describes a medium; files that somebody else opened are given to the service manager first.
    fn describe(&self, medium: &Medium) -> MediumRecord {
        let files = &medium.origin.files;
        // What cannot be stored may still be found by its path.
        let files =
            files.iter().zip(self.store.keep(files)).map(|(file, stored)| FileRecord::of(file, stored)).collect();
        let (locator, format, spool) = (medium.locator.clone(), medium.format.to_owned(), medium.origin.spool);
        MediumRecord { locator, format, spool, files }
    }
}

impl Keeper for FileKeeper {
    fn keep(&self, kept: &Kept, medium: Option<&Arc<Medium>>, notes: &BTreeMap<u16, Vec<u8>>) -> bool {
        let mut current = self.file.current();
        let Current { slots, medium: known, record, superseded, failed } = &mut *current;
        let medium_or_none = medium.map_or_else(Weak::new, Arc::downgrade);
        if !known.ptr_eq(&medium_or_none) {
            *known = medium_or_none;
            let before = std::mem::replace(record, medium.map(|medium| self.file.describe(medium)));
            // As long as the file names them, the next start finds its files; what it has no name for it gives up.
            match superseded {
                None => *superseded = before,
                Some(_) => self.file.let_go(before.as_ref()),
            }
        }
        let whole = Record {
            identity: self.identity.clone(),
            asked: self.asked.clone(),
            drive: kept.clone(),
            medium: record.clone(),
            notes: notes.iter().map(|(&key, note)| (key, hexadecimal(note))).collect(),
        };
        let written = serde_json::to_vec(&whole).map_err(Into::into).and_then(|bytes| slots.write(&bytes));
        if let Err(error) = &written
            && !*failed
        {
            error!("the state of drive {} cannot be kept, a restart finds an older one: {error}", self.file.name);
        }
        *failed = written.is_err();
        if written.is_ok() {
            self.file.let_go(superseded.take().as_ref());
        }
        written.is_ok()
    }
}
