//! What programs in the guest say, against what they should.

use sha2::{Digest, Sha256};

use crate::support::images::described::source_disc::{Mode, SourceDisc};
use crate::support::vm::{Daemon, Vm};

/// Fails unless a program's output has every one of `words`, in this order.
#[track_caller]
pub fn says(output: &str, words: &[&str]) {
    let mut rest = output;
    for word in words {
        let Some(at) = rest.find(word) else { panic!("{word:?} is missing, or not in its place:\n{output}") };
        rest = &rest[at + word.len()..];
    }
}

/// The lines of `output` that begin with `word`, and the lines that should be there.
#[track_caller]
pub fn says_lines(output: &str, word: &str, expected: &[String]) {
    let lines: Vec<&str> = output.lines().filter(|line| line.trim_start().starts_with(word)).map(str::trim).collect();
    assert_eq!(lines, expected, "{output}");
}

/// The time that belongs to an address: minute, second, frame.
pub fn msf(address: u64) -> String {
    let frames = address + 150;
    format!("{:02}:{:02}:{:02}", frames / 75 / 60, frames / 75 % 60, frames % 75)
}

/// Inserts an image and waits until the guest has taken note of it: the kernel of its size, udev of its content. Two discs
/// in a row must differ in size.
pub fn insert(daemon: &Daemon, vm: &mut Vm, image: &str) {
    daemon.spindle_ok(&["insert", "--timeout", "60", image]);
    let bytes = &daemon.status()[0]["medium"]["bytes"];
    vm.until("blockdev --getsize64 /dev/sr0", &format!("{bytes}\n"));
    // Before the wait for this script ends, so that what holds it up is told.
    vm.ok("udevadm settle --timeout=60 || { ps; dmesg | tail -n 40; exit 1; }");
}

/// Track number, address and kind of every track, and of the lead-out as number 170.
pub fn table(disc: &SourceDisc) -> Vec<(u8, u64, Mode)> {
    let tracks = disc.tracks.iter().map(|track| (track.number, track.start as u64, track.mode));
    let last = disc.tracks.last().unwrap();
    tracks.chain([(170, last.end() as u64, last.mode)]).collect()
}

/// The SHA-256 of `bytes` as `sha256sum` writes it.
pub fn sha256_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
