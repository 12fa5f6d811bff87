//! Runs in the test guest: a shell for the test harness (`tests/support/vm/`) on the virtio-serial port `spindle.shell`.
//!
//! A request is a length (u32, little-endian) and that many bytes of shell script. The answer is the exit status (u32, 128
//! plus the signal's number for a killed one), the output's length (u32), and the output: stdout and stderr in the order of
//! writing. An answer with status 0 and no output is sent unasked when the shell starts.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

fn main() -> io::Result<()> {
    let mut port = open_port("spindle.shell")?;
    answer(&mut port, 0, b"")?;
    loop {
        let mut length = [0; 4];
        port.read_exact(&mut length)?;
        let mut script = vec![0; u32::from_le_bytes(length) as usize];
        port.read_exact(&mut script)?;
        let (status, output) = run(&String::from_utf8_lossy(&script))?;
        answer(&mut port, status, &output)?;
    }
}

/// A port gets its name from QEMU some time after its driver has been loaded.
fn open_port(name: &str) -> io::Result<File> {
    for _ in 0..1200 {
        for entry in fs::read_dir("/sys/class/virtio-ports")? {
            let entry = entry?;
            if fs::read_to_string(entry.path().join("name")).is_ok_and(|found| found.trim() == name) {
                return OpenOptions::new().read(true).write(true).open(format!("/dev/{}", entry.file_name().display()));
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(io::Error::new(io::ErrorKind::NotFound, name.to_owned()))
}

/// The output goes through a file, not a pipe: a background process that keeps it open does not delay the answer.
fn run(script: &str) -> io::Result<(u32, Vec<u8>)> {
    let path = "/tmp/.output";
    let _ = fs::remove_file(path);
    let output = OpenOptions::new().create(true).append(true).open(path)?;
    let status = Command::new("/bin/sh")
        .args(["-c", script])
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .status()?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(255);
    Ok((code as u32, fs::read(path)?))
}

fn answer(port: &mut File, status: u32, output: &[u8]) -> io::Result<()> {
    let mut message = Vec::with_capacity(8 + output.len());
    message.extend_from_slice(&status.to_le_bytes());
    message.extend_from_slice(&(output.len() as u32).to_le_bytes());
    message.extend_from_slice(output);
    port.write_all(&message)
}
