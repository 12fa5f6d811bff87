//! Plain images: 2,048 bytes of user data per sector, nothing else (ISO 9660, UDF, or any other content).
//!
//! Layout: sector N at byte 2,048 × N. There is no header, so this is also the format of last resort. Unsupported here:
//! raw sectors (2,352 bytes and others), which another format claims.

use std::sync::Arc;

use super::{FormatInfo, ImageError, ImageErrorKind, ImageFormat, OpenContext, Probe, Score};
use crate::disc::{BLOCK_SIZE, Disc, Extent, Lba};
use crate::source::{PaddedSource, SharedSource, SliceSource};

/// The plain format.
pub struct Iso;

/// Where the volume descriptors of ISO 9660 and the recognition sequence of UDF begin (ECMA-119, 6.2.1; ECMA-167, 2/8.3).
const DESCRIPTORS: u64 = 16 * BLOCK_SIZE as u64;

static INFO: FormatInfo =
    FormatInfo { id: "iso", name: "plain 2048-byte sectors", extensions: &["iso", "img", "udf", "bin"] };

impl ImageFormat for Iso {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        let mut id = [0; 6];
        match probe.source.read_exact_at(&mut id, DESCRIPTORS) {
            Ok(()) if matches!(&id[1..6], b"CD001" | b"BEA01") => Score::Sure,
            _ => Score::Fallback,
        }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let block = u64::from(BLOCK_SIZE);
        let whole = source.len() / block;
        let rest = source.len() % block;
        let limit = |blocks: u64| ImageError::new(ImageErrorKind::Limit, crate::disc::TooLarge { blocks }.to_string());
        let blocks = i32::try_from(whole + u64::from(rest > 0)).map_err(|_| limit(whole))?;

        let mut extents = Vec::new();
        if whole > 0 {
            extents.push(Extent::plain(Lba(0), whole as u32, Arc::clone(&source)));
        }
        if rest > 0 {
            let last = SliceSource::new(Arc::clone(&source), whole * block, rest).map_err(ImageError::io)?;
            cx.warn(format!(
                "{} bytes are not a multiple of {BLOCK_SIZE}: the last sector is padded with {} zero bytes",
                source.len(),
                block - rest
            ));
            extents.push(Extent::plain(Lba(blocks - 1), 1, Arc::new(PaddedSource::new(Arc::new(last), block))));
        }
        Disc::single_data_track(extents).map_err(|error| ImageError::new(ImageErrorKind::Limit, error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{OpenOptions, open_source};
    use super::*;
    use crate::disc::MediumType;
    use crate::source::MemorySource;

    #[test]
    fn a_partial_last_sector_is_padded_with_a_warning() {
        let opened = open_source(Arc::new(MemorySource::new(vec![7; 2048 + 5])), &OpenOptions::default()).unwrap();
        assert_eq!(opened.disc.medium, MediumType::CdRom);
        assert_eq!(opened.disc.blocks(), 2);
        assert_eq!(opened.warnings.len(), 1);
        let mut block = [1; 2048];
        opened.disc.read_block(Lba(1), &mut block).unwrap();
        assert_eq!(block[..6], [7, 7, 7, 7, 7, 0]);
        assert!(opened.disc.read_block(Lba(2), &mut block).is_err());
    }

    #[test]
    fn an_empty_file_is_refused() {
        let opened = open_source(Arc::new(MemorySource::new([])), &OpenOptions::default());
        assert_eq!(opened.unwrap_err().kind(), ImageErrorKind::NotRecognised);
    }
}
