//! The operating system, and the only `unsafe` code of the crate.
//!
//! Every block states why it is sound. Nothing here knows about discs or SCSI.
#![allow(unsafe_code, reason = "this is the one module that may")]

pub mod busy;
pub mod copy;
pub mod counting;
pub mod descriptors;
pub mod dirty;
pub mod fault;
pub mod file;
pub mod guarded;
pub mod heap;
pub mod join;
pub mod maker;
pub mod memory;
pub mod page;
pub mod ready;
pub mod service;
pub mod slab;
pub mod socket;
