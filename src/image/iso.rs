//! Plain images: 2,048 bytes of user data per sector, nothing else (ISO 9660, UDF, or any other content).
//!
//! Layout: sector N at byte 2,048 × N. There is no header, so this is also the format of last resort. The disc is as long as the
//! file, unless an ISO 9660 or UDF volume in it is longer: then the file is cut off, and what is missing is there and cannot be read.
//! Unsupported here: raw sectors (2,352 bytes and others), which another format claims.

use std::sync::Arc;

use super::{FormatInfo, ImageError, ImageErrorKind, ImageFormat, OpenContext, Probe, Score};
use crate::disc::{BLOCK_SIZE, Disc, Extent, Lba, MediumType};
use crate::fs::{self, Flow, FsError, Piece, Step};
use crate::source::{ByteSource, PaddedSource, SharedSource, SliceSource};

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
        if let Some(volume) = cut_off(&source) {
            cx.warn(format!(
                "the file is cut off: the volume in it has {volume} blocks, the last {} are missing and cannot be read",
                u64::from(volume) - whole
            ));
            let extents = vec![Extent::plain(Lba(0), volume, source)];
            return Disc::single_data_track(extents).map_err(|_| limit(u64::from(volume)));
        }

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

/// Blocks that end a volume and hold nothing: mastering programs add them, and programs that read discs leave them out.
const PADDING: u64 = 150;
/// Files and folders that are looked at to find out whether one of them is cut off.
const MOST_NODES: usize = 1 << 16;
/// Blocks that are read for that: a UDF folder with as many entries as there may be needs half of them.
const MOST_BLOCKS: usize = 1 << 19;

/// Blocks of the volume, when the file lacks some of them that are more than padding.
fn cut_off(source: &SharedSource) -> Option<u32> {
    let whole = source.len() / u64::from(BLOCK_SIZE);
    let there = Disc::single_data_track(vec![Extent::plain(Lba(0), whole as u32, Arc::clone(source))]).ok()?;
    let udf = fs::udf::Volume::open(&there, Lba(0)).map_or(0, |volume| volume.blocks().unwrap_or(0));
    let volume = volume_blocks(&**source).unwrap_or(0).max(udf);
    if u64::from(volume) <= whole || MediumType::for_blocks(u64::from(volume)).is_err() {
        return None;
    }
    (u64::from(volume) - whole > PADDING || something_is_missing(&there)).then_some(volume)
}

/// What the primary volume descriptor says (ECMA-119, 8.4.8 and 8.4.12), if it does not contradict itself.
fn volume_blocks(source: &dyn ByteSource) -> Option<u32> {
    let mut descriptor = [0; 132];
    source.read_exact_at(&mut descriptor, DESCRIPTORS).ok()?;
    let [kind, b'C', b'D', b'0', b'0', b'1', ..] = descriptor else { return None };
    let field = |at: usize| [descriptor[at], descriptor[at + 1], descriptor[at + 2], descriptor[at + 3]];
    let blocks = u32::from_le_bytes(field(80));
    let agrees = blocks == u32::from_be_bytes(field(84)) && field(128) == [0, 8, 8, 0];
    (kind == 1 && agrees).then_some(blocks)
}

/// Whether a file or folder reaches past the end of `disc`.
fn something_is_missing(disc: &Disc) -> bool {
    let end = u64::from(disc.blocks()) * u64::from(BLOCK_SIZE);
    let Ok((volume, root)) = fs::open(disc, None).and_then(|volume| volume.root().map(|root| (volume, root))) else {
        return true;
    };
    let (mut missing, mut met) = (false, 0);
    fs::walk_up_to(&*volume, &root, MOST_BLOCKS, &mut |_, step| {
        met += 1;
        missing |= match step {
            Step::Node(node) => volume.pieces(node).is_ok_and(|pieces| {
                let past = |piece: &Piece| matches!(piece, Piece::Stored { offset, bytes } if *bytes > 0 && offset.saturating_add(*bytes) > end);
                pieces.iter().any(past)
            }),
            // What is too much to be looked through says nothing of what is missing, and an insert waits for the answer.
            Step::Problem(FsError::Limit { .. }) => {
                met = MOST_NODES;
                false
            }
            Step::Problem(_) => true,
        };
        if missing || met >= MOST_NODES { Flow::Stop } else { Flow::Into }
    });
    missing
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
