//! `spindle info`: what an image is.

use std::path::PathBuf;

use super::CliError;
use crate::image::open_path;

/// Show what a disc image holds
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image file
    image: PathBuf,
}

/// Opens the image and prints what it is.
pub fn run(args: &Args) -> Result<(), CliError> {
    let opened = open_path(&args.image)?;
    println!("format: {} ({})", opened.format.id, opened.format.name);
    println!("medium: {}", opened.disc.medium.name());
    Ok(())
}
