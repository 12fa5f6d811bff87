//! Opening the discs again that drives had, of which some may be on storage that does not answer.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::record::MediumRecord;
use crate::cli::daemon::patience::{Begun, end_all};
use crate::cli::open::Asked;
use crate::drive::{Absent, Medium};
use crate::image::{ImageErrorKind, OpenOptions, Origin};
use crate::source::BlockCache;

/// How discs are opened.
#[derive(Debug, Clone)]
pub struct How {
    /// For decoded blocks.
    pub cache: Arc<BlockCache>,
    /// Where passwords come from.
    pub passwords: Asked,
    /// Whether images may name files outside their folders.
    pub allow_outside: bool,
}

/// A disc, or why there is none.
pub type Disc = Result<Arc<Medium>, Absent>;

/// A disc that is being opened.
pub struct Reopening {
    locator: String,
    /// None where there is nothing to wait for.
    begun: io::Result<Option<Begun<Disc>>>,
}

impl Reopening {
    /// Begins to open a disc from where it was; with `spool`, by way of a temporary file there.
    pub fn begin(record: MediumRecord, origin: Origin, spool: Option<PathBuf>, how: How) -> Self {
        let locator = record.locator.clone();
        Self { locator, begun: Begun::begin(move || reopen(record, origin, spool.as_deref(), &how)).map(Some) }
    }

    /// One that will not come.
    pub fn unanswered(locator: &str) -> Self {
        Self { locator: locator.to_owned(), begun: Ok(None) }
    }

    /// The discs, or why they are not in their drives. None waits for another, and all no longer than until those that are left have been
    /// silent for `patience`.
    pub fn end_all(all: Vec<Option<Self>>, patience: Duration, passwords: &Asked) -> Vec<Option<Disc>> {
        let apart = |reopening: Option<Self>| match reopening.map(|Self { locator, begun }| (locator, begun)) {
            None => (None, None),
            Some((locator, Ok(begun))) => (Some((locator, None)), begun),
            Some((locator, Err(error))) => (Some((locator, Some(error))), None),
        };
        let (named, begun): (Vec<_>, Vec<_>) = all.into_iter().map(apart).unzip();
        let discs = end_all(begun, patience, || passwords.is_asking());
        let end = |(named, disc): (Option<(String, Option<io::Error>)>, Option<Disc>)| {
            let (locator, error) = named?;
            let silent = || "its storage has not answered in time: insert it again".to_owned();
            let reason = error.map_or_else(silent, |error| error.to_string());
            Some(disc.unwrap_or(Err(Absent { locator, reason })))
        };
        named.into_iter().zip(discs).map(end).collect()
    }
}

fn reopen(record: MediumRecord, origin: Origin, spool: Option<&Path>, how: &How) -> Disc {
    let MediumRecord { locator, format, .. } = record;
    let absent = |reason: String| Absent { locator: locator.clone(), reason };
    let How { cache, passwords, allow_outside } = how;
    let options = OpenOptions { cache: Arc::clone(cache), passwords, allow_outside: *allow_outside, spool };
    let opened = origin.reopen(&options).map_err(|error| match error.kind() {
        ImageErrorKind::NeedsPassword | ImageErrorKind::WrongPassword => {
            absent("it needs its password again".to_owned())
        }
        _ => absent(error.to_string()),
    })?;
    if opened.format.id != format {
        return Err(absent(format!("it was read as {format} and is now read as {}", opened.format.id)));
    }
    let remote = origin.is_remote();
    Ok(Arc::new(Medium { disc: opened.disc, locator, format: opened.format.id, origin, remote }))
}
