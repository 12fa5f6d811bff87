//! JSO (JISO), formats.md, 14.3: blocks packed with LZO1X or deflate.
//!
//! Not used: the MD5 at offset 16, as no description says what it is of.

use std::io;
use std::ops::Range;

use super::{Content, ImageError, Index, OpenContext, Packed, Packing, Place};
use super::{between, blocks, content, header, pair, u32_at};
use crate::container::{Container, FormatInfo, Probe, Score};
use crate::source::{ByteSource, SharedSource};

/// JSO.
pub struct Jso;

static INFO: FormatInfo = FormatInfo { id: "jso", name: "JSO (compressed ISO)", extensions: &["jso", "jiso"] };

const HEADER: usize = 48;

impl Container for Jso {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        if probe.has(0, b"JISO") { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        let header = header::<HEADER>(&source)?;
        let block = u32::from(u16::from_le_bytes([header[6], header[7]]));
        let packing = match header[10] {
            0 => Packing::Lzo,
            1 => Packing::AnyDeflate,
            method => {
                return Err(ImageError::unsupported(format!("JSO compression method {method} is not read")).at(10));
            }
        };
        let total = u64::from(u32_at(&header, 12));
        let count = blocks(&source, total, block, HEADER as u64 + 4, 4)?;
        content(Packed { source, total, block, index: Table { packing, block } }, count, cx)
    }
}

#[derive(Debug)]
struct Table {
    packing: Packing,
    block: u32,
}

impl Index for Table {
    fn place(&self, source: &dyn ByteSource, number: u64, len: u32) -> io::Result<Place> {
        let (this, next) = pair(source, HEADER as u64, number)?;
        let bytes = between(u64::from(this), u64::from(next))?;
        // No flag tells: what is as long as its content is not packed.
        let stored = bytes == u64::from(self.block) || bytes == u64::from(len);
        Ok(Place { offset: u64::from(this), len: bytes, packing: if stored { Packing::Stored } else { self.packing } })
    }

    /// Of each the start of the next, too.
    fn entries(&self, first: u64, count: u64) -> Option<Range<u64>> {
        let start = HEADER as u64 + first * 4;
        Some(start..start + (count + 1) * 4)
    }
}
