//! A front-end's connection: features, memory, rings, and the first commands.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use vhost::vhost_user::message::{VhostUserHeaderFlag, VhostUserProtocolFeatures};
use vhost::vhost_user::{Frontend, VhostUserFrontend};
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};
use vm_memory::{GuestAddress, GuestMemoryBackend};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::Failure;
use super::memory::Memory;
use super::options::Options;
use super::process::Process;
use super::ring::{self, Buffer, Features, Ring};

const VERSION_1: u64 = 1 << 32;
const PROTOCOL_FEATURES: u64 = 1 << 30;
const EVENT_IDX: u64 = 1 << 29;
const INDIRECT: u64 = 1 << 28;

/// The control and the event queue come before the request queues.
const FIRST_REQUEST_QUEUE: usize = 2;
const HEADER: u32 = 51;
const RESPONSE: usize = 108;
/// Rings are as large as QEMU's, or larger where the requests in flight need it.
const SMALLEST_RING: u16 = 128;
/// What a back-end calls through.
pub struct Call {
    pub event: EventFd,
    wait: Epoll,
}

impl Call {
    fn new() -> io::Result<Self> {
        Self::through(EventFd::new(EFD_NONBLOCK)?)
    }

    /// What is called through `event`.
    ///
    /// # Errors
    /// When there is no descriptor left in this process.
    pub fn through(event: EventFd) -> io::Result<Self> {
        let wait = Epoll::new()?;
        wait.ctl(ControlOperation::Add, event.as_raw_fd(), EpollEvent::new(EventSet::IN, 0))?;
        Ok(Self { event, wait })
    }

    /// Sleeps until it is called; false when it is not within `limit`, if there is one.
    pub fn wait(&self, limit: Option<Duration>) -> io::Result<bool> {
        let limit = limit.map_or(-1, |limit| i32::try_from(limit.as_millis()).unwrap_or(i32::MAX));
        let called = self.wait.wait(limit, &mut [EpollEvent::default()])? > 0;
        match self.event.read() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(called),
        }
    }
}

/// How often it is told before it counts as hung.
const MOST_STALLS: u32 = 30;
/// More unit attentions than this are no back-end's.
const MOST_ATTENTIONS: usize = 16;

/// A connection whose rings run.
pub struct Session {
    /// Held for as long as the rings run: a back-end stops when it is closed.
    _frontend: Option<Frontend>,
    pub memory: Memory,
    pub rings: Vec<Ring>,
    /// What the back-end calls through, for whichever ring; nothing when the rings are polled.
    pub call: Option<Call>,
    pub peer: Process,
    /// How often requests came back only after a second kick, or not yet.
    pub stalls: u32,
    /// How long the back-end may say nothing.
    nudge: Duration,
    depth: u16,
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Refused {
    response: u8,
    status: u8,
    sense: [u8; 3],
    residual: u32,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [key, asc, ascq] = self.sense;
        write!(f, "response {}, status {:02x}h, sense {key:02x}/{asc:02x}/{ascq:02x}", self.response, self.status)?;
        write!(f, ", {} bytes not moved", self.residual)
    }
}

impl Session {
    /// Connects to `socket` and starts every ring.
    ///
    /// # Errors
    /// What the connection reports.
    pub fn connect(options: &Options, socket: &Path) -> Result<Self, Failure> {
        let stream = UnixStream::connect(socket).map_err(|error| format!("{}: {error}", socket.display()))?;
        let listener = rustix::net::sockopt::socket_peercred(&stream)?.pid.as_raw_nonzero().get();
        let peer = Process(options.pid.unwrap_or(u32::try_from(listener)?));
        let mut frontend = Frontend::from_stream(stream, 256);
        frontend.set_owner()?;
        let offered = frontend.get_features()?;
        let wanted = |bit, no: bool| if no { 0 } else { bit & offered };
        let taken = VERSION_1
            | PROTOCOL_FEATURES
            | wanted(EVENT_IDX, options.no_event_idx)
            | wanted(INDIRECT, options.no_indirect);
        let protocol = frontend.get_protocol_features()?;
        let protocol = protocol & (VhostUserProtocolFeatures::MQ | VhostUserProtocolFeatures::REPLY_ACK);
        frontend.set_protocol_features(protocol)?;
        if protocol.contains(VhostUserProtocolFeatures::REPLY_ACK) {
            frontend.set_hdr_flags(VhostUserHeaderFlag::NEED_REPLY);
        }
        frontend.set_features(taken)?;
        let count = FIRST_REQUEST_QUEUE + options.queues;
        if protocol.contains(VhostUserProtocolFeatures::MQ) && frontend.get_queue_num()? < count as u64 {
            return Err("the back-end has fewer request queues".into());
        }

        let features =
            Features { event_idx: taken & EVENT_IDX != 0, indirect: taken & INDIRECT != 0, call: options.call };
        let (memory, rings) = lay_out(options, features)?;
        let regions: Result<Vec<_>, _> =
            memory.guest.iter().map(VhostUserMemoryRegionInfo::from_guest_region).collect();
        frontend.set_mem_table(&regions?)?;
        let call = if options.call { Some(Call::new()?) } else { None };
        for (index, ring) in rings.iter().enumerate() {
            start(&mut frontend, &memory, index, ring, call.as_ref().map(|call| &call.event))?;
        }
        Self::of(options, Some(frontend), memory, rings, call, peer)
    }

    /// The same rings, for a device in this process.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn within(options: &Options) -> Result<Self, Failure> {
        let (memory, rings) = lay_out(options, Features { event_idx: false, indirect: true, call: options.call })?;
        let call = if options.call { Some(Call::new()?) } else { None };
        Self::of(options, None, memory, rings, call, Process::this())
    }

    /// The request queues alone, with every request written.
    fn of(
        options: &Options,
        frontend: Option<Frontend>,
        memory: Memory,
        mut rings: Vec<Ring>,
        call: Option<Call>,
        peer: Process,
    ) -> Result<Self, Failure> {
        rings.drain(..FIRST_REQUEST_QUEUE);
        let nudge = Duration::try_from_secs_f64(options.nudge)?;
        let depth = options.depth;
        let session = Self { _frontend: frontend, memory, rings, call, peer, stalls: 0, nudge, depth };
        session.prepare(options)?;
        Ok(session)
    }

    /// Writes every request, except for its command.
    fn prepare(&self, options: &Options) -> Result<(), Failure> {
        let [high, low] = options.lun.to_be_bytes();
        for (queue, ring) in self.rings.iter().enumerate() {
            for number in 0..self.depth {
                let place = self.memory.place(self.index(queue, number));
                let mut header = [0; HEADER as usize];
                header[..4].copy_from_slice(&[1, 0, 0x40 | high, low]);
                self.memory.write(place.header, &header);
                let mut buffers = vec![
                    Buffer { at: place.header, len: HEADER, write: false },
                    Buffer { at: place.response, len: RESPONSE as u32, write: true },
                ];
                let segment = options.segment.unwrap_or(options.block);
                buffers.extend((0..options.block).step_by(segment).map(|at| Buffer {
                    at: place.data + at as u64,
                    len: segment.min(options.block - at) as u32,
                    write: true,
                }));
                ring.prepare(&self.memory, number, &buffers, place.table)?;
            }
        }
        Ok(())
    }

    fn index(&self, queue: usize, number: u16) -> u64 {
        queue as u64 * u64::from(self.depth) + u64::from(number)
    }

    /// Puts a command into request `number` of a queue and makes it available.
    pub fn submit(&mut self, queue: usize, number: u16, cdb: &[u8; 12]) {
        let place = self.memory.place(self.index(queue, number));
        // Whatever the device does not write must not look like success.
        self.memory.write(place.response + 10, &[0xFF, 0xFF]);
        self.memory.write(place.header + 19, cdb);
        self.rings[queue].submit(number);
    }

    /// What became of request `number`.
    ///
    /// # Errors
    /// When it did not do all that it should.
    pub fn outcome(&self, queue: usize, number: u16) -> Result<(), Refused> {
        let mut response = [0; 26];
        self.memory.read(self.memory.place(self.index(queue, number)).response, &mut response);
        let residual = u32::from_le_bytes([response[4], response[5], response[6], response[7]]);
        if response[10..12] == [0, 0] && residual == 0 {
            return Ok(());
        }
        let fixed = response[12] & 0x7F < 0x72;
        let sense = if fixed {
            [response[14] & 0xF, response[24], response[25]]
        } else {
            [response[13], response[14], response[15]]
        };
        Err(Refused { response: response[11], status: response[10], sense, residual })
    }

    /// The data of request `number`.
    pub fn data(&self, queue: usize, number: u16, into: &mut [u8]) {
        self.memory.read(self.memory.place(self.index(queue, number)).data, into);
    }

    /// Sends one command whose residual does not matter, and waits for it.
    fn command(&mut self, cdb: &[u8; 12]) -> Result<(), Refused> {
        self.submit(0, 0, cdb);
        self.rings[0].kick();
        let mut last = Instant::now();
        while self.rings[0].take().is_none() {
            std::thread::yield_now();
            self.nudge_after(&mut last).map_err(|_| Refused::default())?;
        }
        match self.outcome(0, 0) {
            Err(refused) if refused.response == 0 && refused.status == 0 => Ok(()),
            other => other,
        }
    }

    /// Kicks every ring again when nothing has come back since `last` for too long.
    ///
    /// # Errors
    /// When that has not helped often enough.
    pub fn nudge_after(&mut self, last: &mut Instant) -> Result<(), Failure> {
        if last.elapsed() > self.nudge {
            self.kick_again()?;
            *last = Instant::now();
        }
        Ok(())
    }

    /// Sleeps until some ring is called, unless one has something already. Kicks every ring again when no call has come for too long,
    /// whether there is something by then or not: it may be the call that was lost.
    ///
    /// # Errors
    /// As above.
    pub fn wait_for_call(&mut self) -> Result<(), Failure> {
        if !self.rings.iter_mut().any(Ring::ask_for_call)
            && let Some(call) = &self.call
            && !call.wait(Some(self.nudge))?
        {
            self.kick_again()?;
        }
        Ok(())
    }

    fn kick_again(&mut self) -> Result<(), Failure> {
        self.stalls += 1;
        if self.stalls > MOST_STALLS {
            return Err("the back-end hangs: a request has not come back".into());
        }
        for ring in &self.rings {
            ring.kick.write(1)?;
        }
        Ok(())
    }

    /// Waits until the drive is ready; returns how many blocks its disc has, and the bytes of one.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn capacity(&mut self) -> Result<(u32, usize), Failure> {
        let mut attempts = 0;
        while let Err(refused) = self.command(&[0; 12]) {
            attempts += 1;
            if attempts == MOST_ATTENTIONS {
                return Err(format!("the drive does not become ready: {refused}").into());
            }
        }
        self.command(&[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            .map_err(|refused| format!("READ CAPACITY: {refused}"))?;
        let mut answer = [0; 8];
        self.data(0, 0, &mut answer);
        let [a, b, c, d, block @ ..] = answer;
        let blocks = u32::from_be_bytes([a, b, c, d]).saturating_add(1);
        Ok((blocks, usize::try_from(u32::from_be_bytes(block))?.max(1)))
    }
}

/// Memory with all rings, the control and the event queue first.
fn lay_out(options: &Options, features: Features) -> Result<(Memory, Vec<Ring>), Failure> {
    let segments = options.segment.map_or(1, |segment| options.block.div_ceil(segment));
    let longest = u16::try_from(2 + segments)?;
    let entries =
        if features.indirect { u32::from(options.depth) } else { u32::from(options.depth) * u32::from(longest) };
    let size = u16::try_from(entries.next_power_of_two())?.max(SMALLEST_RING);
    let requests = options.queues as u64 * u64::from(options.depth);
    let count = FIRST_REQUEST_QUEUE + options.queues;
    let memory = Memory::new(count as u64 * ring::bytes(size), requests, options.block, u64::from(longest))?;
    let ring = |index: usize| Ring::new(&memory, index as u64 * ring::bytes(size), size, longest, features);
    let rings = (0..count).map(ring).collect::<Result<_, _>>()?;
    Ok((memory, rings))
}

fn start(
    frontend: &mut Frontend,
    memory: &Memory,
    index: usize,
    ring: &Ring,
    call: Option<&EventFd>,
) -> Result<(), Failure> {
    let host = |at: u64| memory.guest.get_host_address(GuestAddress(at)).map(|address| address as u64);
    frontend.set_vring_num(index, ring.size)?;
    frontend.set_vring_base(index, 0)?;
    let addresses = VringConfigData {
        queue_max_size: ring.size,
        queue_size: ring.size,
        flags: 0,
        desc_table_addr: host(ring.descriptors_at)?,
        used_ring_addr: host(ring.used_at)?,
        avail_ring_addr: host(ring.available_at)?,
        log_addr: None,
    };
    frontend.set_vring_addr(index, &addresses)?;
    if let Some(call) = call {
        frontend.set_vring_call(index, call)?;
    }
    frontend.set_vring_kick(index, &ring.kick)?;
    frontend.set_vring_enable(index, true)?;
    Ok(())
}
