//! Whatever the descriptor of an MDX says, opening and reading it ends. See `bodies/mdx.rs`.
#![no_main]

#[path = "../bodies/mdx.rs"]
mod body;
#[path = "../bodies/image.rs"]
mod image;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
