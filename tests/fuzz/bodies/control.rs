//! A control client that sends what it likes, in pieces, to a server with one drive.
//!
//! Shared by the fuzz target and by `tests/it/fuzz.rs`.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use spindle::control::{Attached, Policy, Server};
use spindle::drive::{Drive, Identity, Tray};
use spindle::source::BlockCache;

/// Sends `input`, a newline, and then a command that must be answered: the server is still sane.
pub fn run(input: &[u8]) {
    static RUN: AtomicU32 = AtomicU32::new(0);
    let name = format!("spindle-fuzz-{}-{}", std::process::id(), RUN.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let listener = UnixListener::bind(&path).expect("a socket in the folder for temporary files");
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
    let cache = BlockCache::with_workers(1 << 20, 0);
    let policy =
        Policy { cache, allow_outside: false, spool: std::env::temp_dir(), sandboxed: false, keep_open: false };
    let server = Server::start(listener, Attached::to_one_target(&[drive]), policy, Box::new(|| ())).expect("a thread");

    let mut client = UnixStream::connect(&path).expect("the server listens");
    let mut answers = client.try_clone().expect("a descriptor");
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        answers.read_to_end(&mut all).map(|_| all)
    });
    client.write_all(br#"{"execute":"qmp_capabilities"}"#).expect("the server reads");
    client.write_all(input).expect("the server reads");
    // A control character ends whatever message the input left open.
    client.write_all(b"\x01\n{\"execute\":\"query-version\",\"id\":\"the last\"}").expect("the server reads");
    client.shutdown(Shutdown::Write).expect("the connection stands");
    let answers = reader.join().expect("no panic").expect("the server writes");
    let text = String::from_utf8(answers).expect("answers are UTF-8");
    assert!(text.contains("the last"), "{text}");
    drop(server);
    std::fs::remove_file(&path).expect("the socket is there");
}
