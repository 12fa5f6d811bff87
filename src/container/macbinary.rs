//! MacBinary: a file of the old Mac OS with its name, type and both forks in one (formats.md, 21). The data fork is the image;
//! name, type and resource fork are left out.

use std::sync::Arc;

use super::{Container, Content, FormatInfo, ImageError, OpenContext, Probe, Score};
use crate::disc::subchannel::crc as q_crc;
use crate::source::{SharedSource, SliceSource};

/// MacBinary files, version II and later: the first had no checksum to be told by.
pub struct MacBinary;

static INFO: FormatInfo = FormatInfo { id: "macbinary", name: "MacBinary", extensions: &["bin", "macbin"] };
const HEADER: usize = 128;
const LONGEST_NAME: u8 = 63;
const LENGTH: usize = 83;
const CRC: usize = 124;

impl Container for MacBinary {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        match probe.head.first_chunk().and_then(data_fork) {
            Some(_) => Score::Sure,
            None => Score::No,
        }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        let mut header = [0; HEADER];
        source.read_exact_at(&mut header, 0).map_err(ImageError::io)?;
        let len = data_fork(&header).ok_or_else(|| ImageError::invalid("the MacBinary header is damaged"))?;
        if len == 0 {
            return Err(ImageError::invalid("the data fork is empty: this file holds no image").at(LENGTH as u64));
        }
        let there = source.len() - HEADER as u64;
        if there < len {
            cx.warn("the file is cut off: what is missing cannot be read");
        }
        let content = SliceSource::new(source, HEADER as u64, len.min(there)).map_err(ImageError::io)?;
        Ok(Content::new(Arc::new(content)))
    }
}

/// Length of the data fork, where these bytes are a header.
fn data_fork(header: &[u8; HEADER]) -> Option<u64> {
    let [zero, name_len, ..] = *header;
    let named = zero == 0 && (1..=LONGEST_NAME).contains(&name_len);
    // CRC-16/XMODEM is the CRC of the Q channel without its inversion.
    let stored = u16::from_be_bytes([header[CRC], header[CRC + 1]]);
    let sound = named && stored == !q_crc(&header[..CRC]);
    let len = u32::from_be_bytes([header[LENGTH], header[LENGTH + 1], header[LENGTH + 2], header[LENGTH + 3]]);
    sound.then_some(u64::from(len))
}
