//! A guest that owns every byte of its rings. See `bodies/rings.rs`.
#![no_main]

#[path = "../bodies/rings.rs"]
mod body;
#[path = "../slow.rs"]
mod slow;

use std::sync::atomic::{AtomicU64, Ordering};

/// So many inputs are told of together. The last few of a run are not: libFuzzer ends the process without a word.
const ROUND: u64 = 256;

/// Says now and then how often the memory was compared: a check that is left out finds nothing. `qemu-scripts/fuzz` reads the last line.
fn tell(looks: body::Looks) {
    static INPUTS: AtomicU64 = AtomicU64::new(0);
    static COMPARED: AtomicU64 = AtomicU64::new(0);
    static LEFT: AtomicU64 = AtomicU64::new(0);
    let add = |sum: &AtomicU64, number: u32| sum.fetch_add(number.into(), Ordering::Relaxed) + u64::from(number);
    let (compared, left) = (add(&COMPARED, looks.compared), add(&LEFT, looks.left));
    if add(&INPUTS, 1).is_multiple_of(ROUND) {
        eprintln!("compared after {compared} of {} looks", compared + left);
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| slow::timed(data, |input| tell(body::run(input))));
