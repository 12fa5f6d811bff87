//! Memory that the allocator keeps.

/// Gives the memory that nothing lies in back to the system. glibc keeps what is freed, in up to eight arenas for each processor: a daemon
/// that has opened hundreds of images and served thousands of connections held 36 MB for one of its own. This takes about a
/// millisecond, and each arena's lock in turn; whoever only reads needs none of them.
pub fn give_back() {
    // SAFETY: it takes and frees no memory of the program's.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
