//! The log of dirty pages that a front-end gives the back-end while the machine migrates.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use vhost::{VhostBackend, VhostUserDirtyLogRegion};

use super::guest::{END, Guest};

/// VHOST_F_LOG_ALL.
const LOG_ALL: u64 = 1 << 26;
/// Bytes that a bit stands for.
pub const PAGE: u64 = 4096;

pub struct DirtyLog {
    bits: File,
}

impl DirtyLog {
    /// Has every write logged from now on. There is room for as much memory again as the guest has.
    pub fn begin(guest: &mut Guest) -> Self {
        let bits = File::from(memfd_create("log", MemfdFlags::CLOEXEC).unwrap());
        let mmap_size = 2 * END / PAGE / 8;
        ftruncate(&bits, mmap_size).unwrap();
        let region = VhostUserDirtyLogRegion { mmap_size, mmap_offset: 0, mmap_handle: bits.as_raw_fd() };
        guest.frontend.set_log_base(0, Some(region)).unwrap();
        let log = Self { bits };
        log.go_on(guest);
        log
    }

    /// The migration is called off.
    pub fn end(guest: &mut Guest) {
        guest.take_features(guest.features() & !LOG_ALL);
    }

    /// Logs again, in the same memory.
    pub fn go_on(&self, guest: &mut Guest) {
        guest.take_features(guest.features() | LOG_ALL);
    }

    /// The pages that were marked since the last time; their marks are gone. Nothing may be marked meanwhile.
    pub fn take(&self) -> BTreeSet<u64> {
        let mut bits = vec![0; self.bits.metadata().unwrap().len() as usize];
        self.bits.read_exact_at(&mut bits, 0).unwrap();
        self.bits.write_all_at(&vec![0; bits.len()], 0).unwrap();
        let pages = 0..bits.len() as u64 * 8;
        pages.filter(|page| bits[(page / 8) as usize] >> (page % 8) & 1 == 1).collect()
    }

    /// Cuts its file off.
    pub fn cut_off(&self) {
        ftruncate(&self.bits, 0).unwrap();
    }
}
