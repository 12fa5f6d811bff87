//! One kind of request, again and again, in one thread: what `tests/benches/instructions` counts the instructions of.
//!
//! The way of a request from its ring to its ring: chain taken, walked, command executed, response and used element written. Sockets,
//! kicks and threads are left out, so nothing depends on when something else runs. The image is a file with the same content
//! each time.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use spindle::drive::{Drive, Identity, Medium, Tray};
use spindle::image::{OpenOptions, Origin, open_path};
use spindle::scsi::{Nexus, Target};
use spindle::sys::memory::{GuestMemory, anonymous};
use spindle::virtio::chain::Chain;
use spindle::virtio::request;
use spindle::virtio::split::Split;
use virtio_queue::{Queue, QueueT};
use vm_memory::{Bytes, GuestAddress};

/// Which request.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Work {
    /// READ (10) of one block.
    Read2k,
    /// READ (10) of 32 blocks, into pieces of a page as a guest without contiguous memory makes them.
    Read64k,
    /// READ CD of one sector with all that is on a disc but not in an ISO.
    ReadCd,
    /// READ TOC/PMA/ATIP, format 0.
    Toc,
}

impl Work {
    /// The CDB, and how many bytes it gives.
    fn command(self) -> ([u8; 12], usize) {
        match self {
            Self::Read2k => ([0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], 2048),
            Self::Read64k => ([0x28, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0], 32 * 2048),
            Self::ReadCd => ([0xBE, 0, 0, 0, 0, 0, 0, 0, 1, 0xF8, 0, 0], 2352),
            Self::Toc => ([0x43, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0], 20),
        }
    }

    /// Whether bytes 2 to 5 of the CDB are a place on the disc.
    fn has_place(self) -> bool {
        !matches!(self, Self::Toc)
    }
}

#[derive(Debug, Parser)]
struct Options {
    /// Which request.
    work: Work,
    /// How many of them.
    count: u32,
}

const MEMORY: usize = 1 << 20;
const RING: u16 = 64;
/// Descriptors, available ring, used ring, and what a request is made of.
const DESCRIPTORS: u64 = 0;
const AVAILABLE: u64 = 0x1000;
const USED: u64 = 0x2000;
const REQUEST: u64 = 0x3000;
const RESPONSE: u64 = 0x4000;
const DATA: u64 = 0x1_0000;
/// Bytes of a request, and where its CDB is; bytes of a response without data.
const REQUEST_LEN: u32 = 51;
const CDB: u64 = 19;
const RESPONSE_LEN: u32 = 108;
const BLOCKS: u32 = 2048;

fn main() -> Result<(), Box<dyn Error>> {
    let Options { work, count } = Options::parse();
    let mut image = tempfile::NamedTempFile::new()?;
    for lba in 0..BLOCKS {
        image.write_all(&lba.wrapping_mul(0x9E37_79B9).to_le_bytes().repeat(512))?;
    }
    let opened = open_path(image.path(), &OpenOptions::default())?;
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
    let medium = Medium {
        disc: opened.disc,
        locator: "budget".to_owned(),
        format: opened.format.id,
        origin: Origin::default(),
        remote: false,
    };
    drive.change_medium(Arc::new(medium), false).map_err(|_| "the drive did not take the medium")?;
    let target = Target::new(vec![drive]);

    let memory = anonymous(MEMORY)?;
    let mut queue = Queue::new(RING)?;
    queue.set_size(RING);
    queue.set_desc_table_address(Some(DESCRIPTORS as u32), Some(0));
    queue.set_avail_ring_address(Some(AVAILABLE as u32), Some(0));
    queue.set_used_ring_address(Some(USED as u32), Some(0));
    queue.set_ready(true);
    let mut guest = Guest { memory: &memory, target, queue, sent: 0, chain: Chain::default() };

    // The medium's unit attention comes first.
    guest.lay_out(0)?;
    while guest.run(&[0; 12])?.0 != 0 {}
    let (mut cdb, len) = work.command();
    guest.lay_out(len)?;
    // What is read for the first time takes another way.
    let first = if work.has_place() { BLOCKS - 32 } else { 0 };
    for number in 0..first + count {
        if work.has_place() {
            cdb[2..6].copy_from_slice(&(number % (BLOCKS - 32)).to_be_bytes());
        }
        let given = guest.run(&cdb)?;
        if given != (0, len) {
            return Err(format!("status {} and {} bytes", given.0, given.1).into());
        }
    }
    Ok(())
}

/// Both ends of a ring.
struct Guest<'m> {
    memory: &'m GuestMemory,
    target: Target,
    queue: Queue,
    /// Chains that have been made available.
    sent: u16,
    /// The chain of the request, which is used again as the back-end does.
    chain: Chain<'m>,
}

impl Guest<'_> {
    /// Makes the chain of a command with `len` bytes of data, which come into pieces of a page. It is used for all requests: what the
    /// guest does for one is hardly counted then.
    fn lay_out(&self, len: usize) -> Result<(), Box<dyn Error>> {
        let mut request = [0; REQUEST_LEN as usize];
        (request[0], request[2]) = (1, 0x40);
        self.memory.write_slice(&request, GuestAddress(REQUEST))?;
        let data = (0..len).step_by(4096).map(|at| (DATA + at as u64, (len - at).min(4096) as u32, true));
        let pieces = [(REQUEST, REQUEST_LEN, false), (RESPONSE, RESPONSE_LEN, true)].into_iter().chain(data);
        let last = 1 + len.div_ceil(4096) as u16;
        for (index, (at, len, write)) in (0_u16..).zip(pieces) {
            let next = if index < last { index + 1 } else { 0 };
            let flags = u16::from(index < last) | u16::from(write) << 1;
            let mut descriptor = [0; 16];
            descriptor[..8].copy_from_slice(&at.to_le_bytes());
            descriptor[8..12].copy_from_slice(&len.to_le_bytes());
            descriptor[12..14].copy_from_slice(&flags.to_le_bytes());
            descriptor[14..].copy_from_slice(&next.to_le_bytes());
            self.memory.write_slice(&descriptor, GuestAddress(DESCRIPTORS + u64::from(index) * 16))?;
        }
        // All entries of the available ring name the first descriptor.
        Ok(self.memory.write_slice(&[0; 4 + RING as usize * 2], GuestAddress(AVAILABLE))?)
    }

    /// Sends the command, has it carried out, and returns its status and how many bytes of data it gave.
    fn run(&mut self, cdb: &[u8]) -> Result<(u8, usize), Box<dyn Error>> {
        self.memory.write_slice(cdb, GuestAddress(REQUEST + CDB))?;
        self.sent = self.sent.wrapping_add(1);
        self.memory.write_obj(self.sent, GuestAddress(AVAILABLE + 2))?;
        let ring = Split::new(self.memory, &self.queue).ok_or("a ring outside its memory")?;
        let position = self.sent.wrapping_sub(1);
        if ring.available() != self.sent {
            return Err("no chain in the ring".into());
        }
        let head = ring.head(position);
        self.chain.walk(&ring, head);
        let outcome = request::execute(&self.target, Nexus(0), &self.chain, &|| false);
        if let Some(lun) = outcome.unkept {
            self.target.keep(lun, None);
        }
        if let Some(fault) = outcome.fault {
            return Err(format!("{fault:?}").into());
        }
        ring.put_used(position, head, outcome.written);
        ring.publish(self.sent);
        let status = self.memory.read_obj::<u8>(GuestAddress(RESPONSE + 10))?;
        Ok((status, (outcome.written - RESPONSE_LEN) as usize))
    }
}
