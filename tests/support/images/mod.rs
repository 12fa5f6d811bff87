//! Builders of small images, one per format, each written from the format's description alone by another hand than its
//! reader: they share no function.

pub mod described;
pub mod discs;
pub mod macbinary;
pub mod mds;
pub mod mdx;
pub mod same_disc;
