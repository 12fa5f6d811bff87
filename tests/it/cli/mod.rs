//! The command line, from the outside.

mod convert;
mod extract;
mod formats;
mod info;
mod locked;
mod ls;
mod progress;
mod remote;
mod verify;

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Runs `spindle`.
fn spindle(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spindle")).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder with an image in it, and the image's path.
fn image(bytes: &[u8]) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("disc.iso");
    std::fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn inside(folder: &TempDir, name: &str) -> String {
    Path::join(folder.path(), name).to_str().unwrap().to_owned()
}
