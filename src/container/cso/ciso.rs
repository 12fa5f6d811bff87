//! CSO (CISO) versions 0 to 2 and ZSO (ZISO), formats.md, 14.1. Version 0 and 1 are the same; so is the header of all.
//!
//! Not read: the file of the same signature that holds a GameCube or Wii disc without its empty blocks (14.4).

use std::io;
use std::ops::Range;

use super::{Content, ImageError, Index, OpenContext, Packed, Packing, Place};
use super::{between, blocks, content, damaged, header, pair, u32_at};
use crate::container::{Container, FormatInfo, Probe, Score};
use crate::source::{ByteSource, SharedSource};

/// CSO.
pub struct Cso;
/// ZSO.
pub struct Zso;

static CSO: FormatInfo = FormatInfo { id: "cso", name: "CSO (compressed ISO)", extensions: &["cso", "ciso"] };
static ZSO: FormatInfo = FormatInfo { id: "zso", name: "ZSO (compressed ISO, LZ4)", extensions: &["zso"] };

/// The table begins here, whatever the header says about its own size: writers leave anything there.
const TABLE: u64 = 24;

impl Container for Cso {
    fn info(&self) -> &'static FormatInfo {
        &CSO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        if probe.has(0, b"CISO") { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        if is_game_disc(&source) {
            let message = "a GameCube or Wii disc without its empty blocks (also called CISO); unpack it to ISO first";
            return Err(ImageError::unsupported(message));
        }
        let header = header::<{ TABLE as usize }>(&source)?;
        let method = match header[20] {
            0 | 1 => Method::Deflate,
            2 => Method::Both,
            version => return Err(ImageError::unsupported(format!("CSO version {version} is not read")).at(20)),
        };
        open(source, &header, method, cx)
    }
}

impl Container for Zso {
    fn info(&self) -> &'static FormatInfo {
        &ZSO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        if probe.has(0, b"ZISO") { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        let header = header::<{ TABLE as usize }>(&source)?;
        match header[20] {
            0 | 1 => open(source, &header, Method::Lz4, cx),
            version => Err(ImageError::unsupported(format!("ZSO version {version} is not read")).at(20)),
        }
    }
}

/// What bit 31 of an entry means.
#[derive(Debug, Clone, Copy)]
enum Method {
    /// Stored; else deflate.
    Deflate,
    /// Stored; else LZ4.
    Lz4,
    /// LZ4; else deflate. Stored is what is as long as a block.
    Both,
}

#[derive(Debug)]
struct Table {
    method: Method,
    shift: u8,
    block: u32,
}

fn open(source: SharedSource, header: &[u8], method: Method, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
    let total = u64::from(u32_at(header, 8)) | u64::from(u32_at(header, 12)) << 32;
    let block = u32_at(header, 16);
    let shift = header[21];
    if shift > 31 {
        return Err(ImageError::invalid(format!("an index shift of {shift}: the file is damaged")).at(21));
    }
    // One entry more than blocks: the end of the last.
    let count = blocks(&source, total, block, TABLE + 4, 4)?;
    content(Packed { source, total, block, index: Table { method, shift, block } }, count, cx)
}

impl Index for Table {
    fn place(&self, source: &dyn ByteSource, number: u64, len: u32) -> io::Result<Place> {
        const FLAG: u32 = 1 << 31;
        let (this, next) = pair(source, TABLE, number)?;
        let offset = u64::from(this & !FLAG) << self.shift;
        let bytes = between(offset, u64::from(next & !FLAG) << self.shift)?;
        let packing = match (self.method, this & FLAG != 0) {
            (Method::Both, _) if bytes >= u64::from(self.block) => Packing::Stored,
            (Method::Both, true) | (Method::Lz4, false) => Packing::Lz4,
            (Method::Both | Method::Deflate, false) => Packing::Deflate,
            (Method::Deflate | Method::Lz4, true) => Packing::Stored,
        };
        if packing == Packing::Stored && bytes < u64::from(len) {
            return Err(damaged("a stored block is too short"));
        }
        Ok(Place { offset, len: bytes, packing })
    }

    /// Of each the start of the next, too.
    fn entries(&self, first: u64, count: u64) -> Option<Range<u64>> {
        let start = TABLE + first * 4;
        Some(start..start + (count + 1) * 4)
    }
}

/// A block size that is a power of two, where a CSO says how long its header is, then a map of zeros and ones.
fn is_game_disc(source: &SharedSource) -> bool {
    const MAP: usize = 0x8000;
    let mut head = vec![0; MAP];
    if source.read_exact_at(&mut head, 0).is_err() {
        return false;
    }
    let block = u32_at(&head, 4);
    block >= MAP as u32 && block.is_power_of_two() && head[8..].iter().all(|&byte| byte <= 1)
}
