//! `spindle insert`: puts a disc into a drive.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;

use serde_json::json;

use super::remote::{Drive, Patience};
use super::{CliError, Exit};
use crate::image::{OpenOptions, open_path};

/// Put a disc image into a drive, in place of what is in it
///
/// The file is opened here and its descriptor passed, so the daemon needs no right to open it. An image that cannot be
/// opened changes nothing.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image file
    image: PathBuf,
    #[command(flatten)]
    to: Drive,
    #[command(flatten)]
    patience: Patience,
}

/// Opens the image, passes it, and tells what is in the drive now.
pub fn run(args: &Args) -> Result<(), CliError> {
    // Looked at here first: the reason is told even when no daemon runs.
    let opened = open_path(&args.image, &OpenOptions::default())?;
    for warning in &opened.warnings {
        eprintln!("spindle: {}: {warning}", args.image.display());
    }
    let failed = |error: std::io::Error| CliError::new(Exit::Failure, format!("{}: {error}", args.image.display()));
    let file = File::open(&args.image).map_err(failed)?;
    let locator = std::path::absolute(&args.image).map_err(failed)?.to_string_lossy().into_owned();

    let mut client = args.to.daemon.connect()?;
    let set = client.execute("add-fd", &json!({ "opaque": locator }), Some(file.as_fd()))?["fdset-id"].take();
    let mut arguments = json!({ "file": format!("/dev/fdset/{set}"), "locator": locator });
    args.to.add_to(&mut arguments);
    args.patience.add_to(&mut arguments);
    let result = client.execute("media-insert", &arguments, None);
    // The drive has a descriptor of its own by now, or will never need one.
    client.execute("remove-fd", &json!({ "fdset-id": set }), None)?;
    let result = result?;
    println!("{}: {} ({})", result["drive"].as_str().unwrap_or_default(), locator, opened.disc.medium.name());
    Ok(())
}
