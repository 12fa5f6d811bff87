//! virtio-scsi: descriptor chains to tasks, and back (virtio 1.2, 5.6). Knows nothing of sockets or threads.

pub mod answer;
pub mod chain;
pub mod control;
pub mod ends;
pub mod request;
pub mod split;
pub mod wire;
