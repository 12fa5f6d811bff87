//! What a process can still do that has entered the sandbox, as a parser that a file has taken over would try it.
//!
//! A binary of its own, without the test harness: it starts itself again, and the child cannot be let out any more.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use rustix::fs::{CWD, MemfdFlags, Mode, inotify, memfd_create, mkfifoat};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{
    DumpableBehavior, PTracer, Pid, PidfdFlags, Signal, Uid, chroot, kill_process, pidfd_open, set_dumpable_behavior,
    set_ptracer,
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs, set_thread_uid};
use spindle::sandbox::{self, Allowed};
use vm_memory::mmap::{MmapRegion, MmapRegionError};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("inside") => inside(Path::new(&arguments[2])),
        Some("late") => late(),
        Some("begun") => begun(Path::new(&arguments[2])),
        _ => outside(),
    }
}

/// Starts the child, looks at it from without, and lets it try.
fn outside() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["media", "spool", "sockets"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("media/disc.iso"), b"disc").unwrap();
    fs::write(folder.path().join("other.iso"), b"disc").unwrap();
    fs::write(folder.path().join("secret"), b"secret").unwrap();
    std::os::unix::fs::symlink("../secret", folder.path().join("media/link")).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("inside")
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
    for task in fs::read_dir(format!("/proc/{}/task", child.id())).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        for field in ["CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000"] {
            assert!(status.contains(field), "{field}: {status}");
        }
        assert!(status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"), "{status}");
    }
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success(), "the child says what it could do");
    println!("test what_has_entered_the_sandbox_owns_nothing ... ok");
    assert!(Command::new(std::env::current_exe().unwrap()).arg("late").status().unwrap().success());
    println!("test threads_that_run_before_it_are_told ... ok");
    let begun = Command::new(std::env::current_exe().unwrap()).arg("begun").arg(folder.path()).status();
    assert!(begun.unwrap().success());
    println!("test what_opens_images_finds_nothing_else ... ok");
}

/// Between the two steps: as a parser that the image of the command line has taken over.
fn begun(folder: &Path) {
    let in_folder = |name: &str| folder.join(name);
    let listener = UnixListener::bind(in_folder("sockets/other")).unwrap();
    let allowed = Allowed { sockets: vec![in_folder("sockets")], ..Allowed::default() };
    let image = in_folder("media/disc.iso");
    let held = File::open(&image).unwrap().into();
    assert_eq!(sandbox::begin(&allowed, &[held]).unwrap(), [""; 0]);
    tries(folder);
    denied("a connection", UnixStream::connect(in_folder("sockets/other")));
    denied("what lies beside an image that is alone", File::open(in_folder("other.iso")));
    assert_eq!(fs::read(&image).unwrap(), b"disc");
    // No way back to what was given up, nor around what comes.
    let all = Allowed { read: vec![folder.to_owned()], ..Allowed::default() };
    sandbox::enter(&all).unwrap();
    denied("what was given up before", File::open(in_folder("secret")));
    let again = sandbox::enter(&all);
    denied("another step", again);
    drop(listener);
}

/// As a library for sound may have it.
fn late() {
    let early = thread::spawn(thread::park);
    let told = sandbox::begin(&Allowed::default(), &[]).unwrap();
    assert!(told.len() == 1 && told[0].starts_with("1 thread(s)"), "{told:?}");
    early.thread().unpark();
    early.join().unwrap();
}

fn denied<T>(what: &str, result: io::Result<T>) {
    let error = result.err().unwrap_or_else(|| panic!("{what} is possible"));
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{what}: {error}");
}

/// Refused by the filter of system calls itself: it says EPERM, and Landlock, which might hide that it lets something through, EACCES.
fn filtered<T>(what: &str, result: io::Result<T>) {
    let error = result.err().unwrap_or_else(|| panic!("{what} is possible"));
    assert_eq!(error.raw_os_error(), Some(Errno::PERM.raw_os_error()), "{what}: {error}");
}

/// Memory that can be executed from the start.
fn mapping() -> io::Result<MmapRegion> {
    let access = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    MmapRegion::build(None, 4096, access, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS).map_err(|error| match error {
        MmapRegionError::Mmap(error) => error,
        other => io::Error::other(other),
    })
}

fn inside(folder: &Path) {
    let in_folder = |name: &str| folder.join(name);
    let early = File::open(in_folder("secret")).unwrap();
    let (near, far) = UnixStream::pair().unwrap();
    let listener = UnixListener::bind(in_folder("sockets/socket")).unwrap();
    let allowed = Allowed {
        read: vec![in_folder("media")],
        spool: Some(in_folder("spool")),
        sockets: vec![in_folder("sockets")],
        host_sound: false,
    };
    assert_eq!(sandbox::begin(&allowed, &[]).unwrap(), [""; 0], "this kernel can take all of it away");
    sandbox::enter(&allowed).unwrap();
    let other = thread::spawn(thread::park);
    io::stdout().write_all(b"ready\n").unwrap();
    // Until the parent has looked.
    io::stdin().read_line(&mut String::new()).unwrap();
    tries(folder);
    // It takes the call to get here.
    filtered("privileges of programs", set_no_new_privs(false).map_err(io::Error::from));
    // A thread has no more than the first.
    let again: PathBuf = folder.to_owned();
    thread::spawn(move || tries(&again)).join().unwrap();
    other.thread().unpark();
    other.join().unwrap();

    // What serving needs goes on.
    assert_eq!(io::read_to_string(early).unwrap(), "secret");
    assert_eq!(fs::read(in_folder("media/disc.iso")).unwrap(), b"disc");
    assert_eq!(fs::read_dir(in_folder("media")).unwrap().count(), 2);
    let mut spooled = tempfile::tempfile_in(in_folder("spool")).unwrap();
    spooled.write_all(b"decoded").unwrap();
    (&near).write_all(b"x").unwrap();
    drop(far);
    drop(listener);
    fs::remove_file(in_folder("sockets/socket")).unwrap();
}

fn tries(folder: &Path) {
    let in_folder = |name: &str| folder.join(name);
    denied("reading /etc/passwd", File::open("/etc/passwd"));
    denied("reading /proc", fs::read("/proc/self/environ"));
    denied("listing /", fs::read_dir("/"));
    denied("reading beside a media root", File::open(in_folder("secret")));
    denied("reading through a link out of a media root", File::open(in_folder("media/link")));
    denied("writing into a media root", File::create(in_folder("media/new")));
    denied("changing an image", File::options().write(true).open(in_folder("media/disc.iso")));
    denied("removing an image", fs::remove_file(in_folder("media/disc.iso")));
    denied("making a file beside the sockets", File::create(in_folder("sockets/new")));
    denied("a folder", fs::create_dir(in_folder("spool/new")));
    denied("a link", std::os::unix::fs::symlink("/etc/passwd", in_folder("spool/new")));
    denied("another mode", fs::set_permissions(in_folder("secret"), fs::Permissions::from_mode(0o777)));
    denied("running a program", Command::new("/bin/true").spawn());
    denied("a Unix socket", UnixListener::bind(in_folder("spool/socket")));
    denied("a connection to itself", UnixStream::connect(in_folder("sockets/socket")));
    denied("a pair of sockets", UnixStream::pair());
    denied("a TCP connection", TcpStream::connect("127.0.0.1:9"));
    denied("a UDP socket", UdpSocket::bind("127.0.0.1:0"));
    denied("a signal to another process", kill_process(Pid::INIT, Signal::CONT).map_err(io::Error::from));
    denied("a hold on another process", pidfd_open(Pid::INIT, PidfdFlags::empty()).map_err(io::Error::from));
    denied("another user", set_thread_uid(Uid::from_raw(12_345)).map_err(io::Error::from));
    denied("another name for an image", fs::hard_link(in_folder("media/disc.iso"), in_folder("spool/new")));
    denied("moving an image", fs::rename(in_folder("media/disc.iso"), in_folder("media/new")));
    denied("another owner", std::os::unix::fs::chown(in_folder("secret"), Some(1), None));
    denied("a pipe with a name", mkfifoat(CWD, in_folder("spool/new"), Mode::RUSR).map_err(io::Error::from));
    calls(folder);
}

/// What the kernel has besides files.
fn calls(folder: &Path) {
    // One that would end as a failure of this test.
    filtered::<()>("becoming another program", Err(Command::new("/bin/false").exec()));
    filtered("a process of its own", Command::new("/bin/true").spawn());
    filtered("memory to execute", mapping());
    // What any code could be written into.
    let written = memmap2::MmapMut::map_anon(4096).unwrap();
    filtered("executing what was written", written.make_exec());
    filtered("a file of memory", memfd_create("new", MemfdFlags::empty()).map_err(io::Error::from));
    filtered("a pipe", io::pipe());
    filtered("a datagram socket", UnixDatagram::unbound());
    filtered("a signal to itself", kill_process(rustix::process::getpid(), Signal::CONT).map_err(io::Error::from));
    filtered("being traced", set_ptracer(PTracer::Any).map_err(io::Error::from));
    filtered("being read by others", set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(io::Error::from));
    let all = CapabilitySet::all();
    let sets = CapabilitySets { effective: all, permitted: all, inheritable: all };
    filtered("capabilities", set_capabilities(None, sets).map_err(io::Error::from));
    filtered("another root", chroot(folder).map_err(io::Error::from));
    filtered("another folder", std::env::set_current_dir(folder));
    filtered("taking a file system away", unmount(folder, UnmountFlags::DETACH).map_err(io::Error::from));
    filtered("a look at others' files", inotify::init(inotify::CreateFlags::empty()).map_err(io::Error::from));
}
