//! `spindle tray`: moves the tray and leaves what is in it.

use clap::Subcommand;
use serde_json::json;

use super::CliError;
use super::remote::{Drive, Patience};

/// Open or close the tray of a drive; a disc in it stays in it
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    way: Way,
}

#[derive(Debug, Subcommand)]
enum Way {
    /// Open it; a guest that has locked it is asked first
    Open {
        #[command(flatten)]
        of: Drive,
        #[command(flatten)]
        patience: Patience,
    },
    /// Close it, on the disc if there is one
    Close {
        #[command(flatten)]
        of: Drive,
    },
}

/// Asks the daemon to move the tray.
pub fn run(args: &Args) -> Result<(), CliError> {
    let mut arguments = json!({});
    let (verb, of) = match &args.way {
        Way::Open { of, patience } => {
            patience.add_to(&mut arguments);
            ("tray-open", of)
        }
        Way::Close { of } => ("tray-close", of),
    };
    of.add_to(&mut arguments);
    of.daemon.connect()?.execute(verb, &arguments, None)?;
    Ok(())
}
