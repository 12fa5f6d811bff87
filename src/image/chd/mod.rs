//! CHD (MAME's compressed hunks of data), versions 1 to 5: CD, DVD and GD-ROM, with parents (formats.md, 13).
//!
//! The content is a run of hunks, each packed for itself. Metadata say what the content is: CD tracks in frames of 2,448 bytes,
//! or a DVD in blocks of 2,048. Not read: hard disks and laserdiscs (codec `avhu`), which are refused by name.

mod bits;
mod check;
mod codec;
pub(crate) mod crc16;
mod header;
mod huffman;
mod hunks;
mod map;
pub(crate) mod metadata;
mod old;
mod parent;
mod tracks;

use std::sync::Arc;

use self::check::{ContentCheck, MetadataCheck};
use self::header::{Header, MAGIC, Sum};
use self::hunks::Hunks;
use self::metadata::Entry;
use super::{FormatInfo, ImageError, ImageFormat, OpenContext, Probe, Score};
use crate::disc::{BLOCK_SIZE, Disc, Extent, Lba};
use crate::source::{BlockSource, SharedSource};

/// The CHD format.
pub struct Chd;

static INFO: FormatInfo = FormatInfo { id: "chd", name: "CHD (MAME)", extensions: &["chd"] };

impl ImageFormat for Chd {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        if probe.has(0, MAGIC) { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let header = Header::read(&*source)?;
        let entries = metadata::entries(&*source, header.metadata)?;
        let content = content(&source, &header, cx, 0)?;
        offer_checks(&source, &header, &entries, &content, cx);
        let tracks = metadata::tracks(&*source, &entries)?;
        if tracks.is_empty() {
            return blocks(&header, &entries, content);
        }
        tracks::disc(&tracks, &content, header.logical, cx)
    }
}

/// The decoded bytes; `depth` children are around.
fn content(
    source: &SharedSource,
    header: &Header,
    cx: &OpenContext<'_>,
    depth: u32,
) -> Result<SharedSource, ImageError> {
    let parent = match header.parent {
        Some(sum) => Some(parent::open(sum, cx, depth)?),
        None => None,
    };
    let hunks = Hunks::new(Arc::clone(source), header, parent)?;
    Ok(Arc::new(BlockSource::new(Arc::new(hunks), Arc::clone(cx.cache))))
}

fn offer_checks(
    source: &SharedSource,
    header: &Header,
    entries: &[Entry],
    content: &SharedSource,
    cx: &OpenContext<'_>,
) {
    let sum = header.sums.raw;
    cx.offer_check(Arc::new(ContentCheck { content: Arc::clone(content), logical: header.logical, sum }));
    if let (Some(Sum::Sha1(raw)), Some(overall)) = (sum, header.sums.overall) {
        cx.offer_check(Arc::new(MetadataCheck { file: Arc::clone(source), entries: entries.to_vec(), raw, overall }));
    }
}

/// A disc of 2,048-byte blocks: one that is marked as such, or whose content is.
fn blocks(header: &Header, entries: &[Entry], content: SharedSource) -> Result<Disc, ImageError> {
    let other = entries.iter().find_map(|entry| match &entry.tag {
        b"GDDD" => Some("a hard disk"),
        b"AVAV" => Some("a laserdisc"),
        _ => None,
    });
    if let Some(other) = other {
        return Err(ImageError::unsupported(format!("this CHD holds {other}, not an optical disc")));
    }
    let marked = entries.iter().any(|entry| &entry.tag == b"DVD ") || header.unit_bytes == Some(BLOCK_SIZE);
    let mut id = [0; 6];
    let at = 16 * u64::from(BLOCK_SIZE);
    let volume = || content.read_exact_at(&mut id, at).is_ok() && matches!(&id[1..], b"CD001" | b"BEA01");
    let block = u64::from(BLOCK_SIZE);
    if header.logical < block || !marked && !{ volume }() {
        let message = "this CHD does not say that it holds an optical disc, and its content shows none";
        return Err(ImageError::unsupported(message));
    }
    let limit = |error: crate::disc::TooLarge| ImageError::new(super::ImageErrorKind::Limit, error.to_string());
    // The last hunk is whole in the file, so a last block that is not is padded with its zeros.
    let count = header.logical.div_ceil(block).min(content.len() / block);
    let count = u32::try_from(count).map_err(|_| limit(crate::disc::TooLarge { blocks: count }))?;
    Disc::single_data_track(vec![Extent::plain(Lba(0), count, content)]).map_err(limit)
}
