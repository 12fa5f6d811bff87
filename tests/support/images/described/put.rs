//! Numbers and strings appended to bytes.

pub trait Put {
    fn put(&mut self, bytes: &[u8]);

    fn zeros(&mut self, count: usize) {
        self.put(&vec![0; count]);
    }

    fn le16(&mut self, value: u16) {
        self.put(&value.to_le_bytes());
    }

    fn le32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    /// Words one after another.
    fn le32s(&mut self, values: &[u32]) {
        values.iter().for_each(|&value| self.le32(value));
    }

    fn le64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }

    /// `bytes` and zeros up to `size`.
    fn padded(&mut self, bytes: &[u8], size: usize) {
        self.put(bytes);
        self.zeros(size - bytes.len());
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
