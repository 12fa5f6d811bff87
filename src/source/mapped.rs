//! A file's mapping, used for what is known to be in the page cache.

use std::cell::Cell;
use std::fs::File;
use std::ops::Range;

use super::residency::Residency;
use super::waits;
use crate::sys::guarded::{Lost, Mapping, faults_from_storage};
use crate::sys::page::page_size;

/// After how much copying a thread asks whether its faults waited for storage: each copy counts one, and one for each
/// [`COPY_UNIT`] bytes.
const COPIES_TO_LOOK: u64 = 64;
const COPY_UNIT: u64 = 64 << 10;

thread_local! {
    /// Copies since the last look, and the faults then.
    static LOOK: Cell<(u64, i64)> = const { Cell::new((0, 0)) };
}

/// What was read once is copied from here the next time: without a system call, and without a wait for storage, for which
/// positional reads are the better way, with the kernel's read-ahead.
#[derive(Debug)]
pub struct Mapped {
    mapping: Mapping,
    seen: Residency,
}

impl Mapped {
    /// Maps the first `len` bytes of `file`. None where that cannot be: then every read is a positional one.
    pub fn new(file: &File, len: u64) -> Option<Self> {
        let mapping = Mapping::new(file, len).ok()?;
        Some(Self { mapping, seen: Residency::new(len, page_size() as u64)? })
    }

    /// The range was just read, so it is in the page cache.
    pub fn was_read(&self, range: Range<u64>) {
        self.seen.add(range);
    }

    /// Whether all of a range was read before, and as far as is known still is there.
    pub fn knows(&self, range: Range<u64>) -> bool {
        self.seen.has(range)
    }

    /// Copies a range, if all of it was read before and still is there. False when a positional read must do it.
    pub fn copy(&self, file: &File, range: Range<u64>, copy: impl FnOnce(&Mapping) -> Result<(), Lost>) -> bool {
        if !self.seen.has(range.clone()) {
            return false;
        }
        let whole = |mapping: &Mapping| {
            !mapping.may_be_cut_before(range.end)
                || self.goes_on_behind(range.end)
                || file.metadata().is_ok_and(|now| now.len() >= range.end)
        };
        if copy(&self.mapping).is_err() || !whole(&self.mapping) {
            self.seen.remove(range);
            return false;
        }
        if storage_was_waited_for(range.end - range.start) {
            // The system took pages back. Which is not known, and the next positional read of each says so.
            self.seen.clear();
        }
        true
    }

    /// Whether the page behind the one that ends a range is there, as far as can be told without waiting for storage.
    fn goes_on_behind(&self, end: u64) -> bool {
        let next = end.next_multiple_of(page_size() as u64);
        self.seen.has(next..next + 1) && self.mapping.reaches(next)
    }
}

/// Whether the calling thread had to wait for storage in copies since it looked last; it looks now and then.
fn storage_was_waited_for(bytes: u64) -> bool {
    LOOK.with(|look| {
        let (copies, before) = look.get();
        let copies = copies + 1 + bytes / COPY_UNIT;
        if copies < COPIES_TO_LOOK {
            look.set((copies, before));
            return false;
        }
        let now = faults_from_storage();
        look.set((0, now));
        if now == before {
            waits::are_over();
        }
        now > before
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::sys::copy::rescued;

    #[test]
    fn what_was_cut_off_is_not_copied_and_no_longer_known() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8 * 4096).unwrap();
        file.write_all_at(&[7], 7 * 4096 + 9).unwrap();
        let mapped = Mapped::new(&file, 8 * 4096).unwrap();
        let mut buf = [1; 4096];
        let mut copy = |at: u64| mapped.copy(&file, at..at + 4096, |mapping| mapping.copy_to(&mut buf, at));
        assert!(!copy(0), "not read yet");
        mapped.was_read(0..8 * 4096);
        assert!(copy(0) && copy(7 * 4096));
        assert!(mapped.mapping.may_be_cut_before(8 * 4096) && !mapped.mapping.may_be_cut_before(7 * 4096 + 10));
        file.set_len(4 * 4096 + 5).unwrap();
        let before = rescued();
        assert!(copy(3 * 4096));
        assert!(!copy(4 * 4096), "zeros behind the end of the file");
        assert!(!copy(5 * 4096));
        assert!(rescued() > before);
        // A byte that is gone proves nothing, as a zero; one that is there does.
        let before = rescued();
        assert!(mapped.mapping.may_be_cut_before(6 * 4096) && mapped.mapping.may_be_cut_before(u64::MAX));
        assert!(rescued() >= before + 2);
        file.set_len(8 * 4096).unwrap();
        assert!(!copy(4 * 4096) && !copy(5 * 4096), "the next read must be of the file");
        assert!(copy(6 * 4096), "nothing was lost there");
    }

    #[test]
    fn the_page_behind_zeros_shows_that_nothing_was_cut_off() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(3 * 4096).unwrap();
        let mapped = Mapped::new(&file, 3 * 4096).unwrap();
        mapped.was_read(0..4096);
        // Which says that everything was cut off, if it is asked.
        let empty = tempfile::tempfile().unwrap();
        let copy = |range: Range<u64>| {
            mapped.copy(&empty, range.clone(), |mapping| {
                mapping.copy_to(&mut [1; 4096][..(range.end - range.start) as usize], range.start)
            })
        };
        assert!(!copy(0..4096), "the page behind may not be in memory");
        mapped.was_read(0..3 * 4096);
        assert!(copy(0..4096) && copy(2048..4096) && copy(4096..8192));
        assert!(!copy(8192..12288), "there is no page behind");
    }
}
