//! The drive daemon.

fn main() {}
