//! A daemon that is killed and started again with the same `--state-dir`: what a guest and a person find then.

mod discs;
mod files;
mod moved;
mod requests;
mod state;
mod store;
mod terminal;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::control::Client;
use crate::support::daemon::{Daemon, spindled};
use crate::support::disc::block;
use crate::support::guest::{Command, Guest, Options, REQUESTS, Reply};
use crate::support::images::described::isz;

const TEST_UNIT_READY: [u8; 6] = [0; 6];
/// START STOP UNIT: eject, and load.
const EJECT: [u8; 6] = [0x1B, 0, 0, 0, 2, 0];
const LOAD: [u8; 6] = [0x1B, 0, 0, 0, 3, 0];
/// GET EVENT STATUS NOTIFICATION of the media class.
const EVENTS: [u8; 10] = [0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0];

/// A daemon, and the folder that outlives it.
struct Restarted {
    daemon: Option<Daemon>,
    arguments: Vec<String>,
    folder: TempDir,
}

impl Restarted {
    /// The first start, with a state folder, a control socket and these arguments.
    fn start(arguments: &[&str]) -> Self {
        Self::start_in(TempDir::new().unwrap(), arguments)
    }

    fn start_in(folder: TempDir, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let mut this = Self { daemon: None, arguments, folder };
        let command = this.command(TempDir::new().unwrap());
        this.run(command);
        this
    }

    /// What starts it in a runtime folder.
    fn command(&self, runtime: TempDir) -> (std::process::Command, TempDir) {
        let mut command = spindled(&runtime);
        command.arg("--socket-path").arg(runtime.path().join("socket")).args(["--state-dir", &self.path("state")]);
        command.args(["--control", &self.path("control")]).args(&self.arguments);
        (command, runtime)
    }

    fn run(&mut self, (command, runtime): (std::process::Command, TempDir)) {
        self.daemon = Some(Daemon::run(command, runtime));
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn daemon(&mut self) -> &mut Daemon {
        self.daemon.as_mut().unwrap()
    }

    /// Ends it at whatever it is doing.
    fn kill(&mut self) -> TempDir {
        self.daemon.take().unwrap().kill()
    }

    /// Kills it and starts it again; it logs what `log` says, if anything.
    fn restart(&mut self) {
        let runtime = self.kill();
        self.start_again(runtime);
    }

    fn start_again(&mut self, runtime: TempDir) {
        let command = self.command(runtime);
        self.run(command);
    }

    /// The same under a running machine.
    fn restart_under(&mut self, guest: &mut Guest) {
        self.restart();
        guest.reconnect(&self.daemon().path());
    }

    /// The same when some time has passed in between.
    fn restart_late_under(&mut self, guest: &mut Guest) {
        let runtime = self.kill();
        std::thread::sleep(Duration::from_millis(300));
        self.start_again(runtime);
        guest.reconnect(&self.daemon().path());
    }

    /// A machine that has been told all that was pending.
    fn guest(&mut self) -> Guest {
        let mut guest = self.daemon().guest(Options::default());
        settle(&mut guest);
        guest
    }

    fn client(&self) -> Client {
        Client::negotiated(self.folder.path().join("control").as_ref())
    }

    /// What `drive-query` says of the only drive.
    fn query(&self) -> Value {
        self.client().ok("drive-query", json!({}))[0].take()
    }

    /// An image of patterned blocks; its path.
    fn image(&self, name: &str, seed: u32) -> String {
        let path = self.path(name);
        write_image(path.clone().into(), seed);
        path
    }
}

fn write_image(path: PathBuf, seed: u32) {
    fs::write(path, (0..64).flat_map(|lba| block(seed, lba)).collect::<Vec<_>>()).unwrap();
}

/// An ISZ of the same blocks, under the password "secret".
fn under_a_password(seed: u32) -> Vec<u8> {
    let content: Vec<u8> = (0..64).flat_map(|lba| block(seed, lba)).collect();
    isz::files(&content, isz::LOCKED).remove(0).1
}

/// A folder with an image in it.
fn folder_with_image(seed: u32) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("disc.iso");
    write_image(path.clone(), seed);
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn run(guest: &mut Guest, cdb: &[u8], room: usize) -> Reply {
    guest.command(REQUESTS, &Command::new(cdb, room))
}

#[track_caller]
fn good(guest: &mut Guest, cdb: &[u8], room: usize) -> Vec<u8> {
    let reply = run(guest, cdb, room);
    assert_eq!(reply.status, 0, "{cdb:x?}: {:x?}", reply.sense);
    reply.data
}

/// Sense key, ASC and ASCQ; zeros for GOOD.
fn sense(guest: &mut Guest, cdb: &[u8]) -> (u8, u8, u8) {
    let reply = run(guest, cdb, 2048);
    if reply.status == 0 { (0, 0, 0) } else { (reply.sense[2] & 0xF, reply.sense[12], reply.sense[13]) }
}

/// Reads all unit attentions and media events.
fn settle(guest: &mut Guest) {
    while sense(guest, &TEST_UNIT_READY).0 == 6 {}
    while events(guest).0 != 0 {}
}

/// The next media event, and the status bits: medium present, tray open.
fn events(guest: &mut Guest) -> (u8, u8) {
    let data = good(guest, &EVENTS, 8);
    (data[4], data[5])
}

fn read(guest: &mut Guest, lba: u8) -> Vec<u8> {
    good(guest, &[0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0], 2048)
}
