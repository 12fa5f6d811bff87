//! A client that sends commands as fast as it can, and takes every answer: it gets them all, and so do the others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::control::Client;
use crate::support::daemon::Daemon;
use crate::support::disc::block;
use crate::support::guest::{Command, Options, REQUESTS};

/// Commands of the flood, if the others are done by then.
const FLOOD: u64 = 20_000;
/// Reads of the guest, and commands of the other client, in that time.
const ROUNDS: u64 = 500;
/// Far more than anything takes: reached only when it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_flood_of_commands_is_answered_and_so_are_the_guest_and_another_client() {
    let folder = tempfile::tempdir().unwrap();
    let (control, image) = (folder.path().join("control"), folder.path().join("disc.iso"));
    std::fs::write(&image, (0..64).flat_map(|lba| block(1, lba)).collect::<Vec<_>>()).unwrap();
    let daemon = Daemon::start(&["--control", control.to_str().unwrap(), image.to_str().unwrap()]);
    let mut guest = daemon.guest(Options::default());
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
    let (mut flood, mut other) = (Client::negotiated(&control), Client::negotiated(&control));
    let mut sending = flood.half();
    let answered = AtomicU64::new(0);
    let verbs = ["drive-query", "query-block", "query-version", "query-fdsets"];
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut known: [Option<Value>; 4] = Default::default();
            // In order, and each right: the drive does not change.
            while let Some(mut answer) = flood.line() {
                let number = answered.fetch_add(1, Ordering::Relaxed);
                assert_eq!(answer["id"], number, "{answer}");
                let answer = answer["return"].take();
                assert!(!answer.is_null(), "command {number}");
                let first = known[number as usize % verbs.len()].get_or_insert_with(|| answer.clone());
                assert_eq!(*first, answer, "command {number}");
            }
        });
        let others = scope.spawn(|| {
            let began = Instant::now();
            while answered.load(Ordering::Relaxed) == 0 {
                assert!(began.elapsed() < PATIENCE, "the flood does not begin");
                thread::yield_now();
            }
            for round in 0..ROUNDS {
                guest.free_all();
                let lba = (7 * round % 64) as u8;
                let reply = guest.command(REQUESTS, &Command::new(&[0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0], 2048));
                assert!(reply.status == 0 && reply.data == block(1, lba.into()), "round {round}: {:x?}", reply.sense);
                assert_eq!(other.ok("drive-query", json!({}))[0]["name"], "cd0");
            }
        });
        let mut sent = 0;
        while sent < FLOOD || !others.is_finished() {
            // Many at once, so that there is always more to read.
            let next = sent..sent + 100;
            sent = next.end;
            let command = |id: u64| json!({ "execute": verbs[id as usize % verbs.len()], "id": id }).to_string();
            sending.send(next.map(command).collect::<String>().as_bytes());
        }
        sending.half_close();
        others.join().unwrap();
        reader.join().unwrap();
        println!("commands {sent}, reads {ROUNDS} meanwhile");
        assert_eq!(answered.load(Ordering::Relaxed), sent, "answers are missing");
    });
}
