//! Whatever a disc says, reading its volumes, boot entries and trees ends. See `bodies/filesystem.rs`.
#![no_main]

#[path = "../bodies/filesystem.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
