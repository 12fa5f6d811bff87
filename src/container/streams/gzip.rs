//! gzip (RFC 1952). Members that tell their length (BGZF, of bgzip) are read at random.

use std::io::{self, Read};

use flate2::Crc;
use flate2::bufread::MultiGzDecoder;

use super::super::inflate::inflate;
use super::super::{Container, Content, FormatInfo, ImageError, OpenContext, Probe, Score, damaged};
use super::index::Index;
use super::input::{Input, bytes};
use super::pieces::{Codec, Piece, content};
use super::spool::{is_damage, spool};
use crate::source::{ByteSource, SharedSource};

/// gzip streams.
pub struct Gzip;

static INFO: FormatInfo = FormatInfo { id: "gzip", name: "gzip", extensions: &["gz", "gzip", "bgz"] };

impl Container for Gzip {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        // Deflate, and no flag that is reserved.
        let flags = probe.head.get(3).is_some_and(|flags| flags & 0xE0 == 0);
        if probe.has(0, &[0x1F, 0x8B, 8]) && flags { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        let decoder = |source: &SharedSource| -> Box<dyn Read> { Box::new(MultiGzDecoder::new(Input::of(source))) };
        match members(&*source) {
            Ok(Some(members)) => Ok(content(&source, members, Bgzf, "the gzip members", cx)),
            Err(error) if !is_damage(&error) => Err(ImageError::io(error)),
            Err(_) => spool(&source, "a gzip file that ends within a member (damaged, or cut off)", decoder, cx),
            Ok(None) => spool(&source, "a gzip file", decoder, cx),
        }
    }
}

/// Bytes of a member's header with the field that tells its length, and of its trailer.
const HEADER: u64 = 18;
const TRAILER: u64 = 8;

/// All members of a BGZF file; nothing for another gzip file.
fn members(source: &dyn ByteSource) -> io::Result<Option<Index>> {
    let (mut members, mut at) = (Index::default(), 0);
    while at < source.len() {
        let header = bytes(source, at, HEADER)?;
        // FEXTRA alone, with one field of six bytes: "BC", two bytes, the member's length less one.
        let is_bgzf = header[..4] == [0x1F, 0x8B, 8, 4] && header[10..16] == [6, 0, b'B', b'C', 2, 0];
        let len = u64::from(u16::from_le_bytes([header[16], header[17]])) + 1;
        if !is_bgzf || len < HEADER + TRAILER {
            return Ok(None);
        }
        let trailer = bytes(source, at + len - 4, 4)?;
        let decoded = u64::from(u32::from_le_bytes([trailer[0], trailer[1], trailer[2], trailer[3]]));
        // A member holds 64 KiB at most.
        if decoded > 64 << 10 {
            return Ok(None);
        }
        if members.push(Piece { at, packed: len, decoded }).is_none() {
            return Ok(None);
        }
        at += len;
    }
    Ok((members.total() > 0).then_some(members))
}

#[derive(Debug)]
struct Bgzf;

impl Codec for Bgzf {
    fn decode(&self, source: &SharedSource, piece: &Piece, out: &mut [u8]) -> io::Result<()> {
        let member = bytes(&**source, piece.at + HEADER, piece.packed - HEADER)?;
        let (packed, trailer) = member.split_at(member.len() - TRAILER as usize);
        inflate(packed, false, out)?;
        let mut crc = Crc::new();
        crc.update(out);
        if crc.sum().to_le_bytes() != trailer[..4] {
            return Err(damaged("the CRC of a gzip member is wrong"));
        }
        Ok(())
    }
}
