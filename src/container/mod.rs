//! Containers: files around an image, bytes to bytes. They stack: an ISO in a CSO in an ECM opens.
//!
//! Here is also what containers and image formats share: how they are told apart ([`Probe`]), what they may use while they
//! open ([`OpenContext`]), and how they fail ([`ImageError`]). Not responsible for what the bytes inside mean.

mod context;
pub mod cso;
mod daa;
mod dmg;
mod ecm;
mod error;
pub mod inflate;
mod isz;
mod lzma;
mod macbinary;
mod parts;
mod probe;
pub mod record;
mod refuse;
mod runs;
mod split;
mod streams;
mod sums;
mod uif;
mod unwrap;
mod varint;

use std::io;
use std::sync::Arc;

pub use self::context::{Check, Companion, NoPassword, Notes, OpenContext, Passwords};
pub use self::error::{ImageError, ImageErrorKind};
pub use self::probe::{FormatInfo, Probe, Score};
pub use self::refuse::refused_by_name;
pub(crate) use self::unwrap::guarded;
pub use self::unwrap::{Unwrapped, unwrap};
use crate::source::{SharedSource, Siblings, with_bytes};

/// One kind of container.
///
/// An implementer must not panic for any bytes, must bound what it allocates by the file's real size and fixed limits, must
/// check every offset it takes from the file, and must not decode data to open: only indexes are read.
pub trait Container: Sync {
    /// Its names.
    fn info(&self) -> &'static FormatInfo;

    /// Whether the bytes are this container's.
    fn probe(&self, probe: &Probe<'_>) -> Score;

    /// The content.
    ///
    /// # Errors
    /// When the file cannot be a container of this kind, or needs a password that is not there.
    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError>;
}

/// What is inside a container.
#[derive(Debug)]
pub struct Content {
    /// The decoded bytes: an image, or another container.
    pub source: SharedSource,
    /// The files that the content names, where the container holds those too: they take the place of the container's own
    /// siblings.
    pub siblings: Option<Arc<dyn Siblings>>,
}

impl Content {
    /// Content that stands alone.
    #[must_use]
    pub fn new(source: SharedSource) -> Self {
        Self { source, siblings: None }
    }
}

/// Every container.
pub static CONTAINERS: &[&dyn Container] = &[
    // Before what its first piece looks like.
    &split::Split,
    &cso::Cso,
    &cso::Zso,
    &cso::Dax,
    &cso::Jso,
    &isz::Isz,
    &dmg::Dmg,
    &daa::Daa,
    &daa::Gbi,
    &uif::Uif,
    &ecm::Ecm,
    &macbinary::MacBinary,
    &streams::Gzip,
    &streams::Xz,
    &streams::Zstd,
    &streams::Bzip2,
];

/// Calls `unpack` with a chunk of `chunk` decoded bytes as it is packed in `len` bytes at `offset`.
///
/// # Errors
/// When it is longer than any packing makes it, which bounds what is allocated, or cannot be read; what `unpack` reports.
fn packed_chunk<T>(
    source: &SharedSource,
    (offset, len): (u64, u64),
    chunk: u64,
    unpack: impl FnOnce(&mut [u8]) -> io::Result<T>,
) -> io::Result<T> {
    if len > chunk + chunk / 8 + 4096 {
        return Err(damaged("a chunk is longer than any packing makes it"));
    }
    if offset.checked_add(len).is_none_or(|end| end > source.len()) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    with_bytes(source, offset, len as usize, unpack)
}

/// Stored bytes that do not decode.
pub(crate) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
