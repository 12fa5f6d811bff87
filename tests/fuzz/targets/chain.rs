//! A guest that writes what it likes into its rings: virtio-scsi requests in any chain of descriptors. See `bodies/chain.rs`.
#![no_main]

#[path = "../bodies/chain.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
