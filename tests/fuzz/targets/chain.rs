//! A guest that writes what it likes into its rings: virtio-scsi requests in any chain of descriptors. See `bodies/chain.rs`.
#![no_main]

#[path = "../bodies/chain.rs"]
mod body;
#[path = "../slow.rs"]
mod slow;

libfuzzer_sys::fuzz_target!(|data: &[u8]| slow::timed(data, body::run));
