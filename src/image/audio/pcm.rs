//! Samples that are not compressed, as WAVE and AIFF files hold them.

use std::io;
use std::sync::Arc;

use super::super::{ImageError, OpenContext};
use super::{Sound, decoded, downmix};
use crate::source::{SharedSource, SliceSource, SwappedSource};

/// How a sample lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// 8 bits, where 128 is silence.
    Unsigned,
    /// Two's complement in so many bytes.
    Integer(u8),
    /// IEEE 754 in so many bytes.
    Float(u8),
}

impl Sample {
    /// The sample that `bits` bits in `bytes` bytes make, left-justified as both kinds of file have it.
    ///
    /// # Errors
    /// For a size that is not read.
    pub fn integer(bytes: usize) -> Result<Self, ImageError> {
        match bytes {
            1..=4 => Ok(Self::Integer(bytes as u8)),
            _ => Err(ImageError::unsupported(format!("samples of {bytes} bytes; convert them to 16 bits"))),
        }
    }

    /// The same for floating point.
    ///
    /// # Errors
    /// For a size that IEEE 754 does not have.
    pub fn float(bytes: usize) -> Result<Self, ImageError> {
        match bytes {
            4 | 8 => Ok(Self::Float(bytes as u8)),
            _ => Err(ImageError::invalid(format!("floating point samples of {bytes} bytes"))),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Unsigned => 1,
            Self::Integer(bytes) | Self::Float(bytes) => usize::from(bytes),
        }
    }

    /// The sample in `bytes`, the lowest first.
    fn value(self, bytes: &[u8]) -> f32 {
        let mut low_first = [0; 8];
        // The sample is moved to the top of the word.
        low_first[8 - bytes.len()..].copy_from_slice(bytes);
        let word = u64::from_le_bytes(low_first);
        match self {
            Self::Unsigned => (f32::from(bytes[0]) - 128.0) / 128.0,
            Self::Integer(_) => (word as i64 >> 32) as f32 / (1_u32 << 31) as f32,
            Self::Float(4) => f32::from_bits((word >> 32) as u32),
            Self::Float(_) => f64::from_bits(word) as f32,
        }
    }
}

/// Samples that lie one after another, the channels in turn.
#[derive(Debug)]
pub struct Pcm {
    source: SharedSource,
    sample: Sample,
    is_big_endian: bool,
    channels: usize,
    rate: u32,
    weights: Vec<[f32; 2]>,
}

/// Channels that are read, at most: as many as the mix into two knows, and FLAC has.
const MOST_CHANNELS: u16 = 8;

impl Pcm {
    /// The samples in the `len` bytes of `source` from `at` on.
    ///
    /// # Errors
    /// When they do not lie in it, or in more channels than anybody has.
    pub fn new(
        source: &SharedSource,
        (at, len): (u64, u64),
        (channels, rate): (u16, u32),
        (sample, is_big_endian): (Sample, bool),
    ) -> Result<Self, ImageError> {
        if !(1..=MOST_CHANNELS).contains(&channels) {
            return Err(ImageError::unsupported(format!("sound of {channels} channels; convert it to 2")));
        }
        let source = Arc::new(SliceSource::new(Arc::clone(source), at, len).map_err(ImageError::io)?);
        let channels = usize::from(channels);
        Ok(Self { source, sample, is_big_endian, channels, rate, weights: downmix(channels) })
    }

    /// The bytes of audio sectors: these themselves where they lie as on a CD.
    ///
    /// # Errors
    /// For a rate that is not read.
    pub fn into_source(self, cx: &OpenContext<'_>) -> Result<SharedSource, ImageError> {
        match (self.rate, self.channels, self.sample, self.is_big_endian) {
            (44_100, 2, Sample::Integer(2), false) => Ok(self.source),
            (44_100, 2, Sample::Integer(2), true) => Ok(Arc::new(SwappedSource::new(self.source))),
            _ => decoded(Arc::new(self), cx),
        }
    }

    fn frame(&self) -> usize {
        self.channels * self.sample.bytes()
    }
}

impl Sound for Pcm {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn frames(&self) -> u64 {
        self.source.len() / self.frame() as u64
    }

    fn read(&self, first: u64, out: &mut [[f32; 2]]) -> io::Result<()> {
        let mut bytes = vec![0; out.len() * self.frame()];
        self.source.read_exact_at(&mut bytes, first * self.frame() as u64)?;
        for (frame, out) in bytes.chunks_exact_mut(self.frame()).zip(out) {
            *out = [0.0; 2];
            for (bytes, weight) in frame.chunks_exact_mut(self.sample.bytes()).zip(&self.weights) {
                if self.is_big_endian {
                    bytes.reverse();
                }
                let value = self.sample.value(bytes);
                out[0] += weight[0] * value;
                out[1] += weight[1] * value;
            }
        }
        Ok(())
    }
}
