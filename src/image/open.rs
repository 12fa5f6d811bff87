//! The one way to open an image.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use super::{
    Check, Companion, FORMATS, FormatInfo, ImageError, ImageErrorKind, NoPassword, OpenContext, Passwords, Probe, Score,
};
use crate::container::{Notes, Unwrapped, refused_by_name, unwrap};
use crate::disc::Disc;
use crate::source::cache::DEFAULT_CACHE;
use crate::source::siblings::{Folder, NoSiblings};
use crate::source::{BlockCache, FileSource, SharedSource, Siblings};

/// How images are opened.
pub struct OpenOptions<'a> {
    /// The cache for decoded blocks; one for all images of a process.
    pub cache: Arc<BlockCache>,
    /// Whom to ask for a password.
    pub passwords: &'a dyn Passwords,
    /// Whether an image may name files outside its own folder.
    pub allow_outside: bool,
    /// A folder for the decoded bytes of what has no random access; without one, such files are refused.
    pub spool: Option<&'a Path>,
}

impl Default for OpenOptions<'_> {
    fn default() -> Self {
        Self { cache: BlockCache::new(DEFAULT_CACHE), passwords: &NoPassword, allow_outside: false, spool: None }
    }
}

/// An image that has been opened.
#[derive(Debug)]
pub struct Opened {
    /// The disc it describes.
    pub disc: Disc,
    /// Which format claimed it.
    pub format: &'static FormatInfo,
    /// The containers around it, the outermost first.
    pub containers: Vec<&'static FormatInfo>,
    /// Length of the file in bytes, as it lies there.
    pub bytes: u64,
    /// Remarks for the user: what is odd but harmless.
    pub warnings: Vec<String>,
    /// The other files that belong to the image.
    pub companions: Vec<Companion>,
    /// Names of files that the image names and can do without, and that are not there.
    pub missing: Vec<String>,
    /// Checksums that its files carry of themselves.
    pub checks: Vec<Arc<dyn Check>>,
}

/// Opens the image at `path`.
///
/// # Errors
/// When it cannot be opened or is no image; the error names the file.
pub fn open_path(path: &Path, options: &OpenOptions<'_>) -> Result<Opened, ImageError> {
    let open = || {
        let source = Arc::new(FileSource::open(path).map_err(ImageError::io)?);
        let siblings = Arc::new(Folder::of(path, options.allow_outside).map_err(ImageError::io)?);
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        open_with(source, &name, siblings, options)
    };
    open().map_err(|error| error.in_file(path.display().to_string()))
}

/// Opens the image in `source`, which has no name and stands alone.
///
/// # Errors
/// When no format recognises it or its format refuses it.
pub fn open_source(source: SharedSource, options: &OpenOptions<'_>) -> Result<Opened, ImageError> {
    open_with(source, "", Arc::new(NoSiblings), options)
}

/// Opens the image in `source`, a file called `name` (without folders) with `siblings` beside it.
///
/// # Errors
/// When no format recognises it or its format refuses it.
pub fn open_with(
    source: SharedSource,
    name: &str,
    siblings: Arc<dyn Siblings>,
    options: &OpenOptions<'_>,
) -> Result<Opened, ImageError> {
    let bytes = source.len();
    if bytes == 0 {
        return Err(ImageError::new(ImageErrorKind::NotRecognised, "the file is empty"));
    }
    let notes = RefCell::default();
    let context =
        |name, siblings| OpenContext::new(name, siblings, options.passwords, &options.cache, options.spool, &notes);
    let Unwrapped { source, name, siblings, chain } = unwrap(source, &context(name, siblings))?;
    let (disc, format) = open_unwrapped(source, &context(&name, siblings))?;
    let Notes { warnings, companions, missing, checks } = notes.into_inner();
    Ok(Opened { disc, format, containers: chain, bytes, warnings, companions, missing, checks })
}

fn open_unwrapped(source: SharedSource, cx: &OpenContext<'_>) -> Result<(Disc, &'static FormatInfo), ImageError> {
    let probe = Probe::new(&*source, cx.name);
    let best = FORMATS.iter().map(|format| (format.probe(&probe), format));
    let best = best.reduce(|best, next| if next.0 > best.0 { next } else { best });
    let unknown = || ImageError::new(ImageErrorKind::NotRecognised, "the content is no known disc image");
    let (score, format) = best.filter(|(score, _)| *score > Score::No).ok_or_else(unknown)?;
    if score < Score::Sure {
        refused_by_name(&probe, score)?;
    }
    format.open(source, cx).map(|disc| (disc, format.info()))
}
