//! DMG, Apple's disk images (UDIF): runs of sectors, each packed alone, and where they lie at the end (formats.md, 20).
//!
//! Not here: version 1 of the encrypted form, keys other than a password, and sparse images.

mod adc;
mod checks;
mod encrypted;
mod resources;
mod runs;

use std::io;
use std::sync::Arc;

use self::checks::Crc;
use self::resources::tables;
use self::runs::{Data, Runs, Table};
use super::{Container, Content, FormatInfo, ImageError, ImageErrorKind, OpenContext, Probe, Score};
use crate::source::{BlockSource, ByteSource, ConcatSource, SharedSource, SliceSource};

/// Disk images of Apple.
pub struct Dmg;

static INFO: FormatInfo = FormatInfo { id: "dmg", name: "Apple disk image (UDIF)", extensions: &["dmg", "cdr", "smi"] };

const MAGIC: [u8; 12] = *b"koly\0\0\0\x04\0\0\x02\0";
const TRAILER: usize = 512;
/// Decoded bytes, at most: four layers of Blu-ray.
const LONGEST: u64 = 1 << 37;
/// Files of one image, at most.
const MOST_SEGMENTS: u32 = 999;
const SECTOR: u64 = 512;
const BLOCK: u64 = 2048;

impl Container for Dmg {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        let encrypted = probe.has(0, &encrypted::MAGIC);
        let signed = encrypted || probe.has(0, &MAGIC) || probe.ends_with(TRAILER, &MAGIC);
        if signed && probe.len() >= TRAILER as u64 { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        let mut magic = [0; encrypted::MAGIC.len()];
        source.read_exact_at(&mut magic, 0).map_err(ImageError::io)?;
        let source = if magic == encrypted::MAGIC { encrypted::open(&source, cx)? } else { source };
        // What is encrypted can be the sectors themselves.
        if magic == encrypted::MAGIC && self.probe(&Probe::new(&*source, cx.name)) == Score::No {
            return Ok(Content::new(source));
        }
        let trailer = Trailer::of(&*source)?;
        if trailer.u32(56) > 1 {
            let message = format!("this is part {} of an image; open the first", trailer.u32(56));
            return Err(ImageError::invalid(message).at(trailer.at + 56));
        }
        let total = trailer.u64(492).checked_mul(SECTOR).filter(|total| *total <= LONGEST).ok_or_else(|| {
            ImageError::new(ImageErrorKind::Limit, "the image is longer than any disc").at(trailer.at + 492)
        })?;
        if total == 0 {
            return Err(ImageError::invalid("the trailer says that the image is empty").at(trailer.at + 492));
        }
        let data = data_forks(&source, &trailer, cx)?;
        let tables =
            tables(&*source, &trailer)?.iter().map(|bytes| Table::parse(bytes)).collect::<Result<Vec<_>, _>>()?;
        let sums: Vec<_> = tables.iter().map(|table| (table.start, table.len, table.crc)).collect();
        let runs = Runs::new(Data::clone(&data), tables, total.next_multiple_of(BLOCK))?;
        if runs.end_of_data > data.len() {
            cx.warn("the file is cut off: what is missing cannot be read");
        }
        let content: SharedSource = Arc::new(BlockSource::new(Arc::new(runs), Arc::clone(cx.cache)));
        for (start, len, sum) in sums {
            let part = SliceSource::new(Arc::clone(&content), start, len);
            if let (Some(stored), Ok(part)) = (sum, part) {
                cx.offer_check(Arc::new(Crc::new("CRC-32 of a partition of the DMG", Arc::new(part), stored)));
            }
        }
        Ok(Content::new(content))
    }
}

/// What ends every file of an image, or begins it.
struct Trailer {
    bytes: [u8; TRAILER],
    at: u64,
}

impl Trailer {
    fn of(source: &dyn ByteSource) -> Result<Self, ImageError> {
        for at in [source.len().saturating_sub(TRAILER as u64), 0] {
            let mut bytes = [0; TRAILER];
            match source.read_exact_at(&mut bytes, at) {
                Ok(()) if bytes.starts_with(&MAGIC) => return Ok(Self { bytes, at }),
                Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(ImageError::io(error).at(at)),
                _ => {}
            }
        }
        Err(ImageError::invalid("a DMG file without its trailer: it is cut off"))
    }

    fn u32(&self, at: usize) -> u32 {
        u32_at(&self.bytes, at)
    }

    fn u64(&self, at: usize) -> u64 {
        u64_at(&self.bytes, at)
    }
}

/// The data forks of all files of the image, one after another.
fn data_forks(source: &SharedSource, first: &Trailer, cx: &OpenContext<'_>) -> Result<Data, ImageError> {
    let fork = |source: &SharedSource, trailer: &Trailer| -> Result<SharedSource, ImageError> {
        let (at, len) = (trailer.u64(24), trailer.u64(32));
        // With the trailer in front the end of the data can be missing.
        let len = len.min(source.len().saturating_sub(at));
        let slice = SliceSource::new(Arc::clone(source), at, len);
        let slice = slice.map_err(|_| ImageError::invalid("the data lies past the end").at(trailer.at + 24))?;
        let fork: SharedSource = Arc::new(slice);
        // Every file has that of its own data.
        if let Some(stored) = Crc::stored(&trailer.bytes[80..]) {
            cx.offer_check(Arc::new(Crc::new("CRC-32 of the DMG's data", Arc::clone(&fork), stored)));
        }
        Ok(fork)
    };
    let count = first.u32(60);
    if count > MOST_SEGMENTS {
        return Err(ImageError::new(ImageErrorKind::Limit, format!("an image in {count} files")).at(first.at + 60));
    }
    let mut forks = vec![fork(source, first)?];
    let mut running = forks[0].len();
    let stem = cx.name.rsplit_once('.').map_or(cx.name, |(stem, _)| stem);
    for number in 2..=count {
        let name = format!("{stem}.{number:03}.dmgpart");
        let part = cx.open_sibling(name.as_bytes())?;
        let open = || {
            let trailer = Trailer::of(&*part)?;
            if trailer.bytes[64..80] != first.bytes[64..80] || trailer.u32(56) != number {
                return Err(ImageError::invalid("this file belongs to another image").at(trailer.at + 56));
            }
            if trailer.u64(16) != running {
                return Err(ImageError::invalid("the file before it has another length").at(trailer.at + 16));
            }
            fork(&part, &trailer)
        };
        let part = open().map_err(|error| error.in_file(name.clone()))?;
        running = running.saturating_add(part.len());
        forks.push(part);
    }
    Ok(Arc::new(ConcatSource::new(forks).map_err(ImageError::io)?))
}

/// The number at `at`; 0 where there is none.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// The number at `at`; 0 where there is none.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
