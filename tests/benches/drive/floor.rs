//! What no back-end gets below: one thread that copies the same ranges into the same memory.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use vm_memory::{FileOffset, MmapRegion, VolatileMemory};

use super::Failure;
use super::histogram::Histogram;
use super::memory::Memory;
use super::options::{Access, Options};
use super::plan::Plan;
use super::process::Process;
use super::report::Report;

/// Bytes of a block of a disc.
const BLOCK: usize = 2048;
const PAGE: usize = 4096;

/// Copies as the options say. Buffers take turns as those of requests in flight do.
///
/// # Errors
/// When the file cannot be read or has no room for a request.
pub fn run(options: &Options, path: &Path) -> Result<Report, Failure> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let len = usize::try_from(file.metadata()?.len())?;
    let sector = options.command.sector(BLOCK);
    let mut plan = Plan::new(options, u32::try_from(len / sector)?, sector)?;
    let buffers = options.queues as u64 * u64::from(options.depth);
    let mut copy = Copy::new(options, file, len, buffers)?;
    if options.warmup > 0.0 && !options.once {
        copy.run(&mut plan, None, Duration::from_secs_f64(options.warmup))?;
        copy.histogram = Histogram::new();
    }
    let limit = if options.once { Some(plan.places()) } else { options.count };
    let (this, start) = (Process::this(), Instant::now());
    let before = this.cpu_seconds()?;
    copy.run(&mut plan, limit, Duration::from_secs_f64(options.seconds))?;
    Ok(Report {
        bytes: copy.histogram.count() * options.block as u64,
        histogram: copy.histogram,
        seconds: start.elapsed().as_secs_f64(),
        driver_cpu: this.cpu_seconds()? - before,
        backend_cpu: None,
        resident: None,
        errors: 0,
        mismatches: 0,
        first_error: None,
        stalls: 0,
        idle: None,
    })
}

enum Way {
    /// From a mapping into guest memory.
    Map(MmapRegion<()>),
    /// Into plain buffers of this process, from a page's start on: processors copy to other places at a fraction of the rate.
    Pread(File, Vec<Vec<u8>>),
}

struct Copy {
    way: Way,
    memory: Memory,
    buffers: u64,
    block: usize,
    histogram: Histogram,
}

impl Copy {
    fn new(options: &Options, file: File, len: usize, buffers: u64) -> Result<Self, Failure> {
        let block = options.block;
        let memory = Memory::new(0, buffers, block, 0)?;
        let way = match options.access {
            // The others have a way of their own (`device`).
            Access::Map | Access::Ring | Access::Named => {
                let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
                Way::Map(MmapRegion::build(Some(FileOffset::new(file, 0)), len, libc::PROT_READ, flags)?)
            }
            Access::Pread => Way::Pread(file, (0..buffers).map(|_| vec![0xA5; block + PAGE]).collect()),
        };
        Ok(Self { way, memory, buffers, block, histogram: Histogram::new() })
    }

    fn run(&mut self, plan: &mut Plan, limit: Option<u64>, time: Duration) -> Result<(), Failure> {
        let mut now = Instant::now();
        let end = now + time;
        let mut done = 0;
        while limit.map_or(now < end, |limit| done < limit) {
            let lba = plan.next();
            let offset = plan.offset(lba);
            let buffer = done % self.buffers;
            match &mut self.way {
                Way::Map(region) => {
                    let from = region.get_slice(usize::try_from(offset)?, self.block)?;
                    from.copy_to_volatile_slice(self.memory.slice(self.memory.place(buffer).data, self.block));
                }
                Way::Pread(file, buffers) => {
                    let buffer = &mut buffers[buffer as usize];
                    let start = buffer.as_ptr().align_offset(PAGE);
                    file.read_exact_at(&mut buffer[start..start + self.block], offset)?;
                }
            }
            let after = Instant::now();
            self.histogram.add(after - now);
            now = after;
            done += 1;
        }
        Ok(())
    }
}
