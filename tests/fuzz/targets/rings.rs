//! A guest that owns every byte of its rings. See `bodies/rings.rs`.
#![no_main]

#[path = "../bodies/rings.rs"]
mod body;
#[path = "../slow.rs"]
mod slow;

libfuzzer_sys::fuzz_target!(|data: &[u8]| slow::timed(data, body::run));
