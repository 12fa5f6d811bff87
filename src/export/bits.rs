//! Writing bits, the most significant of a byte first.

/// Bytes to be, and the bits that do not fill one yet.
#[derive(Debug, Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    /// The last bits, `held` of them, right-aligned; less than a byte between calls.
    bits: u64,
    held: u32,
}

impl BitWriter {
    /// Adds the low `count` bits of `value`, at most 32.
    pub fn put(&mut self, value: u32, count: u32) {
        let mask = (1_u64 << count) - 1;
        self.bits = self.bits << count | u64::from(value) & mask;
        self.held += count;
        while self.held >= 8 {
            self.held -= 8;
            self.bytes.push((self.bits >> self.held) as u8);
        }
        self.bits &= 0xFF;
    }

    /// Adds `zeros` zero bits and a one.
    pub fn put_unary(&mut self, zeros: u32) {
        let mut left = zeros;
        while left >= 31 {
            self.put(0, 31);
            left -= 31;
        }
        self.put(1, left + 1);
    }

    /// The bytes, the last filled up with zero bits.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        if self.held > 0 {
            self.put(0, 8 - self.held);
        }
        self.bytes
    }
}
