//! `spindle eject`: takes the disc out of a drive.

use serde_json::json;

use super::CliError;
use super::output::{output, printable};
use super::remote::{Drive, Patience};

/// Take the disc out of a drive; the tray stays open
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: Drive,
    #[command(flatten)]
    patience: Patience,
}

/// Asks the daemon, and tells what came out.
pub fn run(args: &Args) -> Result<(), CliError> {
    let mut arguments = json!({});
    args.from.add_to(&mut arguments);
    args.patience.add_to(&mut arguments);
    let result = args.from.daemon.connect()?.execute("media-eject", &arguments, None)?;
    let text = |name: &str| result[name].as_str().unwrap_or_default().to_owned();
    output(|out| writeln!(out, "{}: {} is out", text("drive"), printable(text("locator").as_bytes())))
}
