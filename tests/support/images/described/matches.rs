//! Repetitions, for encoders that no library has.

/// Where the bytes at `at` were before, at most `window` bytes earlier: distance and length, which is three or more.
pub fn longest(bytes: &[u8], at: usize, window: usize) -> Option<(usize, usize)> {
    let same = |from: usize| bytes[from..].iter().zip(&bytes[at..]).take_while(|(a, b)| a == b).count();
    let from = (at.saturating_sub(window)..at).max_by_key(|&from| same(from))?;
    Some((at - from, same(from))).filter(|&(_, length)| length >= 3)
}
