//! Sound as the bytes of audio sectors, a second at a time.

use std::io;
use std::sync::Arc;

use super::{Sound, resample};
use crate::source::{Block, Blocks};

/// Samples per second of a CD.
const RATE: u32 = 44_100;
/// Bytes of a sample of both channels.
const FRAME: u64 = 4;
/// Bytes of a block: a second, 75 sectors.
const BLOCK: u64 = RATE as u64 * FRAME;

/// Sound at the rate of a CD.
#[derive(Debug)]
pub struct Rendered {
    sound: Arc<dyn Sound>,
    frames: u64,
}

impl Rendered {
    /// `sound`, resampled where it has another rate.
    pub fn new(sound: Arc<dyn Sound>) -> Self {
        let frames = if sound.rate() == RATE { sound.frames() } else { resample::frames(&*sound, RATE) };
        Self { sound, frames }
    }
}

impl Blocks for Rendered {
    fn total_len(&self) -> u64 {
        self.frames.saturating_mul(FRAME)
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let index = offset / BLOCK;
        let start = index * BLOCK;
        Ok(Block { index, start, len: (self.total_len() - start).min(BLOCK) as u32 })
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        let first = block.start / FRAME;
        let mut samples = vec![[0.0; 2]; out.len() / FRAME as usize];
        if self.sound.rate() == RATE {
            self.sound.read(first, &mut samples)?;
        } else {
            resample::read(&*self.sound, RATE, first, &mut samples)?;
        }
        let values = samples.as_flattened().iter();
        for (bytes, value) in out.chunks_exact_mut(2).zip(values) {
            // Sixteen bits come through unchanged; the cast keeps what is too loud at the limit.
            let value = (value * 32_768.0).round_ties_even() as i16;
            bytes.copy_from_slice(&value.to_le_bytes());
        }
        Ok(())
    }
}
