//! The simplest devices that there could be: they take for granted that all chains are as this program makes them, and check nothing.
//! One looks at its one ring without end and copies from a mapping: what it takes beyond the copying is what a request costs that goes from
//! one processor to another and back; no back-end of a process of its own gets below that. The other reads a file that is not in memory.

use std::collections::VecDeque;
use std::fs::File;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use vm_memory::{FileOffset, MmapRegion, VolatileMemory};
use vmm_sys_util::eventfd::EventFd;

use super::Failure;
use super::load;
use super::memory::Memory;
use super::options::Options;
use super::plan::Plan;
use super::report::Report;
use super::ring::{Device, Ring};
use super::session::{Call, Session};

/// Bytes of a block of a disc.
const BLOCK: usize = 2048;
const PAGE: u64 = 4096;
/// The driver is called for so many requests that were read from storage, or for the last.
const TO_A_CALL: usize = 16;

/// What is read, and in which order.
struct Work {
    file: File,
    len: usize,
    sector: usize,
    plan: Plan,
}

impl Work {
    fn new(options: &Options, path: &Path, call: bool) -> Result<Self, Failure> {
        if options.queues != 1 || options.segment.is_some() || options.call != call {
            let calls = if call { "calls" } else { "no calls" };
            return Err(format!("this floor of rings has one ring, whole buffers and {calls}").into());
        }
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let len = usize::try_from(file.metadata()?.len())?;
        let sector = options.command.sector(BLOCK);
        let plan = Plan::new(options, u32::try_from(len / sector)?, sector)?;
        Ok(Self { file, len, sector, plan })
    }
}

/// Loads the first with what the options ask for.
///
/// # Errors
/// When the file cannot be mapped, or has no room for a request.
pub fn run(options: &Options, path: &Path) -> Result<Report, Failure> {
    let Work { file, len, sector, plan } = Work::new(options, path, false)?;
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

/// Loads the second with what the options ask for.
///
/// # Errors
/// When the file has no room for a request.
pub fn run_cold(options: &Options, path: &Path) -> Result<Report, Failure> {
    let Work { file, sector, plan, .. } = Work::new(options, path, true)?;
    let mut session = Session::within(options)?;
    let Ring { descriptors_at, available_at, used_at, size, .. } = session.rings[0];
    let kick = Call::through(session.rings[0].kick.try_clone()?)?;
    let call = session.call.as_ref().map(|call| call.event.try_clone()).transpose()?.ok_or("a driver that polls")?;
    let (memory, over) = (session.memory, AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let device = Device::new(memory, descriptors_at, available_at, used_at, size);
            let mut cold = Cold { file, sector, memory, device, named: VecDeque::new() };
            while !over.load(Ordering::Relaxed) {
                if let Err(error) = cold.turn(&kick, &call) {
                    // The driver would wait for ever.
                    eprintln!("drive: {error}");
                    std::process::exit(1);
                }
            }
        });
        let report = load::measure(options, &mut session, plan);
        over.store(true, Ordering::Relaxed);
        kick.event.write(1)?;
        report
    })
}

/// A device for a file that is not in memory.
struct Cold {
    file: File,
    sector: usize,
    memory: Memory,
    device: Device,
    /// Heads of chains that have been named, where they read, and their buffers for data.
    named: VecDeque<(u16, u64, (u64, usize))>,
}

impl Cold {
    /// Carries out so many requests as the driver is called for at once, or waits until there is one.
    fn turn(&mut self, kick: &Call, call: &EventFd) -> std::io::Result<()> {
        self.name()?;
        if self.named.is_empty() {
            if !self.device.ask_for_kick(true) {
                kick.wait(None)?;
            }
            self.device.ask_for_kick(false);
            return Ok(());
        }
        for _ in 0..TO_A_CALL {
            let Some((head, at, (to, len))) = self.named.pop_front() else { break };
            let mut bytes = vec![0; len];
            self.file.read_exact_at(&mut bytes, at)?;
            self.memory.write(to, &bytes);
            self.device.put(head, 108 + len as u32);
            self.name()?;
        }
        call.write(1)
    }

    /// Names what is new in the ring.
    fn name(&mut self) -> std::io::Result<()> {
        while let Some(head) = self.device.take() {
            let [header, response, data] = self.device.buffers(self.memory, head);
            let mut lba = [0; 4];
            self.memory.read(header.0 + 21, &mut lba);
            self.memory.write(response.0, &[0; 12]);
            let at = u64::from(u32::from_be_bytes(lba)) * self.sector as u64;
            let page = at / PAGE * PAGE;
            let pages = NonZeroU64::new(at + data.1 as u64 - page);
            rustix::fs::fadvise(&self.file, page, pages, rustix::fs::Advice::WillNeed)?;
            self.named.push_back((head, at, data));
        }
        Ok(())
    }
}
