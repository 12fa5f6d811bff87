//! Image files: bytes to a [`Disc`].
//!
//! One static table of formats; each is told by its content, never by its name. Formats differ only in how they fill a
//! [`layout::DiscPlan`]. Not responsible for wrappers around an image (see [`crate::container`]) nor for serving sectors.

mod audio;
pub mod b6t;
pub mod bwt;
mod c2d;
mod ccd;
mod cdi;
pub mod chd;
mod cif;
mod cue;
mod iso;
pub mod layout;
pub mod mds;
pub mod mdx;
mod names;
pub mod nrg;
mod open;
mod origin;
mod passable;
mod raw;
mod readcd;
mod sheet;
mod text;
mod toc;
mod xcdroast;

pub use self::open::{OpenOptions, Opened, open_path, open_source, open_with};
pub use self::origin::{Origin, OriginFile};
pub use self::passable::{Passable, open_passable};
use crate::container::record;
pub use crate::container::{
    Check, Companion, FormatInfo, ImageError, ImageErrorKind, NoPassword, OpenContext, Passwords, Probe, Score,
};
use crate::disc::Disc;
use crate::source::SharedSource;

/// One image format.
///
/// An implementer must not panic for any bytes, must bound what it allocates by the file's real size and fixed limits,
/// and must check every offset it takes from the file. It may be called from several threads at once.
pub trait ImageFormat: Sync {
    /// Its names.
    fn info(&self) -> &'static FormatInfo;

    /// Whether the bytes are this format's. An unreadable source is [`Score::No`].
    fn probe(&self, probe: &Probe<'_>) -> Score;

    /// Builds the disc, reading indexes but not data. Files that it names, passwords and remarks go through `cx`.
    ///
    /// # Errors
    /// When the file cannot be a disc of this format.
    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError>;
}

/// Every format, most specific first.
pub static FORMATS: &[&dyn ImageFormat] = &[
    // Told by a signature.
    &chd::Chd,
    &mds::Mds,
    &mdx::Mdx,
    &b6t::B6t,
    &bwt::Bwt,
    &nrg::Nrg,
    &cif::Cif,
    &c2d::C2d,
    &readcd::Readcd,
    &cdi::Cdi,
    // Told by what the sectors hold, and what anything can be.
    &ccd::Ccd,
    &cue::Cue,
    &toc::Toc,
    &xcdroast::XCdRoast,
    &raw::Raw,
    &iso::Iso,
];
