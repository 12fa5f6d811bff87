//! A control client that sends what it likes, in pieces, to a server with one drive. See `bodies/control.rs`.
#![no_main]

#[path = "../bodies/control.rs"]
mod body;
#[path = "../slow.rs"]
mod slow;

libfuzzer_sys::fuzz_target!(|data: &[u8]| slow::timed(data, body::run));
