//! `spindle tray`: moves the tray and leaves what is in it.

use clap::ValueEnum;
use serde_json::json;

use super::remote::Drive;
use super::{CliError, Exit};

/// Open or close the tray of a drive; a disc in it stays in it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which way
    way: Way,
    #[command(flatten)]
    of: Drive,
    /// Open it although the guest has locked it
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    Open,
    Close,
}

/// Asks the daemon to move the tray.
pub fn run(args: &Args) -> Result<(), CliError> {
    if args.force && args.way == Way::Close {
        return Err(CliError::new(Exit::Usage, "--force only opens a tray"));
    }
    let mut client = args.of.daemon.connect()?;
    let name = match &args.of.drive {
        Some(name) => name.clone(),
        None => only_drive(&client.execute("drive-query", &json!({}), None)?)?,
    };
    match args.way {
        Way::Open => client.execute("blockdev-open-tray", &json!({ "id": name, "force": args.force }), None)?,
        Way::Close => client.execute("blockdev-close-tray", &json!({ "id": name }), None)?,
    };
    Ok(())
}

fn only_drive(drives: &serde_json::Value) -> Result<String, CliError> {
    let names: Vec<_> = drives.as_array().into_iter().flatten().filter_map(|drive| drive["name"].as_str()).collect();
    match names[..] {
        [only] => Ok(only.to_owned()),
        _ => Err(CliError::new(Exit::Failure, format!("which drive? give --drive with one of {}", names.join(", ")))),
    }
}
