//! Compressed streams: gzip, xz, zstd, bzip2.
//!
//! Those whose pieces tell how long they are, are read at random, through the shared cache. All others have to be decoded from
//! the start to the end to know even their length: they are spooled, decoded once into a file without a name, if the user
//! allowed that.

mod bzip2;
mod gzip;
mod index;
mod input;
mod pieces;
mod spool;
mod xz;
mod zstd;

pub use self::bzip2::Bzip2;
pub use self::gzip::Gzip;
pub use self::xz::Xz;
pub use self::zstd::Zstd;
