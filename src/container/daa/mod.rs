//! DAA of PowerISO and GBI of gBurner: an image in chunks packed with deflate or LZMA; in one file or in several, with a password
//! (formats.md, 16). Both are one format under two names.

mod codes;
mod header;
mod inflate;
mod password;
mod table;

use std::io;
use std::sync::Arc;

use self::header::{Header, STANDARD};
use self::inflate::inflate;
use self::password::Cipher;
use self::table::{Packing, Place, Table};
use super::inflate as standard;
use super::lzma::Lzma;
use super::parts::{Naming, Part, join, part_name};
use super::record::Record;
use super::{
    Container, Content, FormatInfo, ImageError, ImageErrorKind, OpenContext, Probe, Score, damaged, packed_chunk,
};
use crate::source::{Block, BlockSource, Blocks, SharedSource};

/// PowerISO's name for the format.
pub struct Daa;
/// gBurner's name for it.
pub struct Gbi;

static DAA: FormatInfo = FormatInfo { id: "daa", name: "DAA (PowerISO)", extensions: &["daa"] };
static GBI: FormatInfo = FormatInfo { id: "gbi", name: "GBI (gBurner)", extensions: &["gbi"] };

/// Bytes of the signature, zeros after it.
const SIGNATURE: usize = 16;
/// Parts of an image, at most.
const MOST_PARTS: u32 = 999;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brand {
    Daa,
    Gbi,
}

impl Brand {
    /// What begins the main file, and what begins a part.
    fn signatures(self) -> [[u8; SIGNATURE]; 2] {
        match self {
            Self::Daa => [*b"DAA\0\0\0\0\0\0\0\0\0\0\0\0\0", *b"DAA VOL\0\0\0\0\0\0\0\0\0"],
            Self::Gbi => [*b"GBI\0\0\0\0\0\0\0\0\0\0\0\0\0", *b"GBI VOL\0\0\0\0\0\0\0\0\0"],
        }
    }

    fn naming(self) -> Naming {
        Naming { letter: if self == Self::Daa { 'd' } else { 'g' }, second: 0 }
    }

    fn probe(self, probe: &Probe<'_>) -> Score {
        let other = self == Self::Daa && probe.has(0, &OTHER_DAA);
        if other || self.signatures().iter().any(|known| probe.has(0, known)) { Score::Sure } else { Score::No }
    }
}

/// Seen in place of `DAA`.
const OTHER_DAA: [u8; SIGNATURE] = *b"\xB8\xBD\xB6\0\0\0\0\0\0\0\0\0\0\0\0\0";

impl Container for Daa {
    fn info(&self) -> &'static FormatInfo {
        &DAA
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        Brand::Daa.probe(probe)
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        open(Brand::Daa, &source, cx)
    }
}

impl Container for Gbi {
    fn info(&self) -> &'static FormatInfo {
        &GBI
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        Brand::Gbi.probe(probe)
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        open(Brand::Gbi, &source, cx)
    }
}

fn open(brand: Brand, source: &SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
    let header = Header::read(brand, source, cx)?;
    let table = header.table(brand, source)?;
    let data = join(parts(brand, source, &header, &table, cx)?, cx)?;
    let cipher = match &header.encryption {
        Some(encryption) => Some(cx.with_password(|password| {
            let cipher = Cipher::new(password)?;
            let mut key = encryption.key;
            cipher.decrypt(&mut key);
            if crc32fast::hash(&key) != encryption.check {
                return Err(ImageError::new(ImageErrorKind::WrongPassword, "the password does not open the image"));
            }
            Ok(cipher)
        })?),
        None => None,
    };
    let (total, chunk, types, lzma) = (header.total, header.chunk, header.types, header.lzma);
    let chunks = Chunks { total, chunk, types, lzma, table, data, cipher };
    Ok(Content::new(Arc::new(BlockSource::new(Arc::new(chunks), Arc::clone(cx.cache)))))
}

/// The chunks of all parts follow one another, also across their borders.
fn parts(
    brand: Brand,
    source: &SharedSource,
    header: &Header,
    table: &Table,
    cx: &OpenContext<'_>,
) -> Result<Vec<Part>, ImageError> {
    let count = header.parts.max(1);
    if count > MOST_PARTS {
        return Err(ImageError::new(ImageErrorKind::Limit, format!("an image in {count} parts")));
    }
    let mut parts = Vec::new();
    let mut left = table.stored();
    for number in 0..count {
        let (source, start) = match number {
            0 => (Arc::clone(source), header.data),
            _ => {
                let name = part_name(cx.name, number, brand.naming());
                let part = cx.open_sibling(name.as_bytes())?;
                let start = part_data(brand, &part).map_err(|error| error.in_file(name))?;
                (part, start)
            }
        };
        // What was cut off from a part is missing there, and nowhere else; the last part has the rest in any case.
        let room = match header.sizes.get(number as usize) {
            _ if number + 1 == count => left,
            Some(size) if *size > start => (size - start).min(left),
            _ => source.len().saturating_sub(start).min(left),
        };
        left -= room;
        parts.push(Part { source, start, len: room });
    }
    Ok(parts)
}

/// Where the data of a part begin.
fn part_data(brand: Brand, part: &SharedSource) -> Result<u64, ImageError> {
    let [_, signature] = brand.signatures();
    let header = Record::<20>::read(part, 0)?;
    if header.bytes(0) != signature {
        return Err(ImageError::invalid("is no part of this image"));
    }
    Ok(u64::from(header.u32(16) & 0x00FF_FFFF))
}

/// The chunks, decrypted and unpacked.
#[derive(Debug)]
struct Chunks {
    total: u64,
    chunk: u64,
    types: [u8; 3],
    lzma: Lzma,
    table: Table,
    data: SharedSource,
    cipher: Option<Cipher>,
}

impl Blocks for Chunks {
    fn total_len(&self) -> u64 {
        self.total
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let index = offset / self.chunk;
        let start = index * self.chunk;
        Ok(Block { index, start, len: (self.total - start).min(self.chunk) as u32 })
    }

    fn even(&self) -> Option<u32> {
        u32::try_from(self.chunk).ok()
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        let Place { offset, len, packing } = self.table.place(block.index)?;
        packed_chunk(&self.data, (offset, len), self.chunk, |bytes| {
            if let Some(cipher) = &self.cipher {
                cipher.decrypt(bytes);
            }
            match packing {
                Packing::Stored => {
                    let stored = bytes.get(..out.len()).ok_or_else(|| damaged("a stored chunk is too short"))?;
                    out.copy_from_slice(stored);
                    Ok(())
                }
                Packing::Deflate if self.types == STANDARD => standard::inflate(bytes, false, out).map(drop),
                Packing::Deflate if inflate(bytes, self.types, out)? == out.len() => Ok(()),
                Packing::Deflate => Err(damaged("a deflate stream is too short")),
                Packing::Lzma => self.lzma.decode(bytes, self.chunk as usize, out),
            }
        })
    }

    fn stored(&self, block: &Block) -> Option<(SharedSource, u64)> {
        let place = self.table.place(block.index).ok()?;
        let as_it_is = self.cipher.is_none() && place.packing == Packing::Stored;
        as_it_is.then(|| (Arc::clone(&self.data), place.offset))
    }
}
