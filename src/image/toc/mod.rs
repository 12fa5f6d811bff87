//! TOC files of cdrdao: text that says of which pieces of which files each track is made (cdrdao's manual; formats.md, 3.1).
//!
//! One file describes one session. Positions of sound are samples or times; those of data are bytes or times. Where it is not
//! told how long a piece is, it is the rest of the file. The two seconds before LBA 0 are in no file.

mod lexer;
mod parse;
mod plan;

use super::{FormatInfo, ImageError, ImageFormat, OpenContext, Probe, Score, text};
use crate::disc::Disc;
use crate::source::SharedSource;

/// TOC files of cdrdao.
pub struct Toc;

static INFO: FormatInfo = FormatInfo { id: "toc", name: "cdrdao TOC with BIN or sound files", extensions: &["toc"] };

impl ImageFormat for Toc {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        match text::head(probe) {
            Some(text) if parse::looks_like_one(&text) => Score::Sure,
            _ => Score::No,
        }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let toc = parse::parse(&text::read(&*source)?)?;
        plan::plan(&toc, cx)?.build()
    }
}
