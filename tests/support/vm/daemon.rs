//! `spindled` as a process, for a virtual machine.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::COMMAND;
use super::programs::mortal;
use crate::support::daemon::DEFECTS;

/// A running `spindled`, killed when dropped. A test fails at its end if that has met a defect: a machine that connects again would
/// not notice.
pub struct Daemon {
    process: Child,
    folder: TempDir,
    arguments: Vec<String>,
}

impl Daemon {
    /// With `arguments` after the sockets' own; returns when the drive's socket is there.
    pub fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::with_prefix("spindle-").unwrap();
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        let process = Self::spawn(&folder, &arguments);
        let mut daemon = Self { process, folder, arguments };
        daemon.wait(COMMAND, "the drive's socket", |daemon| daemon.folder.path().join("drive").exists());
        daemon
    }

    fn spawn(folder: &TempDir, arguments: &[String]) -> Child {
        let log = fs::File::options().create(true).append(true).open(folder.path().join("spindled.log")).unwrap();
        mortal(env!("CARGO_BIN_EXE_spindled"))
            .arg("--socket-path")
            .arg(folder.path().join("drive"))
            .arg("--control")
            .arg(folder.path().join("control"))
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Kills it at whatever it is doing, and starts it again with the same arguments.
    pub fn restart(&mut self) {
        self.restart_by(Signal::KILL);
    }

    /// Ends it by this signal at whatever it is doing, and starts it again with the same arguments.
    pub fn restart_by(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
        self.process.wait().unwrap();
        self.process = Self::spawn(&self.folder, &self.arguments);
    }

    /// How many front-ends have connected, over all restarts.
    pub fn connections(&self) -> usize {
        self.log().matches("a front-end connected").count()
    }

    /// Runs `spindle ARGUMENTS` on this daemon's control socket.
    pub fn spindle(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The same, which must succeed; returns what it printed.
    pub fn spindle_ok(&self, arguments: &[&str]) -> String {
        let output = self.spindle(arguments);
        assert!(output.status.success(), "spindle {arguments:?}: {output:?}\n{}", self.log());
        String::from_utf8(output.stdout).unwrap()
    }

    /// `spindle ARGUMENTS`, to be started by the caller.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = mortal(env!("CARGO_BIN_EXE_spindle"));
        command.env("SPINDLE_CONTROL", self.folder.path().join("control")).args(arguments).stdin(Stdio::null());
        command
    }

    /// `spindle status --json`: a list of drives.
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.spindle_ok(&["status", "--json"])).unwrap()
    }

    /// Waits until the daemon has ended; returns its exit status.
    pub fn ended(&mut self) -> Option<i32> {
        let mut status = None;
        self.wait(COMMAND, "the daemon's end", |daemon| {
            status = daemon.process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until `text` stands in the log.
    pub fn logs(&mut self, text: &str) {
        self.wait(COMMAND, text, |daemon| daemon.log().contains(text));
    }

    pub fn log(&self) -> String {
        let log = fs::read(self.folder.path().join("spindled.log")).unwrap();
        format!("spindled's log:\n{}", String::from_utf8_lossy(&log))
    }

    fn wait(&mut self, limit: Duration, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + limit;
        while !done(self) {
            assert!(Instant::now() < deadline, "{what}: not within {limit:?}\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let log = self.log();
        if DEFECTS.iter().any(|defect| log.contains(defect)) {
            let said = format!("the daemon has met a defect\n{log}");
            // In a test that fails already a second panic would end all tests.
            if thread::panicking() { eprintln!("{said}") } else { panic!("{said}") }
        }
    }
}
