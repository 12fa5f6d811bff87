//! Disks that are full, where the daemon writes: its state, and images that it decodes. What `convert` does then: `cli::convert`.

use std::fs::{self, File};
use std::os::fd::AsFd;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::control::Client;
use crate::support::daemon::{Daemon, spindled};
use crate::support::disc::block;
use crate::support::disk::SmallDisk;
use crate::support::guest::{Command, Guest, Options, REQUESTS};
use crate::support::host::run;

const READ: [u8; 10] = [0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0];
/// PREVENT ALLOW MEDIUM REMOVAL.
const LOCK: [u8; 6] = [0x1E, 0, 0, 0, 1, 0];
const UNLOCK: [u8; 6] = [0x1E, 0, 0, 0, 0, 0];
/// What is said of a state that cannot be written.
const SAID: &str = "the state of drive cd0 cannot be kept";

/// A folder with an image, and where its daemons have their sockets.
struct Place {
    folder: TempDir,
    image: String,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("disc.iso");
        fs::write(&path, (0..64).flat_map(|lba| block(3, lba)).collect::<Vec<_>>()).unwrap();
        Self { image: path.to_str().unwrap().to_owned(), folder }
    }

    fn start(&self, disk: &SmallDisk) -> Daemon {
        let control = self.folder.path().join("control");
        let state = disk.path().join("state");
        Daemon::start(&["--control", control.to_str().unwrap(), "--state-dir", state.to_str().unwrap(), &self.image])
    }

    /// The drive of the daemon that runs.
    fn query(&self) -> Value {
        Client::negotiated(&self.folder.path().join("control")).ok("drive-query", json!({}))[0].take()
    }

    /// Whether it is locked.
    fn is_locked(&self) -> bool {
        self.query()["locked-by"] != json!([])
    }
}

fn good(guest: &mut Guest, cdb: &[u8], room: usize) -> Vec<u8> {
    let reply = guest.command(REQUESTS, &Command::new(cdb, room));
    assert_eq!(reply.status, 0, "{cdb:x?}: {:x?}", reply.sense);
    reply.data
}

fn guest(daemon: &Daemon) -> Guest {
    let mut guest = daemon.guest(Options::default());
    is_told_everything(&mut guest);
    guest
}

fn is_told_everything(guest: &mut Guest) {
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
}

fn times_said(daemon: Daemon) -> usize {
    daemon.signal(rustix::process::Signal::TERM);
    let (status, log) = daemon.end();
    assert!(status.success(), "{log:#?}");
    log.iter().filter(|line| line.contains(SAID)).count()
}

/// The file has its blocks from the start.
#[test]
fn a_disk_that_becomes_full_takes_no_state() {
    let (place, disk) = (Place::new(), SmallDisk::new(1 << 20));
    let daemon = place.start(&disk);
    let mut machine = guest(&daemon);
    disk.fill("full");
    for _ in 0..4 {
        good(&mut machine, &LOCK, 0);
        good(&mut machine, &UNLOCK, 0);
    }
    // More than the file has had in it.
    let long = "x".repeat(12_000);
    let mut client = Client::negotiated(&place.folder.path().join("control"));
    let image = File::open(&place.image).unwrap();
    client.send_with(b"{\"execute\": \"add-fd\", \"arguments\": {\"fdset-id\": 1}}", &[image.as_fd()]);
    assert!(client.answer().get("return").is_some());
    client.ok("media-insert", json!({ "file": "/dev/fdset/1", "locator": long, "force": true }));
    is_told_everything(&mut machine);
    good(&mut machine, &LOCK, 0);
    daemon.kill();
    let daemon = place.start(&disk);
    let query = place.query();
    assert_eq!(query["medium"]["locator"], json!(long), "the state is an older one");
    assert_ne!(query["locked-by"], json!([]), "the state is an older one");
    assert_eq!(times_said(daemon), 0);
}

#[test]
fn a_disk_that_is_full_from_the_start_is_told_once_and_the_drive_goes_on() {
    let (place, disk) = (Place::new(), SmallDisk::new(64 << 10));
    disk.fill("full");
    let mut daemon = place.start(&disk);
    let mut machine = guest(&daemon);
    for _ in 0..4 {
        good(&mut machine, &LOCK, 0);
        good(&mut machine, &UNLOCK, 0);
        assert_eq!(good(&mut machine, &READ, 2048), block(3, 9));
    }
    let line = daemon.log().iter().find(|line| line.contains(SAID)).cloned();
    let line = line.unwrap_or_else(|| daemon.wait_for_line(SAID));
    assert!(line.contains("a restart finds an older one: No space left on device"), "{line}");
    // With room again it is kept again.
    fs::remove_file(disk.path().join("full")).unwrap();
    good(&mut machine, &LOCK, 0);
    assert_eq!(times_said(daemon), 1);
    let daemon = place.start(&disk);
    assert!(place.is_locked());
    assert_eq!(times_said(daemon), 0);
}

#[test]
fn a_disk_that_is_too_small_for_a_decoded_image_is_told_and_the_drive_keeps_its_disc() {
    let (place, disk) = (Place::new(), SmallDisk::new(64 << 10));
    let packed = place.folder.path().join("other.iso");
    fs::write(&packed, vec![7; 40 * 2048]).unwrap();
    run("bzip2", &[packed.to_str().unwrap()]);
    let packed = place.folder.path().join("other.iso.bz2");
    let runtime = TempDir::new().unwrap();
    let mut command = spindled(&runtime);
    command.env("TMPDIR", disk.path()).arg("--socket-path").arg(runtime.path().join("socket"));
    command.arg("--control").arg(place.folder.path().join("control"));
    command.arg("--media-root").arg(place.folder.path()).arg(&place.image);
    let daemon = Daemon::run(command, runtime);
    let mut machine = guest(&daemon);
    let mut client = Client::negotiated(&place.folder.path().join("control"));
    // Twice: nothing stays of the first.
    for _ in 0..2 {
        let (class, words) = client.refused("media-insert", json!({ "file": packed, "spool": true, "force": true }));
        assert_eq!(class, "GenericError");
        let folder = disk.path().join(format!("spindled-{}", rustix::process::geteuid().as_raw()));
        assert!(words.contains("No space left on device") && words.contains(folder.to_str().unwrap()), "{words}");
        assert_eq!(client.ok("drive-query", json!({}))[0]["medium"]["locator"], json!(place.image));
        assert_eq!(good(&mut machine, &READ, 2048), block(3, 9), "without a unit attention");
        assert_eq!(rustix::fs::statvfs(disk.path()).unwrap().f_bfree, 16);
    }
    // What fits is decoded.
    fs::write(place.folder.path().join("small.iso"), vec![7; 10 * 2048]).unwrap();
    run("bzip2", &[place.folder.path().join("small.iso").to_str().unwrap()]);
    let small = place.folder.path().join("small.iso.bz2");
    client.ok("media-insert", json!({ "file": small, "spool": true, "force": true }));
}
