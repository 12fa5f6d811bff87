//! MP3 (ISO 11172-3 and 13818-3, Layer III): the headers of all frames are the index; frames are decoded by symphonia.
//!
//! Length: 1,152 samples for every frame (576 at half rates). Where the encoder noted its delay and padding (LAME's tag), both are cut off and
//! the length is the original's; where it did not, nobody knows, and all samples are kept.

use std::io;

use symphonia::core::audio::sample::Sample as _;
use symphonia::core::codecs::audio::well_known::CODEC_ID_MP3;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};
use symphonia::default::codecs::MpaDecoder;

use super::super::ImageError;
use super::{Sound, damaged};
use crate::source::{ByteSource, SharedSource};

/// An MP3 file.
#[derive(Debug)]
pub struct Mp3 {
    source: SharedSource,
    header: Header,
    /// Offsets of every [`STEP`]th frame with sound.
    index: Vec<u64>,
    /// Frames with sound.
    count: u64,
    /// Samples before the first that is heard.
    skip: u64,
    frames: u64,
}

/// What the header of a frame says (2.4.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    rate: u32,
    is_mono: bool,
    /// MPEG-1, with two granules in a frame.
    is_full_rate: bool,
    bytes: u32,
}

/// Frames from one entry of the index to the next.
const STEP: u64 = 16;
/// Bytes before a frame that its sound may begin in (`main_data_begin`).
const RESERVOIR: u64 = 511;
/// Bytes of a frame that hold no sound, at most: header, CRC, side information.
const NO_SOUND: u64 = 4 + 2 + 32;
/// Bytes that are searched for the next frame where there is none.
const SEARCHED: u64 = 64 << 10;
/// The same in the whole file: each byte is looked at alone.
const MOST_SEARCHED: u64 = 16 << 20;
/// Frames that are looked at, at most: 15 hours of sound, which no disc has.
const MOST_FRAMES: usize = 1 << 21;
/// How many frames must follow one another in a file of unknown kind.
const PROOF: u32 = 4;
/// Samples by which a decoder is late.
const DECODER_DELAY: u64 = 529;

impl Header {
    fn of(bytes: [u8; 4]) -> Option<Self> {
        const RATES: [u32; 3] = [44_100, 48_000, 32_000];
        const FULL: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
        const HALF: [u32; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
        let [0xFF, version, sizes, mode] = bytes else { return None };
        // Sync, and Layer III.
        if version & 0xE6 != 0xE2 {
            return None;
        }
        let slower = match version >> 3 & 3 {
            3 => 1,
            2 => 2,
            0 => 4,
            _ => return None,
        };
        let rate = RATES.get(usize::from(sizes >> 2 & 3))? / slower;
        let is_full_rate = slower == 1;
        let kilobits = *if is_full_rate { &FULL } else { &HALF }.get(usize::from(sizes >> 4))?;
        let samples = if is_full_rate { 1152 } else { 576 };
        let bytes = samples / 8 * kilobits * 1000 / rate + u32::from(sizes >> 1 & 1);
        let header = Self { rate, is_mono: mode >> 6 == 3, is_full_rate, bytes };
        // A rate of 0 says that the writer chose one that has no number.
        (kilobits > 0).then_some(header)
    }

    fn at(source: &dyn ByteSource, at: u64) -> Option<Self> {
        let mut bytes = [0; 4];
        source.read_exact_at(&mut bytes, at).ok()?;
        Self::of(bytes)
    }

    /// True when both can be frames of one file.
    fn goes_with(self, other: Self) -> bool {
        (self.rate, self.is_mono, self.is_full_rate) == (other.rate, other.is_mono, other.is_full_rate)
    }

    fn samples(self) -> u64 {
        if self.is_full_rate { 1152 } else { 576 }
    }

    fn side_information(self) -> u64 {
        match (self.is_full_rate, self.is_mono) {
            (true, false) => 32,
            (true, true) | (false, false) => 17,
            (false, true) => 9,
        }
    }
}

/// True when several frames follow one another from `start` on, or fill the rest of the file.
pub fn is_one(source: &dyn ByteSource, start: u64) -> bool {
    frames_at(source, start, PROOF)
}

fn frames_at(source: &dyn ByteSource, start: u64, count: u32) -> bool {
    let Some(first) = Header::at(source, start) else { return false };
    let mut at = start + u64::from(first.bytes);
    for _ in 1..count {
        if at == source.len() {
            return true;
        }
        match Header::at(source, at).filter(|next| next.goes_with(first)) {
            Some(next) => at += u64::from(next.bytes),
            None => return false,
        }
    }
    true
}

impl Mp3 {
    /// The file whose first frame is at `start`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(source: &SharedSource, start: u64) -> Result<Self, ImageError> {
        let wrong = || ImageError::invalid("no frame of sound where one should begin").at(start);
        let header = Header::at(&**source, start).ok_or_else(wrong)?;
        let tag = Tag::of(&**source, start, header);
        let mut frames = Frames { source: &**source, at: start, header, left: MOST_SEARCHED };
        if tag.is_some() {
            frames.next();
        }
        let (mut index, mut count) = (Vec::new(), 0);
        for (at, _) in frames.take(MOST_FRAMES) {
            if count % STEP == 0 {
                index.push(at);
            }
            count += 1;
        }
        let all = count * header.samples();
        let (skip, padding) = match tag.and_then(|tag| tag.gaps) {
            Some((delay, padding)) => (delay + DECODER_DELAY, padding.saturating_sub(DECODER_DELAY)),
            None => (0, 0),
        };
        let frames = all.saturating_sub(skip + padding);
        Ok(Self { source: source.clone(), header, index, count, skip: skip.min(all), frames })
    }

    /// Entry of the index from which decoding must begin to have the sound of `frame` right: behind the bits that it borrows
    /// from those before, and two more frames, whose sound reaches into it.
    fn entry_before(&self, frame: u64) -> usize {
        let own = (frame.saturating_sub(2) / STEP) as usize;
        let mut entry = own;
        while entry > 0 {
            let bytes = self.index[own] - self.index[entry];
            let frames = (own - entry) as u64 * STEP;
            if bytes.saturating_sub(frames * NO_SOUND) >= RESERVOIR || own - entry > 64 {
                break;
            }
            entry -= 1;
        }
        entry
    }
}

/// The frames from a place on.
struct Frames<'a> {
    source: &'a dyn ByteSource,
    at: u64,
    header: Header,
    /// Bytes that may still be searched for a frame.
    left: u64,
}

impl Iterator for Frames<'_> {
    type Item = (u64, Header);

    fn next(&mut self) -> Option<Self::Item> {
        let fits = |at| {
            let header = Header::at(self.source, at).filter(|header| header.goes_with(self.header))?;
            (at + u64::from(header.bytes) <= self.source.len()).then_some(header)
        };
        let (at, header) = match fits(self.at) {
            Some(header) => (self.at, header),
            None => {
                let end = self.at.saturating_add(SEARCHED.min(self.left)).min(self.source.len());
                let is_next = |at: &u64| fits(*at).is_some() && frames_at(self.source, *at, 2);
                let at = (self.at + 1..end).find(is_next)?;
                self.left -= at - self.at;
                (at, fits(at)?)
            }
        };
        self.at = at + u64::from(header.bytes);
        Some((at, header))
    }
}

/// What encoders put into a first frame without sound.
#[derive(Debug, Clone, Copy)]
struct Tag {
    /// Samples of silence before and after.
    gaps: Option<(u64, u64)>,
}

impl Tag {
    fn of(source: &dyn ByteSource, start: u64, header: Header) -> Option<Self> {
        let mut frame = [0; 256];
        let len = frame.len().min(header.bytes as usize);
        source.read_exact_at(&mut frame[..len], start).ok()?;
        if &frame[36..40] == b"VBRI" {
            return Some(Self { gaps: None });
        }
        let tag = &frame[4 + header.side_information() as usize..];
        if !tag.starts_with(b"Xing") && !tag.starts_with(b"Info") {
            return None;
        }
        // Frames, bytes, table of contents, quality: each is there when its bit is.
        let fields = [4, 4, 100, 4].into_iter().enumerate();
        let lame = 8 + fields.map(|(bit, len)| if tag[7] >> bit & 1 != 0 { len } else { 0 }).sum::<usize>();
        let gaps = match tag.get(lame..lame + 24) {
            Some(lame) if lame[0].is_ascii_alphabetic() => {
                let (high, middle, low) = (u64::from(lame[21]), u64::from(lame[22]), u64::from(lame[23]));
                Some((high << 4 | middle >> 4, (middle & 0xF) << 8 | low))
            }
            _ => None,
        };
        Some(Self { gaps })
    }
}

impl Sound for Mp3 {
    fn rate(&self) -> u32 {
        self.header.rate
    }

    fn frames(&self) -> u64 {
        self.frames
    }

    fn read(&self, first: u64, out: &mut [[f32; 2]]) -> io::Result<()> {
        let samples = self.header.samples();
        let first = first + self.skip;
        let entry = self.entry_before(first / samples);
        let start = *self.index.get(entry).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut parameters = AudioCodecParameters::new();
        parameters.for_codec(CODEC_ID_MP3);
        let mut decoder = MpaDecoder::try_new(&parameters, &AudioDecoderOptions::default())
            .map_err(|_| damaged("the MP3 decoder does not start"))?;
        let mut number = entry as u64 * STEP;
        let (mut bytes, mut interleaved) = (Vec::new(), Vec::new());
        let channels = if self.header.is_mono { 1 } else { 2 };
        for (at, header) in (Frames { source: &*self.source, at: start, header: self.header, left: MOST_SEARCHED }) {
            let position = number * samples;
            if position >= first + out.len() as u64 || number >= self.count {
                return Ok(());
            }
            bytes.resize(header.bytes as usize, 0);
            self.source.read_exact_at(&mut bytes, at)?;
            interleaved.clear();
            interleaved.resize(samples as usize * channels, f32::MID);
            // A frame that refers to sound before the start of the file is silent, as one that is damaged: so players have it.
            let packet = PacketRef::new(0, Timestamp::new(0), Duration::new(0), &bytes);
            let decoded = decoder.decode_ref(&packet).ok();
            if let Some(buffer) = decoded.filter(|buffer| buffer.samples_interleaved() == interleaved.len()) {
                buffer.copy_to_slice_interleaved(&mut interleaved[..]);
            }
            for (sample, values) in (position..).zip(interleaved.chunks_exact(channels)) {
                if let Some(out) = sample.checked_sub(first).and_then(|at| out.get_mut(at as usize)) {
                    *out = [values[0], values[channels - 1]];
                }
            }
            number += 1;
        }
        if number * samples >= first + out.len() as u64 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}
