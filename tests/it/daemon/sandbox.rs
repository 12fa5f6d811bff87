//! What a running daemon has given up, and that it serves all the same. What is left to a process inside the sandbox:
//! `tests/sandbox.rs`.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use crate::support::control::Client;
use crate::support::daemon::{Daemon, spindled, spindled_of};
use crate::support::fuse::Fuse;
use crate::support::guest::{self, Options, REQUESTS};
use crate::support::host::run;

/// A daemon with a control socket, and a client of it.
fn start(folder: &Path, arguments: &[&str]) -> (Daemon, Client) {
    let control = folder.join("control");
    let mut all = vec!["--control", control.to_str().unwrap()];
    all.extend(arguments);
    (Daemon::start(&all), Client::negotiated(&control))
}

fn image(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, vec![7; 40 * 2048]).unwrap();
    path
}

#[test]
fn every_thread_of_a_daemon_that_serves_has_given_up_its_privileges() {
    let folder = TempDir::new().unwrap();
    let iso = image(folder.path(), "disc.iso");
    let packed = folder.path().join("disc.cso");
    run(env!("CARGO_BIN_EXE_spindle"), &["convert", iso.to_str().unwrap(), packed.to_str().unwrap()]);
    let wave = format!("--audio=wav:{}", folder.path().join("sound.wav").display());
    for (sandbox, seccomp) in [("on", "Seccomp:\t2\n"), ("none", "Seccomp:\t0\n")] {
        let packed = packed.to_str().unwrap();
        let (daemon, mut client) =
            start(folder.path(), &["--sandbox", sandbox, "--behaviour", "real-speed", "--poll", &wave, packed]);
        let mut guest = daemon.guest(Options { request_queues: 4, ..Options::default() });
        while guest.command(REQUESTS, &guest::Command::new(&[0; 6], 0)).status != 0 {}
        // Blocks that are decoded, some ahead, at the pace of the disc.
        for lba in 0..32 {
            let reply = guest.command(REQUESTS, &guest::Command::new(&[0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0], 2048));
            assert_eq!((reply.status, reply.data), (0, vec![7; 2048]));
        }
        client.ok("drive-query", json!({}));
        let statuses = daemon.statuses();
        assert!(statuses.len() > 6, "{} threads", statuses.len());
        for status in statuses {
            assert!(status.contains(seccomp), "{sandbox}: {status}");
            let nothing = status.contains("CapEff:\t0000000000000000\n") && status.contains("NoNewPrivs:\t1\n");
            assert!(nothing || sandbox == "none", "{status}");
        }
    }
}

/// Who opens an image can be taken over by it: the image of the command line, and one that a drive remembers, which a thread opens.
#[test]
fn what_opens_an_image_has_given_up_all_but_the_right_to_open_it() {
    const LEN: u64 = 40 * 2048;
    /// The numbers of CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
    const OPENING: u64 = 1 << 1 | 1 << 2;
    let fuse = Fuse::mount(vec![7; LEN as usize]);
    let folder = TempDir::new().unwrap();
    let command = |runtime: &TempDir| {
        let mut command = spindled(runtime);
        command.arg("--socket-path").arg(runtime.path().join("socket"));
        command.arg("--state-dir").arg(folder.path().join("state")).arg(fuse.path());
        command
    };
    for start in ["the first", "the second"] {
        let runtime = TempDir::new().unwrap();
        fuse.set_hanging(0..LEN);
        let mut daemon = Daemon::begin(command(&runtime), runtime);
        let _patience = fuse.patience();
        while fuse.waiting() == 0 {
            std::thread::yield_now();
        }
        for status in daemon.statuses() {
            let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
            assert_eq!((field("Seccomp:"), field("NoNewPrivs:")), ("2", "1"), "{start}: {status}");
            for set in ["CapInh:", "CapPrm:", "CapEff:"] {
                let more = u64::from_str_radix(field(set), 16).unwrap() & !OPENING;
                assert_eq!(more, 0, "{start}: {set} {status}");
            }
        }
        fuse.release();
        daemon.wait_for_line("ready");
        daemon.kill();
    }
}

/// Needs root, to become somebody else.
#[test]
fn a_daemon_of_an_ordinary_user_serves() {
    const USER: u32 = 65_534;
    let folder = TempDir::new().unwrap();
    let image = image(folder.path(), "disc.iso");
    fs::set_permissions(&image, fs::Permissions::from_mode(0o444)).unwrap();
    let mut command = spindled_of(USER, &folder);
    command.arg("--socket-path").arg(folder.path().join("socket"));
    command.arg("--state-dir").arg(folder.path().join("state")).arg(image);
    let daemon = Daemon::run(command, folder);
    let mut guest = daemon.guest(Options::default());
    while guest.command(REQUESTS, &guest::Command::new(&[0; 6], 0)).status != 0 {}
    let reply = guest.command(REQUESTS, &guest::Command::new(&[0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0], 2048));
    assert_eq!((reply.status, reply.data), (0, vec![7; 2048]));
    for status in daemon.statuses() {
        assert!(status.contains(&format!("Uid:\t{USER}\t{USER}\t{USER}\t{USER}\n")), "{status}");
        let nothing = status.contains("CapPrm:\t0000000000000000\n") && status.contains("NoNewPrivs:\t1\n");
        assert!(nothing && status.contains("Seccomp:\t2\n"), "{status}");
    }
}

#[test]
fn images_are_opened_by_path_in_media_roots_alone_and_as_descriptors_anywhere() {
    let folder = TempDir::new().unwrap();
    let roots = ["one", "two"].map(|name| folder.path().join(name));
    for root in &roots {
        fs::create_dir(root).unwrap();
        image(root, "track.bin");
        fs::write(root.join("disc.cue"), "FILE Track.BIN BINARY\nTRACK 01 MODE1/2048\nINDEX 01 00:00:00\n").unwrap();
    }
    let outside = image(folder.path(), "outside.iso");
    let [one, two] = roots.each_ref().map(|root| root.to_str().unwrap());
    let (daemon, mut client) = start(folder.path(), &["--media-root", one, "--media-root", two]);
    let mut insert = |path: &Path| client.ask("media-insert", json!({"file": path}));
    for root in &roots {
        let answer = insert(&root.join("disc.cue"));
        assert!(answer.get("return").is_some(), "{answer}");
    }
    let answer = insert(&outside).to_string();
    assert!(answer.contains("outside.iso: Permission denied") && answer.contains("--media-root"), "{answer}");
    // A link leads nowhere else.
    std::os::unix::fs::symlink("../outside.iso", roots[0].join("link.iso")).unwrap();
    assert!(insert(&roots[0].join("link.iso")).to_string().contains("Permission denied"));

    let file = fs::File::open(&outside).unwrap();
    client.send_with(b"{\"execute\": \"add-fd\", \"arguments\": {\"fdset-id\": 1}}", &[file.as_fd()]);
    assert!(client.answer().get("return").is_some());
    client.ok("media-insert", json!({"file": "/dev/fdset/1", "locator": "outside.iso"}));

    // Without any root.
    drop(daemon);
    let (_daemon, mut client) = start(folder.path(), &[]);
    let answer = client.ask("blockdev-change-medium", json!({"id": "cd0", "filename": outside})).to_string();
    assert!(answer.contains("Permission denied") && answer.contains("--media-root"), "{answer}");
}

#[test]
fn temporary_files_lie_in_a_private_folder() {
    let folder = TempDir::new().unwrap();
    let iso = image(folder.path(), "disc.iso");
    run("bzip2", &["-k", iso.to_str().unwrap()]);
    let packed = folder.path().join("disc.iso.bz2");
    let start = |temporary: &Path| {
        let runtime = TempDir::new().unwrap();
        let mut command = spindled(&runtime);
        command.env("TMPDIR", temporary).arg("--socket-path").arg(runtime.path().join("socket"));
        command.arg("--control").arg(runtime.path().join("control"));
        command.args(["--media-root", folder.path().to_str().unwrap()]);
        (command, runtime)
    };
    let temporary = TempDir::new().unwrap();
    let user = rustix::process::geteuid().as_raw();
    let private = temporary.path().join(format!("spindled-{user}"));
    // Twice: the folder is there already.
    for _ in 0..2 {
        let (command, runtime) = start(temporary.path());
        let daemon = Daemon::run(command, runtime);
        let mut client = Client::negotiated(&daemon.folder.path().join("control"));
        let insert = json!({"file": packed, "spool": true});
        assert!(client.ask("media-insert", insert).get("return").is_some());
        let mut guest = daemon.guest(Options::default());
        while guest.command(REQUESTS, &guest::Command::new(&[0; 6], 0)).status != 0 {}
        let reply = guest.command(REQUESTS, &guest::Command::new(&[0x28, 0, 0, 0, 0, 39, 0, 0, 1, 0], 2048));
        assert_eq!(reply.data, [7; 2048]);
        assert_eq!(fs::read_dir(&private).unwrap().count(), 0, "they have no names");
    }
    // Somebody else's: there are other names.
    let other = TempDir::new().unwrap();
    std::os::unix::fs::symlink(folder.path(), other.path().join(format!("spindled-{user}"))).unwrap();
    let (command, runtime) = start(other.path());
    drop(Daemon::run(command, runtime));
    let mode = fs::metadata(other.path().join(format!("spindled-{user}-1"))).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let (mut command, _runtime) = start(&other.path().join("missing"));
    let output = command.output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains(&format!("missing/spindled-{user}: No such file")), "{words}");
}
