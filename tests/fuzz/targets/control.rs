//! A control client that sends what it likes, in pieces, to a server with one drive. See `bodies/control.rs`.
#![no_main]

#[path = "../bodies/control.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
