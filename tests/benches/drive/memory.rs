//! The guest's memory: rings first, then for each request its header, response, indirect table and data.

use std::fs::File;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use vm_memory::{FileOffset, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, VolatileSlice};

use super::Failure;

/// A piece of the guest's memory. The other side may change it at any time, so it is only ever copied.
pub type Piece = VolatileSlice<'static, ()>;

/// Data buffers start at pages.
const PAGE: u64 = 4096;
/// What a request takes beside its data and its indirect table: 51 bytes of header and 108 of response, apart.
const HEADS: u64 = 256;

/// Where the parts of one request lie.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub header: u64,
    pub response: u64,
    pub table: u64,
    pub data: u64,
}

/// Memory of its own, which lives as long as the process: the rings' parts are looked up once.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub guest: &'static GuestMemoryMmap<()>,
    places: u64,
    stride: u64,
    table: u64,
}

impl Memory {
    /// Room for `rings` bytes of rings and `requests` requests of `data` bytes, each with `descriptors` descriptors.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(rings: u64, requests: u64, data: usize, descriptors: u64) -> Result<Self, Failure> {
        let places = rings.next_multiple_of(PAGE);
        let table = 16 * descriptors;
        let stride = (HEADS + table).next_multiple_of(PAGE) + (data as u64).next_multiple_of(PAGE);
        let size = places + requests * stride;
        let file = File::from(memfd_create("guest", MemfdFlags::CLOEXEC)?);
        ftruncate(&file, size)?;
        let region = (GuestAddress(0), usize::try_from(size)?, Some(FileOffset::new(file, 0)));
        let guest = Box::leak(Box::new(GuestMemoryMmap::from_ranges_with_files([region])?));
        let memory = Self { guest, places, stride, table };
        // Every page is there before anything is measured.
        let all = memory.slice(0, usize::try_from(size)?);
        for at in (0..all.len()).step_by(PAGE as usize) {
            all.subslice(at, 1)?.copy_from(&[0_u8]);
        }
        Ok(memory)
    }

    /// The parts of request `index`.
    pub fn place(&self, index: u64) -> Place {
        let header = self.places + index * self.stride;
        let table = header + HEADS;
        Place { header, response: header + 64, table, data: (table + self.table).next_multiple_of(PAGE) }
    }

    /// A piece of it, which must be inside.
    pub fn slice(&self, at: u64, len: usize) -> Piece {
        self.guest.get_slice(GuestAddress(at), len).expect("a piece of the guest's memory")
    }

    /// Copies `bytes` to `at`.
    pub fn write(&self, at: u64, bytes: &[u8]) {
        self.slice(at, bytes.len()).copy_from(bytes);
    }

    /// Copies from `at`.
    pub fn read(&self, at: u64, bytes: &mut [u8]) {
        self.slice(at, bytes.len()).copy_to(bytes);
    }
}
