//! FLAC frames (RFC 9639) of 16-bit stereo sound at 44.1 kHz: fixed and linear predictors, Rice codes.

use super::bits::BitWriter;

/// Bits of a sample.
const DEPTH: u32 = 16;
/// The highest order of a fixed predictor.
const MOST_ORDER: usize = 4;
/// The order of a linear predictor, and the bits of its coefficients.
const LINEAR_ORDER: usize = 8;
const PRECISION: u32 = 14;
/// The largest Rice parameter that four bits hold beside the escape.
const MOST_RICE: u32 = 14;
/// The highest partition order that is tried.
const MOST_PARTITIONS: u32 = 6;

/// Adds the frame `number` of `samples`, of which there is at least one and at most 65,536; every frame of a stream but the last has as
/// many.
pub fn put_frame(samples: &[[i16; 2]], number: u32, out: &mut Vec<u8>) {
    let start = out.len();
    // Sync, fixed block size; 16 bits of block size follow; 44.1 kHz.
    out.extend([0xFF, 0xF8, 0x79]);
    let channel = |of: fn(i32, i32) -> i32| -> Vec<i32> {
        samples.iter().map(|&[left, right]| of(left.into(), right.into())).collect()
    };
    let left = Subframe::new(channel(|left, _| left), DEPTH);
    let right = Subframe::new(channel(|_, right| right), DEPTH);
    let mid = Subframe::new(channel(|left, right| (left + right) >> 1), DEPTH);
    let side = Subframe::new(channel(|left, right| left - right), DEPTH + 1);
    let ways = [(1, &left, &right), (8, &left, &side), (9, &side, &right), (10, &mid, &side)];
    let (assignment, first, second) =
        ways.into_iter().min_by_key(|(_, first, second)| first.bits + second.bits).unwrap_or((1, &left, &right));
    // Channels; 16 bits a sample.
    out.push(assignment << 4 | 4 << 1);
    put_number(number, out);
    out.extend((samples.len() as u16).wrapping_sub(1).to_be_bytes());
    out.push(crc8(&out[start..]));
    let mut bits = BitWriter::default();
    first.put(&mut bits);
    second.put(&mut bits);
    out.extend(bits.finish());
    let crc = crc16(&out[start..]);
    out.extend(crc.to_be_bytes());
}

/// A number as UTF-8 would be coded, up to 31 bits.
fn put_number(number: u32, out: &mut Vec<u8>) {
    let more = match number {
        0..=0x7F => return out.push(number as u8),
        0x80..=0x7FF => 1,
        0x800..=0xFFFF => 2,
        0x1_0000..=0x1F_FFFF => 3,
        0x20_0000..=0x3FF_FFFF => 4,
        _ => 5,
    };
    out.push((0xFF80_u16 >> more) as u8 | (number >> (6 * more)) as u8);
    for shift in (0..more).rev() {
        out.push(0x80 | (number >> (6 * shift)) as u8 & 0x3F);
    }
}

/// One channel of a frame and the best way to write it.
struct Subframe {
    samples: Vec<i32>,
    depth: u32,
    way: Way,
    bits: u64,
}

enum Way {
    Constant,
    Verbatim,
    Predicted { predictor: Predictor, partitions: u32, parameters: Vec<u32> },
}

/// What a sample is told by those before it, and what is left.
struct Predictor {
    order: usize,
    /// None for a fixed one.
    linear: Option<Linear>,
    residual: Vec<i32>,
}

/// Coefficients, the one of the last sample first, in units of `2^-shift`.
struct Linear {
    coefficients: [i32; LINEAR_ORDER],
    shift: u32,
}

impl Subframe {
    fn new(samples: Vec<i32>, depth: u32) -> Self {
        let header = 8;
        if samples.windows(2).all(|pair| pair[0] == pair[1]) {
            return Self { samples, depth, way: Way::Constant, bits: header + u64::from(depth) };
        }
        let verbatim = header + samples.len() as u64 * u64::from(depth);
        let fixed = Some(best_fixed(&samples)).into_iter();
        let coded = fixed.chain(linear(&samples)).map(|predictor| {
            let Predictor { order, residual, linear } = &predictor;
            let (partitions, parameters, coded) = best_partitions(residual, samples.len(), *order);
            let described = if linear.is_some() { 4 + 5 + *order as u64 * u64::from(PRECISION) } else { 0 };
            // Method and partition order take six bits.
            let bits = header + *order as u64 * u64::from(depth) + described + 6 + coded;
            (bits, Way::Predicted { predictor, partitions, parameters })
        });
        let best = coded.min_by_key(|(bits, _)| *bits).filter(|(bits, _)| *bits < verbatim);
        let (bits, way) = best.unwrap_or((verbatim, Way::Verbatim));
        Self { samples, depth, way, bits }
    }

    fn put(&self, bits: &mut BitWriter) {
        let sample = |bits: &mut BitWriter, sample: &i32| bits.put(sample.cast_unsigned(), self.depth);
        match &self.way {
            Way::Constant => {
                bits.put(0, 8);
                self.samples.iter().take(1).for_each(|first| sample(bits, first));
            }
            Way::Verbatim => {
                bits.put(1 << 1, 8);
                self.samples.iter().for_each(|each| sample(bits, each));
            }
            Way::Predicted { predictor: Predictor { order, linear, residual }, partitions, parameters } => {
                let kind = if linear.is_some() { 32 | (*order as u32 - 1) } else { 8 | *order as u32 };
                bits.put(kind << 1, 8);
                self.samples[..*order].iter().for_each(|each| sample(bits, each));
                if let Some(Linear { coefficients, shift }) = linear {
                    bits.put(PRECISION - 1, 4);
                    bits.put(*shift, 5);
                    coefficients.iter().for_each(|each| bits.put(each.cast_unsigned(), PRECISION));
                }
                bits.put(0, 2);
                bits.put(*partitions, 4);
                for (part, &parameter) in parts(residual, self.samples.len(), *order, *partitions).zip(parameters) {
                    bits.put(parameter, 4);
                    for &value in part {
                        let folded = fold(value);
                        bits.put_unary(folded >> parameter);
                        bits.put(folded, parameter);
                    }
                }
            }
        }
    }
}

/// The fixed predictor whose residual is least.
fn best_fixed(samples: &[i32]) -> Predictor {
    let sum = |values: &[i32]| values.iter().map(|value| u64::from(value.unsigned_abs())).sum::<u64>();
    let mut current = samples.to_vec();
    let mut best = (0, sum(&current), current.clone());
    for order in 1..=MOST_ORDER.min(samples.len() - 1) {
        current = current.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let size = sum(&current);
        if size < best.1 {
            best = (order, size, current.clone());
        }
    }
    Predictor { order: best.0, linear: None, residual: best.2 }
}

/// The linear predictor for `samples`; none for few samples, or where its coefficients do not fit.
fn linear(samples: &[i32]) -> Option<Predictor> {
    if samples.len() < 4 * LINEAR_ORDER {
        return None;
    }
    let wanted = levinson_durbin(&autocorrelation(samples))?;
    let largest = wanted.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let limit = f64::from((1_i32 << (PRECISION - 1)) - 1);
    let shift = (0..=15).rev().find(|&shift| largest * f64::from(1_i32 << shift) <= limit)?;
    // What rounding takes from one coefficient goes to the next.
    let mut rest = 0.0;
    let coefficients = wanted.map(|value| {
        let exact = value * f64::from(1_i32 << shift) + rest;
        let rounded = exact.round().clamp(-limit, limit);
        rest = exact - rounded;
        rounded as i32
    });
    let residual = samples.windows(LINEAR_ORDER + 1).map(|window| {
        let (past, now) = window.split_at(LINEAR_ORDER);
        let products = past.iter().rev().zip(&coefficients).map(|(&sample, &by)| i64::from(sample) * i64::from(by));
        i32::try_from(i64::from(now[0]) - (products.sum::<i64>() >> shift)).ok().filter(|value| value.abs() < 1 << 29)
    });
    let residual = residual.collect::<Option<Vec<i32>>>()?;
    Some(Predictor { order: LINEAR_ORDER, linear: Some(Linear { coefficients, shift }), residual })
}

/// Of the samples under a window that falls to both ends (Welch's), for distances up to the order.
fn autocorrelation(samples: &[i32]) -> [f64; LINEAR_ORDER + 1] {
    let half = (samples.len() - 1) as f64 / 2.0;
    let windowed = samples.iter().enumerate().map(|(at, &sample)| {
        let from_middle = (at as f64 - half) / (half + 1.0);
        f64::from(sample) * (1.0 - from_middle * from_middle)
    });
    let windowed: Vec<f64> = windowed.collect();
    std::array::from_fn(|distance| windowed.iter().zip(&windowed[distance..]).map(|(one, other)| one * other).sum())
}

/// The coefficients that predict best what has this autocorrelation.
fn levinson_durbin(correlation: &[f64; LINEAR_ORDER + 1]) -> Option<[f64; LINEAR_ORDER]> {
    let mut error = correlation[0];
    let mut coefficients = [0.0; LINEAR_ORDER];
    for order in 0..LINEAR_ORDER {
        let known: f64 = (0..order).map(|at| coefficients[at] * correlation[order - at]).sum();
        let reflection = (correlation[order + 1] - known) / error;
        let before = coefficients;
        coefficients[order] = reflection;
        for at in 0..order {
            coefficients[at] = before[at] - reflection * before[order - 1 - at];
        }
        error *= 1.0 - reflection * reflection;
        if !error.is_normal() || error < 0.0 {
            return None;
        }
    }
    Some(coefficients)
}

/// The residual in `2^partitions` parts of the block; the first lacks what the predictor starts with.
fn parts(residual: &[i32], block: usize, order: usize, partitions: u32) -> impl Iterator<Item = &[i32]> {
    let each = block >> partitions;
    let (first, rest) = residual.split_at(each - order);
    std::iter::once(first).chain(rest.chunks(each.max(1)))
}

/// Partition order and Rice parameters that make `residual` shortest, and its bits.
fn best_partitions(residual: &[i32], block: usize, order: usize) -> (u32, Vec<u32>, u64) {
    let possible = (0..=MOST_PARTITIONS)
        .take_while(|&partitions| block.is_multiple_of(1 << partitions) && block >> partitions > order);
    let all = possible.map(|partitions| {
        let (parameters, sizes): (Vec<u32>, Vec<u64>) =
            parts(residual, block, order, partitions).map(best_rice).unzip();
        (partitions, parameters, sizes.iter().sum::<u64>())
    });
    all.min_by_key(|(_, _, bits)| *bits).unwrap_or((0, vec![MOST_RICE], u64::MAX / 4))
}

/// The best Rice parameter for `part`, and the bits of the part with it.
fn best_rice(part: &[i32]) -> (u32, u64) {
    let size = |parameter: u32| {
        let unary: u64 = part.iter().map(|&value| u64::from(fold(value) >> parameter)).sum();
        4 + unary + part.len() as u64 * u64::from(parameter + 1)
    };
    // The best is near the logarithm of the mean.
    let sum: u64 = part.iter().map(|&value| u64::from(fold(value))).sum();
    let mean = sum / (part.len() as u64).max(1);
    let near = (u64::BITS - mean.leading_zeros()).saturating_sub(1).min(MOST_RICE);
    let around = near.saturating_sub(1)..=(near + 1).min(MOST_RICE);
    around.map(|parameter| (parameter, size(parameter))).min_by_key(|pair| pair.1).unwrap_or((near, size(near)))
}

/// Signs into the lowest bit.
fn fold(value: i32) -> u32 {
    (value << 1 ^ value >> 31).cast_unsigned()
}

/// x^8 + x^2 + x + 1.
fn crc8(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |crc, &byte| (0..8).fold(crc ^ byte, |crc: u8, _| crc << 1 ^ if crc & 0x80 != 0 { 0x07 } else { 0 }))
}

/// x^16 + x^15 + x^2 + 1.
fn crc16(bytes: &[u8]) -> u16 {
    static TABLE: [u16; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut crc = (byte as u16) << 8;
            let mut bit = 0;
            while bit < 8 {
                crc = crc << 1 ^ if crc & 0x8000 != 0 { 0x8005 } else { 0 };
                bit += 1;
            }
            table[byte] = crc;
            byte += 1;
        }
        table
    };
    bytes.iter().fold(0, |crc, &byte| crc << 8 ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use claxon::frame::FrameReader;

    use super::*;

    fn sound(len: usize, seed: u32) -> Vec<[i16; 2]> {
        let mut noise = seed;
        let mut sample = |n: usize, volume: f64| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((n as f64 / 17.0).sin() * volume) as i16 ^ (noise >> 28) as i16
        };
        (0..len).map(|n| [sample(n, 9000.0), sample(n, 7000.0)]).collect()
    }

    #[test]
    fn an_independent_decoder_gives_the_samples_back() {
        let loud: Vec<_> =
            (0..2352).map(|n| if n % 3 == 0 { [i16::MIN, i16::MAX] } else { [i16::MAX, i16::MIN] }).collect();
        let noise: Vec<_> = sound(2352, 5)
            .iter()
            .scan(1_u32, |state, _| {
                *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                Some([(*state >> 16) as i16, (*state >> 8) as i16])
            })
            .collect();
        let blocks = [
            sound(2352, 1),
            sound(1, 2),
            sound(7, 3),
            sound(1176, 4),
            loud,
            noise,
            vec![[-3, 8]; 2352],
            sound(4096, 9),
        ];
        for (number, block) in [0, 1, 127, 128, 0x7FF, 0x800, 0x1_0000, 0x7FFF_FFFF].into_iter().zip(blocks) {
            let mut bytes = Vec::new();
            put_frame(&block, number, &mut bytes);
            let mut input = Cursor::new(&bytes);
            let frame = FrameReader::new(&mut input).read_next_or_eof(Vec::new()).unwrap().unwrap();
            let decoded: Vec<_> = frame.stereo_samples().map(|(left, right)| [left as i16, right as i16]).collect();
            assert!(decoded == block, "frame {number}");
            assert_eq!(input.position(), bytes.len() as u64);
        }
    }

    #[test]
    fn music_becomes_shorter() {
        let mut bytes = Vec::new();
        put_frame(&sound(2352, 1), 0, &mut bytes);
        assert!(bytes.len() < 2352 * 4 * 6 / 10, "{} bytes", bytes.len());
        // Tones of a few frequencies are what a linear predictor knows and a fixed one does not.
        let tone = |n: usize, period: f64| (n as f64 / period).sin() * 8000.0;
        let chord: Vec<_> =
            (0..2352).map(|n| [(tone(n, 1.9) + tone(n, 5.3)) as i16, (tone(n, 2.7) + tone(n, 11.0)) as i16]).collect();
        let mut bytes = Vec::new();
        put_frame(&chord, 0, &mut bytes);
        assert!(bytes.len() < 2352 * 4 * 3 / 10, "{} bytes", bytes.len());
        let mut input = Cursor::new(&bytes);
        let frame = FrameReader::new(&mut input).read_next_or_eof(Vec::new()).unwrap().unwrap();
        assert!(frame.stereo_samples().map(|(left, right)| [left as i16, right as i16]).eq(chord));
    }
}
