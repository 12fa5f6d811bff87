//! Whether reads of this thread have had to wait lately, for storage or for a block to be decoded.
//!
//! Who has several reads to do then does well to name them all first ([`ByteSource::read_ahead`](super::ByteSource::read_ahead)).
//! A hint, and kept for each thread: what is read from memory only pays for a look at it.

use std::cell::Cell;

/// So many reads in a row without a wait, and no further ones are expected.
const LATELY: u32 = 64;

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(0) };
}

/// Whether the next read may have to wait as well.
#[must_use]
pub fn expected() -> bool {
    LEFT.get() > 0
}

/// A read had to wait.
pub(super) fn happened() {
    LEFT.set(LATELY);
}

/// A read could have waited, and did not.
pub(super) fn did_not_happen() {
    LEFT.set(LEFT.get().saturating_sub(1));
}

/// Many reads came from memory alone.
pub(super) fn are_over() {
    LEFT.set(0);
}
