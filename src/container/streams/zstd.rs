//! Zstandard (RFC 8878). Frames that tell their decoded length, and are not too long, are read at random: files of one
//! short frame, and of many.

use std::io::{self, Read};

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::super::{Container, Content, FormatInfo, ImageError, OpenContext, Probe, Score, damaged};
use super::index::Index;
use super::input::{Input, bytes};
use super::pieces::{Codec, Piece, content, is_padded_out};
use super::spool::{is_damage, spool};
use crate::source::blocks::MAX_BLOCK;
use crate::source::{ByteSource, SharedSource};

/// Zstandard streams.
pub struct Zstd;

static INFO: FormatInfo = FormatInfo { id: "zstd", name: "Zstandard", extensions: &["zst", "zstd"] };

const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// Magic numbers of frames that are skipped: the lowest four bits are free.
const SKIPPABLE: [u8; 3] = [0x2A, 0x4D, 0x18];
/// Frames and blocks, at most, that are passed over to find where frames lie: a block takes no more than three bytes, a frame
/// that is skipped eight. There are 128 KiB in a block of the longest disc.
const MOST_STEPS: u32 = 1 << 23;
/// The window that a decoder must keep, at most: `zstd --long` has one of 128 MiB.
const LARGEST_WINDOW: u64 = 128 << 20;

impl Container for Zstd {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        let first_frame = match probe.head.as_slice() {
            [low, rest @ ..] if low >> 4 == 5 && rest.starts_with(&SKIPPABLE) => {
                8 + probe.head.get(4..8).map_or(0, number)
            }
            _ => 0,
        };
        let reserved = probe.head.get(first_frame as usize + 4).is_none_or(|descriptor| descriptor & 8 != 0);
        if probe.has(first_frame as usize, &MAGIC) && !reserved { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        let decoder = |source: &SharedSource| -> Box<dyn Read> { Box::new(Stream::new(source)) };
        match frames(&*source) {
            Ok(Some(frames)) => Ok(content(&source, frames, Frames, "the Zstandard frames", cx)),
            Err(error) if !is_damage(&error) => Err(ImageError::io(error)),
            Err(_) => spool(&source, "a Zstandard file that ends within a frame (damaged, or cut off)", decoder, cx),
            Ok(None) => spool(&source, "a Zstandard file", decoder, cx),
        }
    }
}

/// A number of up to eight bytes, the lowest first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// All frames; nothing when one of them does not tell its decoded length, or is too long to be decoded alone.
fn frames(source: &dyn ByteSource) -> io::Result<Option<Index>> {
    let (mut frames, mut at, mut steps) = (Index::default(), 0, 0);
    while at < source.len() {
        let start = at;
        steps += 1;
        let head = bytes(source, at, 8.min(source.len() - at))?;
        if head.len() == 8 && head[0] >> 4 == 5 && head[1..4] == SKIPPABLE {
            if steps > MOST_STEPS {
                return Ok(None);
            }
            at += 8 + number(&head[4..8]);
            continue;
        }
        let Some(&[a, b, c, d, descriptor]) = head.first_chunk() else { return Ok(None) };
        if [a, b, c, d] != MAGIC {
            return Ok(None);
        }
        let is_single = descriptor & 0x20 != 0;
        let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let size = match descriptor >> 6 {
            0 => u64::from(is_single),
            flag => 1 << flag,
        };
        let fields = bytes(source, at + 5, u64::from(!is_single) + dictionary + size)?;
        let told = &fields[fields.len() - size as usize..];
        // Two bytes count from 256.
        let decoded = number(told) + if size == 2 { 256 } else { 0 };
        if size == 0
            || decoded > u64::from(MAX_BLOCK)
            || dictionary > 0 && number(&fields[usize::from(!is_single)..][..dictionary as usize]) != 0
        {
            return Ok(None);
        }
        at += 5 + fields.len() as u64;
        loop {
            let block = number(&bytes(source, at, 3)?);
            at += 3 + if block >> 1 & 3 == 1 { 1 } else { block >> 3 };
            steps += 1;
            if is_padded_out(at - start, decoded) || steps > MOST_STEPS {
                return Ok(None);
            }
            if block & 1 != 0 {
                break;
            }
        }
        at += if descriptor & 4 != 0 { 4 } else { 0 };
        if frames.push(Piece { at: start, packed: at - start, decoded }).is_none() {
            return Ok(None);
        }
    }
    Ok((at == source.len() && frames.total() > 0).then_some(frames))
}

#[derive(Debug)]
struct Frames;

impl Codec for Frames {
    fn decode(&self, source: &SharedSource, piece: &Piece, out: &mut [u8]) -> io::Result<()> {
        let packed = bytes(&**source, piece.at, piece.packed)?;
        let mut decoder = decoder();
        let len = decoder.decode_all(&packed, out).map_err(|_| damaged("a Zstandard frame does not decode"))?;
        if len != out.len() {
            return Err(damaged("a Zstandard frame is shorter than it says"));
        }
        check(&decoder)
    }
}

fn decoder() -> FrameDecoder {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(LARGEST_WINDOW);
    decoder
}

fn check(decoder: &FrameDecoder) -> io::Result<()> {
    match (decoder.get_checksum_from_data(), decoder.get_calculated_checksum()) {
        (Some(stored), Some(made)) if stored != made => Err(damaged("the checksum of a Zstandard frame is wrong")),
        _ => Ok(()),
    }
}

/// The frames of a stream one after another.
struct Stream {
    frame: Option<StreamingDecoder<io::BufReader<Input>, FrameDecoder>>,
    input: Option<io::BufReader<Input>>,
}

impl Stream {
    fn new(source: &SharedSource) -> Self {
        Self { frame: None, input: Some(Input::of(source)) }
    }

    /// Begins the next frame, behind those that are skipped; false at the end.
    fn begin(&mut self) -> io::Result<bool> {
        use io::{BufRead, Read};
        let Some(mut input) = self.input.take() else { return Ok(false) };
        while let [low, ..] = input.fill_buf()? {
            if low >> 4 == 5 {
                let mut head = [0; 8];
                input.read_exact(&mut head)?;
                let len = number(&head[4..]);
                if io::copy(&mut (&mut input).take(len), &mut io::sink())? != len {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                continue;
            }
            let frame = StreamingDecoder::new_with_decoder(input, decoder());
            self.frame = Some(frame.map_err(|_| damaged("no Zstandard frame where one should begin"))?);
            return Ok(true);
        }
        Ok(false)
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let step = frame.read(buf).map_err(|_| damaged("a Zstandard frame does not decode"))?;
                if step > 0 || buf.is_empty() {
                    return Ok(step);
                }
            }
            if let Some(frame) = self.frame.take() {
                let (input, decoder) = frame.into_parts();
                check(&decoder)?;
                self.input = Some(input);
            }
            if !self.begin()? {
                return Ok(0);
            }
        }
    }
}
