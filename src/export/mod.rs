//! Writing discs as image files: [`Disc`](crate::disc::Disc) to bytes.
//!
//! What the formats share is here too: pieces packed by many threads at once, sound as FLAC.

mod bits;
pub mod chd;
pub mod flac;
pub mod ordered;
