//! Memory for what is needed while a block is decoded, and not afterwards.

use std::cell::Cell;
use std::io;

use super::SharedSource;
use super::room::out_of_memory;

/// So much stays with a thread.
const MOST_KEPT: usize = 256 << 10;

thread_local! {
    static BYTES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls `with` with `len` bytes of `source` from `offset` on. The caller has made sure that so many can be there.
///
/// # Errors
/// When they cannot be read; what `with` reports; `OutOfMemory`.
pub fn with_bytes<T>(
    source: &SharedSource,
    offset: u64,
    len: usize,
    with: impl FnOnce(&mut [u8]) -> io::Result<T>,
) -> io::Result<T> {
    scratch(len, |bytes| {
        source.read_exact_at(bytes, offset)?;
        with(bytes)
    })?
}

/// Calls `with` with `len` bytes of unknown content.
///
/// # Errors
/// `OutOfMemory`, instead of the end of the process.
fn scratch<T>(len: usize, with: impl FnOnce(&mut [u8]) -> T) -> io::Result<T> {
    // Who asks again meanwhile gets other bytes.
    let mut bytes = BYTES.take();
    if bytes.len() < len {
        bytes.try_reserve_exact(len - bytes.len()).map_err(|_| out_of_memory(len))?;
        bytes.resize(len, 0);
    }
    let result = with(&mut bytes[..len]);
    if bytes.len() <= MOST_KEPT {
        BYTES.set(bytes);
    }
    Ok(result)
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
            })
            .unwrap();
            assert_eq!(outer, [1; 1000]);
        })
        .unwrap();
        scratch(MOST_KEPT + 1, |bytes| assert_eq!(bytes.len(), MOST_KEPT + 1)).unwrap();
        let kept = BYTES.take();
        assert!(kept.len() < MOST_KEPT);
    }

    #[test]
    fn no_memory_is_an_error() {
        let error = scratch(isize::MAX as usize, |_| ()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    }
}
