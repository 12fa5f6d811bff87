//! A task's two data buffers in the initiator's memory, and the count of what moved.

use crate::source::Scatter;

/// The Data-In Buffer: what a command returns goes here, in order.
///
/// A command states all it has to return; what does not fit is dropped and remembered, so that the transport can tell
/// an underrun (room left: a residual) from an overrun (more data than room).
#[derive(Debug)]
pub struct DataIn<'a> {
    room: Scatter<'a>,
    filled: usize,
    overrun: bool,
}

impl<'a> DataIn<'a> {
    /// An empty buffer over `room`.
    #[must_use]
    pub fn new(room: Scatter<'a>) -> Self {
        Self { room, filled: 0, overrun: false }
    }

    /// Appends `data`.
    pub fn put(&mut self, data: &[u8]) {
        let copied = self.room.slice(self.filled, data.len()).copy_from(data);
        self.filled += copied;
        self.overrun |= copied < data.len();
    }

    /// The next `len` bytes of room, fewer where the buffer ends, for data that goes there straight from storage.
    /// Follow with [`advance`](Self::advance) for what was really written.
    #[must_use]
    pub fn window(&self, len: usize) -> Scatter<'a> {
        self.room.slice(self.filled, len)
    }

    /// Counts bytes that were written through [`window`](Self::window).
    pub fn advance(&mut self, bytes: usize) {
        self.filled = self.filled.saturating_add(bytes).min(self.room.len());
    }

    /// Remembers that the command had more to return than there was room.
    pub fn mark_overrun(&mut self) {
        self.overrun = true;
    }

    /// Bytes returned.
    #[must_use]
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// Bytes of room left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.room.len() - self.filled
    }

    /// True when the command had more to return than there was room.
    #[must_use]
    pub fn overrun(&self) -> bool {
        self.overrun
    }

    /// Forgets everything: for a command that failed after it began to answer.
    pub fn clear(&mut self) {
        self.filled = 0;
        self.overrun = false;
    }
}

/// The Data-Out Buffer: what the initiator sent.
#[derive(Debug)]
pub struct DataOut<'a> {
    data: Scatter<'a>,
    taken: usize,
    overrun: bool,
}

impl<'a> DataOut<'a> {
    /// All of `data`, none of it taken.
    #[must_use]
    pub fn new(data: Scatter<'a>) -> Self {
        Self { data, taken: 0, overrun: false }
    }

    /// Takes the next bytes into `buf`; returns how many there were. Fewer than asked is an overrun.
    pub fn take(&mut self, buf: &mut [u8]) -> usize {
        let got = self.data.slice(self.taken, buf.len()).copy_to(buf);
        self.taken += got;
        self.overrun |= got < buf.len();
        got
    }

    /// Bytes taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Bytes not taken.
    #[must_use]
    pub fn left(&self) -> usize {
        self.data.len() - self.taken
    }

    /// True when the command wanted more than the initiator sent.
    #[must_use]
    pub fn overrun(&self) -> bool {
        self.overrun
    }
}
