//! Random commands and changes of medium; see `bodies/cdb.rs`.
#![no_main]

#[path = "../bodies/cdb.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
