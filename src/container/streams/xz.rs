//! xz (The .xz File Format, 1.2). Its blocks are read at random, as those of `xz -T` and `pixz` are: the index at the end says
//! where they lie.

use std::io::{self, BufRead, Read};
use std::ops::Range;

use lzma_rust2::XzReader;

use super::super::varint::put;
use super::super::{Container, Content, FormatInfo, ImageError, ImageErrorKind, OpenContext, Probe, Score, damaged};
use super::index::Index;
use super::input::{Input, bytes};
use super::pieces::{Codec, Piece, content, is_padded_out};
use super::spool::{is_damage, spool};
use crate::source::SharedSource;
use crate::source::blocks::MAX_BLOCK;

/// xz streams.
pub struct Xz;

static INFO: FormatInfo = FormatInfo { id: "xz", name: "xz", extensions: &["xz"] };

const MAGIC: [u8; 6] = [0xFD, b'7', b'z', b'X', b'Z', 0];
const FOOTER_MAGIC: [u8; 2] = *b"YZ";
/// Bytes of a stream's header, and of its footer.
const HEADER: u64 = 12;
/// Bytes of an index, at most: a record takes no less than two, and stands for a block.
const LONGEST_INDEX: u64 = 32 << 20;
/// Streams, at most: one without blocks takes no more than 32 bytes.
const MOST_STREAMS: u32 = 1 << 16;
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
        match blocks(&source) {
            Ok(Some((index, flags))) => Ok(content(&source, index, XzBlocks { flags }, "the xz blocks", cx)),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(ImageError::new(ImageErrorKind::Limit, "the xz index is longer than any disc needs"))
            }
            Err(error) if is_damage(&error) => {
                spool(&source, "an xz file without a sound index at its end (damaged, or cut off)", decoder, cx)
            }
            Err(error) => Err(ImageError::io(error)),
            Ok(None) => spool(&source, "an xz file of one block", decoder, cx),
        }
    }
}

/// A stream: where its blocks and its index lie.
struct Stream {
    first: u64,
    index: Range<u64>,
    flags: [u8; 2],
}

/// The flags of the streams from a place in the file on, where they are others than before.
type Flags = Vec<(u64, [u8; 2])>;

/// The blocks of all streams, by their indexes; nothing when one of them is too long to be decoded alone.
fn blocks(source: &SharedSource) -> io::Result<Option<(Index, Flags)>> {
    let wrong = || damaged("the xz index is damaged");
    let (mut index, mut flags) = (Index::default(), Flags::new());
    let mut is_long = false;
    for stream in streams(source)?.iter().rev() {
        if flags.last().is_none_or(|(_, last)| *last != stream.flags) {
            flags.push((stream.first, stream.flags));
        }
        let mut at = stream.first;
        records(source, &stream.index, |unpadded, decoded| {
            is_long |= decoded > u64::from(MAX_BLOCK) || is_padded_out(unpadded, decoded);
            index.push(Piece { at, packed: unpadded, decoded })?;
            at = at.checked_add(padded(unpadded)?)?;
            Some(())
        })?
        .ok_or_else(wrong)?;
    }
    Ok((!is_long && index.total() > 0).then_some((index, flags)))
}

/// All streams with blocks, from the last to the first, their indexes held against their checksums.
fn streams(source: &SharedSource) -> io::Result<Vec<Stream>> {
    let wrong = || damaged("the xz index is damaged");
    let (mut streams, mut end) = (Vec::new(), source.len());
    let (mut index_bytes, mut padding, mut count) = (0, 0, 0);
    while end > 0 {
        let footer = bytes(&**source, end.checked_sub(HEADER).ok_or_else(wrong)?, HEADER)?;
        // Padding between streams is a multiple of four zeros.
        if footer[8..] == [0; 4] && padding < MOST_PADDING {
            (end, padding) = (end - 4, padding + 4);
            continue;
        }
        count += 1;
        if count > MOST_STREAMS {
            return Err(damaged("there are more xz streams than any disc needs"));
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
        let index = index_at..end - HEADER - 4;
        if crc32(source, &index)?.to_le_bytes() != *bytes(&**source, index.end, 4)? {
            return Err(wrong());
        }
        let mut packed = 0_u64;
        let blocks = records(source, &index, |unpadded, _| {
            packed = packed.checked_add(padded(unpadded)?)?;
            Some(())
        })?
        .ok_or_else(wrong)?;
        let first = index_at.checked_sub(packed).ok_or_else(wrong)?;
        end = first.checked_sub(HEADER).ok_or_else(wrong)?;
        if blocks > 0 {
            streams.push(Stream { first, index, flags });
        }
    }
    Ok(streams)
}

fn padded(unpadded: u64) -> Option<u64> {
    (unpadded >= 5).then_some(unpadded)?.checked_next_multiple_of(4)
}

fn crc32(source: &SharedSource, range: &Range<u64>) -> io::Result<u32> {
    let (mut input, mut crc) = (Input::part(source, range.start, range.end), crc32fast::Hasher::new());
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Ok(crc.finalize());
        }
        crc.update(bytes);
        let count = bytes.len();
        input.consume(count);
    }
}

/// Gives the length of each block without its padding, and decoded, to `each`, which can refuse them; tells how many there are.
/// Nothing for an index that contradicts itself.
fn records(
    source: &SharedSource,
    index: &Range<u64>,
    mut each: impl FnMut(u64, u64) -> Option<()>,
) -> io::Result<Option<u64>> {
    let mut input = Input::part(source, index.start, index.end);
    let mut indicator = [1];
    input.read_exact(&mut indicator)?;
    let Some(count) = varint(&mut input)?.filter(|_| indicator == [0]) else { return Ok(None) };
    // A record takes two bytes at least.
    if count > (index.end - index.start) / 2 {
        return Ok(None);
    }
    for _ in 0..count {
        let (Some(unpadded), Some(decoded)) = (varint(&mut input)?, varint(&mut input)?) else { return Ok(None) };
        if each(unpadded, decoded).is_none() {
            return Ok(None);
        }
    }
    Ok(Some(count))
}

/// Nothing for one of more than nine bytes.
fn varint(input: &mut impl Read) -> io::Result<Option<u64>> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let mut byte = [0];
        input.read_exact(&mut byte)?;
        number |= u64::from(byte[0] & 0x7F) << shift;
        if byte[0] & 0x80 == 0 {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

#[derive(Debug)]
struct XzBlocks {
    flags: Flags,
}

impl Codec for XzBlocks {
    /// The decoder wants a stream: the block gets a header, an index and a footer of its own.
    fn decode(&self, source: &SharedSource, piece: &Piece, out: &mut [u8]) -> io::Result<()> {
        let after = self.flags.partition_point(|(at, _)| *at <= piece.at);
        let before = after.checked_sub(1).and_then(|before| self.flags.get(before));
        let (_, flags) = *before.ok_or(io::ErrorKind::InvalidData)?;
        let mut stream = MAGIC.to_vec();
        stream.extend(flags);
        stream.extend(crc32fast::hash(&flags).to_le_bytes());
        stream.extend(bytes(&**source, piece.at, piece.packed.next_multiple_of(4))?);
        let mut index = vec![0, 1];
        put(&mut index, piece.packed);
        put(&mut index, piece.decoded);
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
