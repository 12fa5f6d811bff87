//! What the tests share: discs to put in, and an initiator to ask.

pub mod disc;
pub mod initiator;
