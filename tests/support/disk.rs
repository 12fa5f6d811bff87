//! A small disk, to be full.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tempfile::TempDir;

/// A file system of its own, empty. It is gone with this; mounting needs root.
pub struct SmallDisk(pub TempDir);

impl SmallDisk {
    /// With room for so many bytes, of whole pages.
    pub fn new(bytes: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let size = std::ffi::CString::new(format!("size={bytes}")).unwrap();
        mount("spindle-test", folder.path(), "tmpfs", MountFlags::empty(), &*size)
            .unwrap_or_else(|error| panic!("mounting a disk needs root: {error}"));
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left, in a file of this name.
    pub fn fill(&self, name: &str) {
        let mut file = File::create(self.path().join(name)).unwrap();
        let full = loop {
            if let Err(error) = file.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nothing that a test could do about it.
        let _ = unmount(self.path(), UnmountFlags::DETACH);
    }
}
