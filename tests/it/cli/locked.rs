//! Images under a password: from a file, or asked for at the terminal and nowhere else.

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::{inside, spindle, stderr, stdout};
use crate::support::daemon::Daemon;
use crate::support::disc::block;
use crate::support::images::described::{isz, uif};

/// A folder with a locked image, files with the right password and a wrong one, and the image without its lock.
struct Room {
    folder: TempDir,
    content: Vec<u8>,
}

impl Room {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let content: Vec<u8> = (0..64).flat_map(|lba| block(9, lba)).collect();
        let locked = isz::files(&content, isz::LOCKED).swap_remove(0).1;
        for (name, bytes) in [("disc.isz", &locked[..]), ("right", b"secret\nnot this\n"), ("wrong", b"other\n")] {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        Self { folder, content }
    }

    fn path(&self, name: &str) -> String {
        inside(&self.folder, name)
    }
}

/// Runs a program without a terminal to ask at.
fn without_terminal(program: &str, arguments: &[&str]) -> Output {
    Command::new("setsid").args(["--wait", program]).args(arguments).stdin(Stdio::null()).output().unwrap()
}

const SPINDLE: &str = env!("CARGO_BIN_EXE_spindle");

#[test]
fn every_verb_takes_the_password_from_a_file() {
    let room = Room::new();
    let [image, right, wrong] = ["disc.isz", "right", "wrong"].map(|name| room.path(name));
    let iso = room.path("out.iso");
    let verbs: [&[&str]; 4] = [
        &["info", &image],
        &["verify", &image],
        &["convert", &image, &iso],
        &["extract", "--track", "1", "--output", &iso, &image],
    ];
    for verb in verbs {
        let output = spindle(&[verb, &["--password-file", &right]].concat());
        assert!(output.status.success(), "{verb:?}: {}", stderr(&output));
        if verb.contains(&iso.as_str()) {
            assert!(std::fs::read(&iso).unwrap() == room.content, "{verb:?}");
            std::fs::remove_file(&iso).unwrap();
        }
        let output = spindle(&[verb, &["--password-file", &wrong]].concat());
        assert_eq!(output.status.code(), Some(1), "{verb:?}");
        assert!(stderr(&output).contains("the password does not open the image"), "{verb:?}: {}", stderr(&output));
        let output = without_terminal(SPINDLE, verb);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{verb:?}");
        assert!(stderr(&output).contains("--password-file"), "{verb:?}: {}", stderr(&output));
        assert!(!std::path::Path::new(&iso).exists(), "{verb:?}");
    }
    let output = spindle(&["info", &image, "--password-file", &room.path("none")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("none"), "{}", stderr(&output));
}

#[test]
fn a_locked_image_is_inserted_with_its_password() {
    let room = Room::new();
    let daemon = Daemon::start(&[]);
    let [image, right, wrong] = ["disc.isz", "right", "wrong"].map(|name| room.path(name));
    let insert = |arguments: &[&str]| {
        let mut command = Command::new("setsid");
        command.args(["--wait", SPINDLE, "insert", &image]).args(arguments).stdin(Stdio::null());
        command.env("XDG_RUNTIME_DIR", daemon.folder.path()).env_remove("SPINDLE_CONTROL").output().unwrap()
    };
    assert!(stderr(&insert(&[])).contains("is protected by a password"));
    assert!(stderr(&insert(&["--password-file", &wrong])).contains("the password does not open the image"));
    let output = insert(&["--password-file", &right]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), format!("cd0: {image} (CD-ROM)\n"));
}

#[test]
fn a_password_that_the_control_socket_cannot_carry_is_named() {
    let room = Room::new();
    let daemon = Daemon::start(&[]);
    let cipher = uif::Options { cipher: uif::Cipher::None, password: Some(b"l\xF6ffel"), ..uif::PLAIN };
    std::fs::write(room.path("disc.uif"), uif::file(&room.content, cipher)).unwrap();
    std::fs::write(room.path("password"), b"l\xF6ffel\n").unwrap();
    let with = ["--password-file", &room.path("password"), &room.path("disc.uif")];
    assert!(spindle(&[&["info"], &with[..]].concat()).status.success());
    let mut insert = Command::new(SPINDLE);
    insert.arg("insert").args(with).env("XDG_RUNTIME_DIR", daemon.folder.path()).env_remove("SPINDLE_CONTROL");
    let output = insert.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("UTF-8"), "{}", stderr(&output));
}

mod tools {
    use super::*;

    /// `script`, of the package bsdutils, is the terminal.
    #[test]
    fn the_terminal_is_asked_up_to_three_times_and_shows_nothing() {
        let room = Room::new();
        for (typed, status, asked) in [(&["secret"][..], 0, 1), (&["other", "secret"], 0, 2), (&["a", "b", "c"], 1, 3)]
        {
            let line = format!("'{SPINDLE}' info '{}'", room.path("disc.isz"));
            let mut child = Command::new("script")
                .args(["--quiet", "--return", "--command", &line, "/dev/null"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("script, of the package bsdutils, is missing");
            let (mut to, mut from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            let mut said = String::new();
            for (number, password) in (1..).zip(typed) {
                while said.matches("password for disc.isz: ").count() < number {
                    let mut byte = [0];
                    from.read_exact(&mut byte).unwrap();
                    said.push(byte[0].into());
                }
                to.write_all(format!("{password}\n").as_bytes()).unwrap();
            }
            from.read_to_string(&mut said).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(status), "{said}");
            assert_eq!(said.matches("password for").count(), asked, "{said}");
            assert!(!typed.iter().any(|password| said.contains(&format!(": {password}"))), "{said}");
            assert_eq!(said.contains("inside:   isz"), status == 0, "{said}");
        }
    }
}
