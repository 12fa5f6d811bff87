//! From any rate to another: the band-limited signal through the samples, at the times of the other rate.
//!
//! Each sample that comes out is a sum over the samples that went in around its time, weighted by a sinc under a
//! Blackman-Harris window (-92 dB). So any of them can be computed alone, and all are the same wherever reading starts.

use std::f64::consts::PI;
use std::io;
use std::sync::LazyLock;

use super::Sound;

/// Zero crossings of the sinc on either side.
const CROSSINGS: usize = 32;
/// Entries of the table for each; between them it is linear.
const STEPS: usize = 512;
/// How much of the band is kept, so that what the filter lets through above it does not come back below.
const BAND: f64 = 0.94;

/// The weight at each position from 0 to [`CROSSINGS`], and two more entries for the last.
static TABLE: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let weight = |entry: usize| {
        let at = entry as f64 / STEPS as f64;
        let sinc = if entry == 0 { 1.0 } else { (PI * at).sin() / (PI * at) };
        let turn = PI * (1.0 + at / CROSSINGS as f64);
        let window = 0.35875 - 0.48829 * turn.cos() + 0.14128 * (2.0 * turn).cos() - 0.01168 * (3.0 * turn).cos();
        if at > CROSSINGS as f64 { 0.0 } else { (sinc * window) as f32 }
    };
    (0..=CROSSINGS * STEPS + 1).map(weight).collect()
});

/// How many samples of `to` per second the samples of `sound` become: the last one is not lost.
pub fn frames(sound: &dyn Sound, to: u32) -> u64 {
    let (rate, frames) = (u128::from(sound.rate()), u128::from(sound.frames()));
    u64::try_from((frames * u128::from(to)).div_ceil(rate)).unwrap_or(u64::MAX)
}

/// Fills `out` from sample `first` of the rate `to` on.
///
/// # Errors
/// As [`Sound::read`].
pub fn read(sound: &dyn Sound, to: u32, first: u64, out: &mut [[f32; 2]]) -> io::Result<()> {
    let rate = sound.rate();
    // Cycles per sample that went in that are kept, of the half that there is.
    let band = BAND * (f64::from(to) / f64::from(rate)).min(1.0);
    let reach = (CROSSINGS as f64 / band).ceil() as i64;
    // The sample at or before the time, and the rest of the way to the next.
    let time = |index: u64| {
        let ticks = u128::from(index) * u128::from(rate);
        let rest = (ticks % u128::from(to)) as f64 / f64::from(to);
        ((ticks / u128::from(to)) as i64, rest)
    };
    let Some(last) = (out.len() as u64).checked_sub(1) else { return Ok(()) };
    let frames = sound.frames() as i64;
    let from = (time(first).0 - reach).clamp(0, frames);
    let end = (time(first + last).0 + reach + 2).clamp(from, frames);
    let mut samples = vec![[0.0; 2]; (end - from) as usize];
    sound.read(from as u64, &mut samples)?;
    for (index, out) in (first..).zip(out) {
        let (at, rest) = time(index);
        let mut sum = [0.0_f32; 2];
        // Before the first and after the last is silence.
        for position in (at - reach).max(from)..(at + reach + 2).min(end) {
            let weight = weight(((position - at) as f64 - rest).abs() * band);
            let [left, right] = samples[(position - from) as usize];
            sum[0] += weight * left;
            sum[1] += weight * right;
        }
        *out = sum.map(|sum| sum * band as f32);
    }
    Ok(())
}

fn weight(at: f64) -> f32 {
    let entry = at * STEPS as f64;
    let (low, rest) = (entry as usize, entry.fract() as f32);
    match TABLE.get(low..low + 2) {
        Some(&[one, next]) => one + (next - one) * rest,
        _ => 0.0,
    }
}
