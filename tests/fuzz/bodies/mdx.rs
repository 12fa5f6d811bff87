//! Whatever the descriptor of an MDX says when it is decrypted, opening and reading the disc ends: what no fuzzer gets at
//! through its encryption.
//!
//! The input is the descriptor, then the file that all data are in, with the mark of `image` between. Shared by the fuzz
//! target and by `tests/it/fuzz.rs`.

use std::cell::RefCell;
use std::sync::Arc;

use spindle::image::{OpenContext, mdx};
use spindle::source::siblings::NamedSources;
use spindle::source::{BlockCache, MemorySource, SharedSource};

use super::image;

/// Opens the disc and reads as `image` does.
pub fn run(input: &[u8]) {
    let mut files = image::split(input).map(|file| -> SharedSource { Arc::new(MemorySource::new(file)) });
    let (Some(descriptor), data) = (files.next(), files.next()) else { return };
    let (cache, notes) = (BlockCache::with_workers(4 << 20, 0), RefCell::default());
    let cx = OpenContext::new("", Arc::new(NamedSources(Vec::new())), &image::Known, &cache, None, &notes);
    if let Ok(disc) = mdx::disc(descriptor, data, &cx) {
        image::read(&disc);
    }
}
