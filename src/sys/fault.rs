//! SIGBUS: memory whose file no longer has it, or whose storage fails.
//!
//! Three kinds of mappings in this process can raise it, and none may end it:
//!
//! - Images: read by one routine alone, which has an exit for that ([`super::copy`]).
//! - Memory that a front-end shares. Whoever shares a file can cut it off, and no seal can be asked of QEMU. The handler puts zeros
//!   in place of the whole region, so that the access goes on with memory of this process, and tells the connection, which
//!   ends. A front-end that does this has no guest any more whose memory could be spoilt.
//! - The log of dirty pages of a migration, the same way, page by page.
//!
//! Every other SIGBUS, and one for a defect of the machine's memory, goes to whoever handled it before.

use std::cell::Cell;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use vmm_sys_util::eventfd::EventFd;

use super::copy;
use super::page::page_size;

/// Who handled SIGBUS before.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();
/// Whether the handler stands.
static INSTALLED: OnceLock<bool> = OnceLock::new();

/// Memory that somebody else can take away, for as long as this lives.
#[derive(Debug)]
pub struct Watched {
    slot: &'static Slot,
    /// Told when the memory is gone. The handler writes to its descriptor.
    _gone: Arc<EventFd>,
}

/// The place of one [`Watched`], which the handler reads while others change. A slot is never freed, but used again.
#[derive(Debug)]
struct Slot {
    /// Odd while the rest changes.
    version: AtomicU32,
    start: AtomicUsize,
    /// Zero: nobody's.
    len: AtomicUsize,
    gone: AtomicI32,
    next: *const Slot,
}

// SAFETY: `next` is set before the slot is reachable and never changes; it is null or a slot, which lives for ever.
unsafe impl Sync for Slot {}

/// The slot that was made last.
static SLOTS: AtomicPtr<Slot> = AtomicPtr::new(std::ptr::null_mut());
/// Held by whoever changes slots.
static CHANGING: Mutex<()> = Mutex::new(());

thread_local! {
    /// Who is told when a log that this thread writes to is gone; -1 while it writes to none.
    static LOG: Cell<RawFd> = const { Cell::new(-1) };
}

impl Watched {
    /// Watches `len` bytes at `start`, which must be a mapping of its own; `gone` is told when they cannot be accessed. None when
    /// there is no handler.
    pub fn new(start: *mut u8, len: usize, gone: &Arc<EventFd>) -> Option<Self> {
        if !handled() || len == 0 {
            return None;
        }
        let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots().find(|slot| slot.len.load(Ordering::Relaxed) == 0).unwrap_or_else(|| {
            let next = SLOTS.load(Ordering::Relaxed);
            let slot: &'static Slot = Box::leak(Box::new(Slot {
                version: AtomicU32::new(0),
                start: AtomicUsize::new(0),
                len: AtomicUsize::new(0),
                gone: AtomicI32::new(-1),
                next,
            }));
            SLOTS.store(std::ptr::from_ref(slot).cast_mut(), Ordering::Release);
            slot
        });
        slot.set(start as usize, len, gone.as_raw_fd());
        Some(Self { slot, _gone: Arc::clone(gone) })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
        self.slot.set(0, 0, -1);
    }
}

impl Slot {
    fn set(&self, start: usize, len: usize, gone: RawFd) {
        self.version.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.start.store(start, Ordering::Relaxed);
        self.len.store(len, Ordering::Relaxed);
        self.gone.store(gone, Ordering::Relaxed);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Start, length and who is told; nothing while that changes: then it is not about memory that a thread is using.
    fn get(&self) -> Option<(usize, usize, RawFd)> {
        let before = self.version.load(Ordering::Acquire);
        let found =
            (self.start.load(Ordering::Relaxed), self.len.load(Ordering::Relaxed), self.gone.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        (before.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == before).then_some(found)
    }
}

fn slots() -> impl Iterator<Item = &'static Slot> {
    let mut next = SLOTS.load(Ordering::Acquire).cast_const();
    std::iter::from_fn(move || {
        // SAFETY: null, or a slot that was made completely before it became reachable, and that is never freed.
        let slot = unsafe { next.as_ref() }?;
        next = slot.next;
        Some(slot)
    })
}

/// Runs `write`, which writes to a log of dirty pages and touches no other memory that could be gone; `gone` is told if the log is.
pub fn in_log(gone: &EventFd, write: impl FnOnce()) {
    LOG.set(gone.as_raw_fd());
    write();
    LOG.set(-1);
}

/// Puts the handler in its place, once for the process; false when that cannot be.
pub fn handled() -> bool {
    *INSTALLED.get_or_init(install)
}

fn install() -> bool {
    // SAFETY: `sigaction` is a structure for which zeros are a value; both calls get addresses of such. The handler does only
    // what a signal handler may. What was there before is kept first, for the handler to find.
    unsafe {
        let mut previous: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut previous) != 0 {
            return false;
        }
        PREVIOUS.get_or_init(|| previous);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_sigbus as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) == 0
    }
}

/// Runs on the thread that had the fault.
extern "C" fn on_sigbus(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel gives a handler with SA_SIGINFO the context that it will continue with, and nobody else has it.
    if copy::leave(unsafe { &mut *context.cast::<libc::ucontext_t>() }) {
        return;
    }
    // SAFETY: the kernel gives a handler with SA_SIGINFO what it knows; the address is there for every SIGBUS that it raises.
    let (code, at) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    if code == libc::BUS_ADRERR && is_replaced(at) {
        return;
    }
    pass_on(signal, info, context);
}

/// Puts zeros in place of the shared memory that `at` lies in, if it lies in any, and tells. Does what a signal handler may.
fn is_replaced(at: usize) -> bool {
    // SAFETY: the place of this thread's `errno`, which the interrupted code may be about to read.
    let errno = unsafe { *libc::__errno_location() };
    let region = slots().filter_map(Slot::get).find(|(start, len, _)| at.wrapping_sub(*start) < *len);
    let log = LOG.get();
    let found = region.or_else(|| (log >= 0).then_some((at & !(page_size() - 1), page_size(), log)));
    let replaced = found.is_some_and(|(start, len, gone)| {
        // SAFETY: the range is a mapping of shared memory, all of it or the page with the fault: nothing in this process holds
        // a Rust reference to it, all of it is only ever copied, and it stays mapped, as memory of this process.
        let zeros = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            libc::mmap(start as *mut libc::c_void, len, protection, flags, -1, 0)
        };
        let one = 1_u64.to_ne_bytes();
        // SAFETY: eight bytes to a descriptor that whoever watches holds open. Fails only when the counter is full: then it is told.
        unsafe { libc::write(gone, one.as_ptr().cast(), one.len()) };
        zeros != libc::MAP_FAILED
    });
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
    replaced
}

/// To whoever handled the signal before, or to the process' end.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    match PREVIOUS.get() {
        Some(previous) if previous.sa_sigaction != libc::SIG_DFL && previous.sa_sigaction != libc::SIG_IGN => {
            // SAFETY: the address is that of a handler which the system would have called, with the form that its flags say.
            unsafe {
                if previous.sa_flags & libc::SA_SIGINFO != 0 {
                    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                        std::mem::transmute(previous.sa_sigaction);
                    handler(signal, info, context);
                } else {
                    let handler: extern "C" fn(libc::c_int) = std::mem::transmute(previous.sa_sigaction);
                    handler(signal);
                }
            }
        }
        // SAFETY: both functions may be called in a handler. The signal is blocked until this one returns, and then ends the
        // process, as it would have without it.
        _ => unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
    use vm_memory::{Bytes, FileOffset, GuestAddress, GuestMemoryBackend};
    use vmm_sys_util::eventfd::EFD_NONBLOCK;

    use super::*;
    use crate::sys::memory::{GuestMemory, watch};

    const PAGE: usize = 4096;

    fn shared(len: usize) -> (File, GuestMemory) {
        let file = File::from(memfd_create("guest", MemfdFlags::CLOEXEC).unwrap());
        ftruncate(&file, len as u64).unwrap();
        let region = (GuestAddress(0), len, Some(FileOffset::new(file.try_clone().unwrap(), 0)));
        (file, GuestMemory::from_ranges_with_files([region]).unwrap())
    }

    #[test]
    fn shared_memory_that_is_cut_off_becomes_zeros_and_is_told_once_for_its_owner_alone() {
        let told = || Arc::new(EventFd::new(EFD_NONBLOCK).unwrap());
        let ((file, memory), (_other_file, other)) = (shared(8 * PAGE), shared(8 * PAGE));
        let (gone, other_gone) = (told(), told());
        watch(&memory, &gone);
        watch(&other, &other_gone);
        for memory in [&memory, &other] {
            memory.write_slice(&[7; 8 * PAGE], GuestAddress(0)).unwrap();
        }
        file.set_len(3 * PAGE as u64).unwrap();
        assert_eq!(memory.read_obj::<u8>(GuestAddress(0)).unwrap(), 7);
        assert!(gone.read().is_err());
        // Reading, writing, and across the cut.
        let mut bytes = [1; 2 * PAGE];
        memory.read_slice(&mut bytes, GuestAddress(2 * PAGE as u64)).unwrap();
        assert_eq!(bytes[PAGE..], [0; PAGE]);
        memory.write_slice(&[9; 8], GuestAddress(5 * PAGE as u64)).unwrap();
        assert_eq!(memory.read_obj::<u8>(GuestAddress(5 * PAGE as u64)).unwrap(), 9);
        assert_eq!(gone.read().unwrap(), 1);
        assert_eq!(other.read_obj::<u8>(GuestAddress(5 * PAGE as u64)).unwrap(), 7);
        assert!(other_gone.read().is_err());
    }

    #[test]
    fn a_slot_is_used_again_and_a_slice_keeps_what_it_is_of() {
        let gone = Arc::new(EventFd::new(EFD_NONBLOCK).unwrap());
        for _ in 0..100 {
            let (file, memory) = shared(2 * PAGE);
            watch(&memory, &gone);
            let slice = memory.get_slice(GuestAddress(PAGE as u64), 8).unwrap();
            file.set_len(0).unwrap();
            slice.write_obj(5_u64, 0).unwrap();
            assert_eq!(gone.read().unwrap(), 1);
        }
        // Tests of other modules may watch memory at the same time.
        assert!(slots().count() < 50, "{}", slots().count());
    }
}
