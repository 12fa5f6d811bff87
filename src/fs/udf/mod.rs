//! UDF 1.02 to 2.60 (ECMA-167 with OSTA's restrictions): as mastered discs, packet writing and BD media have it.
//!
//! Blocks are 2,048 bytes, as on every optical medium (UDF 2.60, 2.2.4.2). Named streams and extended attributes are not
//! read; ICB strategy 4096 is refused.

mod descriptor;
mod directory;
mod entry;
mod mapping;
mod text;
mod volume;
mod work;

pub use self::volume::{Volume, VolumeInfo};
