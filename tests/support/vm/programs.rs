//! The programs that virtual machines are made of: QEMU, and what runs in the guest.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Which QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qemu {
    /// The one that `SPINDLE_QEMU` names, or that is installed.
    Installed,
    /// QEMU 10.
    Ten,
}

impl Qemu {
    /// The program.
    pub fn program(self) -> String {
        match self {
            Self::Installed => env::var("SPINDLE_QEMU").unwrap_or_else(|_| "qemu-system-x86_64".to_owned()),
            Self::Ten => qemu10().to_owned(),
        }
    }

    /// The arguments of a machine that is to move. Before version 9, QEMU's software emulation goes on writing into pages without
    /// marking them again once migration has taken their marks, unless the memory is no multiple of 256 KiB
    /// (docs/design/reliability.md).
    pub fn movable(self) -> &'static [&'static str] {
        match self {
            Self::Installed => &[
                "-smp",
                "2",
                "-m",
                "524280K",
                "-object",
                "memory-backend-memfd,id=odd,size=524280K,share=on",
                "-machine",
                "memory-backend=odd",
            ],
            Self::Ten => &["-smp", "2"],
        }
    }
}

/// The folder of the test guest, built if need be.
pub fn guest() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("qemu-scripts/lib/guest");
        let output = Command::new(script).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "the test guest: {}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
    })
}

/// QEMU 10, fetched if need be.
fn qemu10() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("qemu-scripts/lib/qemu10");
        let output = Command::new(script).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "QEMU 10: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    })
}

/// A program that is killed when the thread that starts it ends: nothing is left running.
pub fn mortal(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}
