//! A guest that owns every byte of its rings. See `bodies/rings.rs`; run it with `-timeout=1`.
#![no_main]

#[path = "../bodies/rings.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
