//! A guest that writes what it likes into its rings: virtio-scsi requests in any chain of descriptors.
//!
//! The input is the guest's memory from address 0: a table of descriptors, the available ring, and data; its first byte
//! also chooses the queue. Shared by the fuzz target and by `tests/it/fuzz.rs`.

use std::sync::Arc;

use spindle::drive::{Drive, Identity, Medium, Tray};
use spindle::image::{OpenOptions, open_source};
use spindle::scsi::{LogicalUnit, Nexus, Target};
use spindle::source::MemorySource;
use spindle::sys::memory::anonymous;
use spindle::virtio::{control, request};
use virtio_queue::{Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress};

const MEMORY: usize = 0x8000;
const SIZE: u16 = 64;
/// `SIZE` descriptors of 16 bytes lie before it.
const AVAILABLE: u32 = 0x400;
/// The device's own ring, out of the input's way.
const USED: u32 = 0x7000;

/// Serves every chain that the ring offers, as the daemon does.
pub fn run(input: &[u8]) {
    let memory = anonymous(MEMORY).expect("a few pages of memory");
    let input = &input[..input.len().min(USED as usize)];
    memory.write_slice(input, GuestAddress(0)).expect("inside the memory");
    let drive = Drive::new(Identity::named("cd0"), Tray::Closed);
    let opened = open_source(Arc::new(MemorySource::new(vec![7; 64 * 2048])), &OpenOptions::default())
        .expect("any bytes are a plain image");
    let medium = Medium { disc: opened.disc, locator: String::new(), format: opened.format.id };
    drive.change_medium(Arc::new(medium), false).expect("nobody holds a lock");
    let target = Target::new(vec![Arc::new(drive) as Arc<dyn LogicalUnit>]);

    let mut queue = Queue::new(SIZE).expect("a power of two");
    queue.set_desc_table_address(Some(0), Some(0));
    queue.set_avail_ring_address(Some(AVAILABLE), Some(0));
    queue.set_used_ring_address(Some(USED), Some(0));
    queue.set_ready(true);
    let Ok(chains) = queue.iter(&memory) else { return };
    let serve = if input.first().is_some_and(|byte| byte & 1 != 0) { control::execute } else { request::execute };
    for chain in chains.take(usize::from(SIZE)).collect::<Vec<_>>() {
        let writable: u64 = chain.clone().writable().map(|descriptor| u64::from(descriptor.len())).sum();
        let outcome = serve(&target, Nexus(0), &memory, chain);
        assert!(u64::from(outcome.written) <= writable);
    }
}
