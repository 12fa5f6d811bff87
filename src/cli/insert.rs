//! `spindle insert`: puts a disc into a drive.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::open::{How, locator};
use super::output::{message, output, printable};
use super::remote::{Drive, Patience};
use super::{CliError, Exit};
use crate::control::{Client, encode_name};
use crate::image::{OpenOptions, Passable, open_passable};

/// Put a disc image into a drive, in place of what is in it
///
/// The files are opened here and their descriptors passed, so the daemon needs no right to open them. An image that cannot
/// be opened changes nothing.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image file
    image: PathBuf,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    to: Drive,
    #[command(flatten)]
    patience: Patience,
}

/// Opens the image, passes it, and tells what is in the drive now.
pub fn run(args: &Args) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::new(Exit::Failure, format!("{}: {error}", args.image.display()));
    let locator = locator(&args.image).map_err(failed)?;
    // Opened here first: which files belong to it is known then, and the reason is told even when no daemon runs.
    let passwords = args.how.passwords()?;
    let spool = std::env::temp_dir();
    let options = OpenOptions { passwords: &passwords, ..args.how.options(&spool) };
    let Passable { file, companions, opened } = open_passable(&args.image, &options)?;
    for warning in &opened.warnings {
        eprintln!("spindle: {}", message(&format!("{}: {warning}", args.image.display())));
    }

    let mut client = args.to.daemon.connect()?;
    let set = pass(&mut client, &locator, &file, &companions)?;
    let mut arguments = json!({ "file": format!("/dev/fdset/{set}"), "locator": locator, "spool": args.how.spool });
    if let Some(password) = passwords.last() {
        let not_text = "the control socket is UTF-8, and the password is not";
        let text = str::from_utf8(&password);
        arguments["password"] = text.map_err(|_| CliError::new(Exit::Usage, not_text.to_owned()))?.into();
    }
    args.to.add_to(&mut arguments);
    args.patience.add_to(&mut arguments);
    let result = client.execute("media-insert", &arguments, None);
    // The drive has descriptors of its own by now, or will never need any.
    client.execute("remove-fd", &json!({ "fdset-id": set }), None)?;
    let result = result?;
    let drive = result["drive"].as_str().unwrap_or_default();
    let medium = opened.disc.medium.name();
    output(|out| writeln!(out, "{drive}: {} ({medium})", printable(locator.as_bytes())))
}

/// Passes the files of an image as one set; returns its number.
fn pass(client: &mut Client, locator: &str, image: &File, companions: &[(Vec<u8>, File)]) -> Result<Value, CliError> {
    let set = client.execute("add-fd", &json!({ "opaque": locator }), Some(image.as_fd()))?["fdset-id"].take();
    for (name, file) in companions {
        let opaque = json!({ "fdset-id": set, "opaque": encode_name(name) });
        if let Err(error) = client.execute("add-fd", &opaque, Some(file.as_fd())) {
            // What it says is why; that the set is gone as well, or is not, is nothing that could be done about.
            let _ = client.execute("remove-fd", &json!({ "fdset-id": set }), None);
            return Err(error.into());
        }
    }
    Ok(set)
}
