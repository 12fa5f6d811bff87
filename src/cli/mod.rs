//! The command line of `spindle`: one file per verb. Exit codes are part of the interface (docs/reference/cli.md).

mod convert;
pub mod daemon;
mod eject;
mod error;
mod extract;
mod extract_into;
mod extract_track;
mod fault;
mod formats;
mod hash;
mod info;
mod insert;
mod ls;
mod open;
mod output;
mod progress;
mod remote;
mod report;
mod signals;
mod state;
mod status;
mod texts;
mod tray;
mod verify;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use self::error::{CliError, Exit};

/// Control Spindle drives and look at disc images.
#[derive(Debug, Parser)]
#[command(name = "spindle", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Insert(insert::Args),
    Eject(eject::Args),
    Tray(tray::Args),
    Status(status::Args),
    Watch(watch::Args),
    Fault(fault::Args),
    State(state::Args),
    Info(info::Args),
    Ls(ls::Args),
    Extract(extract::Args),
    Convert(convert::Args),
    Formats(formats::Args),
    Verify(verify::Args),
}

/// Parses the arguments of the process and carries out the verb.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Insert(args) => insert::run(&args),
        Verb::Eject(args) => eject::run(&args),
        Verb::Tray(args) => tray::run(&args),
        Verb::Status(args) => status::run(&args),
        Verb::Watch(args) => watch::run(&args),
        Verb::Fault(args) => fault::run(&args),
        Verb::State(args) => state::run(&args),
        Verb::Info(args) => info::run(&args),
        Verb::Ls(args) => ls::run(&args),
        Verb::Extract(args) => extract::run(&args),
        Verb::Convert(args) => convert::run(&args),
        Verb::Formats(args) => formats::run(&args),
        Verb::Verify(args) => verify::run(&args),
    };
    error::report("spindle", result)
}
