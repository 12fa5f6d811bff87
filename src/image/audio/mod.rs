//! Files of sound that a descriptor names: each becomes the bytes of audio sectors (44.1 kHz, 16 bits, stereo, little-endian).
//!
//! Told by content: descriptors are often wrong about the kind. Samples that lie in a file as on a CD are mapped; all others are
//! decoded a second at a time, through the shared cache. What comes out does not depend on where reading starts.

mod aiff;
mod flac;
mod iff;
mod mp3;
mod ogg;
mod pcm;
mod render;
mod resample;
mod riff;

use std::fmt;
use std::io;
use std::sync::Arc;

use self::render::Rendered;
use super::{ImageError, OpenContext};
use crate::source::{BlockSource, ByteSource, SharedSource};

/// The samples of `source`, or nothing when it is no file of sound.
///
/// # Errors
/// When it is one that is damaged or of a kind that is not read.
pub fn open(source: &SharedSource, cx: &OpenContext<'_>) -> Result<Option<SharedSource>, ImageError> {
    let start = after_id3(&**source);
    let mut magic = [0; 12];
    let len = magic.len().min(source.len().saturating_sub(start) as usize);
    if source.read_exact_at(&mut magic[..len], start).is_err() {
        return Ok(None);
    }
    let sound: Arc<dyn Sound> = match (&magic[..4], &magic[8..]) {
        (b"RIFF", b"WAVE") => return riff::open(source).and_then(|pcm| Ok(Some(pcm.into_source(cx)?))),
        (b"FORM", b"AIFF" | b"AIFC") => return aiff::open(source).and_then(|pcm| Ok(Some(pcm.into_source(cx)?))),
        (b"fLaC", _) => Arc::new(flac::Flac::open(source, start)?),
        (b"OggS", _) => Arc::new(ogg::Ogg::open(source)?),
        _ if mp3::is_one(&**source, start) => Arc::new(mp3::Mp3::open(source, start)?),
        _ => return Ok(None),
    };
    decoded(sound, cx).map(Some)
}

/// Sound in any shape that a file has, as stereo.
trait Sound: Send + Sync + fmt::Debug {
    /// Samples of a channel per second.
    fn rate(&self) -> u32;

    /// Samples of a channel.
    fn frames(&self) -> u64;

    /// Fills `out` with left and right from sample `first` on, from -1 to 1. All of it is within [`frames`](Self::frames).
    /// Gives the same samples for the same range every time, on any thread.
    ///
    /// # Errors
    /// When the file cannot be read or decoded there.
    fn read(&self, first: u64, out: &mut [[f32; 2]]) -> io::Result<()>;
}

/// Rates that are read: the lowest makes 44 samples out of one.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// `sound` as the bytes of audio sectors.
fn decoded(sound: Arc<dyn Sound>, cx: &OpenContext<'_>) -> Result<SharedSource, ImageError> {
    let rate = sound.rate();
    if !RATES.contains(&rate) {
        return Err(ImageError::unsupported(format!("sound of {rate} Hz; convert it to 44100 Hz")));
    }
    Ok(Arc::new(BlockSource::new(Arc::new(Rendered::new(sound)), Arc::clone(cx.cache))))
}

/// What each channel adds to left and right, for `channels` channels in the order of WAVE and FLAC. One channel is heard on both
/// sides; centre and surround at -3 dB (ITU-R BS.775), and all weaker so that no sum is too loud; the channel of low
/// frequencies not at all.
fn downmix(channels: usize) -> Vec<[f32; 2]> {
    const LEFT: [f32; 2] = [1.0, 0.0];
    const RIGHT: [f32; 2] = [0.0, 1.0];
    const HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;
    const CENTRE: [f32; 2] = [HALF, HALF];
    const SURROUND_LEFT: [f32; 2] = [HALF, 0.0];
    const SURROUND_RIGHT: [f32; 2] = [0.0, HALF];
    const NOT: [f32; 2] = [0.0, 0.0];
    let all: &[[f32; 2]] = match channels {
        1 => return vec![[1.0, 1.0]],
        3 => &[LEFT, RIGHT, CENTRE],
        4 => &[LEFT, RIGHT, SURROUND_LEFT, SURROUND_RIGHT],
        5 => &[LEFT, RIGHT, CENTRE, SURROUND_LEFT, SURROUND_RIGHT],
        6 => &[LEFT, RIGHT, CENTRE, NOT, SURROUND_LEFT, SURROUND_RIGHT],
        7 => &[LEFT, RIGHT, CENTRE, NOT, CENTRE, SURROUND_LEFT, SURROUND_RIGHT],
        8 => &[LEFT, RIGHT, CENTRE, NOT, SURROUND_LEFT, SURROUND_RIGHT, SURROUND_LEFT, SURROUND_RIGHT],
        _ => &[LEFT, RIGHT],
    };
    let sum: f32 = all.iter().map(|weight| weight[0]).sum();
    let scaled = all.iter().map(|[left, right]| [left / sum, right / sum]);
    scaled.chain(std::iter::repeat_n(NOT, channels.saturating_sub(all.len()))).collect()
}

/// Where sound begins behind an ID3 tag (id3.org, ID3v2.4.0 structure, 3.1), which programs put before anything.
fn after_id3(source: &dyn ByteSource) -> u64 {
    let mut header = [0; 10];
    if source.read_exact_at(&mut header, 0).is_err() || !header.starts_with(b"ID3") {
        return 0;
    }
    let len = header[6..].iter().fold(0, |len, byte| len << 7 | u64::from(byte & 0x7F));
    let footer = if header[5] & 0x10 != 0 { 10 } else { 0 };
    10 + len + footer
}

/// Stored sound that does not decode.
fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
