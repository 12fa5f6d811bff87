//! `spindle status`: what the drives hold.

use serde_json::{Value, json};

use super::CliError;
use super::output::{output, printable};
use super::remote::Daemon;

/// Show the drives of a daemon: tray, lock, and the disc in each
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    daemon: Daemon,
    /// Print what `drive-query` returns, as JSON
    #[arg(long)]
    json: bool,
}

/// Asks the daemon and prints one line for each drive.
pub fn run(args: &Args) -> Result<(), CliError> {
    let drives = args.daemon.connect()?.execute("drive-query", &json!({}), None)?;
    output(|out| {
        if args.json {
            return writeln!(out, "{drives:#}");
        }
        drives.as_array().into_iter().flatten().try_for_each(|drive| writeln!(out, "{}", describe(drive)))
    })
}

fn describe(drive: &Value) -> String {
    let text = |name: &str| drive[name].as_str().unwrap_or("?");
    let locked = drive["locked-by"].as_array().is_some_and(|nexuses| !nexuses.is_empty());
    let lock = if locked { ", locked by the guest" } else { "" };
    let audio = match text("audio") {
        "playing" => ", playing",
        "paused" => ", paused",
        _ => "",
    };
    let medium = match drive.get("medium") {
        Some(medium) => format!(
            "{} ({}, {} blocks)",
            printable(medium["locator"].as_str().unwrap_or("?").as_bytes()),
            medium["type"].as_str().unwrap_or("?"),
            medium["blocks"]
        ),
        None => match drive.get("absent") {
            Some(absent) => {
                let text = |name: &str| printable(absent[name].as_str().unwrap_or("?").as_bytes());
                format!("empty (not put in again: {}: {})", text("locator"), text("reason"))
            }
            None => "empty".to_owned(),
        },
    };
    let faults = match drive["faults"].as_u64() {
        Some(1) => ", 1 injected fault".to_owned(),
        Some(count) if count > 0 => format!(", {count} injected faults"),
        _ => String::new(),
    };
    format!("{}: {medium}, tray {}{lock}{audio}{faults}", text("name"), text("tray"))
}
