//! A file system in this process (FUSE, by the kernel's own protocol), with one file whose storage fails: ranges that give EIO,
//! and ranges that give nothing, or a file that is not closed, until a test says so. Mounting needs root.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tempfile::TempDir;

/// Operation codes of the kernel's requests.
mod op {
    pub const LOOKUP: u32 = 1;
    pub const FORGET: u32 = 2;
    pub const GETATTR: u32 = 3;
    pub const OPEN: u32 = 14;
    pub const READ: u32 = 15;
    pub const RELEASE: u32 = 18;
    pub const FLUSH: u32 = 25;
    pub const INIT: u32 = 26;
    pub const INTERRUPT: u32 = 36;
    pub const DESTROY: u32 = 38;
    pub const BATCH_FORGET: u32 = 42;
}

const NAME: &[u8] = b"disc.iso\0";
const FOLDER: u64 = 1;
const FILE: u64 = 2;
/// Bytes of the header before each request.
const HEADER: usize = 40;

/// A mounted file system. It is gone with this.
pub struct Fuse {
    folder: TempDir,
    state: Arc<State>,
    server: Option<JoinHandle<()>>,
}

struct State {
    device: OwnedFd,
    content: Vec<u8>,
    storage: Mutex<Storage>,
}

#[derive(Default)]
struct Storage {
    bad: Vec<Range<u64>>,
    hanging: Vec<Range<u64>>,
    /// How long each read takes.
    pause: Duration,
    /// Files are not closed; the requests' numbers.
    open_for_ever: bool,
    closing: Vec<u64>,
    /// Names are not looked up; those who look wait, by the number of their request.
    mute: bool,
    looking: Vec<u64>,
    /// Reads that wait: the request's number, and what it wants.
    waiting: VecDeque<(u64, Range<u64>)>,
}

impl Fuse {
    /// Mounts one file with this content.
    pub fn mount(content: Vec<u8>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let device = rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let options = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0,allow_other\0",
            std::os::fd::AsRawFd::as_raw_fd(&device)
        );
        let options = std::ffi::CStr::from_bytes_with_nul(options.as_bytes()).unwrap();
        mount("spindle-test", folder.path(), "fuse", MountFlags::NODEV | MountFlags::NOSUID, options)
            .unwrap_or_else(|error| panic!("mounting a FUSE file system needs root: {error}"));
        let state = Arc::new(State { device, content, storage: Mutex::default() });
        let server = {
            let state = Arc::clone(&state);
            std::thread::spawn(move || state.serve())
        };
        Self { folder, state, server: Some(server) }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disc.iso")
    }

    /// Bytes that cannot be read from now on.
    pub fn set_bad(&self, range: Range<u64>) {
        self.state.storage().bad.push(range);
    }

    /// Bytes that do not come from now on.
    pub fn set_hanging(&self, range: Range<u64>) {
        self.state.storage().hanging.push(range);
    }

    /// Each read takes so long from now on.
    pub fn set_slow(&self, pause: Duration) {
        self.state.storage().pause = pause;
    }

    /// Not even names are found from now on.
    pub fn set_mute(&self) {
        self.state.storage().mute = true;
    }

    /// Whoever closes a file waits from now on.
    pub fn set_closing_hanging(&self) {
        self.state.storage().open_for_ever = true;
    }

    /// How many wait for the end of a file that they close.
    pub fn closing(&self) -> usize {
        self.state.storage().closing.len()
    }

    /// Everything comes at the end of a test. To be taken after the daemon, which does not end before.
    pub fn patience(&self) -> Patience<'_> {
        Patience(self)
    }

    /// How many reads wait for such bytes.
    pub fn waiting(&self) -> usize {
        self.state.storage().waiting.len()
    }

    /// Everything comes, what waits too.
    pub fn release(&self) {
        let mut storage = self.state.storage();
        storage.hanging.clear();
        storage.pause = Duration::ZERO;
        (storage.mute, storage.open_for_ever) = (false, false);
        std::mem::take(&mut storage.closing).into_iter().for_each(|unique| self.state.reply(unique, Ok(&[])));
        std::mem::take(&mut storage.looking).into_iter().for_each(|unique| self.state.found(unique));
        for (unique, range) in std::mem::take(&mut storage.waiting) {
            self.state.reply(unique, Ok(&self.state.content[range.start as usize..range.end as usize]));
        }
    }
}

/// As long as this lives, the storage may hang: a test that fails ends all the same.
pub struct Patience<'f>(&'f Fuse);

impl Drop for Patience<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        self.release();
        let unmounted = unmount(self.folder.path(), UnmountFlags::DETACH);
        if !std::thread::panicking() {
            unmounted.unwrap();
            // It ends when nobody has the file open any more.
            self.server.take().unwrap().join().unwrap();
        }
    }
}

impl State {
    fn storage(&self) -> MutexGuard<'_, Storage> {
        self.storage.lock().unwrap()
    }

    /// The file's name.
    fn found(&self, unique: u64) {
        // Node, generation; the name is valid for no time, the attributes for an hour.
        let entry = [long_bytes(&[FILE, 0, 0, 3600]), bytes(&[0, 0]), self.attributes(FILE)].concat();
        self.reply(unique, Ok(&entry));
    }

    /// Answers until the file system is unmounted.
    fn serve(&self) {
        let mut buf = vec![0; 1 << 17];
        loop {
            match rustix::io::read(&self.device, &mut buf) {
                Ok(len) => self.answer(&buf[..len]),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::NOENT | rustix::io::Errno::AGAIN) => {}
                Err(_) => break,
            }
        }
    }

    fn answer(&self, request: &[u8]) {
        let number = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_ne_bytes(request[at..at + 8].try_into().unwrap());
        let (opcode, unique, node) = (number(4), long(8), long(16));
        let body = &request[HEADER..];
        let absent = Err(rustix::io::Errno::NOENT);
        match opcode {
            // 7.31; no read-ahead: what is not asked for must not hang what is.
            op::INIT => {
                let numbers = [7, 31, 0, 0, 0, 4096, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0_u32];
                self.reply(unique, Ok(&bytes(&numbers)));
            }
            op::LOOKUP if body == NAME => {
                let mut storage = self.storage();
                if storage.mute {
                    storage.looking.push(unique);
                } else {
                    drop(storage);
                    self.found(unique);
                }
            }
            op::LOOKUP => self.reply(unique, absent),
            op::GETATTR => {
                let attributes = [long_bytes(&[3600]), bytes(&[0, 0]), self.attributes(node)].concat();
                self.reply(unique, Ok(&attributes));
            }
            op::OPEN => self.reply(unique, Ok(&[0; 16])),
            op::READ => {
                let start = long(HEADER + 8).min(self.content.len() as u64);
                let end = (start + u64::from(number(HEADER + 16))).min(self.content.len() as u64);
                self.read(unique, start..end);
            }
            op::FLUSH if self.storage().open_for_ever => self.storage().closing.push(unique),
            op::RELEASE | op::FLUSH | op::DESTROY => self.reply(unique, Ok(&[])),
            op::FORGET | op::BATCH_FORGET | op::INTERRUPT => {}
            _ => self.reply(unique, Err(rustix::io::Errno::NOSYS)),
        }
    }

    fn read(&self, unique: u64, range: Range<u64>) {
        std::thread::sleep(self.storage().pause);
        let mut storage = self.storage();
        let touches =
            |ranges: &[Range<u64>]| ranges.iter().any(|other| other.start < range.end && range.start < other.end);
        if touches(&storage.bad) {
            self.reply(unique, Err(rustix::io::Errno::IO));
        } else if touches(&storage.hanging) {
            storage.waiting.push_back((unique, range));
        } else {
            self.reply(unique, Ok(&self.content[range.start as usize..range.end as usize]));
        }
    }

    fn attributes(&self, node: u64) -> Vec<u8> {
        let (mode, size) = if node == FOLDER { (0o040_755, 0) } else { (0o100_644, self.content.len() as u64) };
        // Number, size, blocks, times; nanoseconds; mode, links, user, group, device, block size, flags.
        [long_bytes(&[node, size, size.div_ceil(512), 0, 0, 0]), bytes(&[0, 0, 0, mode, 1, 0, 0, 0, 4096, 0])].concat()
    }

    fn reply(&self, unique: u64, answer: Result<&[u8], rustix::io::Errno>) {
        let (error, body) = answer.map_or_else(|error| (-error.raw_os_error(), &[][..]), |body| (0, body));
        let header = [bytes(&[16 + body.len() as u32, error.cast_unsigned()]), unique.to_ne_bytes().to_vec()].concat();
        // Whoever asked may be gone.
        let _: io::Result<usize> = rustix::io::write(&self.device, &[&header, body].concat()).map_err(Into::into);
    }
}

fn bytes(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

fn long_bytes(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}
