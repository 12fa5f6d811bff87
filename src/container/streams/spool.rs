//! Streams without random access.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

use super::super::{Check, Content, ImageError, ImageErrorKind, OpenContext};
use crate::source::{FileSource, SharedSource};

/// Makes a reader of the decoded bytes, which fails where the stream is damaged or its checksum is wrong.
pub type Decoder = fn(&SharedSource) -> Box<dyn Read>;

/// Bytes that are decoded at a time.
const STEP: usize = 1 << 20;
/// Decoded bytes, at most: more than four layers of Blu-ray.
const LONGEST: u64 = 1 << 38;

/// Decodes the whole stream into a temporary file. What can be decoded of a stream that is damaged or cut off is kept.
///
/// # Errors
/// [`ImageErrorKind::NeedsSpool`] when the user did not allow it; when nothing can be decoded, or the folder has no room.
pub fn spool(
    source: &SharedSource,
    what: &'static str,
    decoder: Decoder,
    cx: &OpenContext<'_>,
) -> Result<Content, ImageError> {
    let Some(folder) = cx.spool else {
        let message =
            format!("{what} has no random access: unpack it, or let it be decoded into a temporary file with --spool");
        return Err(ImageError::new(ImageErrorKind::NeedsSpool, message));
    };
    let folder_error = |error: io::Error| ImageError::io(error).in_file(folder.display().to_string());
    let mut file = tempfile::tempfile_in(folder).map_err(folder_error)?;
    let len = match copy(&mut decoder(source), &mut file) {
        Ok(len) => len,
        Err(Failed::Write(error)) => return Err(folder_error(error)),
        Err(Failed::TooLong) => {
            return Err(ImageError::new(ImageErrorKind::Limit, "the stream decodes to more than any disc holds"));
        }
        Err(Failed::Read(error, 0)) if is_damage(&error) => {
            return Err(ImageError::invalid(format!(
                "{what} is damaged or cut off, and nothing of it decodes: {error}"
            )));
        }
        Err(Failed::Read(error, 0)) => return Err(ImageError::io(error)),
        Err(Failed::Read(error, len)) => {
            cx.warn(format!(
                "{what} is damaged or cut off after {len} decoded bytes ({error}): what is missing cannot be read"
            ));
            len
        }
    };
    if len == 0 {
        return Err(ImageError::invalid("the stream is empty"));
    }
    cx.offer_check(Arc::new(StreamCheck { source: SharedSource::clone(source), what, decoder, decoded: len }));
    Ok(Content::new(Arc::new(FileSource::from_file(file).map_err(folder_error)?)))
}

enum Failed {
    /// After so many bytes.
    Read(io::Error, u64),
    Write(io::Error),
    TooLong,
}

fn copy(from: &mut dyn Read, to: &mut File) -> Result<u64, Failed> {
    let mut buf = vec![0; STEP];
    let mut len = 0;
    loop {
        let step = match from.read(&mut buf) {
            Ok(0) => return Ok(len),
            Ok(step) => step,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failed::Read(error, len)),
        };
        to.write_all(&buf[..step]).map_err(Failed::Write)?;
        len += step as u64;
        if len > LONGEST {
            return Err(Failed::TooLong);
        }
    }
}

/// The checksums in a stream.
struct StreamCheck {
    source: SharedSource,
    what: &'static str,
    decoder: Decoder,
    decoded: u64,
}

impl fmt::Debug for StreamCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamCheck").field("what", &self.what).finish_non_exhaustive()
    }
}

impl Check for StreamCheck {
    fn name(&self) -> String {
        format!("checksums of {}", self.what)
    }

    fn bytes(&self) -> u64 {
        self.decoded
    }

    fn run(&self, progress: &dyn Fn(u64)) -> io::Result<bool> {
        let mut reader = (self.decoder)(&self.source);
        let mut buf = vec![0; STEP];
        loop {
            match reader.read(&mut buf) {
                Ok(0) => return Ok(true),
                Ok(step) => progress(step as u64),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_damage(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether a stream is what is wrong, and not the storage.
pub fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
}
