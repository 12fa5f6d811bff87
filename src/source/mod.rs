//! Positional bytes: where a disc's sectors come from.
//!
//! Not responsible for what the bytes mean. A source is shared by all request threads at once.

mod around;
mod block_source;
pub mod blocks;
pub mod cache;
mod concat;
mod file;
mod frames;
mod gone;
mod identity;
mod ledger;
mod mapped;
mod memory;
mod padded;
mod page_buffer;
mod remote;
mod residency;
mod room;
mod scatter;
mod scratch;
mod shelf;
pub mod siblings;
mod slice;
mod swapped;
mod unit;
pub mod waits;

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

pub use self::block_source::BlockSource;
pub use self::blocks::{Block, Blocks, each_block};
pub use self::cache::BlockCache;
pub use self::concat::ConcatSource;
pub use self::file::FileSource;
pub use self::identity::FileIdentity;
pub use self::memory::MemorySource;
pub use self::padded::PaddedSource;
pub use self::page_buffer::PageBuffer;
pub use self::remote::{is_remote, is_remote_file};
pub use self::scatter::Scatter;
pub use self::scratch::with_bytes;
pub use self::siblings::Siblings;
pub use self::slice::SliceSource;
pub use self::swapped::SwappedSource;

/// Random access to a run of bytes.
///
/// An implementer must fill the whole buffer or fail; must not panic for any offset, also one whose end overflows;
/// must return the same bytes for the same range every time, unless the storage itself changed. A range that reaches
/// past [`len`](Self::len), or past what the storage still holds, fails with `UnexpectedEof`; bytes of the buffer may
/// have been written by then. Callers may rely on all of this, from any thread.
pub trait ByteSource: Send + Sync + fmt::Debug {
    /// Length in bytes, as it was when the source was opened.
    fn len(&self) -> u64;

    /// True when there is nothing to read.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` past the end, else what the storage reports.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// Fills guest memory from `offset`. The default goes through a small buffer; a source whose bytes can reach
    /// guest memory in one copy overrides it.
    ///
    /// # Errors
    /// As [`read_exact_at`](Self::read_exact_at).
    fn read_scatter_at(&self, out: Scatter<'_>, offset: u64) -> io::Result<()> {
        let mut buf = [0_u8; 4096];
        let mut done = 0;
        while done < out.len() {
            let step = buf.len().min(out.len() - done);
            self.read_exact_at(&mut buf[..step], advance(offset, done)?)?;
            out.slice(done, step).copy_from(&buf[..step]);
            done += step;
        }
        Ok(())
    }

    /// Fills guest memory with blocks that do not lie one after another, the first from `offset`. The default reads one by one;
    /// a source for which each read is dear overrides it.
    ///
    /// # Errors
    /// As [`read_exact_at`](Self::read_exact_at).
    fn read_blocks_at(&self, out: Scatter<'_>, blocks: Spaced, offset: u64) -> io::Result<()> {
        read_one_by_one(self, out, blocks, offset)
    }

    /// Fills guest memory from `offset`, if that takes nothing but a copy from memory. False when it takes more, also for a range that
    /// is not there: then what is in `out` means nothing, and [`read_scatter_at`](Self::read_scatter_at) does it, or tells why not.
    fn copy_at(&self, _out: Scatter<'_>, _offset: u64) -> bool {
        false
    }

    /// A range will be read soon: what can be fetched or decoded meanwhile may be. Returns before it is, and changes no later
    /// result; nothing happens for a range that is not there. The default does nothing.
    fn read_ahead(&self, _range: Range<u64>) {}
}

/// Blocks with gaps between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spaced {
    /// Bytes of a block; at least 1.
    pub block: usize,
    /// Bytes from the end of one to the start of the next.
    pub gap: usize,
}

impl Spaced {
    /// From the first byte of a block to the last of the block with which `bytes` of them are full.
    fn span(&self, bytes: usize) -> usize {
        let gaps = bytes.saturating_sub(1) / self.block.max(1);
        bytes.saturating_add(self.gap.saturating_mul(gaps))
    }
}

fn read_one_by_one(
    source: &(impl ByteSource + ?Sized),
    out: Scatter<'_>,
    blocks: Spaced,
    mut offset: u64,
) -> io::Result<()> {
    if blocks.gap == 0 {
        return source.read_scatter_at(out, offset);
    }
    for done in (0..out.len()).step_by(blocks.block) {
        source.read_scatter_at(out.slice(done, blocks.block), offset)?;
        offset = advance(advance(offset, blocks.block)?, blocks.gap)?;
    }
    Ok(())
}

/// A source that several owners hold.
pub type SharedSource = Arc<dyn ByteSource>;

/// `offset + by`, or the error for a range that no source can have.
fn advance(offset: u64, by: usize) -> io::Result<u64> {
    offset.checked_add(by as u64).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Fails with `UnexpectedEof` unless `offset .. offset + count` lies in `0 .. len`.
fn check_range(offset: u64, count: usize, len: u64) -> io::Result<()> {
    match advance(offset, count)? {
        end if end <= len => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Remembers what was named.
    #[derive(Debug, Default)]
    struct Named(Mutex<Vec<Range<u64>>>);

    impl ByteSource for Named {
        fn len(&self) -> u64 {
            100
        }

        fn read_exact_at(&self, _buf: &mut [u8], _offset: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn read_ahead(&self, range: Range<u64>) {
            self.0.lock().unwrap().push(range);
        }
    }

    /// Whose every copy is made.
    #[derive(Debug, Default)]
    struct Copied(Mutex<Vec<u64>>);

    impl ByteSource for Copied {
        fn len(&self) -> u64 {
            100
        }

        fn read_exact_at(&self, _buf: &mut [u8], _offset: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn copy_at(&self, _out: Scatter<'_>, offset: u64) -> bool {
            self.0.lock().unwrap().push(offset);
            true
        }
    }

    /// Reads every range of `source` in every way, and past its end.
    pub(super) fn assert_reads_as(source: &dyn ByteSource, bytes: &[u8]) {
        let memory = crate::sys::memory::anonymous(4096).unwrap();
        let guest = |len| [vm_memory::GuestMemoryBackend::get_slice(&memory, vm_memory::GuestAddress(0), len).unwrap()];
        assert_eq!(source.len(), bytes.len() as u64);
        for start in 0..bytes.len() {
            let at = start as u64;
            for wanted in (start..=bytes.len()).map(|end| &bytes[start..end]) {
                let (mut buf, mut scattered) = (vec![0xEE; wanted.len()], vec![0xEE; wanted.len()]);
                source.read_exact_at(&mut buf, at).unwrap();
                source.read_scatter_at(Scatter::new(&guest(wanted.len())), at).unwrap();
                assert_eq!(Scatter::new(&guest(wanted.len())).copy_to(&mut scattered), wanted.len());
                assert_eq!([&buf[..], &scattered], [wanted; 2], "from {start}");
                if source.copy_at(Scatter::new(&guest(wanted.len())), at) {
                    assert_eq!(Scatter::new(&guest(wanted.len())).copy_to(&mut scattered), wanted.len());
                    assert_eq!(scattered, wanted, "copied from {start}");
                }
                for (block, gap) in [(2, 1), (1, 3), (3, 0)] {
                    let blocks: Vec<_> =
                        wanted.chunks(block + gap).filter_map(|chunk| chunk.get(..block)).flatten().copied().collect();
                    let mut found = vec![0xEE; blocks.len()];
                    source.read_blocks_at(Scatter::new(&guest(found.len())), Spaced { block, gap }, at).unwrap();
                    assert_eq!(Scatter::new(&guest(found.len())).copy_to(&mut found), found.len());
                    assert_eq!(found, blocks, "blocks of {block} and {gap} from {start}");
                }
            }
        }
        for (at, len) in [(bytes.len() as u64 - 1, 2), (bytes.len() as u64, 1), (u64::MAX, 1)] {
            let guest = guest(len);
            let out = Scatter::new(&guest);
            assert!(source.read_exact_at(&mut vec![0; len], at).is_err());
            assert!(source.read_scatter_at(out, at).is_err());
            assert!(source.read_blocks_at(out, Spaced { block: 1, gap: 1 }, at).is_err());
            assert!(!source.copy_at(out, at));
        }
    }

    #[test]
    fn whole_ranges_reach_the_source_below_at_once() {
        let memory = crate::sys::memory::anonymous(4096).unwrap();
        let ten = [vm_memory::GuestMemoryBackend::get_slice(&memory, vm_memory::GuestAddress(0), 10).unwrap()];
        let inners = [Arc::new(Copied::default()), Arc::new(Copied::default())];
        let all = ConcatSource::new(inners.clone().map(|inner| inner as SharedSource)).unwrap();
        let copies = [0, 90, 91, 100, 190, 191].map(|at| all.copy_at(Scatter::new(&ten), at));
        assert_eq!(copies, [true, true, false, true, true, false]);
        assert_eq!(inners.map(|inner| std::mem::take(&mut *inner.0.lock().unwrap())), [[0, 90]; 2]);
        let inner = Arc::new(Copied::default());
        let padded = PaddedSource::new(Arc::clone(&inner) as _, 200);
        assert_eq!([90, 91, 100].map(|at| padded.copy_at(Scatter::new(&ten), at)), [true, false, false]);
        assert_eq!(*inner.0.lock().unwrap(), [90]);
    }

    #[test]
    fn a_slice_copies_what_is_in_it_and_nothing_beyond() {
        let memory = crate::sys::memory::anonymous(4096).unwrap();
        let ten = [vm_memory::GuestMemoryBackend::get_slice(&memory, vm_memory::GuestAddress(0), 10).unwrap()];
        let inner = Arc::new(Copied::default());
        let slice = SliceSource::new(Arc::clone(&inner) as _, 20, 50).unwrap();
        let copies = [0, 40, 41, u64::MAX].map(|at| slice.copy_at(Scatter::new(&ten), at));
        assert_eq!(copies, [true, true, false, false]);
        assert_eq!(*inner.0.lock().unwrap(), [20, 60]);
    }

    #[test]
    fn what_will_be_read_is_named_to_the_sources_below_at_its_place() {
        let named = || Arc::new(Named::default());
        let told = |named: &Named| std::mem::take(&mut *named.0.lock().unwrap());

        let inner = named();
        let slice = SliceSource::new(Arc::clone(&inner) as _, 20, 50).unwrap();
        slice.read_ahead(5..60);
        slice.read_ahead(u64::MAX - 1..u64::MAX);
        assert_eq!(told(&inner), [25..70, 70..70]);

        let (first, second) = (named(), named());
        let all = ConcatSource::new([Arc::clone(&first) as _, Arc::clone(&second) as SharedSource]).unwrap();
        all.read_ahead(90..110);
        all.read_ahead(100..300);
        all.read_ahead(200..201);
        all.read_ahead(10..20);
        assert_eq!(told(&second), [0..10, 0..100]);
        assert_eq!(told(&first), [90..100, 10..20]);

        PaddedSource::new(Arc::clone(&inner) as _, 200).read_ahead(50..150);
        SwappedSource::new(Arc::clone(&inner) as _).read_ahead(1..2);
        assert_eq!(told(&inner), [50..150, 1..2]);
    }
}
