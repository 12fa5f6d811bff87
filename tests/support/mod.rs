//! What the tests share: discs to put in, volumes to read, and an initiator to ask.

pub mod disc;
pub mod initiator;
pub mod volume;
