//! bzip2. Its blocks do not tell how long they are.

use ::bzip2::bufread::MultiBzDecoder;

use super::super::{Container, Content, FormatInfo, ImageError, OpenContext, Probe, Score};
use super::input::Input;
use super::spool::spool;
use crate::source::SharedSource;

/// bzip2 streams.
pub struct Bzip2;

static INFO: FormatInfo = FormatInfo { id: "bzip2", name: "bzip2", extensions: &["bz2", "bzip2"] };

impl Container for Bzip2 {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        // A block, or the end of a stream without one.
        let begins = |magic: &[u8]| probe.has(4, magic);
        let level = probe.head.get(3).is_some_and(|level| (b'1'..=b'9').contains(level));
        let is_stream = begins(&[0x31, 0x41, 0x59, 0x26, 0x53, 0x59]) || begins(&[0x17, 0x72, 0x45, 0x38, 0x50, 0x90]);
        if probe.has(0, b"BZh") && level && is_stream { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        spool(&source, "a bzip2 file", |source| Box::new(MultiBzDecoder::new(Input::of(source))), cx)
    }
}
