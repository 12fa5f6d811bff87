//! Sound with its bytes in the other order.

use std::io;
use std::ops::Range;

use super::{ByteSource, SharedSource, check_range};

/// A source of 16-bit samples, each with its two bytes exchanged. An odd last byte stays as it is.
#[derive(Debug)]
pub struct SwappedSource(SharedSource);

impl SwappedSource {
    /// Samples begin at even offsets of `inner`.
    #[must_use]
    pub fn new(inner: SharedSource) -> Self {
        Self(inner)
    }
}

impl ByteSource for SwappedSource {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(offset, buf.len(), self.len())?;
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            let even = at & !1;
            let mut samples = [0; 4096];
            let wanted = (at - even) + (buf.len() - done) as u64;
            let count = (wanted + (wanted & 1)).min(samples.len() as u64).min(self.len() - even) as usize;
            self.0.read_exact_at(&mut samples[..count], even)?;
            samples[..count].chunks_exact_mut(2).for_each(|sample| sample.swap(0, 1));
            let from = (at - even) as usize;
            let step = (count - from).min(buf.len() - done);
            buf[done..done + step].copy_from_slice(&samples[from..from + step]);
            done += step;
        }
        Ok(())
    }
    fn read_ahead(&self, range: Range<u64>) {
        self.0.read_ahead(range);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::MemorySource;
    use super::*;

    #[test]
    fn every_window_is_swapped_and_an_odd_last_byte_is_not() {
        let bytes: Vec<u8> = (0..9001_u32).map(|n| (n * 7) as u8).collect();
        let mut expected = bytes.clone();
        expected.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
        let swapped = SwappedSource::new(Arc::new(MemorySource::new(bytes)));
        for (start, end) in [(0, 9001), (1, 2), (1, 9000), (4095, 4097), (8999, 9001), (9000, 9001), (3, 3)] {
            let mut buf = vec![0; end - start];
            swapped.read_exact_at(&mut buf, start as u64).unwrap();
            assert_eq!(buf, expected[start..end], "{start}..{end}");
        }
        assert!(swapped.read_exact_at(&mut [0; 2], 9000).is_err());
    }
}
