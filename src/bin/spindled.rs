//! The drive daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    spindle::cli::daemon::main()
}
