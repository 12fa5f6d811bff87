//! FLAC (RFC 9639): frames are found by bisection over their headers, and decoded by claxon, which holds their checksums.

use std::io::{self, Cursor};

use claxon::frame::FrameReader;

use super::super::ImageError;
use super::{Sound, damaged, downmix};
use crate::source::SharedSource;

/// A FLAC file.
#[derive(Debug)]
pub struct Flac {
    source: SharedSource,
    /// Where the first frame lies.
    first: u64,
    info: StreamInfo,
    frames: u64,
    weights: Vec<[f32; 2]>,
}

/// The first metadata block (8.2).
#[derive(Debug, Clone, Copy)]
struct StreamInfo {
    /// Samples of every frame but the last, where that is fixed.
    block: u64,
    rate: u32,
    channels: u8,
    bits: u8,
    /// Samples in all; 0 where the writer did not know.
    total: u64,
}

/// What the header of a frame says (9.1).
#[derive(Debug, Clone, Copy)]
struct Header {
    /// Number of its first sample.
    sample: u64,
}

/// A frame as decoded.
struct Frame {
    sample: u64,
    block: claxon::Block,
    /// Bytes that it takes in the file.
    bytes: u64,
}

/// Bytes of a frame header, at most.
const HEADER: usize = 16;
/// Metadata blocks that are skipped, at most.
const MOST_BLOCKS: u32 = 10_000;
/// Bytes of a frame, at most: eight channels of 65,535 samples of 32 bits, and a little more.
const LONGEST_FRAME: u64 = 4 << 20;
/// Bytes that are read for a frame at first.
const USUAL_FRAME: u64 = 64 << 10;
/// What looks like the header of a frame and is none, at most, while a place is looked for: in sound that is by chance, with a
/// checksum of the header, and in a damaged file it is the frames that are damaged.
const MOST_TRIES: u32 = 256;

impl Flac {
    /// The file whose signature is at `start`.
    ///
    /// # Errors
    /// When its metadata is damaged, or its frames cannot be found.
    pub fn open(source: &SharedSource, start: u64) -> Result<Self, ImageError> {
        let at_error = |error: io::Error, at| ImageError::io(error).at(at);
        let mut info = None;
        let mut at = start + 4;
        for _ in 0..MOST_BLOCKS {
            let mut header = [0; 4];
            source.read_exact_at(&mut header, at).map_err(|error| at_error(error, at))?;
            let len = u64::from(u32::from_be_bytes([0, header[1], header[2], header[3]]));
            if info.is_none() {
                let mut bytes = [0; 34];
                source.read_exact_at(&mut bytes, at + 4).map_err(|error| at_error(error, at))?;
                let is_info = header[0] & 0x7F == 0 && len == 34;
                info = Some(StreamInfo::of(&bytes).filter(|_| is_info).ok_or_else(|| {
                    ImageError::invalid("the FLAC file does not begin with the block that describes it").at(at)
                })?);
            }
            at += 4 + len;
            if header[0] & 0x80 != 0 {
                break;
            }
        }
        let info = info.ok_or_else(|| ImageError::invalid("the FLAC file does not describe itself"))?;
        if at >= source.len() {
            return Err(ImageError::invalid("the FLAC file has no sound").at(at));
        }
        let weights = downmix(usize::from(info.channels));
        let mut flac = Self { source: source.clone(), first: at, info, frames: info.total, weights };
        if flac.frames == 0 {
            flac.frames = flac.count().map_err(ImageError::io)?;
        }
        Ok(flac)
    }

    /// Where the last frame ends, in samples.
    fn count(&self) -> io::Result<u64> {
        let mut at = self.find(u64::MAX)?;
        let mut end = 0;
        while at < self.source.len() {
            let Ok(frame) = self.frame(at) else { break };
            end = frame.sample.saturating_add(u64::from(frame.block.duration()));
            at += frame.bytes;
        }
        Ok(end)
    }

    /// The offset of a frame at or before the one with `sample`, and not far from it.
    fn find(&self, sample: u64) -> io::Result<u64> {
        let (mut low, mut high) = (self.first, self.source.len());
        let mut tries = 0;
        while high - low > USUAL_FRAME {
            let middle = low.midpoint(high);
            match self.next(middle, high, &mut tries)? {
                Some((at, header)) if header.sample <= sample => low = at,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The first frame that begins in `from .. end`, or nothing. `tries` counts what only looked like one.
    fn next(&self, from: u64, end: u64, tries: &mut u32) -> io::Result<Option<(u64, Header)>> {
        let mut window = [0; 8192];
        let mut at = from;
        while at < end && at - from < LONGEST_FRAME {
            let len = (self.source.len() - at).min(window.len() as u64) as usize;
            let window = &mut window[..len];
            self.source.read_exact_at(window, at)?;
            // A header that reaches over the end of the window is looked at in the next.
            let usable = if at + len as u64 == self.source.len() { len } else { len - HEADER };
            for start in (0..usable).filter(|&start| window[start] == 0xFF) {
                let Some(header) = self.info.header(&window[start..]) else { continue };
                let place = at + start as u64;
                if place >= end {
                    return Ok(None);
                }
                // Sound may look like a header; that a whole frame follows it is no chance.
                if self.frame(place).is_ok() {
                    return Ok(Some((place, header)));
                }
                *tries += 1;
                if *tries > MOST_TRIES {
                    return Err(damaged("too much looks like a FLAC frame and is none"));
                }
            }
            at += usable as u64;
        }
        Ok(None)
    }

    /// The frame at `at`.
    fn frame(&self, at: u64) -> io::Result<Frame> {
        let left = self.source.len().checked_sub(at).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut len = USUAL_FRAME.min(left);
        loop {
            let mut bytes = vec![0; len as usize];
            self.source.read_exact_at(&mut bytes, at)?;
            let header = self.info.header(&bytes).ok_or_else(|| damaged("no FLAC frame where one should begin"))?;
            let mut reader = FrameReader::new(Cursor::new(&*bytes));
            match reader.read_next_or_eof(Vec::new()) {
                Ok(Some(block)) if block.channels() == u32::from(self.info.channels) => {
                    let bytes = reader.into_inner().position();
                    return Ok(Frame { sample: header.sample, block, bytes });
                }
                Err(claxon::Error::IoError(_)) if len < left.min(LONGEST_FRAME) => {
                    len = (len * 4).min(left).min(LONGEST_FRAME);
                }
                Err(claxon::Error::IoError(_)) if len == left => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => return Err(damaged("a FLAC frame does not decode")),
            }
        }
    }
}

impl Sound for Flac {
    fn rate(&self) -> u32 {
        self.info.rate
    }

    fn frames(&self) -> u64 {
        self.frames
    }

    fn read(&self, first: u64, out: &mut [[f32; 2]]) -> io::Result<()> {
        let full_scale = (1_u64 << (self.info.bits - 1)) as f32;
        let mut at = self.find(first)?;
        let mut expected = None;
        let mut done = 0;
        while done < out.len() {
            let frame = self.frame(at)?;
            at += frame.bytes;
            let wanted = first + done as u64;
            if expected.is_some_and(|expected| expected != frame.sample) || frame.sample > wanted {
                return Err(damaged("a FLAC frame is missing"));
            }
            let len = u64::from(frame.block.duration());
            expected = Some(frame.sample.saturating_add(len));
            let skip = (wanted - frame.sample).min(len) as usize;
            let step = (len as usize - skip).min(out.len() - done);
            let out = &mut out[done..done + step];
            out.fill([0.0; 2]);
            for (channel, weight) in (0..).zip(&self.weights) {
                let samples = &frame.block.channel(channel)[skip..skip + step];
                for (out, &sample) in out.iter_mut().zip(samples) {
                    let value = sample as f32 / full_scale;
                    out[0] += weight[0] * value;
                    out[1] += weight[1] * value;
                }
            }
            done += step;
        }
        Ok(())
    }
}

impl StreamInfo {
    fn of(bytes: &[u8; 34]) -> Option<Self> {
        let block = u64::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        let packed = u64::from_be_bytes(bytes[10..18].try_into().ok()?);
        let rate = (packed >> 44) as u32;
        let channels = (packed >> 41 & 7) as u8 + 1;
        let bits = (packed >> 36 & 0x1F) as u8 + 1;
        let info = Self { block, rate, channels, bits, total: packed & 0xF_FFFF_FFFF };
        (block > 0 && bits >= 4).then_some(info)
    }

    /// The header at the start of `bytes`, if it is one of this stream.
    fn header(&self, bytes: &[u8]) -> Option<Header> {
        let &[0xFF, sync, sizes, shape, ..] = bytes else { return None };
        if sync & 0xFE != 0xF8 || shape & 1 != 0 || sizes >> 4 == 0 || sizes & 0xF == 0xF {
            return None;
        }
        let channels = match shape >> 4 {
            independent @ 0..=7 => independent + 1,
            8..=10 => 2,
            _ => return None,
        };
        let bits = match shape >> 1 & 7 {
            0 => self.bits,
            1 => 8,
            2 => 12,
            4 => 16,
            5 => 20,
            6 => 24,
            7 => 32,
            _ => return None,
        };
        if (channels, bits) != (self.channels, self.bits) {
            return None;
        }
        let (number, number_len) = coded_number(&bytes[4..])?;
        let size_len = match sizes >> 4 {
            6 => 1,
            7 => 2,
            _ => 0,
        };
        let rate_len = match sizes & 0xF {
            12 => 1,
            13 | 14 => 2,
            _ => 0,
        };
        let len = 4 + number_len + size_len + rate_len;
        if crc_8(bytes.get(..len)?) != *bytes.get(len)? {
            return None;
        }
        let is_variable = sync & 1 != 0;
        Some(Header { sample: if is_variable { number } else { number.checked_mul(self.block)? } })
    }
}

/// A number coded as UTF-8 codes characters, of up to 36 bits, and how many bytes that takes (9.1.5).
fn coded_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let len = match first.leading_ones() {
        0 => return Some((u64::from(first), 1)),
        ones @ 2..=7 => ones as usize,
        _ => return None,
    };
    let mut number = u64::from(first) & ((1 << (7 - len.min(7))) - 1);
    for &byte in bytes.get(1..len)? {
        if byte >> 6 != 2 {
            return None;
        }
        number = number << 6 | u64::from(byte & 0x3F);
    }
    Some((number, len))
}

/// The CRC of a header (9.1.8): x^8 + x^2 + x + 1, from 0.
fn crc_8(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |crc, &byte| (0..8).fold(crc ^ byte, |crc: u8, _| crc << 1 ^ if crc & 0x80 != 0 { 0x07 } else { 0 }))
}
