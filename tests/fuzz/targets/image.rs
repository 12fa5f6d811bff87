//! Whatever an image says, opening and reading it ends. See `bodies/image.rs`.
#![no_main]

#[path = "../bodies/image.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
