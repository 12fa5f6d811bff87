//! What containers and formats may use while they open a file: its siblings, passwords, the block cache.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{ImageError, ImageErrorKind, unwrap};
use crate::source::{BlockCache, SharedSource, Siblings};

/// Where passwords come from.
pub trait Passwords {
    /// A password for `file`, or nothing when there is none. `attempt` counts from 0; it is asked again, up to three times,
    /// when a password was wrong.
    fn password(&self, file: &str, attempt: u32) -> Option<Vec<u8>>;
}

/// Nobody to ask.
#[derive(Debug, Clone, Copy)]
pub struct NoPassword;

impl Passwords for NoPassword {
    fn password(&self, _file: &str, _attempt: u32) -> Option<Vec<u8>> {
        None
    }
}

/// A file that the image named and that was opened.
#[derive(Debug, Clone)]
pub struct Companion {
    /// Under which name the siblings gave it.
    pub name: Vec<u8>,
    /// Its length in bytes, as it lies there.
    pub bytes: u64,
}

/// A checksum that a file carries of itself and that reading does not hold against it, such as one of all decoded bytes.
pub trait Check: Send + Sync + std::fmt::Debug {
    /// What is checked, for people: `CRC-32 of the gzip member`.
    fn name(&self) -> String;

    /// How many bytes that takes.
    fn bytes(&self) -> u64;

    /// Reads them; `progress` is told how many at a time.
    ///
    /// # Errors
    /// When they cannot be read. A wrong checksum is `Ok(false)`.
    fn run(&self, progress: &dyn Fn(u64)) -> io::Result<bool>;
}

/// What there is to say about an image beside the disc.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// What is odd but harmless.
    pub warnings: Vec<String>,
    /// The files that belong to the image, in the order they were opened.
    pub companions: Vec<Companion>,
    /// Names of files that the image names and that are not there.
    pub missing: Vec<String>,
    /// Checksums for `spindle verify`.
    pub checks: Vec<Arc<dyn Check>>,
}

/// Everything a format or container may use while it opens a file.
pub struct OpenContext<'a> {
    /// The file's own name, without folders; empty when it has none.
    pub name: &'a str,
    /// The files beside it.
    pub siblings: Arc<dyn Siblings>,
    /// Whom to ask for a password.
    pub passwords: &'a dyn Passwords,
    /// The cache for decoded blocks.
    pub cache: &'a Arc<BlockCache>,
    /// A folder for the decoded bytes of what has no random access, if the user allowed that.
    pub spool: Option<&'a Path>,
    /// Shared by all contexts of one image.
    pub(super) notes: &'a RefCell<Notes>,
    /// How many containers are around.
    pub(super) depth: u32,
}

/// Companions of one image, at most: tracks are at most 99, parts of a split file may be more.
const MOST_COMPANIONS: usize = 1000;
/// How often a password is asked for.
const ATTEMPTS: u32 = 3;

impl<'a> OpenContext<'a> {
    /// A context for the file called `name`.
    #[must_use]
    pub fn new(
        name: &'a str,
        siblings: Arc<dyn Siblings>,
        passwords: &'a dyn Passwords,
        cache: &'a Arc<BlockCache>,
        spool: Option<&'a Path>,
        notes: &'a RefCell<Notes>,
    ) -> Self {
        Self { name, siblings, passwords, cache, spool, notes, depth: 0 }
    }

    /// The same for what is inside a container, whose name is `name` and whose files are `siblings`.
    pub(super) fn inside<'b>(&'b self, name: &'b str, siblings: Arc<dyn Siblings>) -> OpenContext<'b> {
        OpenContext { name, siblings, depth: self.depth + 1, ..*self }
    }

    /// Says something to the user that is odd but harmless.
    pub fn warn(&self, text: impl Into<String>) {
        let mut notes = self.notes.borrow_mut();
        // A hostile file must not fill the memory with remarks.
        if notes.warnings.len() < 100 {
            notes.warnings.push(text.into());
        }
    }

    /// Notes that the file called `name` is not there, where the image can do without it.
    pub fn missing(&self, name: &[u8]) {
        let mut notes = self.notes.borrow_mut();
        if notes.missing.len() < 100 {
            notes.missing.push(String::from_utf8_lossy(name).into_owned());
        }
    }

    /// Offers a checksum to who wants to verify the image.
    pub fn offer_check(&self, check: Arc<dyn Check>) {
        let mut notes = self.notes.borrow_mut();
        if notes.checks.len() < MOST_COMPANIONS {
            notes.checks.push(check);
        }
    }

    /// Opens a file that a descriptor names, as it lies there. Looked for in this order: the path as given, with either
    /// separator, when it stays inside the folder; its last part; its last part without regard to case.
    ///
    /// # Errors
    /// [`ImageErrorKind::Missing`] when there is none, [`ImageErrorKind::Outside`] when it lies outside the folder.
    pub fn open_sibling(&self, name: &[u8]) -> Result<SharedSource, ImageError> {
        let path: Vec<u8> = name.iter().map(|&byte| if byte == b'\\' { b'/' } else { byte }).collect();
        let base = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let shown = || String::from_utf8_lossy(name).into_owned();
        if base.is_empty() || base == b"." || base == b".." || name.contains(&0) {
            return Err(ImageError::new(ImageErrorKind::Invalid, format!("names no file: {:?}", shown())));
        }
        let mut outside = false;
        for candidate in [&path[..], base] {
            match self.siblings.open(candidate) {
                Ok(source) => return self.note_companion(candidate, source),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied && is_outside(&error) => outside = true,
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(ImageError::io(error).in_file(shown())),
            }
        }
        let other_case =
            self.siblings.names().unwrap_or_default().into_iter().filter(|known| same_name(known, base)).min();
        if let Some(known) = other_case {
            match self.siblings.open(&known) {
                Ok(source) => return self.note_companion(&known, source),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied && is_outside(&error) => outside = true,
                Err(error) => return Err(ImageError::io(error).in_file(shown())),
            }
        }
        if outside || path.first() == Some(&b'/') || path.split(|&byte| byte == b'/').any(|part| part == b"..") {
            let message =
                "the image names a file outside its own folder; put the file beside the image, or use --allow-outside";
            return Err(ImageError::new(ImageErrorKind::Outside, message).in_file(shown()));
        }
        let message = "the image names this file, but it is not beside it";
        Err(ImageError::new(ImageErrorKind::Missing, message).in_file(shown()))
    }

    /// As [`open_sibling`](Self::open_sibling), but its content when it is a container; also finds `name` with the ending of
    /// a container added (`x.bin` is there as `x.bin.ecm`).
    ///
    /// # Errors
    /// As [`open_sibling`](Self::open_sibling), and when the container cannot be opened.
    pub fn open_data(&self, name: &[u8]) -> Result<SharedSource, ImageError> {
        let shown = String::from_utf8_lossy(name).into_owned();
        let found = self.open_sibling(name).or_else(|error| {
            if error.kind() != ImageErrorKind::Missing {
                return Err(error);
            }
            let wrapped = ["ecm", "gz", "xz", "bz2", "zst"]
                .iter()
                .find_map(|ending| self.open_sibling(&[name, b".", ending.as_bytes()].concat()).ok());
            wrapped.ok_or(error)
        })?;
        let inner = self.inside(&shown, Arc::clone(&self.siblings));
        unwrap(found, &inner).map(|unwrapped| unwrapped.source).map_err(|error| error.in_file(shown.clone()))
    }

    /// Calls `open` with passwords until one fits.
    ///
    /// # Errors
    /// [`ImageErrorKind::NeedsPassword`] when there is none to try, [`ImageErrorKind::WrongPassword`] when `open` answers
    /// that to all of them, and any other error of `open`.
    pub fn with_password<T>(&self, open: impl Fn(&[u8]) -> Result<T, ImageError>) -> Result<T, ImageError> {
        let mut wrong = None;
        for attempt in 0..ATTEMPTS {
            let Some(password) = self.passwords.password(self.name, attempt) else { break };
            match open(&password) {
                Err(error) if error.kind() == ImageErrorKind::WrongPassword => wrong = Some(error),
                result => return result,
            }
        }
        let none = || {
            let message = "is protected by a password; give it at the terminal or with --password-file";
            ImageError::new(ImageErrorKind::NeedsPassword, message)
        };
        Err(wrong.unwrap_or_else(none))
    }

    fn note_companion(&self, name: &[u8], source: SharedSource) -> Result<SharedSource, ImageError> {
        let mut notes = self.notes.borrow_mut();
        if !notes.companions.iter().any(|known| known.name == name) {
            if notes.companions.len() >= MOST_COMPANIONS {
                let message = format!("the image names more than {MOST_COMPANIONS} files");
                return Err(ImageError::new(ImageErrorKind::Limit, message));
            }
            notes.companions.push(Companion { name: name.to_vec(), bytes: source.len() });
        }
        Ok(source)
    }
}

/// Refused by the siblings themselves, not by the operating system's access rights: those errors carry a number.
fn is_outside(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::InvalidFilename
    )
}

fn same_name(known: &[u8], wanted: &[u8]) -> bool {
    known.eq_ignore_ascii_case(wanted)
        || match (std::str::from_utf8(known), std::str::from_utf8(wanted)) {
            (Ok(known), Ok(wanted)) => known.to_lowercase() == wanted.to_lowercase(),
            _ => false,
        }
}
