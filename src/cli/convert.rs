//! `spindle convert`: an image in another format.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::open::Image;
use super::output::{message, output, printable};
use super::progress::Progress;
use super::signals::cancelled_by_signals;
use super::{CliError, Exit};
use crate::export::{ExportError, Job, Output, TARGETS, Target};
use crate::image::Opened;

/// Write a disc image in another format
///
/// The format follows from the ending of OUT, or from --to. What it cannot hold is listed first, and refused unless --lossy allows
/// it. The files appear under their names when all of them are written; the source is never touched.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    image: Image,
    /// The file to write; others that belong to it lie beside it
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// The format, when the ending of OUT does not say: iso, cue, ccd, chd, cso or zso
    #[arg(long, value_name = "FORMAT")]
    to: Option<String>,
    /// The data track to take, where the format holds one; default: the first
    #[arg(long, value_name = "N")]
    track: Option<u8>,
    /// Write audio tracks as WAVE files (CUE only)
    #[arg(long)]
    wave: bool,
    /// Leave out what the format cannot hold
    #[arg(long)]
    lossy: bool,
    /// Replace files that exist
    #[arg(short, long)]
    force: bool,
    /// Print a summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Summary {
    format: &'static str,
    files: Vec<String>,
    bytes: u64,
    losses: Vec<String>,
}

/// Converts.
///
/// # Errors
/// When the format is unknown, the disc does not fit it, or a file cannot be read or written; nothing is left behind then.
pub fn run(args: &Args) -> Result<(), CliError> {
    let target = target(args)?;
    let opened = args.image.open()?;
    for warning in &opened.warnings {
        eprintln!("spindle: {}", message(&format!("{}: {warning}", args.image.path.display())));
    }
    let cancelled = cancelled_by_signals()?;
    let progress = Progress::new("converting", 0);
    let tick = |bytes| progress.add(bytes);
    let Args { track, wave, lossy, .. } = *args;
    let job = Job { disc: &opened.disc, track, wave, lossy, progress: &tick, cancelled: &cancelled };
    let losses = target.losses(&job)?;
    if !losses.is_empty() {
        eprintln!("spindle: {} cannot hold:", target.info().id.to_uppercase());
        losses.iter().for_each(|loss| eprintln!("  {}", message(loss)));
        if !args.lossy {
            return Err(CliError::new(Exit::Failure, "nothing was written; --lossy leaves that out"));
        }
    }
    progress.set_bytes(target.bytes(&job));
    let mut out = Output::new(&args.out, args.force).keep(&sources(&args.image.path, &opened));
    let written = target.write(&job, &mut out).and_then(|()| out.finish());
    progress.clear();
    let files = written.map_err(|error| not_written(&args.out, error))?;
    let bytes = files.iter().filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum();
    let names = files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
    let summary = Summary { format: target.info().id, files: names, bytes, losses };
    output(|out| {
        if args.json {
            serde_json::to_writer_pretty(&mut *out, &summary)?;
            return writeln!(out);
        }
        summary.files.iter().try_for_each(|file| writeln!(out, "{}", printable(file.as_bytes())))
    })
}

/// The target that was asked for, or that the ending of the file names.
fn target(args: &Args) -> Result<&'static dyn Target, CliError> {
    let ending = args.out.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    let found = match &args.to {
        Some(id) => TARGETS.iter().find(|target| target.info().id == id.to_ascii_lowercase()),
        None => TARGETS.iter().find(|target| target.info().extensions.contains(&ending.as_str())),
    };
    let known = || TARGETS.iter().map(|target| target.info().id).collect::<Vec<_>>().join(", ");
    found.copied().ok_or_else(|| match &args.to {
        Some(id) => CliError::new(Exit::Usage, format!("unknown format {id:?}; there are {}", known())),
        None => CliError::new(
            Exit::Usage,
            format!("{}: no format has this ending; use --to {}", args.out.display(), known()),
        ),
    })
}

/// The files that the image is made of.
pub fn sources(image: &Path, opened: &Opened) -> Vec<PathBuf> {
    let companions = opened.companions.iter().map(|companion| {
        let name: &OsStr = std::os::unix::ffi::OsStrExt::from_bytes(&companion.name);
        image.with_file_name(name)
    });
    std::iter::once(image.to_owned()).chain(companions).collect()
}

/// The image at `out` could not be written.
pub fn not_written(out: &Path, error: ExportError) -> CliError {
    match error {
        ExportError::Image(error) => CliError::new(Exit::Failure, format!("{}: {error}", out.display())),
        error => error.into(),
    }
}

impl From<ExportError> for CliError {
    fn from(error: ExportError) -> Self {
        Self::new(Exit::Failure, error.to_string())
    }
}
