//! A service manager that keeps descriptors (systemd's `FDSTORE`), played by the test.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{SeekFrom, fstat, seek, tell};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recv, recvmsg};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Restarted, TEST_UNIT_READY, good, read, sense, write_image};
use crate::support::control::Client;
use crate::support::daemon::Daemon;
use crate::support::disc::block;
use crate::support::guest::{Command as Request, REQUESTS, lun};

/// What the manager was sent, and what it keeps.
struct Manager {
    socket: UnixDatagram,
    name: String,
    kept: BTreeMap<String, OwnedFd>,
    ready: u32,
}

impl Manager {
    fn at(name: String) -> Self {
        let socket = UnixDatagram::bind(&name).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { socket, name, kept: BTreeMap::new(), ready: 0 }
    }

    /// Takes the next message.
    fn receive(&mut self) {
        let mut text = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got =
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
        let descriptors: Vec<OwnedFd> = control
            .drain()
            .filter_map(|message| if let RecvAncillaryMessage::ScmRights(sent) = message { Some(sent) } else { None })
            .flatten()
            .collect();
        let text = str::from_utf8(&text[..got.bytes]).unwrap();
        let name = text.lines().find_map(|line| line.strip_prefix("FDNAME="));
        let legal = |name: &&str| name.len() <= 255 && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        assert!(name.is_none_or(|name| legal(&name)), "{text}");
        match (text.lines().next().unwrap(), name) {
            ("FDSTORE=1", Some(name)) => {
                assert_eq!(descriptors.len(), 1);
                let descriptor = descriptors.into_iter().next().unwrap();
                // As systemd does (`service_add_fd_store`).
                if !self.kept.values().any(|kept| is_same_open_file(kept, &descriptor)) {
                    assert!(self.kept.insert(name.to_owned(), descriptor).is_none(), "two files of one name: {name}");
                }
            }
            ("FDSTOREREMOVE=1", Some(name)) => {
                self.kept.remove(name);
            }
            ("READY=1", None) => self.ready += 1,
            other => panic!("{other:?}"),
        }
    }

    /// Takes what has been sent.
    fn take_all(&mut self) {
        while recv(&self.socket, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT).is_ok() {
            self.receive();
        }
    }

    /// Takes messages until so many descriptors are kept.
    fn until_it_keeps(&mut self, count: usize) {
        while self.kept.len() != count {
            self.receive();
        }
    }

    /// Starts a daemon that finds at most two kept descriptors as 3 and 4.
    fn start(&self, here: &mut Restarted, runtime: TempDir) {
        let (command, runtime) = self.command(here, runtime);
        here.daemon = Some(Daemon::run(command, runtime));
    }

    /// The command of such a daemon.
    fn command(&self, here: &Restarted, runtime: TempDir) -> (Command, TempDir) {
        let (direct, runtime) = here.command(runtime);
        let names: Vec<_> = self.kept.keys().map(String::as_str).collect();
        let mut command = Command::new("sh");
        // The shell moves descriptors to where no safe Rust puts them; its number becomes the daemon's.
        let moved = ["", "3<&0", "3<&0 4<&1"][names.len()];
        command.args(["-c", &format!("LISTEN_PID=$$ exec \"$0\" \"$@\" {moved} 0</dev/null 1>/dev/null")]);
        command.arg(direct.get_program()).args(direct.get_args());
        command.envs(direct.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("NOTIFY_SOCKET", &self.name).env("LISTEN_FDS", names.len().to_string());
        command.env("LISTEN_FDNAMES", names.join(":"));
        let mut kept = self.kept.values().map(|descriptor| descriptor.try_clone().unwrap());
        command.stdin(kept.next().map_or_else(Stdio::null, Stdio::from));
        command.stdout(kept.next().map_or_else(Stdio::null, Stdio::from));
        (command, runtime)
    }
}

fn insert(here: &Restarted, image: &str) {
    crate::support::host::run(env!("CARGO_BIN_EXE_spindle"), &["insert", "--control", &here.path("control"), image]);
}

/// Whether two descriptors are of one open file: they have its position in common. (systemd asks by kcmp(2).)
fn is_same_open_file(one: &OwnedFd, other: &OwnedFd) -> bool {
    let [place, other_place] = [one, other].map(|file| fstat(file).map(|stat| (stat.st_dev, stat.st_ino)).unwrap());
    let (before, at) = (tell(one).unwrap(), tell(other).unwrap());
    seek(one, SeekFrom::Start(before + 1)).unwrap();
    let moved = tell(other).unwrap() != at;
    seek(one, SeekFrom::Start(before)).unwrap();
    place == other_place && moved
}

/// A CUE sheet and its data file.
fn sheet(folder: &TempDir, seed: u32) -> String {
    write_image(folder.path().join("track.bin"), seed);
    let sheet = folder.path().join("disc.cue");
    fs::write(&sheet, "FILE track.bin BINARY\nTRACK 01 MODE1/2048\nINDEX 01 00:00:00\n").unwrap();
    sheet.to_str().unwrap().to_owned()
}

#[test]
fn discs_without_a_name_survive_where_a_service_manager_keeps_them_open() {
    let folder = TempDir::new().unwrap();
    let mut manager = Manager::at(folder.path().join("notify").to_str().unwrap().to_owned());
    let mut here = Restarted { daemon: None, arguments: Vec::new(), folder };
    manager.start(&mut here, TempDir::new().unwrap());
    manager.receive();
    assert_eq!(manager.ready, 1);
    let images = TempDir::new().unwrap();
    insert(&here, &sheet(&images, 5));
    manager.until_it_keeps(2);
    // Whoever passed them removes them: no path leads to them any more.
    fs::remove_file(images.path().join("disc.cue")).unwrap();
    fs::remove_file(images.path().join("track.bin")).unwrap();
    let mut guest = here.guest();
    for start in 2..4 {
        let runtime = here.kill();
        manager.start(&mut here, runtime);
        while manager.ready < start {
            manager.receive();
        }
        guest.reconnect(&here.daemon().path());
        assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (0, 0, 0));
        assert_eq!(read(&mut guest, 63), block(5, 63));
        assert_eq!(manager.kept.len(), 2);
    }
    // Another disc takes their place, also there.
    let before: Vec<_> = manager.kept.keys().cloned().collect();
    insert(&here, &here.image("other.iso", 6));
    manager.until_it_keeps(3);
    manager.until_it_keeps(1);
    assert!(before.iter().all(|name| !manager.kept.contains_key(name)));
    here.client().ok("media-eject", json!({}));
    manager.until_it_keeps(0);
}

#[test]
fn a_file_that_is_kept_open_and_has_changed_is_not_put_in() {
    let folder = TempDir::new().unwrap();
    let mut manager = Manager::at(folder.path().join("notify").to_str().unwrap().to_owned());
    let mut here = Restarted { daemon: None, arguments: Vec::new(), folder };
    manager.start(&mut here, TempDir::new().unwrap());
    let images = TempDir::new().unwrap();
    insert(&here, &sheet(&images, 5));
    manager.receive();
    manager.until_it_keeps(2);
    let mut guest = here.guest();
    let runtime = here.kill();
    let track = fs::OpenOptions::new().write(true).open(images.path().join("track.bin")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&track, b"changed", 2048).unwrap();
    fs::remove_file(images.path().join("track.bin")).unwrap();
    manager.start(&mut here, runtime);
    guest.reconnect(&here.daemon().path());
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (6, 0x3A, 0));
    let reason = here.query()["absent"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("has changed"), "{reason}");
    manager.until_it_keeps(0);
}

/// What another daemon, or this one's last words before its end, left there.
#[test]
fn descriptors_that_no_drive_knows_are_let_go_of() {
    let folder = TempDir::new().unwrap();
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut manager = Manager::at(folder.path().join("notify").to_str().unwrap().to_owned());
    manager.kept.insert("spindle.cd9.4.0".to_owned(), ours.as_fd().try_clone_to_owned().unwrap());
    manager.kept.insert("somebody.else".to_owned(), ours.into());
    let mut here = Restarted { daemon: None, arguments: Vec::new(), folder };
    manager.start(&mut here, TempDir::new().unwrap());
    manager.until_it_keeps(1);
    assert!(manager.kept.contains_key("somebody.else"));
    let mut guest = here.guest();
    good(&mut guest, &[0x12, 0, 0, 0, 36, 0], 36);
}

#[test]
fn a_start_that_fails_lets_go_of_nothing() {
    let folder = TempDir::new().unwrap();
    let mut manager = Manager::at(folder.path().join("notify").to_str().unwrap().to_owned());
    manager.socket.set_nonblocking(true).unwrap();
    let file = fs::File::open(env!("CARGO_BIN_EXE_spindle")).unwrap();
    manager.kept.insert("spindle.cd1.1.0".to_owned(), file.into());
    let missing = folder.path().join("missing.iso");
    let drives = vec![format!("--drive=name=cd0,image={}", missing.display()), "--drive=name=cd1".to_owned()];
    let here = Restarted { daemon: None, arguments: drives, folder };
    let (mut command, _runtime) = manager.command(&here, TempDir::new().unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(manager.socket.recv(&mut [0; 64]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

/// Two drives, and a client that passes one image to both. The image has no name any more.
struct Shared {
    manager: Manager,
    here: Restarted,
    image: File,
}

impl Shared {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let image = folder.path().join("disc.iso");
        write_image(image.clone(), 5);
        let manager = Manager::at(folder.path().join("notify").to_str().unwrap().to_owned());
        let arguments = ["--drive=name=cd0", "--drive=name=cd1"].map(str::to_owned).to_vec();
        let mut this =
            Self { here: Restarted { daemon: None, arguments, folder }, image: File::open(&image).unwrap(), manager };
        fs::remove_file(image).unwrap();
        this.manager.start(&mut this.here, TempDir::new().unwrap());
        this.manager.receive();
        this
    }

    /// A client that has passed the image in fd set 1.
    fn client(&self) -> Client {
        let mut client = self.here.client();
        client.send_with(br#"{"execute": "add-fd", "arguments": {"fdset-id": 1}}"#, &[self.image.as_fd()]);
        assert_eq!(client.answer()["return"]["fdset-id"], 1);
        client
    }

    /// Kills the daemon and starts it again; what it keeps then, and the locators of the discs that it has, by drive.
    fn restart(&mut self) -> (usize, Vec<Value>) {
        self.manager.take_all();
        let (runtime, starts) = (self.here.kill(), self.manager.ready);
        self.manager.start(&mut self.here, runtime);
        while self.manager.ready == starts {
            self.manager.receive();
        }
        let drives = self.here.client().ok("drive-query", json!({}));
        let locators = drives.as_array().unwrap().iter().map(|drive| drive["medium"]["locator"].clone());
        (self.manager.kept.len(), locators.collect())
    }
}

#[test]
fn a_disc_in_two_drives_is_kept_for_as_long_as_either_has_it() {
    let mut shared = Shared::start();
    let mut client = shared.client();
    client.ok("media-open", json!({ "node-name": "disc", "file": "/dev/fdset/1", "locator": "disc" }));
    for drive in ["cd0", "cd1"] {
        client.ok("blockdev-open-tray", json!({ "id": drive }));
        client.ok("blockdev-insert-medium", json!({ "id": drive, "node-name": "disc" }));
        client.ok("blockdev-close-tray", json!({ "id": drive }));
    }
    drop(client);
    assert_eq!(shared.restart(), (1, vec![json!("disc"), json!("disc")]));
    shared.here.client().ok("media-eject", json!({ "drive": "cd0" }));
    assert_eq!(shared.restart(), (1, vec![Value::Null, json!("disc")]));
    let mut guest = shared.here.guest();
    while guest.command(REQUESTS, &Request { lun: lun(1), ..Request::new(&TEST_UNIT_READY, 0) }).status != 0 {}
    let read = Request { lun: lun(1), ..Request::new(&[0x28, 0, 0, 0, 0, 63, 0, 0, 1, 0], 2048) };
    assert_eq!(guest.command(REQUESTS, &read).data, block(5, 63));
    guest.hang_up();
    shared.here.client().ok("media-eject", json!({ "drive": "cd1" }));
    assert_eq!(shared.restart(), (0, vec![Value::Null, Value::Null]));
}

/// Also by a second descriptor of the same open file, which the manager does not keep.
#[test]
fn a_disc_that_takes_its_own_place_is_kept() {
    let mut shared = Shared::start();
    for _ in 0..2 {
        let mut client = shared.client();
        for _ in 0..2 {
            client.ok("blockdev-change-medium", json!({ "id": "cd0", "filename": "/dev/fdset/1" }));
        }
        drop(client);
        assert_eq!(shared.restart(), (1, vec![json!("/dev/fdset/1"), Value::Null]));
    }
}
