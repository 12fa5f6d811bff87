//! Why an image cannot be opened.

use std::fmt;
use std::io;

/// A small, stable classification: what a program may decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageErrorKind {
    /// The file is missing, unreadable, or not a file.
    Io,
    /// No format claims the content.
    NotRecognised,
    /// The content contradicts itself or its format.
    Invalid,
    /// More than a limit allows.
    Limit,
    /// A known format in a variant that Spindle does not read.
    Unsupported,
    /// It has no random access and may not be decoded into a temporary file.
    NeedsSpool,
    /// A file that the image names is not there.
    Missing,
    /// A file that the image names lies outside its folder.
    Outside,
    /// It is protected by a password and none was given.
    NeedsPassword,
    /// The password is wrong.
    WrongPassword,
}

/// Why an image cannot be opened: the kind, where, and what to do.
#[derive(Debug)]
pub struct ImageError {
    kind: ImageErrorKind,
    message: String,
    offset: Option<u64>,
    file: Option<String>,
    source: Option<io::Error>,
}

impl ImageError {
    /// An error of `kind`; `message` says what is wrong and what to do, without the file name.
    #[must_use]
    pub fn new(kind: ImageErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), offset: None, file: None, source: None }
    }

    /// An error of the operating system.
    #[must_use]
    pub fn io(error: io::Error) -> Self {
        Self { kind: ImageErrorKind::Io, message: String::new(), offset: None, file: None, source: Some(error) }
    }

    /// Adds where in the file.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// Adds which file; around an error of a file inside it, or beside it, both are named.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        let file = file.into();
        self.file = Some(match self.file {
            Some(inner) => format!("{file}: {inner}"),
            None => file,
        });
        self
    }

    /// [`ImageErrorKind::Invalid`]: the content contradicts itself or its format.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ImageErrorKind::Invalid, message)
    }

    /// [`ImageErrorKind::Unsupported`].
    #[must_use]
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ImageErrorKind::Unsupported, message)
    }

    /// The classification.
    #[must_use]
    pub fn kind(&self) -> ImageErrorKind {
        self.kind
    }

    /// Whether the operating system did not allow it.
    #[must_use]
    pub fn is_permission_denied(&self) -> bool {
        self.source.as_ref().is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    }
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        match &self.source {
            Some(source) if self.message.is_empty() => write!(f, "{source}")?,
            Some(source) => write!(f, "{}: {source}", self.message)?,
            None => f.write_str(&self.message)?,
        }
        match self.offset {
            Some(offset) => write!(f, " (at byte {offset})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ImageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
