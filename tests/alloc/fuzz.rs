//! What the files in the fuzzing corpora make their readers allocate: seeds, findings, and each with some bytes changed.

use std::fs;
use std::path::Path;

use spindle::sys::counting::peak_of;

#[path = "../fuzz/bodies/image.rs"]
mod image;

/// Issue 3: no memory over this on any input found so far.
const MOST: usize = 256 << 20;
/// How often each file is changed.
const ROUNDS: usize = 20;

pub fn takes_under_256_mib() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut count = 0;
    for folder in fs::read_dir(corpora).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let mut input = fs::read(&path).unwrap();
            count += 1;
            for round in 0..ROUNDS {
                let peak = peak_of(|| image::run(&input));
                assert!(peak < MOST, "{}, round {round}: {peak} bytes", path.display());
                // Sizes and counts are in the first bytes and the last ones of most files.
                let len = input.len();
                let at = if round % 2 == 0 { round * 5 % len } else { len - 1 - round * 3 % len };
                input[at] = if round % 3 == 0 { 0xFF } else { input[at].wrapping_add(0x40) };
            }
        }
    }
    assert!(count > 60, "{count} files");
    println!("test no_fuzz_input_takes_over_256_mib ... ok ({count} files, {ROUNDS} rounds)");
}
