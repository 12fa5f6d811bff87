//! Programs of the host that make discs for guests and know what is in them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::disc::block;

/// Runs a program that must succeed; returns what it printed.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; qemu-scripts/test installs what the tests need"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A file's SHA-256 in hexadecimal.
pub fn sha256(path: &Path) -> String {
    run("sha256sum", &[path.to_str().unwrap()]).split(' ').next().unwrap().trim_start_matches('\\').to_owned()
}

/// `sha256sum`'s lines for all files under a folder, sorted by name, as the guest prints them too.
pub fn checksums(folder: &Path) -> String {
    run("sh", &["-c", &format!("cd '{}' && {CHECKSUMS}", folder.display())])
}

/// Prints [`checksums`] of the current folder, on the host and in the guest.
pub const CHECKSUMS: &str = "find . -type f -print0 | sort -z | xargs -0 sha256sum";

/// A tree of files to put on discs: empty, short, long, nested, and with names that the plain ISO 9660 cannot tell.
pub fn tree(folder: &Path) {
    let files: &[(&str, usize)] = &[
        ("empty", 0),
        ("one", 1),
        ("block", 2048),
        ("A name with spaces, capitals and a length that needs Rock Ridge.text", 2049),
        ("gr\u{fc}n \u{2192} \u{221e}.txt", 70_000),
        ("deep/er/and/deeper/file", 12_345),
        ("large", 3_000_001),
    ];
    for (number, (name, length)) in (0..).zip(files) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes: Vec<u8> = (0..).flat_map(|lba| block(number, lba)).take(*length).collect();
        fs::write(path, bytes).unwrap();
    }
}

/// A file of [`block`]s.
pub fn patterned_file(path: &Path, seed: u32, blocks: u32) {
    fs::write(path, (0..blocks).flat_map(|lba| block(seed, lba)).collect::<Vec<u8>>()).unwrap();
}

/// A file of `bytes` bytes, `start` first and a hole after it.
pub fn sparse_file(path: &Path, start: &Path, bytes: u64) {
    fs::copy(start, path).unwrap();
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
}
