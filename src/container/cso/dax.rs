//! DAX, formats.md, 14.2: frames of 8 KiB packed with zlib; from version 1 on, runs of frames that are stored.

use std::io;

use super::{Content, ImageError, Index, OpenContext, Packed, Packing, Place};
use super::{blocks, content, damaged, header, u32_at};
use crate::container::{Container, FormatInfo, Probe, Score};
use crate::source::{ByteSource, SharedSource};

/// DAX.
pub struct Dax;

static INFO: FormatInfo = FormatInfo { id: "dax", name: "DAX (compressed ISO)", extensions: &["dax"] };

const HEADER: usize = 32;
const FRAME: u32 = 0x2000;

impl Container for Dax {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        let known = probe.head.get(..HEADER).is_some_and(|header| u32_at(header, 8) <= 1 && u32_at(header, 4) > 0);
        if known && probe.has(0, b"DAX\0") { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        let header = header::<HEADER>(&source)?;
        let total = u64::from(u32_at(&header, 4));
        let areas = if u32_at(&header, 8) >= 1 { u32_at(&header, 12) } else { 0 };
        // Four bytes of offset and two of size.
        let count = blocks(&source, total, FRAME, HEADER as u64, 6)?;
        let index = Table { count, stored: stored_frames(&source, count, areas)? };
        content(Packed { source, total, block: FRAME, index }, count, cx)
    }
}

#[derive(Debug)]
struct Table {
    count: u64,
    /// One bit per frame that is stored; empty when none is.
    stored: Vec<u8>,
}

impl Index for Table {
    fn place(&self, source: &dyn ByteSource, number: u64, _len: u32) -> io::Result<Place> {
        let (mut offset, mut size) = ([0; 4], [0; 2]);
        source.read_exact_at(&mut offset, HEADER as u64 + number * 4)?;
        source.read_exact_at(&mut size, HEADER as u64 + self.count * 4 + number * 2)?;
        let stored = self.stored.get((number / 8) as usize).is_some_and(|byte| byte >> (number % 8) & 1 != 0);
        let packing = if stored { Packing::Stored } else { Packing::Zlib };
        let len = if stored { u64::from(FRAME) } else { u64::from(u16::from_le_bytes(size)) };
        if len == 0 {
            return Err(damaged("a frame has no bytes"));
        }
        Ok(Place { offset: u64::from(u32::from_le_bytes(offset)), len, packing })
    }
}

/// The frames of `areas`, as a bit each.
fn stored_frames(source: &SharedSource, count: u64, areas: u32) -> Result<Vec<u8>, ImageError> {
    if areas == 0 {
        return Ok(Vec::new());
    }
    let table = HEADER as u64 + count * 6;
    let end = table + u64::from(areas) * 8;
    if u64::from(areas) > count || end > source.len() {
        let message = format!("{areas} areas of stored frames: the file is damaged or cut off");
        return Err(ImageError::invalid(message).at(12));
    }
    let mut stored = vec![0_u8; count.div_ceil(8) as usize];
    let mut marked = 0;
    let mut area = [0; 8];
    for number in 0..u64::from(areas) {
        let at = table + number * 8;
        source.read_exact_at(&mut area, at).map_err(|error| ImageError::io(error).at(at))?;
        let (first, frames) = (u64::from(u32_at(&area, 0)), u64::from(u32_at(&area, 4)));
        marked += frames;
        // Areas that overlap would make this long; those of a sound file hold no frame twice.
        if first + frames > count || marked > count {
            return Err(ImageError::invalid("an area of stored frames lies outside the image").at(at));
        }
        for frame in first..first + frames {
            if let Some(byte) = stored.get_mut((frame / 8) as usize) {
                *byte |= 1 << (frame % 8);
            }
        }
    }
    Ok(stored)
}
