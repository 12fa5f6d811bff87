//! `spindle state`: carries the state of a drive to the daemon of another host.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use tempfile::NamedTempFile;

use super::output::output;
use super::remote::Drive;
use super::{CliError, Exit};
use crate::drive::MOST_SAVED;
use crate::export::destination;

/// Save the state of a drive, or load it into the drive of another host, for a machine that moves
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    way: Way,
}

#[derive(Debug, Subcommand)]
enum Way {
    /// Write tray, lock, pending events and settings to a file; the machine must be stopped
    Save {
        #[command(flatten)]
        of: Drive,
        /// The file; - is standard output
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Take them over from a file, before the machine goes on; the same disc must be in the drive
    Load {
        #[command(flatten)]
        of: Drive,
        /// The file; - is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Asks the daemon for the state, or gives it one.
pub fn run(args: &Args) -> Result<(), CliError> {
    match &args.way {
        Way::Save { of, file } => {
            let mut arguments = json!({});
            of.add_to(&mut arguments);
            let result = of.daemon.connect()?.execute("state-save", &arguments, None)?;
            let state = result["state"].as_str().unwrap_or_default();
            if file.as_os_str() == "-" {
                return output(|out| out.write_all(state.as_bytes()));
            }
            write(file, state).map_err(|error| failed(file, &error))
        }
        Way::Load { of, file } => {
            let state = read(file).map_err(|error| failed(file, &error))?;
            let mut arguments = json!({ "state": state });
            of.add_to(&mut arguments);
            of.daemon.connect()?.execute("state-load", &arguments, None)?;
            Ok(())
        }
    }
}

/// The whole file or none, readable for its owner.
fn write(path: &Path, state: &str) -> io::Result<()> {
    let path = destination(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(state.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// No more than can be a state.
fn read(path: &Path) -> io::Result<String> {
    let from: Box<dyn Read> = if path.as_os_str() == "-" { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    let mut bytes = Vec::new();
    from.take(MOST_SAVED as u64 + 1).read_to_end(&mut bytes)?;
    // What is no text is no state either, and the daemon says so.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn failed(path: &Path, error: &io::Error) -> CliError {
    CliError::new(Exit::Failure, format!("{}: {error}", path.display()))
}
