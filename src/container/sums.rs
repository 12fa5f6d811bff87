//! Where blocks of unequal length lie, without a number for each: the sum of the lengths at every so many blocks.

/// Blocks from one sum to the next.
pub const EVERY: u64 = 64;

/// Sums of the lengths of blocks, for a table that only has lengths.
#[derive(Debug, Default)]
pub struct Sums {
    sums: Vec<u64>,
    total: u64,
    count: u64,
}

impl Sums {
    /// Adds the next block. Nothing when all together are longer than any file can be.
    pub fn push(&mut self, len: u64) -> Option<()> {
        if self.count.is_multiple_of(EVERY) {
            self.sums.push(self.total);
        }
        self.count += 1;
        self.total = self.total.checked_add(len)?;
        Some(())
    }

    /// The length of all.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The last block up to `number` whose sum is known, and the sum.
    pub fn before(&self, number: u64) -> (u64, u64) {
        let at = number / EVERY;
        self.sums.get(at as usize).map_or((self.count, self.total), |&sum| (at * EVERY, sum))
    }
}
