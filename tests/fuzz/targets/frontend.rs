//! A front-end that sends what it likes. See `bodies/frontend.rs`.
#![no_main]

#[path = "../bodies/frontend.rs"]
mod body;
#[path = "../slow.rs"]
mod slow;

libfuzzer_sys::fuzz_target!(|data: &[u8]| slow::timed(data, body::run));
