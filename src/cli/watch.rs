//! `spindle watch`: what happens to the drives, as it happens.

use std::io::Write;

use serde_json::Value;

use super::CliError;
use super::output::printable;
use super::remote::Daemon;

/// Print the events of a daemon until it ends
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    daemon: Daemon,
    /// Print each event as QMP sends it, one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Prints one line for each event.
pub fn run(args: &Args) -> Result<(), CliError> {
    let mut client = args.daemon.connect()?;
    while let Some(event) = client.next_event()? {
        let mut out = std::io::stdout().lock();
        let line = if args.json { event.to_string() } else { describe(&event) };
        match writeln!(out, "{line}").and_then(|()| out.flush()) {
            // Whoever read has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
            result => result?,
        }
    }
    Ok(())
}

fn describe(event: &Value) -> String {
    let data = &event["data"];
    let drive = data["drive"].as_str().or(data["device"].as_str()).unwrap_or("?");
    let what = match event["event"].as_str().unwrap_or_default() {
        "DEVICE_TRAY_MOVED" if data["tray-open"] == true => "tray opened".to_owned(),
        "DEVICE_TRAY_MOVED" => "tray closed".to_owned(),
        "SPINDLE_MEDIUM_CHANGED" => match data["medium"]["locator"].as_str() {
            Some(locator) => format!("{locator} put in"),
            None => "medium taken out".to_owned(),
        },
        "SPINDLE_EJECT_REQUESTED" => "the guest was asked to release the medium".to_owned(),
        "SPINDLE_LOCK_CHANGED" if data["locked"] == true => "locked by the guest".to_owned(),
        "SPINDLE_LOCK_CHANGED" => "unlocked".to_owned(),
        "SPINDLE_STATE_LOADED" => "took over the state of another drive".to_owned(),
        "SPINDLE_READ_ERROR" => {
            format!("block {} cannot be read: {}", data["block"], data["reason"].as_str().unwrap_or("?"))
        }
        other => other.to_owned(),
    };
    let (seconds, micros) = (&event["timestamp"]["seconds"], event["timestamp"]["microseconds"].as_u64().unwrap_or(0));
    printable(format!("{seconds}.{micros:06} {drive}: {what}").as_bytes())
}
