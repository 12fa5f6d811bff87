//! The one way to open an image.

use std::path::Path;
use std::sync::Arc;

use super::{FORMATS, FormatInfo, ImageError, ImageErrorKind, Probe, Score};
use crate::disc::Disc;
use crate::source::{FileSource, SharedSource};

/// An image that has been opened.
#[derive(Debug)]
pub struct Opened {
    /// The disc it describes.
    pub disc: Disc,
    /// Which format claimed it.
    pub format: &'static FormatInfo,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Remarks for the user: what is odd but harmless.
    pub warnings: Vec<String>,
}

/// Opens the image at `path`.
///
/// # Errors
/// When it cannot be opened or is no image; the error names the file.
pub fn open_path(path: &Path) -> Result<Opened, ImageError> {
    FileSource::open(path)
        .map_err(ImageError::io)
        .and_then(|source| open_source(Arc::new(source)))
        .map_err(|error| error.in_file(path.display().to_string()))
}

/// Opens the image in `source`.
///
/// # Errors
/// When no format recognises it or its format refuses it.
pub fn open_source(source: SharedSource) -> Result<Opened, ImageError> {
    let bytes = source.len();
    if bytes == 0 {
        return Err(ImageError::new(ImageErrorKind::NotRecognised, "the file is empty"));
    }
    let probe = Probe { source: &*source };
    let (score, format) = FORMATS
        .iter()
        .map(|format| (format.probe(&probe), format))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .ok_or_else(|| ImageError::new(ImageErrorKind::NotRecognised, "no format is known"))?;
    if score == Score::No {
        return Err(ImageError::new(ImageErrorKind::NotRecognised, "the content is no known disc image"));
    }
    let mut warnings = Vec::new();
    let disc = format.open(source, &mut warnings)?;
    Ok(Opened { disc, format: format.info(), bytes, warnings })
}
