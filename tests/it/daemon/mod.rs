//! `spindled` as a person and as a management program meet it.

mod closing;
mod descriptors;
mod drives;
mod full_disk;
mod lifecycle;
mod refusal;
mod resources;
mod restart;
mod sandbox;
mod sockets;
mod sound;
mod storage;
