//! NRG of Nero: the sectors of all tracks, then a list of chunks that describes them (formats.md, 5).
//!
//! Chunks are told by their names and not by the footer's version: files mix them. Sessions that were written at once have the
//! address of every index; of those that were written track by track only their lengths are sure.

mod chunks;
mod plan;

use super::{FormatInfo, ImageError, ImageFormat, OpenContext, Probe, Score};
use crate::disc::Disc;
use crate::source::SharedSource;

/// NRG files.
pub struct Nrg;

static INFO: FormatInfo = FormatInfo { id: "nrg", name: "Nero (NRG)", extensions: &["nrg"] };

impl ImageFormat for Nrg {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        if chunks::first(&probe.tail, probe.len()).is_some() { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let probe = Probe::new(&*source, cx.name);
        let first = chunks::first(&probe.tail, probe.len());
        let first = first.ok_or_else(|| ImageError::invalid("the file has no footer of an NRG image"))?;
        let chunks = chunks::read(&*source, first, cx)?;
        plan::plan(&source, first, &chunks, cx)?.build()
    }
}
