//! `spindled` as a process.

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use tempfile::TempDir;

use super::guest::{Guest, Options};
use super::host::run;

/// Far more than anything takes: reached only when it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary, with a runtime folder of its own and without a log setting of the caller's.
pub fn spindled(runtime: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindled"));
    command.env("XDG_RUNTIME_DIR", runtime.path()).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// The same of another user, to whom the runtime folder is given. Needs root.
pub fn spindled_of(user: u32, runtime: &TempDir) -> Command {
    // The programs that are tested may lie where nobody else may look.
    let program = runtime.path().join("program");
    std::fs::copy(env!("CARGO_BIN_EXE_spindled"), &program).unwrap();
    chown(runtime.path(), Some(user), Some(user)).unwrap();
    let mut command = Command::new("setpriv");
    let user = user.to_string();
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--"]).arg(program);
    command.env("XDG_RUNTIME_DIR", runtime.path()).env("TMPDIR", runtime.path()).env_remove("RUST_LOG");
    command.stdin(Stdio::null());
    command
}

/// What it says of a defect of its own, which costs a connection at most.
pub const DEFECTS: [&str; 2] = ["panicked", "a defect of spindled"];

/// A daemon that is ready. It is killed with this. A test fails at its end if that has met a defect.
pub struct Daemon {
    child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
    may_panic: bool,
    pub folder: TempDir,
}

impl Daemon {
    /// Starts one that listens at [`path`](Self::path), with these arguments besides.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), arguments)
    }

    /// As [`start`](Self::start), in a folder that is there already.
    pub fn start_in(folder: TempDir, arguments: &[&str]) -> Self {
        let mut command = spindled(&folder);
        command.arg("--socket-path").arg(folder.path().join("socket")).args(arguments);
        Self::run(command, folder)
    }

    /// Starts one that serves the given socket, which it inherits as descriptor 3.
    pub fn on_descriptor(socket: OwnedFd, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The shell moves the socket to where no safe Rust puts it.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" --fd 3 \"$@\" 3<&0 0</dev/null", env!("CARGO_BIN_EXE_spindled")]);
        command.env("XDG_RUNTIME_DIR", folder.path()).env_remove("RUST_LOG").args(arguments).stdin(socket);
        Self::run(command, folder)
    }

    /// Runs a command that becomes a daemon.
    pub fn run(command: Command, folder: TempDir) -> Self {
        let mut daemon = Self::begin(command, folder);
        daemon.wait_for_line("ready");
        daemon
    }

    /// As [`run`](Self::run), for one that is not ready by itself.
    pub fn begin(mut command: Command, folder: TempDir) -> Self {
        let mut child = command.process_group(0).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || errors.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, log: Vec::new(), may_panic: false, folder }
    }

    /// It is known to meet one, of a library's.
    pub fn may_panic(&mut self) {
        self.may_panic = true;
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub fn guest(&self, options: Options) -> Guest {
        Guest::connect(&self.path(), options)
    }

    /// Waits until it logs a line with `text`; returns the line.
    pub fn wait_for_line(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("no line with \"{text}\" in {:#?}", self.log);
            };
            self.log.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; returns its status and all that it logged.
    pub fn end(self) -> (ExitStatus, Vec<String>) {
        let (status, log, _) = self.end_in_folder();
        (status, log)
    }

    /// As [`end`](Self::end), with the folder, which goes with the daemon otherwise.
    pub fn end_in_folder(mut self) -> (ExitStatus, Vec<String>, TempDir) {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.log.push(line);
        }
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        (self.child.wait().unwrap(), self.log.clone(), folder)
    }

    /// What it has logged up to when it was last waited for.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// Kills it, at whatever it is; returns its folder.
    pub fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.child.id())).join(name)
    }

    pub fn threads(&self) -> usize {
        std::fs::read_dir(self.proc("task")).unwrap().count()
    }

    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(self.proc("fd")).unwrap().count()
    }

    /// A number of `/proc/PID/status`, in KiB.
    pub fn memory(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// From now on its memory, used or not, may be so many bytes and no more.
    pub fn limit_memory(&self, bytes: u64) {
        let pid = Pid::from_child(&self.child);
        prlimit(Some(pid), Resource::As, Rlimit { current: Some(bytes), maximum: None }).unwrap();
    }

    /// From now on it may open so many more descriptors. The limit is of their numbers, of which those that were closed are free.
    pub fn spare_descriptors(&self, spare: usize) {
        let folder = std::fs::read_dir(self.proc("fd")).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let taken: Vec<u64> = folder.map(|entry| name(entry).parse().unwrap()).collect();
        let limit = (0..).filter(|number| !taken.contains(number)).nth(spare);
        let pid = Pid::from_child(&self.child);
        let now = getrlimit(Resource::Nofile);
        prlimit(Some(pid), Resource::Nofile, Rlimit { current: limit, ..now }).unwrap();
    }

    /// From now on `user`, whose daemon it is, may have so many threads and no more.
    pub fn limit_threads(&self, user: u32, count: usize) {
        // The user itself: root may lack what it takes to do that to others.
        let (user, pid) = (user.to_string(), self.child.id());
        let limit = ["prlimit".to_owned(), format!("--pid={pid}"), format!("--nproc={count}:")];
        let as_user = ["--reuid", &user, "--regid", &user, "--clear-groups", "--"];
        run("setpriv", &[&as_user[..], &limit.each_ref().map(String::as_str)].concat());
    }

    /// What `/proc` tells of each thread. One may end meanwhile.
    pub fn statuses(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(self.proc("task")).unwrap();
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok()).collect()
    }

    /// How often any thread was given a processor after it had waited.
    pub fn wakeups(&self) -> u64 {
        let tasks = std::fs::read_dir(self.proc("task")).unwrap();
        let count = |task: std::fs::DirEntry| -> u64 {
            let status = std::fs::read_to_string(task.path().join("status")).unwrap();
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        tasks.map(|task| count(task.unwrap())).sum()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.log.push(line);
        }
        let is_defect = |line: &String| DEFECTS.iter().any(|defect| line.contains(defect));
        if !self.may_panic && !std::thread::panicking() {
            assert!(!self.log.iter().any(is_defect), "the daemon has met a defect: {:#?}", self.log);
        }
    }
}
