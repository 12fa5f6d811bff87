//! Latencies, to within 1.6%.

use std::time::Duration;

/// Buckets for each power of two.
const FINE: u32 = 6;

/// Counts of nanoseconds in buckets whose width grows with their place. Adding one allocates nothing.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    largest: u64,
}

impl Histogram {
    pub fn new() -> Self {
        Self { buckets: vec![0; (65 - FINE as usize) << FINE], count: 0, largest: 0 }
    }

    pub fn add(&mut self, latency: Duration) {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(ns)] += 1;
        self.count += 1;
        self.largest = self.largest.max(ns);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn largest(&self) -> u64 {
        self.largest
    }

    /// The nanoseconds that `part` of all stay within; 0 when there are none.
    pub fn quantile(&self, part: f64) -> u64 {
        let wanted = (self.count as f64 * part).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (at, &count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper(at).min(self.largest);
            }
        }
        self.largest
    }
}

/// Below 2^FINE one bucket each; from there on the top FINE + 1 bits choose it.
fn bucket(ns: u64) -> usize {
    let shift = (63 - (ns | 1).leading_zeros()).saturating_sub(FINE);
    ((shift as usize) << FINE) + (ns >> shift) as usize
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let shift = (bucket >> FINE).saturating_sub(1) as u32;
    let top = (bucket - ((shift as usize) << FINE)) as u64;
    ((top + 1) << shift) - 1
}
