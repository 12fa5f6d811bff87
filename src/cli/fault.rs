//! `spindle fault`: has a drive fail, to see what a guest makes of it.

use clap::Subcommand;
use serde_json::{Value, json};

use super::CliError;
use super::output::output;
use super::remote::Drive;

/// Have a drive fail: errors, delays, a stuck tray, a disc that disappears
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Blocks cannot be read: MEDIUM ERROR, 03/11/00, with the address of the first
    ReadError {
        #[command(flatten)]
        of: Drive,
        #[command(flatten)]
        blocks: Blocks,
    },
    /// Commands that read any of the blocks take longer
    Delay {
        #[command(flatten)]
        of: Drive,
        #[command(flatten)]
        blocks: Blocks,
        /// How much longer
        #[arg(long, value_name = "S")]
        seconds: f64,
    },
    /// The disc disappears, tray closed: at once, or when a command reads any of the blocks
    MediumGone {
        #[command(flatten)]
        of: Drive,
        #[command(flatten)]
        blocks: Blocks,
    },
    /// The tray does not open, whoever asks: 04/53/00 for the guest
    TrayStuck {
        #[command(flatten)]
        of: Drive,
    },
    /// Show the faults of a drive, or of all
    List {
        #[command(flatten)]
        of: Drive,
        /// Print what `fault-query` returns, as JSON
        #[arg(long)]
        json: bool,
    },
    /// End one fault, or all of a drive
    Clear {
        #[command(flatten)]
        of: Drive,
        /// The fault's number; without it, all
        #[arg(value_name = "NUMBER")]
        number: Option<u32>,
    },
}

/// Some blocks of the disc.
#[derive(Debug, clap::Args)]
struct Blocks {
    /// The blocks, as FIRST-LAST or one address; without it, all of the disc
    #[arg(long, value_name = "BLOCKS", value_parser = range)]
    blocks: Option<(u32, u32)>,
}

fn range(text: &str) -> Result<(u32, u32), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok((first, last)),
        _ => Err("is no FIRST-LAST".to_owned()),
    }
}

impl Blocks {
    fn add_to(&self, arguments: &mut Value) {
        if let Some((first, last)) = self.blocks {
            arguments["first"] = first.into();
            arguments["last"] = last.into();
        }
    }
}

/// Asks the daemon, and tells what the drive has now.
pub fn run(args: &Args) -> Result<(), CliError> {
    match &args.what {
        What::ReadError { of, blocks } => add(of, json!({ "kind": "read-error" }), Some(blocks)),
        What::Delay { of, blocks, seconds } => add(of, json!({ "kind": "delay", "seconds": seconds }), Some(blocks)),
        What::MediumGone { of, blocks } => add(of, json!({ "kind": "medium-gone" }), Some(blocks)),
        What::TrayStuck { of } => add(of, json!({ "kind": "tray-stuck" }), None),
        What::List { of, json } => list(of, *json),
        What::Clear { of, number } => {
            let mut arguments = json!({});
            if let Some(number) = number {
                arguments["fault"] = (*number).into();
            }
            let result = ask(of, "fault-clear", arguments)?;
            output(|out| writeln!(out, "{}: {} ended", text(&result, "drive"), result["cleared"]))
        }
    }
}

fn add(of: &Drive, mut arguments: Value, blocks: Option<&Blocks>) -> Result<(), CliError> {
    if let Some(blocks) = blocks {
        blocks.add_to(&mut arguments);
    }
    let result = ask(of, "fault-add", arguments)?;
    let drive = text(&result, "drive");
    output(|out| match result.get("fault") {
        Some(number) => writeln!(out, "{drive}: fault {number}"),
        None => writeln!(out, "{drive}: the disc is gone"),
    })
}

fn list(of: &Drive, json: bool) -> Result<(), CliError> {
    let faults = ask(of, "fault-query", json!({}))?;
    output(|out| {
        if json {
            return writeln!(out, "{faults:#}");
        }
        faults.as_array().into_iter().flatten().try_for_each(|fault| writeln!(out, "{}", describe(fault)))
    })
}

fn describe(fault: &Value) -> String {
    let blocks = match (fault["first"].as_i64(), fault["last"].as_i64()) {
        (Some(first), Some(last)) if first == last => format!(", block {first}"),
        (Some(first), Some(last)) => format!(", blocks {first}-{last}"),
        _ => String::new(),
    };
    let seconds = fault["seconds"].as_f64().map_or(String::new(), |seconds| format!(", {seconds} s"));
    format!("{}: fault {}: {}{blocks}{seconds}", text(fault, "drive"), fault["fault"], text(fault, "kind"))
}

fn ask(of: &Drive, verb: &str, mut arguments: Value) -> Result<Value, CliError> {
    of.add_to(&mut arguments);
    Ok(of.daemon.connect()?.execute(verb, &arguments, None)?)
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
