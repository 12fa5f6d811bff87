//! Image files: bytes to a [`Disc`].
//!
//! One static table of formats; each is told by its content, never by its name. Not responsible for wrappers around
//! an image nor for serving sectors.

mod error;
mod iso;
mod open;

use crate::disc::Disc;
use crate::source::{ByteSource, SharedSource};

pub use self::error::{ImageError, ImageErrorKind};
pub use self::open::{Opened, open_path, open_source};

/// What a format is called.
#[derive(Debug)]
pub struct FormatInfo {
    /// Short lower-case name, as `--format` and JSON spell it.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// Usual file name endings, without the dot. Never used to decide.
    pub extensions: &'static [&'static str],
}

/// How sure a format is that the bytes are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Score {
    /// Not this format.
    No,
    /// Could be anything; taken when nothing else claims it.
    Fallback,
    /// The content shows the format.
    Sure,
}

/// What a format may look at to claim a file.
#[derive(Debug)]
pub struct Probe<'a> {
    /// The whole file.
    pub source: &'a dyn ByteSource,
}

/// One image format.
///
/// An implementer must not panic for any bytes, must bound what it allocates by the file's real size and fixed limits,
/// and must check every offset it takes from the file. It may be called from several threads at once.
pub trait ImageFormat: Sync {
    /// Its names.
    fn info(&self) -> &'static FormatInfo;

    /// Whether the bytes are this format's. An unreadable source is [`Score::No`].
    fn probe(&self, probe: &Probe<'_>) -> Score;

    /// Builds the disc, reading indexes but not data. Remarks for the user go to `warnings`.
    ///
    /// # Errors
    /// When the file cannot be a disc of this format.
    fn open(&self, source: SharedSource, warnings: &mut Vec<String>) -> Result<Disc, ImageError>;
}

/// Every format, most specific first.
pub static FORMATS: &[&dyn ImageFormat] = &[&iso::Iso];
