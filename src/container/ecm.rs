//! ECM: an image of raw sectors without what can be computed, their EDC and parity (formats.md, 19).
//!
//! A file is a list of records that lie between what they stand for, so all of them are walked once to open it. What is kept is one
//! place for every [`SPACING`] decoded bytes.

use std::io;
use std::sync::Arc;

use super::{Check, Container, Content, FormatInfo, ImageError, ImageErrorKind, OpenContext, Probe, Score, damaged};
use crate::disc::edc::edc_continued;
use crate::disc::sector::{Form, RAW, SYNC, seal};
use crate::source::{Block, BlockSource, Blocks, ByteSource, SharedSource};

/// ECM files.
pub struct Ecm;

static INFO: FormatInfo = FormatInfo { id: "ecm", name: "ECM (without error correction codes)", extensions: &["ecm"] };
const MAGIC: &[u8] = b"ECM\0";

impl Container for Ecm {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        match Record::at(probe.source, MAGIC.len() as u64) {
            Ok(_) if probe.has(0, MAGIC) => Score::Sure,
            _ => Score::No,
        }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        let mut places = Vec::new();
        let (mut at, mut total, mut count) = (MAGIC.len() as u64, 0_u64, 0);
        let stored_edc = loop {
            let next = match Record::at(&*source, at) {
                Ok(next) => next,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    cx.warn("the file is cut off: what is missing cannot be read");
                    break None;
                }
                Err(error) => return Err(ImageError::io(error).at(at)),
            };
            let Some(record) = next else {
                // The list ends; the checksum follows.
                let mut edc = [0; 4];
                let end = (at..at + 5).find(|&at| byte(&*source, at).is_ok_and(|byte| byte & 0x80 == 0));
                let read = end.map(|end| source.read_exact_at(&mut edc, end + 1));
                break matches!(read, Some(Ok(()))).then(|| u32::from_le_bytes(edc));
            };
            count += 1;
            if count > MOST_RECORDS {
                let message = format!("more than {MOST_RECORDS} records: the file is damaged");
                return Err(ImageError::new(ImageErrorKind::Limit, message).at(at));
            }
            if places.last().is_none_or(|last: &Place| total - last.decoded >= SPACING) {
                places.push(Place { decoded: total, at });
            }
            let len = record.count.checked_mul(record.unit.decoded());
            total = len
                .and_then(|len| total.checked_add(len))
                .filter(|total| *total <= LONGEST)
                .ok_or_else(|| ImageError::invalid("the records say that the image is longer than any disc").at(at))?;
            at = record.data + record.count * record.unit.stored();
        };
        if total == 0 {
            return Err(ImageError::invalid("the file holds no image"));
        }
        let blocks: Arc<dyn Blocks> = Arc::new(Records { source, places, total });
        let content: SharedSource = Arc::new(BlockSource::new(blocks, Arc::clone(cx.cache)));
        if let Some(stored) = stored_edc {
            cx.offer_check(Arc::new(EdcCheck { content: Arc::clone(&content), stored }));
        }
        Ok(Content::new(content))
    }
}

/// Decoded bytes of a block, and from one remembered place to the next, at least.
const BLOCK: u64 = 64 << 10;
const SPACING: u64 = 256 << 10;
/// Decoded bytes, at most: four layers of Blu-ray in raw sectors.
const LONGEST: u64 = 1 << 37;
/// Records, at most: the fullest CD has less than 450,000 sectors, and two records for a sector where every one is of another kind
/// than the last.
const MOST_RECORDS: u32 = 1 << 22;

/// What a record stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Byte,
    Mode1,
    Form1,
    Form2,
}

impl Unit {
    fn stored(self) -> u64 {
        match self {
            Self::Byte => 1,
            Self::Mode1 => 3 + 2048,
            Self::Form1 => 4 + 2048,
            Self::Form2 => 4 + 2324,
        }
    }

    fn decoded(self) -> u64 {
        match self {
            Self::Byte => 1,
            Self::Mode1 => RAW as u64,
            Self::Form1 | Self::Form2 => RAW as u64 - 16,
        }
    }

    /// Puts what `stored` stands for into `raw`; a sector of Mode 2 begins at its sub-header.
    fn decode(self, stored: &[u8], raw: &mut [u8; RAW]) {
        *raw = [0; RAW];
        match self {
            Self::Byte => {}
            Self::Mode1 => {
                raw[..12].copy_from_slice(&SYNC);
                raw[12..15].copy_from_slice(&stored[..3]);
                raw[15] = 1;
                raw[16..2064].copy_from_slice(&stored[3..]);
                seal(raw, Form::Mode1);
            }
            Self::Form1 | Self::Form2 => {
                let (subheader, data) = stored.split_at(4);
                raw[16..20].copy_from_slice(subheader);
                raw[20..24].copy_from_slice(subheader);
                raw[24..24 + data.len()].copy_from_slice(data);
                seal(raw, if self == Self::Form1 { Form::Form1 } else { Form::Form2 });
            }
        }
    }
}

/// So many units, stored one after another.
#[derive(Debug, Clone, Copy)]
struct Record {
    unit: Unit,
    count: u64,
    /// Where the first is stored.
    data: u64,
}

impl Record {
    /// The record whose head is at `at`; nothing for the end of the list.
    fn at(source: &dyn ByteSource, at: u64) -> io::Result<Option<Self>> {
        let head = byte(source, at)?;
        let unit = match head & 3 {
            0 => Unit::Byte,
            1 => Unit::Mode1,
            2 => Unit::Form1,
            _ => Unit::Form2,
        };
        let mut number = u64::from(head >> 2 & 0x1F);
        let (mut more, mut data, mut bits) = (head & 0x80 != 0, at + 1, 5);
        while more {
            if bits > 26 {
                return Err(damaged("an ECM record is too long"));
            }
            let next = byte(source, data)?;
            number |= u64::from(next & 0x7F) << bits;
            (more, data, bits) = (next & 0x80 != 0, data + 1, bits + 7);
        }
        // Five bytes have more bits than a count.
        let number = number & 0xFFFF_FFFF;
        Ok((number != 0xFFFF_FFFF).then_some(Self { unit, count: number + 1, data }))
    }
}

fn byte(source: &dyn ByteSource, at: u64) -> io::Result<u8> {
    let mut byte = [0];
    source.read_exact_at(&mut byte, at)?;
    Ok(byte[0])
}

/// A record by the first byte that it decodes to.
#[derive(Debug, Clone, Copy)]
struct Place {
    decoded: u64,
    at: u64,
}

#[derive(Debug)]
struct Records {
    source: SharedSource,
    /// In order; the first is that of byte 0.
    places: Vec<Place>,
    total: u64,
}

impl Blocks for Records {
    fn total_len(&self) -> u64 {
        self.total
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let index = offset / BLOCK;
        let start = index * BLOCK;
        Ok(Block { index, start, len: (self.total - start).min(BLOCK) as u32 })
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        let after = self.places.partition_point(|place| place.decoded <= block.start);
        let mut place = after
            .checked_sub(1)
            .and_then(|before| self.places.get(before))
            .copied()
            .ok_or(io::ErrorKind::InvalidData)?;
        let end = block.start + out.len() as u64;
        while place.decoded < end {
            let record =
                Record::at(&*self.source, place.at)?.ok_or_else(|| damaged("the list of ECM records ends early"))?;
            let (stored, decoded) = (record.unit.stored(), record.unit.decoded());
            let len = record.count * decoded;
            if place.decoded + len > block.start {
                let skip = block.start.saturating_sub(place.decoded);
                self.units(record, skip, place.decoded + skip - block.start, out)?;
            }
            place = Place { decoded: place.decoded + len, at: record.data + record.count * stored };
        }
        Ok(())
    }
}

impl Records {
    /// Decodes what `record` stands for from its decoded byte `skip` on into `out` from `at` on, as much as fits.
    fn units(&self, record: Record, skip: u64, at: u64, out: &mut [u8]) -> io::Result<()> {
        let (stored, decoded) = (record.unit.stored(), record.unit.decoded());
        let room = out.get_mut(at as usize..).unwrap_or_default();
        let take = (record.count * decoded - skip).min(room.len() as u64) as usize;
        let room = &mut room[..take];
        if record.unit == Unit::Byte {
            return self.source.read_exact_at(room, record.data + skip);
        }
        let mut packed = vec![0; stored as usize];
        let mut raw = [0; RAW];
        let (mut unit, mut inside) = (skip / decoded, (skip % decoded) as usize);
        let mut done = 0;
        while done < room.len() {
            self.source.read_exact_at(&mut packed, record.data + unit * stored)?;
            record.unit.decode(&packed, &mut raw);
            let sector = &raw[RAW - decoded as usize + inside..];
            let step = sector.len().min(room.len() - done);
            room[done..done + step].copy_from_slice(&sector[..step]);
            (unit, inside, done) = (unit + 1, 0, done + step);
        }
        Ok(())
    }
}

/// The checksum at the end of the file.
#[derive(Debug)]
struct EdcCheck {
    content: SharedSource,
    stored: u32,
}

impl Check for EdcCheck {
    fn name(&self) -> String {
        "EDC of the ECM's content".to_owned()
    }

    fn bytes(&self) -> u64 {
        self.content.len()
    }

    fn run(&self, progress: &dyn Fn(u64)) -> io::Result<bool> {
        let mut buf = vec![0; 1 << 20];
        let (mut at, mut edc) = (0, 0);
        while at < self.content.len() {
            let step = (self.content.len() - at).min(buf.len() as u64) as usize;
            self.content.read_exact_at(&mut buf[..step], at)?;
            edc = edc_continued(edc, &buf[..step]);
            at += step as u64;
            progress(step as u64);
        }
        Ok(edc == self.stored)
    }
}
