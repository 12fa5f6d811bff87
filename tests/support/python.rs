//! Python with the packages of `qemu-scripts/lib/requirements.txt`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The interpreter, which `qemu-scripts/lib/python` installs.
pub fn interpreter() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("qemu-scripts/lib/python");
    let output = Command::new(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// What it writes when it runs with these arguments and reads `input`.
pub fn output(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(interpreter());
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || to.write_all(input).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{arguments:?}");
    output.stdout
}
