//! What both versions of the Alcohol descriptor share: names of data files, structures of a DVD, DPM.

use super::super::names::{from_utf16, open_named};
use super::super::record::{Record, bytes_at};
use super::super::{ImageError, ImageErrorKind, OpenContext};
use crate::disc::{Dpm, Lba, StoredStructure};
use crate::source::SharedSource;

/// Data files of one track, and footers of all tracks, at most.
const MOST_FILES: u32 = 1000;
const MOST_FOOTERS: u32 = 10_000;
/// Bytes of a file name, at most.
const LONGEST_NAME: u64 = 4096;
/// Bytes of the manufacturing and the physical structure.
const LONG_STRUCTURE: u64 = 2048;
/// Bytes of the copyright structure.
const COPYRIGHT: u64 = 4;
/// Measurements, at most: the largest BD measured every 64 sectors has fewer.
const MOST_MEASUREMENTS: u32 = 1 << 20;
/// What people call the data file when the descriptor's own name for it is not there.
const ENDINGS: &[&str] = &["mdf", "xmf"];

/// The files that footers name, each opened once.
#[derive(Debug, Default)]
pub struct Files {
    opened: Vec<(Vec<u8>, SharedSource)>,
    footers: u32,
}

impl Files {
    /// The file whose name is at `offset` of the descriptor.
    pub fn open(
        &mut self,
        descriptor: &SharedSource,
        offset: u64,
        wide: bool,
        cx: &OpenContext<'_>,
    ) -> Result<SharedSource, ImageError> {
        let name = name_at(descriptor, offset, wide)?;
        if let Some((_, source)) = self.opened.iter().find(|(known, _)| *known == name) {
            return Ok(SharedSource::clone(source));
        }
        let source = open_named(cx, &name, ENDINGS)?;
        self.opened.push((name, SharedSource::clone(&source)));
        Ok(source)
    }

    /// The number of footers of a track, checked.
    pub fn footers(&mut self, count: u32, at: u64) -> Result<u32, ImageError> {
        if count == 0 {
            return Err(ImageError::invalid("a track has no data file").at(at));
        }
        // Many tracks can name the same footers.
        self.footers = self.footers.saturating_add(count);
        if count > MOST_FILES || self.footers > MOST_FOOTERS {
            let message = format!(
                "a track has {count} data files: more than {MOST_FILES}, and {MOST_FOOTERS} in all, are not read"
            );
            return Err(ImageError::new(ImageErrorKind::Limit, message).at(at));
        }
        Ok(count)
    }
}

/// The name at `offset`, which ends with a zero or with the descriptor.
fn name_at(descriptor: &SharedSource, offset: u64, wide: bool) -> Result<Vec<u8>, ImageError> {
    let room = descriptor.len().saturating_sub(offset).min(LONGEST_NAME);
    let bytes = bytes_at(descriptor, offset, room)?;
    let name = match wide {
        true => from_utf16(&bytes),
        false => bytes.split(|&byte| byte == 0).next().unwrap_or_default().to_vec(),
    };
    match name.is_empty() {
        true => Err(ImageError::invalid("the descriptor names no data file here").at(offset)),
        false => Ok(name),
    }
}

/// The structures of a DVD at `offset`: copyright, manufacturing, physical, and all three again for a second layer.
pub fn structures(descriptor: &SharedSource, offset: u64) -> Result<Vec<StoredStructure>, ImageError> {
    let mut found = Vec::new();
    let mut at = offset;
    for layer in 0..2 {
        for (format, len) in [(0x01, COPYRIGHT), (0x04, LONG_STRUCTURE), (0x00, LONG_STRUCTURE)] {
            let data = bytes_at(descriptor, at, len)?;
            found.push(StoredStructure { layer, format, data });
            at += len;
        }
        // Number of layers - 1 (ECMA-267, 16.3.1).
        let two = found.last().and_then(|physical| physical.data.get(2)).is_some_and(|byte| byte >> 5 & 3 == 1);
        if !two {
            break;
        }
    }
    Ok(found)
}

/// The first DPM block of the list at `offset`: programs look at no other. Nothing when the list is empty.
pub fn dpm(descriptor: &SharedSource, offset: u64) -> Result<Option<Dpm>, ImageError> {
    if Record::<4>::read(descriptor, offset)?.u32(0) == 0 {
        return Ok(None);
    }
    let block = u64::from(Record::<4>::read(descriptor, offset + 4)?.u32(0));
    // A number of which nothing is known, then the block.
    measurement(descriptor, block + 4).map(Some)
}

/// Start, resolution, the number of measurements, and these.
pub fn measurement(source: &SharedSource, at: u64) -> Result<Dpm, ImageError> {
    let header = Record::<12>::read(source, at)?;
    let count = header.u32(8);
    if count > MOST_MEASUREMENTS {
        let message = format!("{count} measurements: more than {MOST_MEASUREMENTS} are not read");
        return Err(ImageError::new(ImageErrorKind::Limit, message).at(at + 8));
    }
    let entries = bytes_at(source, at + 12, u64::from(count) * 4)?;
    let entries = entries.chunks_exact(4).map(|entry| u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]));
    Ok(Dpm { start: Lba(header.i32(0)), resolution: header.u32(4), entries: entries.collect() })
}

/// What an image can do without is left out, with a remark.
pub fn optional<T: Default>(cx: &OpenContext<'_>, what: &str, found: Result<T, ImageError>) -> T {
    found.unwrap_or_else(|error| {
        cx.warn(format!("{what} cannot be read: {error}"));
        T::default()
    })
}
