//! What is fetched with a read that is not in memory.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use super::residency::Residency;

/// The ECC block of a DVD, which its drives read whole too. What lies side by side is often read soon after.
const BLOCK: u64 = 32 << 10;
/// What is fetched where nothing beside is read.
const PAGE: u64 = 4 << 10;
/// The most that is fetched at once.
const MOST: u64 = 2 << 20;

/// So many reads more that nothing had been fetched for than reads that gained by another's: from then on pages alone are fetched, which
/// takes half the time, until half as many have gained again. A single read that gains by chance changes nothing.
const MOST_IN_VAIN: u32 = 512;
/// The same of a file that is no larger than a CD: by then a third of its blocks have come, and most reads find theirs soon.
const MOST_IN_VAIN_OF_A_CD: u32 = 4096;
const CD: u64 = 900 << 20;

/// What a read counts that gained, or would have.
const GAIN: u32 = 2;

/// What was fetched of a file, and whether whole blocks are worth their time, as the kernel judges the same for its mappings.
///
/// A guess from what was read last: threads may spoil it for each other, and the system takes pages back when it likes. Then more or
/// less is fetched than would be best.
#[derive(Debug)]
pub(super) struct Around {
    /// Blocks that were fetched whole. None where there is no memory to know.
    blocks: Option<Residency>,
    most_in_vain: u32,
    /// From [`most_in_vain`](Self::most_in_vain) on pages are fetched; when that is reached it goes to twice that, and back to 0 when it
    /// falls below.
    in_vain: AtomicU32,
    /// For the last blocks that were read from, one in each place: the number of the page that was, and 1. Many more than reads are
    /// under way, or they push each other out.
    recent: [AtomicU32; 1024],
}

impl Around {
    /// For a file of `len` bytes.
    pub fn new(len: u64) -> Self {
        let recent = [const { AtomicU32::new(0) }; 1024];
        let most_in_vain = if len > CD { MOST_IN_VAIN } else { MOST_IN_VAIN_OF_A_CD };
        Self { blocks: Residency::new(len, BLOCK), most_in_vain, in_vain: AtomicU32::new(0), recent }
    }

    /// What to fetch for a read of `range`, which is not known to be in memory. None when it is on its way.
    pub fn fetch_for(&self, range: Range<u64>) -> Option<Range<u64>> {
        let page = number_of(range.start);
        let before = self.place(range.start).swap(page, Ordering::Relaxed);
        if before == page {
            return None;
        }
        if self.blocks.as_ref().is_some_and(|blocks| blocks.has(range.clone())) {
            self.gained();
            return None;
        }
        let in_block = |number: u32| (number - 1) / (BLOCK / PAGE) as u32;
        let beside = before != 0 && in_block(before) == in_block(page);
        if beside {
            self.gained();
        } else {
            let in_vain = self.in_vain.load(Ordering::Relaxed) + 1;
            let full = 2 * self.most_in_vain;
            self.in_vain.store(if in_vain == self.most_in_vain { full } else { in_vain.min(full) }, Ordering::Relaxed);
        }
        let unit = if self.by_page() { PAGE } else { BLOCK };
        let start = range.start / unit * unit;
        let fetched = start..range.end.next_multiple_of(unit).min(start + MOST);
        if unit == BLOCK
            && let Some(blocks) = &self.blocks
        {
            blocks.add(fetched.clone());
        }
        Some(fetched)
    }

    /// A read found its bytes, the first at `at`, in memory.
    pub fn found(&self, at: u64) {
        // What was fetched for this very read is no gain; nor is, where pages are fetched, that this one has been read before.
        if !self.by_page() && self.place(at).load(Ordering::Relaxed) != number_of(at) {
            self.gained();
        }
    }

    /// A read of `range` had to wait. Its blocks are still on their way, or the system took them back.
    pub fn waited(&self, range: Range<u64>) {
        if let Some(blocks) = &self.blocks {
            blocks.remove(range);
        }
    }

    fn gained(&self) {
        let in_vain = self.in_vain.load(Ordering::Relaxed);
        if in_vain > 0 {
            let less = in_vain.saturating_sub(GAIN);
            let ends = in_vain >= self.most_in_vain && less < self.most_in_vain;
            self.in_vain.store(if ends { 0 } else { less }, Ordering::Relaxed);
        }
    }

    /// Whether blocks have been found not to be worth their time.
    fn by_page(&self) -> bool {
        self.in_vain.load(Ordering::Relaxed) >= self.most_in_vain
    }

    /// Blocks side by side have places side by side.
    fn place(&self, at: u64) -> &AtomicU32 {
        &self.recent[(at / BLOCK) as usize % self.recent.len()]
    }
}

/// The number of the page at `at`, and 1. Pages that are 8 TiB apart may be taken for each other.
fn number_of(at: u64) -> u32 {
    (at / PAGE % (1 << 31)) as u32 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of what is fetched when a page at each place is named and then read.
    fn fetched(around: &Around, places: impl Iterator<Item = u64>) -> Vec<u64> {
        let one = |at: u64| {
            let fetched = around.fetch_for(at..at + 2048);
            around.found(at);
            assert!(fetched.as_ref().is_none_or(|fetched| fetched.start <= at && fetched.end >= at + 2048));
            fetched.map(|fetched| fetched.end - fetched.start)
        };
        places.filter_map(one).collect()
    }

    /// Every page once, in an order that meets no block again soon.
    fn scattered(pages: u64) -> impl Iterator<Item = u64> {
        (0..pages).map(move |number| number * 2_654_435_761 % pages * PAGE)
    }

    #[test]
    fn all_over_a_large_file_pages_are_fetched_after_a_while() {
        let around = Around::new(2_000_000 * PAGE);
        let sizes = fetched(&around, scattered(2_000_000).take(10_000));
        assert_eq!((sizes[0], sizes[10], sizes.last()), (BLOCK, BLOCK, Some(&PAGE)));
        let blocks = sizes.iter().filter(|size| **size == BLOCK).count();
        assert!((510..560).contains(&blocks), "{blocks}");
        // Somebody reads what lies together: then blocks again, and each once.
        let together = (0..200).flat_map(|file| [3, 0, 5, 2].map(|page| (7 + file * 1234) * BLOCK + page * PAGE));
        let sizes = fetched(&around, together);
        assert_eq!((sizes[0], sizes.last()), (PAGE, Some(&BLOCK)));
        assert!((450..560).contains(&sizes.len()), "{sizes:?}");
        // Pages that are read again and again are no reason for blocks.
        let around = Around::new(2_000_000 * PAGE);
        fetched(&around, scattered(2_000_000).take(1000));
        for at in (0..10).flat_map(|_| scattered(2_000_000).take(1000)) {
            around.found(at);
        }
        assert_eq!(fetched(&around, scattered(2_000_000).skip(1000).take(3)), [PAGE; 3]);
    }

    #[test]
    fn all_over_a_small_file_blocks_are_fetched_each_once() {
        let around = Around::new(75_000 * PAGE);
        assert_eq!(fetched(&around, scattered(75_000)), vec![BLOCK; 75_000 * 4096 / BLOCK as usize]);
        // The system took one back.
        around.waited(5 * PAGE..6 * PAGE);
        assert_eq!(around.fetch_for(7 * PAGE..8 * PAGE), Some(0..BLOCK));
        assert_eq!(around.fetch_for(7 * PAGE..8 * PAGE), None, "it is on its way");
    }

    #[test]
    fn no_more_than_the_most_is_fetched_at_once() {
        let around = Around::new(u64::MAX);
        assert_eq!(around.fetch_for(BLOCK + 5..1 << 40), Some(BLOCK..BLOCK + MOST));
        assert_eq!(around.fetch_for(1 << 40..(1 << 40) + 3 * BLOCK + 1), Some(1 << 40..(1 << 40) + 4 * BLOCK));
    }
}
