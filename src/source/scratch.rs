//! Memory for what is needed while a block is decoded, and not afterwards.

use std::cell::Cell;
use std::io;

use super::SharedSource;

/// So much stays with a thread.
const MOST_KEPT: usize = 256 << 10;

thread_local! {
    static BYTES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls `with` with `len` bytes of `source` from `offset` on. The caller has made sure that so many can be there.
///
/// # Errors
/// When they cannot be read; what `with` reports.
pub fn with_bytes<T>(
    source: &SharedSource,
    offset: u64,
    len: usize,
    with: impl FnOnce(&mut [u8]) -> io::Result<T>,
) -> io::Result<T> {
    scratch(len, |bytes| {
        source.read_exact_at(bytes, offset)?;
        with(bytes)
    })
}

/// Calls `with` with `len` bytes of unknown content.
fn scratch<T>(len: usize, with: impl FnOnce(&mut [u8]) -> T) -> T {
    // Who asks again meanwhile gets other bytes.
    let mut bytes = BYTES.take();
    if bytes.len() < len {
        bytes.resize(len, 0);
    }
    let result = with(&mut bytes[..len]);
    if bytes.len() <= MOST_KEPT {
        BYTES.set(bytes);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_as_many_as_asked_and_not_shared() {
        scratch(1000, |outer| {
            outer.fill(1);
            scratch(2000, |inner| {
                inner.fill(2);
                assert_eq!(inner.len(), 2000);
            });
            assert_eq!(outer, [1; 1000]);
        });
        scratch(MOST_KEPT + 1, |bytes| assert_eq!(bytes.len(), MOST_KEPT + 1));
        let kept = BYTES.take();
        assert!(kept.len() < MOST_KEPT);
    }
}
