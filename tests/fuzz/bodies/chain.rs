//! A guest that writes what it likes into its rings: virtio-scsi requests in any chain of descriptors.
//!
//! The input is the guest's memory from address 0: a table of descriptors, the available ring, and data; its first byte
//! also chooses the queue. Shared by the fuzz target and by `tests/it/fuzz.rs`.

use std::sync::{Arc, LazyLock};

use spindle::drive::{Drive, Identity, Medium, Tray};
use spindle::image::{OpenOptions, Origin, open_source};
use spindle::scsi::{LogicalUnit, Nexus, Target};
use spindle::source::MemorySource;
use spindle::sys::memory::{GuestMemory, anonymous};
use spindle::virtio::chain::Chain;
use spindle::virtio::split::Split;
use spindle::virtio::{control, request};
use virtio_queue::{Queue, QueueT};
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
    static MEDIUM: LazyLock<Arc<Medium>> = LazyLock::new(|| {
        let opened = open_source(Arc::new(MemorySource::new(vec![7; 64 * 2048])), &OpenOptions::default())
            .expect("any bytes are a plain image");
        Arc::new(Medium {
            disc: opened.disc,
            locator: String::new(),
            format: opened.format.id,
            origin: Origin::default(),
            remote: false,
        })
    });
    let drive = Drive::new(Identity::named("cd0"), Tray::Closed);
    drive.change_medium(Arc::clone(&MEDIUM), false).expect("nobody holds a lock");
    let target = Target::new(vec![Arc::new(drive) as Arc<dyn LogicalUnit>]);

    let mut queue = Queue::new(SIZE).expect("a power of two");
    queue.set_desc_table_address(Some(0), Some(0));
    queue.set_avail_ring_address(Some(AVAILABLE), Some(0));
    queue.set_used_ring_address(Some(USED), Some(0));
    queue.set_ready(true);
    let ring = Split::new(&memory, &queue).expect("inside the memory");
    let serve = if input.first().is_some_and(|byte| byte & 1 != 0) { manage } else { carry_out };
    let mut chain = Chain::default();
    for position in 0..ring.available().min(SIZE) {
        let head = ring.head(position);
        chain.walk(&ring, head);
        agrees_with_the_crate(&mut queue, &memory, &chain);
        let writable: usize = chain.writable.iter().map(|piece| piece.len()).sum();
        let outcome = serve(&target, Nexus(0), &chain);
        assert!(outcome.written as usize <= writable);
        ring.put_used(position, head, outcome.written);
        ring.publish(position.wrapping_add(1));
    }
}

/// Where a chain breaks no rule, the back-end crate's own walker finds the same buffers.
fn agrees_with_the_crate(queue: &mut Queue, memory: &GuestMemory, chain: &Chain<'_>) {
    let theirs = queue.pop_descriptor_chain(memory);
    if chain.fault.is_none()
        && let Some(theirs) = theirs
    {
        let theirs = theirs.map(|descriptor| u64::from(descriptor.len())).sum::<u64>();
        let ours = chain.readable.iter().chain(&chain.writable).map(|piece| piece.len() as u64).sum::<u64>();
        assert_eq!(ours, theirs);
    }
}

/// A control request, with nothing in the request queues.
fn carry_out(target: &Target, nexus: Nexus, chain: &Chain<'_>) -> request::Outcome {
    request::execute(target, nexus, chain, &|| false)
}

fn manage(target: &Target, nexus: Nexus, chain: &Chain<'_>) -> request::Outcome {
    control::execute(target, nexus, chain, false)
}
