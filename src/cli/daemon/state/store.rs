//! Files that the service manager keeps open for the drives, each once.
//!
//! systemd drops a descriptor whose open file it has already, without a word; where its kernel cannot compare open files, also one whose
//! inode it has. So a file is stored under one name, made of device and inode, which tell files apart for as long as they are open: all
//! drives that have the file use it, by whatever descriptors it came, and the last of them has it forgotten.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::warn;

use crate::image::OriginFile;
use crate::source::FileIdentity;
use crate::sys::service::{Manager, PATIENCE};

/// What names of descriptors begin with that are kept for drives.
pub const STORED: &str = "spindle.";

/// What is kept for the drives of this process.
#[derive(Debug)]
pub struct Store {
    manager: Option<Arc<Manager>>,
    /// How many files of discs are kept under a name. Held while the manager is told, which then learns of everything in order.
    users: Mutex<HashMap<String, usize>>,
    /// How long one of the calls below may wait for the manager.
    patience: Duration,
}

impl Store {
    /// Nothing is kept where there is no service manager.
    pub fn new(manager: Option<Arc<Manager>>) -> Self {
        Self { manager, users: Mutex::default(), patience: PATIENCE }
    }

    fn users(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has files kept that are open; the names of those that are, in the same order.
    pub fn keep(&self, files: &[OriginFile]) -> Vec<Option<String>> {
        let mut users = self.users();
        let until = Instant::now() + self.patience;
        let keep = |file: &OriginFile| {
            let (manager, open) = self.manager.as_ref().zip(file.file.as_ref())?;
            let name = name_of(file.identity);
            if !users.contains_key(&name) {
                manager.store(&name, open.as_fd(), until).ok()?;
            }
            *users.entry(name.clone()).or_default() += 1;
            Some(name)
        };
        files.iter().map(keep).collect()
    }

    /// These were kept by the process before this one, and are used again.
    pub fn has<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let mut users = self.users();
        names.for_each(|name| *users.entry(name.to_owned()).or_default() += 1);
    }

    /// Whether somebody uses it.
    pub fn is_used(&self, name: &str) -> bool {
        self.users().contains_key(name)
    }

    /// As many users of these are gone; what nobody uses is forgotten.
    pub fn let_go<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let mut users = self.users();
        let until = Instant::now() + self.patience;
        for name in names {
            if let Some(count @ 2..) = users.get_mut(name) {
                *count -= 1;
                continue;
            }
            users.remove(name);
            if let Some(Err(error)) = self.manager.as_ref().map(|manager| manager.forget(name, until)) {
                warn!("the service manager keeps {name} open: {error}");
            }
        }
    }
}

fn name_of(identity: FileIdentity) -> String {
    let (device, inode) = identity.place();
    format!("{STORED}{device:x}.{inode:x}")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::os::unix::net::UnixDatagram;

    use super::*;

    fn open_file() -> OriginFile {
        let file = tempfile::tempfile().unwrap();
        let identity = FileIdentity::of(&file).unwrap();
        OriginFile { name: b"disc.iso".to_vec(), path: None, identity, file: Some(Arc::new(file)) }
    }

    /// Drives wait for this with their states half kept: for one message as long as for a thousand.
    #[test]
    fn all_files_of_a_disc_wait_together_for_a_manager_that_does_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_nonblocking(true).unwrap();
        let manager = Arc::new(Manager::at(folder.path().join("notify").as_os_str()).unwrap());
        let store = Store { patience: Duration::ZERO, ..Store::new(Some(manager)) };
        assert_eq!(store.keep(&[open_file(), open_file()]), [None, None]);
        store.let_go(["spindle.1.2", "spindle.1.3"].into_iter());
        assert_eq!(
            socket.recv(&mut [0; 64]).unwrap_err().kind(),
            io::ErrorKind::WouldBlock,
            "nothing is sent too late"
        );
        let store = Store { patience: PATIENCE, ..store };
        assert!(store.keep(&[open_file()])[0].as_ref().is_some_and(|name| store.is_used(name)));
        assert!(socket.recv(&mut [0; 64]).is_ok());
    }
}
