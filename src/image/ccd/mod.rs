//! CCD, IMG and SUB of CloneCD: a text with the full TOC, the sectors, and their subchannel (formats.md, 4).
//!
//! The image holds the sessions back to back: from LBA 0 on, and from index 1 of its first track for each later one. The pre-gaps before
//! that, lead-outs and lead-ins are in no file.

mod ini;
mod plan;
mod scrambled;

use super::{FormatInfo, ImageError, ImageFormat, OpenContext, Probe, Score, text};
use crate::disc::Disc;
use crate::source::SharedSource;

/// CloneCD.
pub struct Ccd;

static INFO: FormatInfo = FormatInfo { id: "ccd", name: "CloneCD (CCD/IMG/SUB)", extensions: &["ccd"] };

impl ImageFormat for Ccd {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        let first = text::head(probe).and_then(|text| {
            text::lines(&text).map(|(_, line)| line.trim_ascii().to_vec()).find(|line| !line.is_empty())
        });
        match first {
            Some(line) if line.eq_ignore_ascii_case(b"[CloneCD]") => Score::Sure,
            _ => Score::No,
        }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let ini = ini::Ini::of(&text::read(&*source)?);
        plan::plan(&ini, cx)?.build()
    }
}
