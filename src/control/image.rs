//! Opening what a client names: a path, or a descriptor that it passed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use log::warn;

use super::error::{NOT_RECOGNISED, VerbError};
use super::fdset::FdSets;
use crate::drive::Medium;
use crate::image::{ImageError, ImageErrorKind, OpenOptions, Opened, open_path, open_source};
use crate::source::FileSource;

/// Opens the image `filename`, outside every lock but for taking the descriptor of `/dev/fdset/N`. `locator` is what
/// people are shown instead, where the name says nothing.
///
/// # Errors
/// When it cannot be opened; nothing has changed then.
pub fn open(
    sets: &Mutex<FdSets>,
    filename: &str,
    locator: Option<&str>,
    format: Option<&str>,
) -> Result<Arc<Medium>, VerbError> {
    let shown = locator.unwrap_or(filename);
    let opened = match filename.strip_prefix("/dev/fdset/") {
        Some(number) => open_set(sets, number, shown),
        None => open_path(Path::new(filename), &OpenOptions::default()).map_err(|error| refusal(&error)),
    }?;
    if let Some(wanted) = format.filter(|wanted| !matches!(*wanted, "raw" | "auto") && *wanted != opened.format.id) {
        return Err(VerbError::generic(format!(
            "{shown}: the content is of format {}, not {wanted}",
            opened.format.id
        )));
    }
    for warning in &opened.warnings {
        warn!("{shown}: {warning}");
    }
    let locator = match locator {
        Some(locator) => locator.to_owned(),
        None => {
            std::path::absolute(filename).unwrap_or_else(|_| PathBuf::from(filename)).to_string_lossy().into_owned()
        }
    };
    Ok(Arc::new(Medium { disc: opened.disc, locator, format: opened.format.id }))
}

fn open_set(sets: &Mutex<FdSets>, number: &str, shown: &str) -> Result<Opened, VerbError> {
    let number = number.parse().map_err(|_| VerbError::generic(format!("{shown}: not the number of an fd set")))?;
    let file = sets.lock().unwrap_or_else(PoisonError::into_inner).open(number);
    file.and_then(FileSource::from_file)
        .map_err(ImageError::io)
        .and_then(|source| open_source(Arc::new(source), &OpenOptions::default()))
        .map_err(|error| refusal(&error.in_file(shown)))
}

fn refusal(error: &ImageError) -> VerbError {
    let refusal = VerbError::generic(format!("Could not open {error}"));
    match error.kind() {
        ImageErrorKind::Io | ImageErrorKind::Missing | ImageErrorKind::Outside => refusal,
        _ => refusal.because(NOT_RECOGNISED),
    }
}
