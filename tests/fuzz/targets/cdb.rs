//! Random commands and changes of medium; see `bodies/cdb.rs`.
#![no_main]

#[path = "../bodies/cdb.rs"]
mod body;
#[path = "../slow.rs"]
mod slow;

libfuzzer_sys::fuzz_target!(|data: &[u8]| slow::timed(data, body::run));
