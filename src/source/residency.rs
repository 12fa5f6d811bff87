//! Which parts of a file are known to have come into the page cache.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use zerocopy::FromZeros;

/// A bit for each part of a length, such as a page. Memory is taken as parts are seen: the kernel gives zeroed pages when they are
/// first written.
///
/// A hint: a part may leave the cache at any time. Nothing is ordered by it.
#[derive(Debug)]
pub struct Residency {
    bits: Box<[AtomicU64]>,
    /// The length of a part, as a power of two.
    shift: u32,
}

impl Residency {
    /// For a file of `len` bytes, none of which was seen, in parts of `part` bytes, a power of two. None when there is no memory for it.
    pub fn new(len: u64, part: u64) -> Option<Self> {
        let words = usize::try_from(len.div_ceil(part).div_ceil(64)).ok()?;
        let bits = <[AtomicU64]>::new_box_zeroed_with_elems(words).ok()?;
        Some(Self { bits, shift: part.trailing_zeros() })
    }

    /// Whether all of the range was seen.
    pub fn has(&self, bytes: Range<u64>) -> bool {
        self.words(bytes).all(|(word, bits)| word.load(Ordering::Relaxed) & bits == bits)
    }

    /// It is in the cache now.
    pub fn add(&self, bytes: Range<u64>) {
        for (word, bits) in self.words(bytes) {
            // Most are known already, and a look does not take the line from other processors.
            if word.load(Ordering::Relaxed) & bits != bits {
                word.fetch_or(bits, Ordering::Relaxed);
            }
        }
    }

    /// Nothing is known of it any more.
    pub fn remove(&self, bytes: Range<u64>) {
        for (word, bits) in self.words(bytes) {
            word.fetch_and(!bits, Ordering::Relaxed);
        }
    }

    /// Nothing is known of any part any more.
    pub fn clear(&self) {
        for word in &self.bits {
            if word.load(Ordering::Relaxed) != 0 {
                word.store(0, Ordering::Relaxed);
            }
        }
    }

    /// The words that stand for a range, each with the bits that do.
    fn words(&self, bytes: Range<u64>) -> impl Iterator<Item = (&AtomicU64, u64)> {
        let end = (bytes.end >> self.shift) + u64::from(bytes.end & ((1 << self.shift) - 1) != 0);
        let parts = bytes.start >> self.shift..end;
        let words = parts.start / 64..if parts.is_empty() { 0 } else { parts.end.div_ceil(64) };
        words.filter_map(move |index| {
            let first = parts.start.max(index * 64) - index * 64;
            let past = parts.end.min((index + 1) * 64) - index * 64;
            let bits = u64::MAX >> (64 - (past - first)) << first;
            usize::try_from(index).ok().and_then(|index| self.bits.get(index)).map(|word| (word, bits))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 4096;

    #[test]
    fn pages_are_known_as_far_as_they_were_seen() {
        let seen = Residency::new(1000 * PAGE - 5, PAGE).unwrap();
        assert!(!seen.has(0..1));
        seen.add(PAGE * 60 + 1..PAGE * 200 - 1);
        assert!(seen.has(PAGE * 60..PAGE * 200));
        assert!(!seen.has(PAGE * 60 - 1..PAGE * 61));
        assert!(!seen.has(PAGE * 199..PAGE * 200 + 1));
        seen.remove(PAGE * 128..PAGE * 129);
        assert!(seen.has(PAGE * 60..PAGE * 128));
        assert!(!seen.has(PAGE * 127..PAGE * 129));
        seen.remove(PAGE * 70..PAGE * 70);
        assert!(seen.has(PAGE * 64..PAGE * 64) && seen.has(PAGE * 60..PAGE * 128));
        seen.add(0..1000 * PAGE - 5);
        assert!(seen.has(0..1000 * PAGE - 5));
        seen.clear();
        assert!((0..1000).all(|page| !seen.has(page * PAGE..page * PAGE + 1)));
    }
}
