//! A front-end that sends what it likes: vhost-user messages in any order, with any descriptors, over memory that it changes as it
//! goes. Afterwards another front-end must be served.
//!
//! The input is a list of records: a selector, the descriptors that go along, a length, and so many bytes. Shared by the fuzz
//! target and by `tests/it/fuzz.rs`.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use spindle::drive::{Drive, Identity, Tray};
use spindle::sys::descriptors::send;
use spindle::vhost_user::{Endpoint, Server};

/// Records of an input that count: their answers fit into the socket, so nobody need read them meanwhile.
const MOST: usize = 64;
/// Selectors from here on are no messages, but what a front-end does beside them.
const BESIDE: u8 = 0xF0;
/// Header flags: version 1, and an answer to every message.
const VERSION: u32 = 1;
const NEED_REPLY: u32 = 1 << 3;
/// Far more than any answer takes: reached only when it never comes.
const PATIENCE: Duration = Duration::from_secs(20);
const PAGE: u64 = 4096;

/// One daemon for all inputs: each must leave it whole.
static SOCKET: LazyLock<std::path::PathBuf> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("spindle-fuzz-frontend-{}", std::process::id()));
    // One that had the same number may have been killed.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("a socket in the folder for temporary files");
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
    let server = Server::new(&[drive]).expect("descriptors");
    std::thread::spawn(move || server.run(Endpoint::Listening(listener), false));
    path
});

/// What can go along with a message.
struct Files {
    memory: OwnedFd,
    /// Shorter than most messages say.
    short: OwnedFd,
    kick: OwnedFd,
    call: OwnedFd,
    /// Both ends of a pipe that is full, so that writing waits, and of one that is empty.
    full: [OwnedFd; 2],
    empty: [OwnedFd; 2],
}

impl Files {
    fn new() -> Self {
        let memory = |pages| {
            let file = memfd_create("guest", MemfdFlags::CLOEXEC).expect("a descriptor");
            ftruncate(&file, pages * PAGE).expect("memory");
            file
        };
        let event = || eventfd(0, EventfdFlags::CLOEXEC).expect("a descriptor");
        let pipe = || {
            let (reader, writer) = std::io::pipe().expect("descriptors");
            [reader.into(), writer.into()]
        };
        let full: [OwnedFd; 2] = pipe();
        rustix::io::ioctl_fionbio(&full[1], true).expect("a pipe");
        while rustix::io::write(&full[1], &[0; 4096]).is_ok() {}
        rustix::io::ioctl_fionbio(&full[1], false).expect("a pipe");
        Self { memory: memory(16), short: memory(1), kick: event(), call: event(), full, empty: pipe() }
    }

    /// At most three, by the bits of a byte: how many, and the first of them.
    fn chosen(&self, which: u8) -> Vec<BorrowedFd<'_>> {
        let all: [&OwnedFd; 8] = [
            &self.memory,
            &self.short,
            &self.kick,
            &self.call,
            &self.full[0],
            &self.full[1],
            &self.empty[0],
            &self.empty[1],
        ];
        let (count, first) = (usize::from(which & 3), usize::from(which >> 2 & 7));
        (0..count).map(|index| all[(first + index) % all.len()].as_fd()).collect()
    }
}

/// Sends every record, leaves, and looks whether the next front-end is served.
pub fn run(input: &[u8]) {
    let files = Files::new();
    let stream = connect();
    let mut rest = input;
    for _ in 0..MOST {
        let Some((&[selector, which, len], more)) = rest.split_first_chunk::<3>() else { break };
        let (payload, more) = more.split_at(usize::from(len).min(more.len()));
        rest = more;
        if selector >= BESIDE {
            beside(selector, &files, payload);
            continue;
        }
        // The upper bits of `which` are for what is wrong with the header.
        let size = payload.len() as u32 + u32::from(which & 0x20 != 0);
        let flags = if which & 0x40 != 0 { 2 } else { VERSION } | if which & 0x80 != 0 { NEED_REPLY } else { 0 };
        let header = [u32::from(selector), flags, size].map(u32::to_le_bytes).concat();
        // The daemon may have hung up.
        if send(&stream, &[&header, payload].concat(), &files.chosen(which)).is_err() {
            break;
        }
    }
    finish(stream);
    is_served();
}

/// Memory that is cut off or written, and kicks.
fn beside(selector: u8, files: &Files, payload: &[u8]) {
    let (first, second) = (payload.first().copied().unwrap_or(0), payload.get(1).copied().unwrap_or(0));
    match selector {
        0xF0 => ftruncate(&files.memory, u64::from(first) * PAGE / 4).expect("a file of memory"),
        0xF1 => ftruncate(&files.short, u64::from(first % 8) * PAGE).expect("a file of memory"),
        0xF2 => drop(rustix::io::write(&files.kick, &1_u64.to_ne_bytes())),
        0xF3 => {
            let at = u64::from(first) << 8 | u64::from(second) << 4;
            let bytes = payload.get(2..).unwrap_or_default();
            rustix::io::pwrite(&files.memory, bytes, at).expect("a file of memory");
        }
        // The workers have their turn.
        _ => std::thread::yield_now(),
    }
}

fn connect() -> UnixStream {
    let stream = UnixStream::connect(&*SOCKET).expect("the daemon listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

/// Waits until the daemon has hung up.
fn finish(mut stream: UnixStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let mut sink = [0; 4096];
    loop {
        match stream.read(&mut sink) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            // libFuzzer looks at the time now and then.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => panic!("the connection does not end: {error}"),
        }
    }
}

/// GET_FEATURES is answered.
fn is_served() {
    const GET_FEATURES: u32 = 1;
    let mut stream = connect();
    stream.write_all(&[GET_FEATURES, VERSION, 0].map(u32::to_le_bytes).concat()).expect("the daemon reads");
    let mut answer = [0; 20];
    stream.read_exact(&mut answer).expect("the daemon answers");
    assert_eq!(answer[..4], GET_FEATURES.to_le_bytes());
    finish(stream);
}

/// A whole session: negotiation, memory, a ring with an INQUIRY, a kick, and the end of the ring. What the corpus begins with.
#[allow(dead_code, reason = "only the tests make it")]
pub fn seed() -> Vec<u8> {
    const USER: u64 = 0x7000_0000;
    let mut records = Vec::new();
    let mut add = |selector: u8, which: u8, payload: &[u8]| {
        records.extend([selector, which, payload.len() as u8]);
        records.extend(payload);
    };
    let numbers = |numbers: &[u64]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
    let state = |index: u32, number: u32| [index.to_le_bytes(), number.to_le_bytes()].concat();
    // SET_OWNER, GET_FEATURES, GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, SET_FEATURES.
    add(3, 0, &[]);
    add(1, 0, &[]);
    add(15, 0, &[]);
    add(16, 0, &numbers(&[1 | 1 << 1 | 1 << 3 | 1 << 13 | 1 << 15]));
    add(2, 0, &numbers(&[1 << 32 | 1 << 30 | 1 << 26 | 1 << 2]));
    // SET_MEM_TABLE: one region.
    add(5, 0x81, &[&1_u32.to_le_bytes()[..], &[0; 4], &numbers(&[0, 16 * PAGE, USER, 0])].concat());
    // The ring: one chain, an INQUIRY.
    let descriptor = |at: u64, len: u32, flags: u16, next: u16| {
        [&at.to_le_bytes()[..], &len.to_le_bytes(), &flags.to_le_bytes(), &next.to_le_bytes()].concat()
    };
    let place = |at: u64| [(at >> 8) as u8, (at >> 4) as u8 & 0xF];
    let table = [descriptor(0x2000, 51, 1, 1), descriptor(0x3000, 144, 2, 0)].concat();
    add(0xF3, 0, &[&place(0x1000)[..], &table].concat());
    add(0xF3, 0, &[&place(0x1100)[..], &[0, 0, 1, 0]].concat());
    let mut request = [0; 51];
    (request[0], request[2], request[19], request[23]) = (1, 0x40, 0x12, 36);
    add(0xF3, 0, &[&place(0x2000)[..], &request].concat());
    // SET_VRING_NUM, BASE, ADDR, CALL, KICK, ENABLE.
    add(8, 0x80, &state(2, 16));
    add(10, 0x80, &state(2, 0));
    let addresses = [USER + 0x1000, USER + 0x1200, USER + 0x1100, 0];
    add(9, 0x80, &[state(2, 0), numbers(&addresses)].concat());
    add(13, 0x8D, &numbers(&[2]));
    add(12, 0x89, &numbers(&[2]));
    add(18, 0x80, &state(2, 1));
    add(0xF2, 0, &[]);
    // SET_LOG_BASE, ADD_MEM_REG, REM_MEM_REG, GET_VRING_BASE, RESET_DEVICE.
    add(6, 0x81, &numbers(&[PAGE, 0]));
    add(37, 0x85, &numbers(&[0, 0x10_0000, PAGE, USER + 0x10_0000, 0]));
    add(0xF4, 0, &[]);
    add(38, 0x80, &numbers(&[0, 0x10_0000, PAGE, USER + 0x10_0000, 0]));
    add(11, 0, &state(2, 0));
    add(34, 0, &[]);
    records
}

/// The same with memory that is cut off before the kick.
#[allow(dead_code, reason = "only the tests make it")]
pub fn seed_cut_off() -> Vec<u8> {
    let mut records = seed();
    let kick = records.windows(3).position(|bytes| bytes == [0xF2, 0, 0]).expect("there is one");
    records.splice(kick..kick, [0xF0, 0, 1, 0]);
    records
}
