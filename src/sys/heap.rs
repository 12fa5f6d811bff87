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

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;

    fn resident_kb() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn what_lies_below_a_block_that_is_in_use_is_given_back() {
        const BLOCKS: usize = 64 << 10;
        let last = std::thread::spawn(|| {
            let mut blocks: Vec<_> = (0..BLOCKS).map(|_| vec![1_u8; 1000]).collect();
            blocks.pop()
        })
        .join()
        .unwrap();
        let before = resident_kb();
        give_back();
        let after = resident_kb();
        assert!(after + 48 * 1024 <= before, "{before} kB, then {after}");
        assert!(last.is_some());
    }
}
