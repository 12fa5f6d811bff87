//! How formats are told apart: by content, never by name.

use std::ops::Range;

use crate::source::ByteSource;

/// What a format or container is called.
#[derive(Debug)]
pub struct FormatInfo {
    /// Short lower-case name, as JSON and the control socket spell it.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// Usual file name endings, without the dot. Never used to decide.
    pub extensions: &'static [&'static str],
}

/// How sure a format is that the bytes are its own. The highest wins; among equals the first in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Score {
    /// Not this format.
    No,
    /// Could be anything; taken when nothing else claims it.
    Fallback,
    /// The structure fits, but there is no signature.
    Likely,
    /// The content shows the format.
    Sure,
}

/// What a format may look at to claim a file.
#[derive(Debug)]
pub struct Probe<'a> {
    /// The whole file.
    pub source: &'a dyn ByteSource,
    /// Its first bytes: [`HEAD`](Self::HEAD), or all of a shorter file.
    pub head: Vec<u8>,
    /// Its last bytes: [`TAIL`](Self::TAIL), or all of a shorter file.
    pub tail: Vec<u8>,
    /// Its name, without folders; empty when it has none. Only a hint.
    pub name: &'a str,
}

impl<'a> Probe<'a> {
    /// Bytes in `head`: sector 16 of the largest sectors is inside.
    pub const HEAD: usize = 64 << 10;
    /// Bytes in `tail`.
    pub const TAIL: usize = 4 << 10;

    /// Looks at `source`. Where it cannot be read, `head` and `tail` are empty.
    #[must_use]
    pub fn new(source: &'a dyn ByteSource, name: &'a str) -> Self {
        let len = source.len();
        let read = |range: Range<u64>| {
            let mut bytes = vec![0; (range.end - range.start) as usize];
            source.read_exact_at(&mut bytes, range.start).map_or_else(|_| Vec::new(), |()| bytes)
        };
        let head = read(0..len.min(Self::HEAD as u64));
        let tail = read(len.saturating_sub(Self::TAIL as u64)..len);
        Self { source, head, tail, name }
    }

    /// Length of the file in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.source.len()
    }

    /// True for an empty file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.source.len() == 0
    }

    /// True when `magic` is at `offset` in the head.
    #[must_use]
    pub fn has(&self, offset: usize, magic: &[u8]) -> bool {
        self.head.get(offset..).is_some_and(|rest| rest.starts_with(magic))
    }

    /// True when `magic` is `before_end` bytes before the end of the file.
    #[must_use]
    pub fn ends_with(&self, before_end: usize, magic: &[u8]) -> bool {
        self.tail.len().checked_sub(before_end).is_some_and(|at| self.tail[at..].starts_with(magic))
    }
}
