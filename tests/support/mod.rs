//! What the tests share: discs to put in, a guest, an initiator and clients to ask.

pub mod backend;
pub mod clock;
pub mod control;
pub mod daemon;
pub mod dirty_log;
pub mod disc;
pub mod disk;
pub mod failing;
pub mod fuse;
pub mod guest;
pub mod host;
pub mod hostile;
pub mod image;
pub mod images;
pub mod initiator;
pub mod inputs;
pub mod load;
pub mod message;
pub mod python;
pub mod sink;
pub mod vm;
pub mod volume;
pub mod wait;
