//! What the decoders of LZ4 and LZO have in common: input that ends, and output that is repeated.

use std::io;

use crate::container::damaged;

/// The packed bytes that are left.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (now, later) = self.0.split_at_checked(count).ok_or_else(|| damaged("a packed block ends too early"))?;
        self.0 = later;
        Ok(now)
    }

    pub fn byte(&mut self) -> io::Result<usize> {
        self.take(1).map(|bytes| bytes.iter().fold(0, |_, &byte| usize::from(byte)))
    }

    pub fn le16(&mut self) -> io::Result<usize> {
        Ok(self.byte()? | self.byte()? << 8)
    }
}

/// The output, filled from its start.
pub struct Output<'a> {
    bytes: &'a mut [u8],
    done: usize,
}

impl<'a> Output<'a> {
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, done: 0 }
    }

    pub fn is_full(&self) -> bool {
        self.done == self.bytes.len()
    }

    /// As many of the next `count` bytes of `input` as there is room for.
    pub fn literals(&mut self, input: &mut Input<'_>, count: usize) -> io::Result<()> {
        let room = &mut self.bytes[self.done..];
        let count = count.min(room.len());
        room[..count].copy_from_slice(input.take(count)?);
        self.done += count;
        Ok(())
    }

    /// `count` bytes again that were written `distance` bytes ago, which may overlap; as many as there is room for.
    pub fn repeat(&mut self, distance: usize, count: usize) -> io::Result<()> {
        let from = self.done.checked_sub(distance).filter(|_| distance > 0);
        let from = from.ok_or_else(|| damaged("a packed block refers to bytes before its start"))?;
        let count = count.min(self.bytes.len() - self.done);
        // What has been copied is repeated, too: each round can copy twice as much as the one before.
        let end = self.done + count;
        while self.done < end {
            let step = (self.done - from).min(end - self.done);
            self.bytes.copy_within(from..from + step, self.done);
            self.done += step;
        }
        Ok(())
    }
}
