//! The simplest device that there could be: it takes for granted that all chains are as this program makes them, checks nothing, and
//! looks at its one ring without end. What it takes beyond the copying is what a request costs that goes from one processor to another
//! and back; no back-end of a process of its own gets below that.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use vm_memory::{FileOffset, MmapRegion, VolatileMemory};

use super::Failure;
use super::load;
use super::memory::Memory;
use super::options::Options;
use super::plan::Plan;
use super::report::Report;
use super::ring::{Device, Ring};
use super::session::Session;

/// Bytes of a block of a disc.
const BLOCK: usize = 2048;

/// Loads such a device with what the options ask for.
///
/// # Errors
/// When the file cannot be mapped, or has no room for a request.
pub fn run(options: &Options, path: &Path) -> Result<Report, Failure> {
    if options.queues != 1 || options.segment.is_some() || options.call {
        return Err("the floor of rings has one ring, whole buffers and no calls".into());
    }
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let len = usize::try_from(file.metadata()?.len())?;
    let sector = options.command.sector(BLOCK);
    let plan = Plan::new(options, u32::try_from(len / sector)?, sector)?;
    let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
    let image = MmapRegion::<()>::build(Some(FileOffset::new(file, 0)), len, libc::PROT_READ, flags)?;
    let mut session = Session::within(options)?;
    let Ring { descriptors_at, available_at, used_at, size, .. } = session.rings[0];
    let (memory, over) = (session.memory, AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut device = Device::new(memory, descriptors_at, available_at, used_at, size);
            while !over.load(Ordering::Relaxed) {
                match device.take() {
                    Some(chain) => serve(memory, &image, sector, &mut device, chain),
                    None => std::hint::spin_loop(),
                }
            }
        });
        let report = load::measure(options, &mut session, plan);
        over.store(true, Ordering::Relaxed);
        report
    })
}

/// Carries out the READ in a chain.
fn serve(memory: Memory, image: &MmapRegion<()>, sector: usize, device: &mut Device, head: u16) {
    let [header, response, data] = device.buffers(memory, head);
    let mut lba = [0; 4];
    memory.read(header.0 + 21, &mut lba);
    let from = image.get_slice(u32::from_be_bytes(lba) as usize * sector, data.1).expect("a place in the file");
    from.copy_to_volatile_slice(memory.slice(data.0, data.1));
    memory.write(response.0, &[0; 12]);
    device.put(head, 108 + data.1 as u32);
}
