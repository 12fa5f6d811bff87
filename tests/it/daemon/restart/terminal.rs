//! A daemon that is started at a terminal, and finds that its drive had a disc under a password.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::process::{ChildStdout, Command, Stdio};

use serde_json::json;

use super::{Restarted, TEST_UNIT_READY, read, sense, under_a_password};
use crate::support::disc::block;
use crate::support::host::run;

/// What it says when nobody is asked any more.
const READY: &str = "ready: ";

/// Reads on until all that was said ends in `text`, which comes no more once it is ready.
fn reads_to(from: &mut ChildStdout, said: &mut String, text: &str) {
    while !said.ends_with(text) {
        let mut byte = [0];
        assert_eq!(from.read(&mut byte).unwrap(), 1, "it ended: {said}");
        said.push(byte[0].into());
        assert!(!said.ends_with(READY) || text == READY, "not a word of \"{text}\": {said}");
    }
}

/// `script`, of the package bsdutils, is the terminal.
#[test]
fn a_disc_under_a_password_is_asked_for_at_the_terminal_and_is_in_the_drive_again() {
    let mut here = Restarted::start(&[]);
    let (image, password) = (here.path("disc.isz"), here.path("password"));
    fs::write(&image, under_a_password(9)).unwrap();
    fs::write(&password, "secret\n").unwrap();
    let insert = ["insert", "--control", &here.path("control"), "--password-file", &password, &image];
    run(env!("CARGO_BIN_EXE_spindle"), &insert);
    let mut guest = here.guest();
    assert_eq!(read(&mut guest, 63), block(9, 63));

    let runtime = here.kill();
    let (direct, runtime) = here.command(runtime);
    let quoted = |word: &OsStr| format!("'{}'", word.to_str().unwrap());
    let words: Vec<_> = [direct.get_program()].into_iter().chain(direct.get_args()).map(quoted).collect();
    // With the terminal, which goes with this thread, the daemon ends.
    let mut command = Command::new("setpriv");
    command.args([
        "--pdeathsig",
        "KILL",
        "--",
        "script",
        "--quiet",
        "--return",
        "--command",
        &words.join(" "),
        "/dev/null",
    ]);
    command.env("XDG_RUNTIME_DIR", runtime.path()).env_remove("RUST_LOG");
    let mut terminal = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut to, mut from) = (terminal.stdin.take().unwrap(), terminal.stdout.take().unwrap());
    let mut said = String::new();
    reads_to(&mut from, &mut said, "password for disc.isz: ");
    to.write_all(b"secret\n").unwrap();
    reads_to(&mut from, &mut said, READY);
    assert!(!said.contains("secret"), "{said}");

    guest.reconnect(&runtime.path().join("socket"));
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (0, 0, 0));
    assert_eq!(read(&mut guest, 63), block(9, 63));
    assert_eq!(here.query().get("absent"), None);
    here.client().ok("quit", json!({}));
    from.read_to_string(&mut said).unwrap();
    assert_eq!(terminal.wait().unwrap().code(), Some(0), "{said}");
}
