//! The one way to open an image.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use super::{
    Check, Companion, FORMATS, FormatInfo, ImageError, ImageErrorKind, ImageFormat, NoPassword, OpenContext, Passwords,
    Probe, Score,
};
use crate::container::{Notes, Unwrapped, guarded, refused_by_name, unwrap};
use crate::disc::Disc;
use crate::source::cache::DEFAULT_CACHE;
use crate::source::siblings::{Folder, NoSiblings};
use crate::source::{BlockCache, ByteSource, FileSource, SharedSource, Siblings};

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

/// Opens the image in `source`, a file called `name` (without folders) with `siblings` beside it. A data file is opened by the
/// descriptor of the same name beside it, where there is one that names it.
///
/// # Errors
/// When no format recognises it or its format refuses it.
pub fn open_with(
    source: SharedSource,
    name: &str,
    siblings: Arc<dyn Siblings>,
    options: &OpenOptions<'_>,
) -> Result<Opened, ImageError> {
    let mut remarks = Vec::new();
    if let Some(stem) = stem_of_data(name).filter(|_| !says_what_it_is(&*source, name)) {
        for name_beside in DESCRIPTORS
            .iter()
            .flat_map(|ending| [format!("{stem}.{ending}"), format!("{stem}.{}", ending.to_uppercase())])
        {
            let Ok(descriptor) = siblings.open(name_beside.as_bytes()) else { continue };
            let described = Companion { name: name_beside.clone().into_bytes(), bytes: descriptor.len() };
            match open_alone(descriptor, &name_beside, Arc::clone(&siblings), options) {
                Ok(opened) if opened.companions.iter().any(|companion| companion.name == name.as_bytes()) => {
                    let companions = std::iter::once(described).chain(opened.companions).collect();
                    return Ok(Opened { bytes: source.len(), companions, ..opened });
                }
                Ok(_) => {}
                Err(error) => remarks.push(format!("{name_beside} beside it could not be used: {error}")),
            }
        }
    }
    let mut opened = open_alone(source, name, siblings, options)?;
    opened.warnings.extend(remarks);
    Ok(opened)
}

/// Endings of descriptors, and of what they describe.
const DESCRIPTORS: [&str; 7] = ["cue", "ccd", "mds", "b6t", "b5t", "bwt", "toc"];
const DATA: [&str; 9] = ["bin", "img", "iso", "mdf", "sub", "b6i", "b5i", "bwi", "raw"];

fn stem_of_data(name: &str) -> Option<&str> {
    let (stem, ending) = name.rsplit_once('.')?;
    DATA.iter().any(|data| ending.eq_ignore_ascii_case(data)).then_some(stem)
}

/// Whether the file itself describes a disc. Sectors do not: they may be one track of several.
fn says_what_it_is(source: &dyn ByteSource, name: &str) -> bool {
    let probe = Probe::new(source, name);
    let mut describing = FORMATS.iter().filter(|format| !matches!(format.info().id, "raw" | "iso"));
    describing.any(|format| format.probe(&probe) == Score::Sure)
}

/// The format whose files alone have names like this.
fn named_like(name: &str) -> Option<&'static FormatInfo> {
    let (_, ending) = name.rsplit_once('.')?;
    let has =
        |format: &&dyn ImageFormat| format.info().extensions.iter().any(|known| ending.eq_ignore_ascii_case(known));
    let format = FORMATS.iter().find(|format| has(format))?.info();
    (!matches!(format.id, "raw" | "iso")).then_some(format)
}

fn open_alone(
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
    // What is in it could be anything: then its name tells what its owner takes it for.
    if let Some(named) = named_like(cx.name).filter(|_| score == Score::Fallback) {
        let message =
            format!("the file is named like {}, but is none, or is damaged; a plain image is named .iso", named.name);
        return Err(ImageError::new(ImageErrorKind::NotRecognised, message));
    }
    guarded(format.info(), || format.open(source, cx)).map(|disc| (disc, format.info()))
}
