//! ISZ of UltraISO (EZB's "ISO Zipped", version 1): an image of whole sectors in chunks that are stored, packed with zlib or
//! bzip2, or zeros; encrypted with a password; in one file or in several (formats.md, 15).
//!
//! The table has lengths alone. It stays in the file: the sum of every 64th chunk is remembered, and the pointers from there on
//! are read when a chunk is wanted. The chunks of all parts follow one another, so those that go on in the next part need
//! no care.
//!
//! A password has no check value in the file: a packed chunk tells a wrong one, or the volume descriptor where none is packed.

mod check;
mod cipher;
mod table;

use std::io;
use std::sync::Arc;

use bzip2::Decompress;

use self::check::Crc;
use self::cipher::Cipher;
use self::table::{Kind, Place, Table};
use super::inflate::inflate;
use super::parts::{Naming, Part, join, part_name};
use super::record::Record;
use super::{
    Container, Content, FormatInfo, ImageError, ImageErrorKind, OpenContext, Probe, Score, damaged, packed_chunk,
};
use crate::source::{Block, BlockSource, Blocks, SharedSource};

/// ISZ.
pub struct Isz;

static INFO: FormatInfo = FormatInfo { id: "isz", name: "ISZ (UltraISO)", extensions: &["isz"] };

const SIGNATURE: [u8; 4] = *b"IsZ!";
/// Bytes of the header that all files have, and of one with checksums.
const HEADER: usize = 48;
const LONG_HEADER: usize = 64;
/// Chunk sizes that are read (formats.md, C).
const SMALLEST: u32 = 512;
const LARGEST: u32 = 16 << 20;
/// Decoded bytes, at most: four layers of Blu-ray. And chunks, which are all looked at: those of UltraISO have 64 KiB or more.
const LONGEST: u64 = 1 << 37;
const MOST_CHUNKS: u32 = 1 << 24;
/// Bytes of an entry of the segment table, and parts, at most.
const SEGMENT: u64 = 24;
const MOST_SEGMENTS: u32 = 999;
/// Parts are called `.i01` and so on.
const NAMING: Naming = Naming { letter: 'i', second: 1 };
/// Where the first volume descriptor is.
const VOLUME: u64 = 16 * 2048;

impl Container for Isz {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        let sized = probe.head.get(4).is_some_and(|&size| usize::from(size) >= HEADER);
        if sized && probe.has(0, &SIGNATURE) { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        let header = Header::read(&source)?;
        let table = Table::read(&source, &header)?;
        let data = join(parts(&source, &header, &table, cx)?, cx)?;
        let chunks = Chunks { table, data: Arc::clone(&data), cipher: None };
        let chunks = match header.encryption {
            0 => chunks,
            kind => cx.with_password(|password| {
                let cipher = Some(Cipher::new(kind, password)?);
                let chunks = Chunks { table: chunks.table.clone(), data: Arc::clone(&data), cipher };
                chunks.held_against_the_password(cx)?;
                Ok(chunks)
            })?,
        };
        let content: SharedSource = Arc::new(BlockSource::new(Arc::new(chunks), Arc::clone(cx.cache)));
        if let Some([image, packed]) = header.sums {
            cx.offer_check(Arc::new(Crc::new("CRC-32 of the image in the ISZ", &content, image)));
            // Of encrypted data nobody says whether the checksum is of what is stored or of what was encrypted.
            if header.encryption == 0 {
                cx.offer_check(Arc::new(Crc::new("CRC-32 of the packed data of the ISZ", &data, packed)));
            }
        }
        Ok(Content::new(content))
    }
}

/// What the header says.
#[derive(Debug)]
struct Header {
    len: u64,
    total: u64,
    encryption: u8,
    segment_size: u64,
    chunks: u32,
    chunk: u32,
    pointer: u8,
    table: u32,
    segments: u32,
    data: u32,
    /// Of the image, and of what is stored.
    sums: Option<[u32; 2]>,
}

impl Header {
    fn read(source: &SharedSource) -> Result<Self, ImageError> {
        let record = Record::<HEADER>::read(source, 0)?;
        if record.u8(5) != 1 {
            return Err(ImageError::unsupported(format!("ISZ version {} is not read", record.u8(5))).at(5));
        }
        if record.u8(34) != 0 {
            let message = format!("this is part {} of a split ISZ: open the first part", u16::from(record.u8(34)) + 1);
            return Err(ImageError::invalid(message).at(34));
        }
        let len = record.u8(4);
        let sums = match usize::from(len) >= LONG_HEADER {
            true => {
                let record = Record::<LONG_HEADER>::read(source, 0)?;
                Some([!record.u32(48), !record.u32(60)])
            }
            false => None,
        };
        let header = Self {
            len: len.into(),
            total: u64::from(record.u16(10)) * u64::from(record.u32(12)),
            encryption: record.u8(16),
            segment_size: record.u64(17),
            chunks: record.u32(25),
            chunk: record.u32(29),
            pointer: record.u8(33),
            table: record.u32(35),
            segments: record.u32(39),
            data: record.u32(43),
            sums,
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), ImageError> {
        if !(SMALLEST..=LARGEST).contains(&self.chunk) {
            let message = format!("chunks of {} bytes: the file is damaged (at most {LARGEST} are read)", self.chunk);
            return Err(ImageError::new(ImageErrorKind::Limit, message).at(29));
        }
        if self.total > LONGEST {
            let message = format!("an image of {} bytes, which no disc has", self.total);
            return Err(ImageError::new(ImageErrorKind::Limit, message).at(12));
        }
        if self.chunks > MOST_CHUNKS {
            let message = format!("{} chunks: the file is damaged (at most {MOST_CHUNKS} are read)", self.chunks);
            return Err(ImageError::new(ImageErrorKind::Limit, message).at(25));
        }
        if self.total == 0 || self.total.div_ceil(u64::from(self.chunk)) != u64::from(self.chunks) {
            let message = format!("{} chunks do not make an image of {} bytes", self.chunks, self.total);
            return Err(ImageError::invalid(message).at(25));
        }
        if self.encryption > 4 {
            let message = format!("encryption of kind {} is not read", self.encryption);
            return Err(ImageError::unsupported(message).at(16));
        }
        Ok(())
    }
}

/// Which bytes of which files the chunks are in.
fn parts(source: &SharedSource, header: &Header, table: &Table, cx: &OpenContext<'_>) -> Result<Vec<Part>, ImageError> {
    match (header.segments, header.segment_size) {
        (0, 0) => Ok(vec![Part { source: Arc::clone(source), start: header.data.into(), len: table.stored() }]),
        (0, size) => sized_parts(source, header, size, table.stored(), cx),
        (at, _) => listed_parts(source, at.into(), table, cx),
    }
}

/// Without a segment table all parts but the last are of one size, and each says in its header where its data begin.
fn sized_parts(
    source: &SharedSource,
    header: &Header,
    size: u64,
    stored: u64,
    cx: &OpenContext<'_>,
) -> Result<Vec<Part>, ImageError> {
    let mut parts = Vec::new();
    let mut left = stored;
    let mut this = Arc::clone(source);
    let mut start = u64::from(header.data);
    loop {
        let room = size.checked_sub(start).filter(|&room| room > 0).ok_or_else(|| {
            ImageError::invalid(format!("parts of {size} bytes have no room for data: the file is damaged")).at(17)
        })?;
        parts.push(Part { source: this, start, len: room.min(left) });
        left -= room.min(left);
        let number = parts.len() as u32;
        if left == 0 {
            return Ok(parts);
        }
        this = open_part(number, cx)?;
        start = Record::<HEADER>::read(&this, 0)?.u32(43).into();
    }
}

fn open_part(number: u32, cx: &OpenContext<'_>) -> Result<SharedSource, ImageError> {
    if number >= MOST_SEGMENTS {
        let message = format!("the image has more than {MOST_SEGMENTS} parts");
        return Err(ImageError::new(ImageErrorKind::Limit, message));
    }
    let name = part_name(cx.name, number, NAMING);
    let part = cx.open_sibling(name.as_bytes())?;
    let header = Record::<HEADER>::read(&part, 0).map_err(|error| error.in_file(name.as_str()))?;
    if header.bytes(0) != SIGNATURE || u32::from(header.u8(34)) != number {
        return Err(ImageError::invalid(format!("is not part {} of this ISZ", number + 1)).in_file(name));
    }
    Ok(part)
}

/// The parts that the segment table lists. A chunk that goes on in the next part is the last of its own.
fn listed_parts(source: &SharedSource, at: u64, table: &Table, cx: &OpenContext<'_>) -> Result<Vec<Part>, ImageError> {
    let mut parts: Vec<Part> = Vec::new();
    let (mut chunks, mut carried, mut end) = (0_u64, 0_u64, 0_u64);
    while chunks < table.count() || carried > 0 {
        let number = parts.len() as u32;
        let entry_at = at + u64::from(number) * SEGMENT;
        let mut entry = [0; SEGMENT as usize];
        source.read_exact_at(&mut entry, entry_at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ImageError::invalid("the segment table is cut off").at(entry_at),
            _ => ImageError::io(error).at(entry_at),
        })?;
        table::unmask(&mut entry, 0);
        let entry = Record::new(entry);
        let (size, held, first) = (entry.u64(0), u64::from(entry.u32(8)), u64::from(entry.u32(12)));
        let (start, spilled) = (u64::from(entry.u32(16)), u64::from(entry.u32(20)));
        chunks += held;
        let bad = || ImageError::invalid("the segment table contradicts itself or the chunk table").at(entry_at);
        if size == 0 || first + held != chunks || chunks > table.count() {
            return Err(bad());
        }
        let stored_end = table.offset(chunks).map_err(|error| ImageError::io(error).at(entry_at))?;
        let start = start.checked_sub(carried).ok_or_else(bad)?;
        let len = stored_end.checked_sub(spilled).and_then(|stored| stored.checked_sub(end)).ok_or_else(bad)?;
        end += len;
        carried = spilled;
        let source = if number == 0 { Arc::clone(source) } else { open_part(number, cx)? };
        parts.push(Part { source, start, len });
    }
    Ok(parts)
}

/// The chunks, decrypted and unpacked.
#[derive(Debug)]
struct Chunks {
    table: Table,
    data: SharedSource,
    cipher: Option<Cipher>,
}

impl Chunks {
    /// Whether a packed chunk decodes, or where there is none, whether the volume descriptor is there.
    fn makes_sense(&self) -> io::Result<bool> {
        let chunk = u64::from(self.table.chunk);
        let packed = self.table.first_packed();
        let number = packed.unwrap_or(VOLUME / chunk);
        let start = number * chunk;
        if start >= self.total_len() || self.table.place(number)?.kind == Kind::Zeros {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let block = self.locate(start)?;
        let mut bytes = vec![0; block.len as usize];
        self.decode(&block, &mut bytes)?;
        Ok(packed.is_some() || is_volume(bytes.get((VOLUME - start) as usize..).unwrap_or_default()))
    }

    fn held_against_the_password(&self, cx: &OpenContext<'_>) -> Result<(), ImageError> {
        let wrong = || ImageError::new(ImageErrorKind::WrongPassword, "the password does not open the image");
        match self.makes_sense() {
            Ok(true) => Ok(()),
            Ok(false) => Err(wrong()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(wrong()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                cx.warn("nothing in the file shows whether the password is right");
                Ok(())
            }
            Err(error) => Err(ImageError::io(error)),
        }
    }
}

impl Blocks for Chunks {
    fn total_len(&self) -> u64 {
        self.table.total
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let index = offset / u64::from(self.table.chunk);
        let start = index * u64::from(self.table.chunk);
        Ok(Block { index, start, len: self.table.decoded(index) })
    }

    fn even(&self) -> Option<u32> {
        Some(self.table.chunk)
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        let Place { offset, len, kind } = self.table.place(block.index)?;
        if kind == Kind::Zeros {
            out.fill(0);
            return Ok(());
        }
        packed_chunk(&self.data, (offset, len), u64::from(self.table.chunk), |bytes| {
            if let Some(cipher) = &self.cipher {
                cipher.decrypt(bytes);
            }
            match kind {
                Kind::Zlib => inflate(bytes, true, out).map(drop),
                Kind::Bzip2 => unbzip2(bytes, out),
                Kind::Stored | Kind::Zeros => {
                    let stored = bytes.get(..out.len()).ok_or_else(|| damaged("a stored chunk is too short"))?;
                    out.copy_from_slice(stored);
                    Ok(())
                }
            }
        })
    }

    fn stored(&self, block: &Block) -> Option<(SharedSource, u64)> {
        if self.cipher.is_some() {
            return None;
        }
        let place = self.table.place(block.index).ok()?;
        let whole = place.kind == Kind::Stored && place.len >= u64::from(block.len);
        whole.then(|| (Arc::clone(&self.data), place.offset))
    }
}

/// Type, identifier and version of a volume descriptor (ECMA-119, 8.1; ECMA-167, 2/9.1).
fn is_volume(bytes: &[u8]) -> bool {
    let known = |id: &[u8]| id == b"CD001" || id == b"BEA01";
    matches!(bytes.get(..7), Some([0..=3 | 255, id @ .., 1]) if known(id))
}

/// A bzip2 stream without its signature.
fn unbzip2(bytes: &mut [u8], out: &mut [u8]) -> io::Result<()> {
    let broken = || damaged("a bzip2 stream is damaged");
    bytes.get_mut(..3).ok_or_else(broken)?.copy_from_slice(b"BZh");
    let mut decoder = Decompress::new(false);
    decoder.decompress(bytes, out).map_err(|_| broken())?;
    if decoder.total_out() == out.len() as u64 { Ok(()) } else { Err(damaged("a bzip2 stream is too short")) }
}
