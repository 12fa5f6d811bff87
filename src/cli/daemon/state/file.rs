//! The file of one drive, written with every change.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use log::error;

use super::record::{FileRecord, MediumRecord, Names, Record, asked, hexadecimal};
use super::slots::Slots;
use super::{STORED, forget};
use crate::drive::{Identity, Keeper, Kept, Medium};
use crate::image::OriginFile;
use crate::sys::service::Manager;

/// The file, before its drive is made.
#[derive(Debug)]
pub struct StateFile {
    pub(super) name: String,
    pub(super) manager: Option<Arc<Manager>>,
    pub(super) current: Mutex<Current>,
}

#[derive(Debug)]
pub(super) struct Current {
    pub slots: Slots,
    /// The medium that `record` describes.
    pub medium: Option<Arc<Medium>>,
    pub record: Option<MediumRecord>,
    pub generation: u64,
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
    pub(super) fn holds(&self, medium: Arc<Medium>, record: MediumRecord) {
        let mut current = self.current();
        (current.medium, current.record) = (Some(medium), Some(record));
    }

    /// What keeps the drive with these names, for which the command line asks for `image`.
    #[must_use]
    pub fn keeper(self, identity: &Identity, image: Option<&Path>) -> Arc<dyn Keeper> {
        Arc::new(FileKeeper { file: self, asked: image.map(asked), identity: Names::of(identity) })
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Describes a medium; files that somebody else opened are given to the service manager first.
    fn describe(&self, medium: &Medium, generation: &mut u64) -> MediumRecord {
        // What a damaged file says of it may be anything.
        *generation = generation.wrapping_add(1);
        let mut store = |(index, file): (usize, &OriginFile)| {
            let name = format!("{STORED}{}.{generation}.{index}", self.name);
            let stored = self.manager.as_ref().zip(file.file.as_ref()).map(|(to, file)| to.store(&name, file.as_fd()));
            // What cannot be stored may still be found by its path.
            FileRecord::of(file, stored.and_then(Result::ok).map(|()| name))
        };
        let files = medium.origin.files.iter().enumerate().map(&mut store).collect();
        let (locator, format, spool) = (medium.locator.clone(), medium.format.to_owned(), medium.origin.spool);
        MediumRecord { locator, format, spool, files }
    }
}

impl Keeper for FileKeeper {
    fn keep(&self, kept: &Kept, medium: Option<&Arc<Medium>>, notes: &BTreeMap<u16, Vec<u8>>) {
        let mut current = self.file.current();
        let Current { slots, medium: known, record, generation, failed } = &mut *current;
        let before = if known.as_ref().map(Arc::as_ptr) == medium.map(Arc::as_ptr) {
            None
        } else {
            *known = medium.cloned();
            std::mem::replace(record, medium.map(|medium| self.file.describe(medium, generation)))
        };
        let whole = Record {
            identity: self.identity.clone(),
            asked: self.asked.clone(),
            drive: kept.clone(),
            medium: record.clone(),
            notes: notes.iter().map(|(&key, note)| (key, hexadecimal(note))).collect(),
            generation: *generation,
        };
        let written = serde_json::to_vec(&whole).map_err(Into::into).and_then(|bytes| slots.write(&bytes));
        if let Err(error) = &written
            && !*failed
        {
            error!("the state of drive {} cannot be kept, a restart finds an older one: {error}", self.file.name);
        }
        *failed = written.is_err();
        // Not before: until then the file named them. As long as it does, the next start finds them; what it has no name for it gives up.
        if written.is_ok() {
            before.iter().flat_map(MediumRecord::stored).for_each(|name| forget(self.file.manager.as_deref(), name));
        }
    }
}
