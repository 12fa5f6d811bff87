//! Opening the discs again that drives had, of which some may be on storage that does not answer.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::record::MediumRecord;
use crate::cli::daemon::patience::Begun;
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
type Disc = Result<Arc<Medium>, Absent>;

/// A disc that is being opened.
pub struct Reopening {
    locator: String,
    /// It is decoded to its end first, which takes what it takes.
    spools: bool,
    /// None where there is nothing to wait for.
    begun: io::Result<Option<Begun<Disc>>>,
}

impl Reopening {
    /// Begins to open a disc from where it was; with `spool`, by way of a temporary file there.
    pub fn begin(record: MediumRecord, origin: Origin, spool: Option<PathBuf>, how: How) -> Self {
        let (locator, spools) = (record.locator.clone(), spool.is_some());
        Self { locator, spools, begun: Begun::begin(move || reopen(record, origin, spool.as_deref(), &how)).map(Some) }
    }

    /// One that will not come.
    pub fn unanswered(locator: &str) -> Self {
        Self { locator: locator.to_owned(), spools: false, begun: Ok(None) }
    }

    /// The disc, if it can be had while `left` lasts.
    ///
    /// # Errors
    /// Why it is not in the drive.
    pub fn end(self, left: &mut Duration, passwords: &Asked) -> Disc {
        let Self { locator, spools, begun } = self;
        let mut forever = Duration::MAX;
        let left = if spools { &mut forever } else { left };
        let reason = match begun.map(|begun| begun.and_then(|begun| begun.end(left, || passwords.is_asking()))) {
            Ok(Some(medium)) => return medium,
            Ok(None) => "its storage has not answered in time: insert it again".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(Absent { locator, reason })
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
