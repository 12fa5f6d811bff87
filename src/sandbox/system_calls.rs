//! System calls: those that serving needs, and no other (seccomp).
//!
//! What is not allowed fails with EPERM: a library that tries something newer goes on without, and a machine does not lose its
//! drive.

use std::collections::BTreeMap;
use std::io;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// What the drive, the rings, the control socket and Rust's library call.
const ALLOWED: &[c_long] = &[
    // Bytes.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv2,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_fadvise64,
    libc::SYS_ftruncate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    // Files: which ones, Landlock says.
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_unlinkat,
    libc::SYS_dup,
    // Connections that came in, and descriptors that came with them.
    libc::SYS_accept4,
    libc::SYS_recvmsg,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_shutdown,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    // Waiting.
    libc::SYS_ppoll,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_restart_syscall,
    // Memory.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Threads of this process, and its end.
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getrusage,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getrandom,
    libc::SYS_membarrier,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// The older forms that x86-64 has besides.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_readlink,
    libc::SYS_unlink,
    libc::SYS_poll,
    libc::SYS_epoll_wait,
    libc::SYS_accept,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[c_long] = &[];

/// What ALSA's library and its plug-ins for PipeWire and PulseAudio call besides, with a device that is open.
const HOST_SOUND: &[c_long] = &[
    libc::SYS_memfd_create,
    libc::SYS_pipe2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_getparam,
];

/// What it takes to wait for the process that makes the sockets, and to give up the rest.
const OPENING: &[c_long] = &[
    libc::SYS_wait4,
    libc::SYS_listen,
    libc::SYS_capget,
    libc::SYS_capset,
    libc::SYS_seccomp,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
];

/// Of terminals: what is asked for a password is not shown. None by which a program would type into it.
const TERMINAL: [u64; 4] = [libc::TCGETS, TCGETS2, libc::TCSETSF, TCSETSF2];
/// Linux' newer forms, the same on every processor that the crates below know.
const TCGETS2: u64 = 0x802C_542A;
const TCSETSF2: u64 = 0x402C_542D;

/// Allows these calls only from now on, on every thread; while images are being opened (`opening`) a few more.
///
/// # Errors
/// When the kernel has no seccomp.
pub fn restrict(host_sound: bool, opening: bool) -> io::Result<()> {
    // Its flags are in memory, where no filter looks. The C library then takes clone. This filter comes first, as the other
    // one lets no more be added; of the two the stricter answer holds.
    let newer = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    apply(newer, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let sound = if host_sound { HOST_SOUND } else { &[] };
    let further = if opening { OPENING } else { &[] };
    for &call in ALLOWED.iter().chain(ALLOWED_HERE).chain(sound).chain(further) {
        rules.insert(call, Vec::new());
    }
    let no_execution = |argument| masked(argument, libc::PROT_EXEC as u64, 0);
    rules.insert(libc::SYS_mmap, vec![no_execution(2)?]);
    rules.insert(libc::SYS_mprotect, vec![no_execution(2)?]);
    let thread = libc::CLONE_THREAD as u64;
    rules.insert(libc::SYS_clone, vec![masked(0, thread, thread)?]);
    // A signal to one of its own threads, as abort(3) sends it.
    rules.insert(libc::SYS_tgkill, vec![equals(0, u64::from(std::process::id()))?]);
    // None that names whom a descriptor sends signals to.
    let commands = FCNTL.map(|command| equals(1, command as u64));
    rules.insert(libc::SYS_fcntl, commands.into_iter().collect::<io::Result<_>>()?);
    // Names of threads, and of memory.
    let mut options = vec![equals(0, libc::PR_SET_NAME as u64)?, equals(0, PR_SET_VMA as u64)?];
    // Whether a socket waits.
    let mut requests = vec![equals(1, libc::FIONBIO)?];
    if opening {
        options.push(equals(0, libc::PR_SET_NO_NEW_PRIVS as u64)?);
        requests.extend(TERMINAL.into_iter().map(|request| equals(1, request)).collect::<io::Result<Vec<_>>>()?);
    }
    rules.insert(libc::SYS_prctl, options);
    if host_sound {
        // Whatever the device takes. Nothing that types into a terminal.
        let condition = |request| {
            SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, request).map_err(io::Error::other)
        };
        let conditions = vec![condition(libc::TIOCSTI)?, condition(libc::TIOCLINUX)?];
        requests = vec![SeccompRule::new(conditions).map_err(io::Error::other)?];
    }
    rules.insert(libc::SYS_ioctl, requests);
    apply(rules, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow)
}

/// What is asked of descriptors and changed of them.
const FCNTL: [i32; 8] = [
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_GET_SEALS,
    libc::F_ADD_SEALS,
];

/// The option of prctl by which the C library names memory (Linux 5.17).
const PR_SET_VMA: i32 = 0x5356_4d41;

/// True for calls in which these bits of an argument have this value.
fn masked(argument: u8, mask: u64, value: u64) -> io::Result<SeccompRule> {
    rule(argument, SeccompCmpOp::MaskedEq(mask), value)
}

fn equals(argument: u8, value: u64) -> io::Result<SeccompRule> {
    rule(argument, SeccompCmpOp::Eq, value)
}

fn rule(argument: u8, op: SeccompCmpOp, value: u64) -> io::Result<SeccompRule> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, op, value)
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(|error| io::Error::other(error.to_string()))
}

fn apply(rules: BTreeMap<i64, Vec<SeccompRule>>, other: SeccompAction, matching: SeccompAction) -> io::Result<()> {
    let program = std::env::consts::ARCH
        .try_into()
        .and_then(|arch| SeccompFilter::new(rules, other, matching, arch))
        .and_then(BpfProgram::try_from)
        .map_err(|error| io::Error::other(error.to_string()))?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| io::Error::other(error.to_string()))
}
