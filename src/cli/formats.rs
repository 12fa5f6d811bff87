//! `spindle formats`: what is read and written.

use serde::Serialize;

use super::CliError;
use super::output::output;
use crate::container::{CONTAINERS, FormatInfo};
use crate::export::TARGETS;
use crate::image::FORMATS;

/// List what Spindle reads: image formats and containers; and what `spindle convert` writes
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    id: &'static str,
    name: &'static str,
    kind: &'static str,
    extensions: &'static [&'static str],
}

/// Prints the tables.
pub fn run(args: &Args) -> Result<(), CliError> {
    let row =
        |kind| move |info: &'static FormatInfo| Row { id: info.id, name: info.name, kind, extensions: info.extensions };
    let images = FORMATS.iter().map(|format| format.info()).map(row("image"));
    let containers = CONTAINERS.iter().map(|container| container.info()).map(row("container"));
    let targets = TARGETS.iter().map(|target| target.info()).map(row("target"));
    let rows: Vec<_> = images.chain(containers).chain(targets).collect();
    output(|out| {
        if args.json {
            serde_json::to_writer_pretty(&mut *out, &rows)?;
            return writeln!(out);
        }
        for Row { id, name, kind, extensions } in &rows {
            let extensions: Vec<_> = extensions.iter().map(|extension| format!(".{extension}")).collect();
            writeln!(out, "{id:10} {kind:9} {name} ({})", extensions.join(" "))?;
        }
        Ok(())
    })
}
