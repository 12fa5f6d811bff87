//! Virtual machines with Spindle drives: the daemon, QEMU, and a shell in the guest.
//!
//! Every wait has a generous deadline and fails with what the guest's console said. All processes end with the thread that
//! started them. `SPINDLE_QEMU` names another QEMU than the one in `PATH`.

mod daemon;
mod programs;

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

pub use self::daemon::Daemon;
use self::programs::mortal;
pub use self::programs::{Qemu, guest};

/// Under software emulation, on a busy machine.
const BOOT: Duration = Duration::from_secs(180);
const COMMAND: Duration = Duration::from_secs(90);

/// Processors that are emulated by threads of their own race inside QEMU on a busy machine (docs/design/reliability.md): one start in some
/// thousands then stands still before its kernel's first line.
const ONE_THREAD: &str = "tcg,thread=single";
/// What a test names that needs processors at work at the same time.
pub const THREADS: [&str; 2] = ["-accel", "tcg,thread=multi"];

/// Firmware, or none: QEMU then starts the test guest's kernel by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Kernel,
    /// The kernel, with the programs that read every kind of disc.
    Programs,
    /// The kernel, with systemd as the first process.
    Systemd,
    SeaBios,
    Ovmf,
}

impl Start {
    fn has_firmware(self) -> bool {
        matches!(self, Self::SeaBios | Self::Ovmf)
    }
}

/// Has QEMU start the test guest's kernel with this archive and these arguments.
fn from_kernel(qemu: &mut Command, initrd: &str, arguments: &str) {
    qemu.arg("-kernel").arg(guest().join("vmlinuz")).arg("-initrd").arg(guest().join(initrd));
    qemu.args(["-append", &format!("console=ttyS0 panic=-1 quiet{arguments}")]);
}

/// A running virtual machine, killed when dropped.
pub struct Vm {
    process: Child,
    shell: Option<UnixStream>,
    folder: TempDir,
    /// None while another machine is to move into it.
    turn: Option<Turn>,
}

impl Vm {
    /// A machine with the daemon's drives on `-device vhost-user-scsi-pci` as it comes, and 2 processors.
    pub fn start(daemon: &Daemon, start: Start) -> Self {
        Self::start_with(daemon, start, &["-smp", "2"])
    }

    /// The same with more of QEMU's arguments; `-smp` must be among them, `-accel` may.
    pub fn start_with(daemon: &Daemon, start: Start, arguments: &[&str]) -> Self {
        Self::run_qemu(Qemu::Installed, "", daemon, start, arguments)
    }

    /// A machine that can move to another QEMU of this version, up to its shell.
    pub fn movable(qemu: Qemu, daemon: &Daemon) -> Self {
        let mut vm = Self::run_qemu(qemu, "", daemon, Start::Kernel, qemu.movable());
        vm.wait_for_shell();
        vm
    }

    /// A QEMU that a machine is to move into, which has its turn already. The two are never at work at the same time.
    pub fn arriving(qemu: Qemu, daemon: &Daemon) -> Self {
        let arguments = [qemu.movable(), &["-incoming", "defer"]].concat();
        Self::spawn_qemu(qemu, "", daemon, Start::Kernel, &arguments, None)
    }

    /// This machine has become that one.
    pub fn moved_to(mut self, mut there: Self) -> Self {
        there.turn = self.turn.take();
        there
    }

    /// A machine of QEMU 10, which connects again when the daemon has been started again; up to its shell.
    pub fn reconnecting(daemon: &Daemon) -> Self {
        let mut vm = Self::run_qemu(Qemu::Ten, ",reconnect-ms=50", daemon, Start::Kernel, &["-smp", "2"]);
        vm.wait_for_shell();
        vm
    }

    fn run_qemu(qemu: Qemu, socket: &str, daemon: &Daemon, start: Start, arguments: &[&str]) -> Self {
        Self::spawn_qemu(qemu, socket, daemon, start, arguments, Some(Turn::take()))
    }

    fn spawn_qemu(
        qemu: Qemu,
        socket: &str,
        daemon: &Daemon,
        start: Start,
        arguments: &[&str],
        turn: Option<Turn>,
    ) -> Self {
        let qemu = qemu.program();
        let folder = TempDir::with_prefix("spindle-vm-").unwrap();
        let file = |name: &str| folder.path().join(name).display().to_string();
        let listener = UnixListener::bind(file("shell")).unwrap();
        let mut command = mortal(&qemu);
        if !arguments.contains(&"-accel") {
            command.args(["-accel", ONE_THREAD]);
        }
        command
            .args(["-m", "512", "-nodefaults", "-display", "none", "-vga", "std"])
            .args(["-object", "memory-backend-memfd,id=memory,size=512M,share=on"])
            .args(["-machine", "pc,memory-backend=memory,graphics=off"])
            .args(["-serial", &format!("file:{}", file("console"))])
            .args(["-qmp", &format!("unix:{},server=on,wait=off", file("qmp"))])
            .args(["-device", "virtio-serial-pci", "-chardev", &format!("socket,id=shell,path={}", file("shell"))])
            .args(["-device", "virtserialport,chardev=shell,name=spindle.shell"])
            .args(["-chardev", &format!("socket,id=drive,path={}{socket}", daemon.folder().join("drive").display())])
            .args(arguments);
        let boot_index = if start.has_firmware() { ",bootindex=0" } else { "" };
        command.args(["-device", &format!("vhost-user-scsi-pci,id=cd,chardev=drive{boot_index}")]);
        match start {
            Start::Kernel => from_kernel(&mut command, "initrd.img", ""),
            Start::Programs => from_kernel(&mut command, "initrd-programs.img", ""),
            Start::Systemd => from_kernel(&mut command, "initrd-systemd.img", " rdinit=/lib/systemd/systemd"),
            Start::SeaBios => {}
            Start::Ovmf => drop(command.args(["-bios", "/usr/share/ovmf/OVMF.fd"])),
        }
        let log = fs::File::create(folder.path().join("qemu.log")).unwrap();
        let process =
            command.stdin(Stdio::null()).stderr(log).spawn().unwrap_or_else(|error| panic!("{qemu}: {error}"));
        let mut vm = Self { process, shell: None, folder, turn };
        listener.set_nonblocking(true).unwrap();
        let mut connection = None;
        vm.wait(COMMAND, "QEMU", |_| match listener.accept() {
            Ok((stream, _)) => {
                connection = Some(stream);
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        });
        vm.shell = connection;
        vm
    }

    /// The test guest, started by QEMU itself, up to its shell.
    pub fn linux(daemon: &Daemon) -> Self {
        let mut vm = Self::start(daemon, Start::Kernel);
        vm.wait_for_shell();
        vm
    }

    /// The test guest with all programs, up to its shell.
    pub fn with_programs(daemon: &Daemon) -> Self {
        let mut vm = Self::start(daemon, Start::Programs);
        vm.wait_for_shell();
        vm
    }

    /// Waits until the guest's shell says that it is there, at the start and after each reboot.
    pub fn wait_for_shell(&mut self) {
        assert_eq!(self.answer(BOOT, "the guest's shell"), (0, String::new()));
    }

    /// Runs a shell script in the guest; returns its exit status and what it wrote.
    pub fn run(&mut self, script: &str) -> (u32, String) {
        self.send(script);
        self.answer(COMMAND, script)
    }

    /// The same, for a script that must succeed; returns what it wrote.
    pub fn ok(&mut self, script: &str) -> String {
        let (status, output) = self.run(script);
        assert_eq!(status, 0, "{script}\n{output}\n{}", self.story());
        output
    }

    /// Runs `script` again and again until what it writes has `text` in it.
    pub fn until(&mut self, script: &str, text: &str) -> String {
        let deadline = Instant::now() + COMMAND;
        loop {
            let (status, output) = self.run(script);
            if output.contains(text) {
                return output;
            }
            assert!(Instant::now() < deadline, "{script}: never {text:?}, last {status} {output:?}\n{}", self.story());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Starts a script that does not answer (it ends the guest).
    pub fn send(&mut self, script: &str) {
        let mut message = (script.len() as u32).to_le_bytes().to_vec();
        message.extend_from_slice(script.as_bytes());
        self.shell.as_mut().unwrap().write_all(&message).unwrap();
    }

    /// Waits until the console has shown `text`; returns all that it has shown.
    pub fn console_shows(&mut self, text: &str) -> String {
        let mut shown = String::new();
        self.wait(BOOT, text, |vm| {
            shown = vm.console();
            shown.contains(text)
        });
        shown
    }

    /// The text on the VGA screen in text mode, 25 lines.
    pub fn screen_shows(&mut self, text: &str) -> String {
        let mut shown = String::new();
        self.wait(BOOT, text, |vm| {
            let cells = vm.physical(0xB_8000, 4000);
            let line = |row: &[u8]| row.iter().step_by(2).map(|byte| char::from(*byte)).collect::<String>();
            shown = cells.chunks(160).map(|row| line(row) + "\n").collect();
            shown.contains(text)
        });
        shown
    }

    /// A checksum of the machine's memory, without the modules that were plugged in.
    pub fn memory(&self) -> u32 {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap();
        let paths = descriptors.map(|descriptor| descriptor.unwrap().path());
        let is_memory = |path: &PathBuf| {
            fs::read_link(path).is_ok_and(|target| target.to_string_lossy().starts_with("/memfd:memory"))
        };
        let mut file = fs::File::open(paths.filter(is_memory).min().expect("the memory is a memfd")).unwrap();
        let (mut sum, mut piece) = (crc32fast::Hasher::new(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut piece).unwrap() {
                0 => return sum.finalize(),
                length => sum.update(&piece[..length]),
            }
        }
    }

    /// What is at an address of the machine's memory.
    pub fn physical(&mut self, address: u64, bytes: u64) -> Vec<u8> {
        let dump = self.folder.path().join("memory");
        self.qmp("pmemsave", &json!({ "val": address, "size": bytes, "filename": dump }));
        fs::read(&dump).unwrap()
    }

    /// Gives QEMU itself a command.
    pub fn qmp(&mut self, command: &str, arguments: &Value) -> Value {
        self.try_qmp(command, arguments).unwrap_or_else(|error| panic!("{command}: {error}\n{}", self.story()))
    }

    /// Has QEMU quit, after its machine has moved elsewhere, and returns how it ended. QEMU 7.2 hangs up now and then in place of an answer.
    pub fn quit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + COMMAND;
        loop {
            let asked = self.try_qmp("quit", &json!({}));
            thread::sleep(Duration::from_millis(20));
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "QEMU's end: not within {COMMAND:?}, {asked:?}\n{}", self.story());
        }
    }

    /// Waits for QEMU's end, which nobody asked it for; what it said.
    pub fn ended(&mut self) -> String {
        let deadline = Instant::now() + BOOT;
        while self.process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "QEMU's end: not within {BOOT:?}\n{}", self.story());
            thread::sleep(Duration::from_millis(50));
        }
        self.story()
    }

    fn try_qmp(&self, command: &str, arguments: &Value) -> io::Result<Value> {
        let mut stream = UnixStream::connect(self.folder.path().join("qmp"))?;
        stream.set_read_timeout(Some(COMMAND))?;
        let mut answers = serde_json::Deserializer::from_reader(stream.try_clone()?).into_iter::<Value>();
        let mut answer = || {
            loop {
                let answer = answers.next().ok_or(ErrorKind::UnexpectedEof)??;
                if let Some(error) = answer.get("error") {
                    return Err(io::Error::other(error.to_string()));
                }
                if answer.get("event").is_none() {
                    return Ok(answer);
                }
            }
        };
        answer()?;
        writeln!(stream, "{}", json!({ "execute": "qmp_capabilities" }))?;
        answer()?;
        writeln!(stream, "{}", json!({ "execute": command, "arguments": arguments }))?;
        answer()
    }

    fn answer(&mut self, limit: Duration, what: &str) -> (u32, String) {
        let mut header = [0; 8];
        self.receive(&mut header, limit, what);
        let [status, length] = [0, 4].map(|at| u32::from_le_bytes(header[at..at + 4].try_into().unwrap()));
        let mut output = vec![0; length as usize];
        self.receive(&mut output, limit, what);
        (status, String::from_utf8_lossy(&output).into_owned())
    }

    fn receive(&mut self, buffer: &mut [u8], limit: Duration, what: &str) {
        let shell = self.shell.as_mut().unwrap();
        shell.set_read_timeout(Some(limit)).unwrap();
        if let Err(error) = shell.read_exact(buffer) {
            panic!("{what}: {error}\n{}", self.story());
        }
    }

    fn wait(&mut self, limit: Duration, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + limit;
        while !done(self) {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "{what}: QEMU ended with {ended:?}\n{}", self.story());
            assert!(Instant::now() < deadline, "{what}: not within {limit:?}\n{}", self.story());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn console(&self) -> String {
        fs::read(self.folder.path().join("console"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// For a failure: what QEMU and the console said.
    fn story(&mut self) -> String {
        let qemu = fs::read_to_string(self.folder.path().join("qemu.log")).unwrap_or_default();
        format!("QEMU ({:?}) said:\n{qemu}\nthe console:\n{}", self.process.try_wait(), self.console())
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two machines at a time, whatever the number of test threads.
struct Turn;

static TURNS: (Mutex<u32>, Condvar) = (Mutex::new(2), Condvar::new());

impl Turn {
    fn take() -> Self {
        let (free, freed) = &TURNS;
        let free = free.lock().unwrap_or_else(PoisonError::into_inner);
        *freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner) -= 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TURNS.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        TURNS.1.notify_one();
    }
}
