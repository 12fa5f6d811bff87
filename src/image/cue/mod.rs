//! CUE sheets: text that says which parts of which files are the tracks of a disc (CDRWIN's manual; formats.md, 2).
//!
//! Position 0 of the first file is LBA 0. `PREGAP` adds sectors that no file stores, but for a data track that comes first: there it
//! is the pre-gap that every disc has. Where two sessions are in one file, that file stores what lies between them. A
//! file of sound is cut into sectors of 588 samples; the last one is filled up with silence.

mod plan;
mod segments;
mod sheet;

use super::text;
use super::{FormatInfo, ImageError, ImageFormat, OpenContext, Probe, Score};
use crate::disc::Disc;
use crate::source::SharedSource;

/// CUE sheets.
pub struct Cue;

static INFO: FormatInfo = FormatInfo { id: "cue", name: "CUE sheet with BIN or sound files", extensions: &["cue"] };

impl ImageFormat for Cue {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        match text::head(probe) {
            Some(text) if sheet::looks_like_one(&text) => Score::Sure,
            _ => Score::No,
        }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let sheet = sheet::parse(&text::read(&*source)?, cx)?;
        plan::plan(&sheet, cx)?.build()
    }
}
