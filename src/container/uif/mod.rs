//! UIF of MagicISO: blocks of sectors, packed with zlib or LZMA, encrypted or not; they are a plain image, or the data of an image of
//! another format with its descriptor (formats.md, 17).

mod cipher;
mod data;
mod description;
mod inside;
mod stacked;
mod trailer;

use std::sync::Arc;

use self::cipher::Encryption;
use self::data::Data;
use self::description::{Codec, Described, block};
use self::inside::Inside;
use self::trailer::{MAGIC, TRAILER, Trailer};
use super::{Container, Content, FormatInfo, ImageError, OpenContext, Probe, Score};
use crate::source::{BlockSource, MemorySource, SharedSource};

/// UIF.
pub struct Uif;

static INFO: FormatInfo = FormatInfo { id: "uif", name: "UIF (MagicISO)", extensions: &["uif"] };

/// Kinds of images.
const PLAIN: u16 = 8;
const OTHER: u16 = 9;

impl Container for Uif {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        if probe.ends_with(TRAILER, &MAGIC) { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        let trailer = Trailer::read(&source, cx)?;
        let (encryption, codec) = (Encryption::of(&trailer)?, Codec::of(&trailer));
        let describe =
            |at, id, has_word, decoded: fn(u32) -> u64| block(&source, at, id, has_word, decoded, &encryption, codec);
        let list = describe(trailer.list, b"blhr", false, |number| u64::from(number) * data::ENTRY as u64)?
            .ok_or_else(|| ImageError::invalid("the list of data is not where it should be").at(trailer.list))?;
        let data = Data::new(Arc::clone(&source), list.bytes, &trailer, codec, encryption.clone())?;
        let data: SharedSource = Arc::new(BlockSource::new(Arc::new(data), Arc::clone(cx.cache)));
        match trailer.kind {
            PLAIN => Ok(Content::new(data)),
            OTHER => {
                let layout = describe(list.end, b"blms", false, u64::from)?;
                let at = layout.as_ref().map_or(list.end, |layout| layout.end);
                let descriptor = describe(at, b"blss", true, u64::from)?;
                other(data, layout, descriptor)
            }
            kind => Err(ImageError::unsupported(format!("a UIF of kind {kind}"))),
        }
    }
}

/// An image of another format.
fn other(data: SharedSource, layout: Option<Described>, descriptor: Option<Described>) -> Result<Content, ImageError> {
    let with = |descriptor: Vec<u8>, data, subchannel: Option<Vec<u8>>| {
        let subchannel = subchannel.map(|bytes| -> SharedSource { Arc::new(MemorySource::new(bytes)) });
        let siblings = Inside { data, subchannel };
        Content { source: Arc::new(MemorySource::new(descriptor)), siblings: Some(Arc::new(siblings)) }
    };
    match (descriptor, layout) {
        // ISO and NRG describe themselves.
        (Some(Described { word: 0 | 4, .. }), _) | (None, None) => Ok(Content::new(data)),
        (Some(Described { word: 1 | 2, bytes, .. }), _) => Ok(with(bytes, data, None)),
        (Some(Described { word: 3, bytes, .. }), _) => {
            let [ccd, sub] = inside::ccd_and_sub(&bytes)?;
            Ok(with(ccd, data, Some(sub).filter(|sub| !sub.is_empty())))
        }
        (Some(Described { word, .. }), _) => Err(ImageError::unsupported(format!("a UIF of kind 9/{word}"))),
        (None, Some(layout)) => Ok(with(inside::sheet(&layout.bytes)?, data, None)),
    }
}
