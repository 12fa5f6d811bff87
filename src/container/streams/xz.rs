//! xz (The .xz File Format, 1.2). Its blocks are read at random, as those of `xz -T` and `pixz` are: the index at the end says
//! where they lie.

use std::io::{self, Read};

use lzma_rust2::XzReader;

use super::super::{Container, Content, FormatInfo, ImageError, ImageErrorKind, OpenContext, Probe, Score, damaged};
use super::input::{Input, bytes};
use super::pieces::{Codec, Piece, content};
use super::spool::spool;
use crate::source::blocks::MAX_BLOCK;
use crate::source::{ByteSource, SharedSource};

/// xz streams.
pub struct Xz;

static INFO: FormatInfo = FormatInfo { id: "xz", name: "xz", extensions: &["xz"] };

const MAGIC: [u8; 6] = [0xFD, b'7', b'z', b'X', b'Z', 0];
const FOOTER_MAGIC: [u8; 2] = *b"YZ";
/// Bytes of a stream's header, and of its footer.
const HEADER: u64 = 12;
/// Bytes of an index, at most: a record takes no less than two, and stands for a block.
const LONGEST_INDEX: u64 = 32 << 20;
/// Zeros between streams, at most.
const MOST_PADDING: u64 = 1 << 20;
/// Memory of a decoder, at most, in KiB: `xz -9` takes 65 MiB.
const MEMORY: u32 = 160 << 10;

impl Container for Xz {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        if probe.has(0, &MAGIC) { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        let decoder = |source: &SharedSource| -> Box<dyn Read> {
            Box::new(XzReader::new_mem_limit(Input::of(source), true, MEMORY))
        };
        match blocks(&*source) {
            Ok(blocks)
                if blocks.iter().all(|block| block.piece.decoded <= u64::from(MAX_BLOCK)) && !blocks.is_empty() =>
            {
                let flags = blocks.iter().map(|block| (block.piece.at, block.flags)).collect();
                let pieces = blocks.into_iter().map(|block| block.piece);
                Ok(content(&source, pieces, XzBlocks { flags }, "the xz blocks", cx))
            }
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(ImageError::new(ImageErrorKind::Limit, "the xz index is longer than any disc needs"))
            }
            // One block that is too long, or no index where one should be.
            _ => spool(&source, "an xz file of one block", decoder, cx),
        }
    }
}

/// A block with the flags of its stream.
struct XzBlock {
    piece: Piece,
    flags: [u8; 2],
}

/// The blocks of all streams, by their indexes, from the last stream to the first.
fn blocks(source: &dyn ByteSource) -> io::Result<Vec<XzBlock>> {
    let wrong = || damaged("the xz index is damaged");
    let (mut streams, mut end) = (Vec::new(), source.len());
    let (mut index_bytes, mut padding) = (0, 0);
    while end > 0 {
        let footer = bytes(source, end.checked_sub(HEADER).ok_or_else(wrong)?, HEADER)?;
        // Padding between streams is a multiple of four zeros.
        if footer[8..] == [0; 4] && padding < MOST_PADDING {
            (end, padding) = (end - 4, padding + 4);
            continue;
        }
        let flags = [footer[8], footer[9]];
        if footer[10..] != FOOTER_MAGIC || crc32fast::hash(&footer[4..10]).to_le_bytes() != footer[..4] {
            return Err(wrong());
        }
        let index_len = (u64::from(u32::from_le_bytes([footer[4], footer[5], footer[6], footer[7]])) + 1) * 4;
        index_bytes += index_len;
        if index_bytes > LONGEST_INDEX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let index_at = (end - HEADER).checked_sub(index_len).ok_or_else(wrong)?;
        let records = records(&bytes(source, index_at, index_len)?).ok_or_else(wrong)?;
        let packed: u64 = records
            .iter()
            .try_fold(0_u64, |sum, (unpadded, _)| sum.checked_add(padded(*unpadded)?))
            .ok_or_else(wrong)?;
        let first = index_at.checked_sub(packed).ok_or_else(wrong)?;
        end = first.checked_sub(HEADER).ok_or_else(wrong)?;
        let mut at = first;
        let stream = records.into_iter().map(|(unpadded, decoded)| {
            let piece = Piece { at, packed: unpadded, decoded };
            at += unpadded.next_multiple_of(4);
            XzBlock { piece, flags }
        });
        streams.push(stream.collect::<Vec<_>>());
    }
    Ok(streams.into_iter().rev().flatten().filter(|block| block.piece.decoded > 0).collect())
}

fn padded(unpadded: u64) -> Option<u64> {
    (unpadded >= 5).then_some(unpadded)?.checked_next_multiple_of(4)
}

/// Length of each block without its padding, and decoded.
fn records(index: &[u8]) -> Option<Vec<(u64, u64)>> {
    let (body, crc) = index.split_last_chunk::<4>()?;
    if crc32fast::hash(body).to_le_bytes() != *crc {
        return None;
    }
    let mut rest = body.strip_prefix(&[0])?;
    let count = varint(&mut rest)?;
    // A record takes two bytes at least.
    if count > rest.len() as u64 / 2 {
        return None;
    }
    (0..count).map(|_| Some((varint(&mut rest)?, varint(&mut rest)?))).collect()
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn to_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[derive(Debug)]
struct XzBlocks {
    /// Where each block lies, in order, with the flags of its stream.
    flags: Vec<(u64, [u8; 2])>,
}

impl Codec for XzBlocks {
    /// The decoder wants a stream: the block gets a header, an index and a footer of its own.
    fn decode(&self, source: &SharedSource, piece: &Piece, out: &mut [u8]) -> io::Result<()> {
        let at = self.flags.binary_search_by_key(&piece.at, |(at, _)| *at).map_err(|_| io::ErrorKind::InvalidData)?;
        let flags = self.flags[at].1;
        let mut stream = MAGIC.to_vec();
        stream.extend(flags);
        stream.extend(crc32fast::hash(&flags).to_le_bytes());
        stream.extend(bytes(&**source, piece.at, piece.packed.next_multiple_of(4))?);
        let mut index = vec![0, 1];
        to_varint(piece.packed, &mut index);
        to_varint(piece.decoded, &mut index);
        index.resize(index.len().next_multiple_of(4), 0);
        index.extend(crc32fast::hash(&index).to_le_bytes());
        let mut footer = (index.len() as u32 / 4 - 1).to_le_bytes().to_vec();
        footer.extend(flags);
        stream.extend(index);
        stream.extend(crc32fast::hash(&footer).to_le_bytes());
        stream.extend(footer);
        stream.extend(FOOTER_MAGIC);
        let mut reader = XzReader::new_mem_limit(&*stream, false, MEMORY);
        reader.read_exact(out)?;
        // Reading to the end holds the block against its checksum.
        match reader.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(damaged("an xz block is longer than its index says")),
        }
    }
}
