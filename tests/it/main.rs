//! One integration binary: every layer from the outside.

#[path = "../support/mod.rs"]
mod support;

mod cli;
mod conformance;
mod control;
mod daemon;
mod disc;
mod drive;
mod formats;
mod fs;
mod fuzz;
mod layers;
mod qemu;
mod source;
mod vhost_user;
mod virtio;
