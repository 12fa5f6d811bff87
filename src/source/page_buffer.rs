//! Buffers for bytes on their way from one file to another.

/// The smallest page that any kernel has.
const PAGE: usize = 4096;

/// A buffer that begins with a page, as the bytes of a file do in the page cache. Long memory of the allocator begins 16 bytes behind
/// one: then no line of the cache is copied as a whole, and copying takes up to twice the time.
#[derive(Debug)]
pub struct PageBuffer {
    room: Vec<u8>,
    start: usize,
    len: usize,
}

impl PageBuffer {
    /// `len` zeros.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let room = vec![0; len + PAGE];
        // Where no such place is told, any is right.
        let start = Some(room.as_ptr().align_offset(PAGE)).filter(|&start| start <= PAGE).unwrap_or(0);
        Self { room, start, len }
    }

    /// The bytes.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.room[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_with_a_page_and_is_as_long_as_asked() {
        for len in [0, 1, 4096, 100_000] {
            let mut buffer = PageBuffer::new(len);
            assert_eq!((buffer.bytes().as_ptr() as usize % PAGE, buffer.bytes().len()), (0, len));
        }
    }
}
