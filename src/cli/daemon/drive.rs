//! Making the drives that `--drive` asks for.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};

use super::confine::{hold, places_of};
use super::patience::{Begun, end_all};
use super::spec::DriveSpec;
use super::state::{How, Remembered, Reopening, StateFile, StateFolder};
use super::targets::{Group, has_others};
use crate::cli::error::{CliError, Exit};
use crate::cli::open::locator;
use crate::drive::{Absent, Drive, Identity, Medium, Tray};
use crate::image::{OpenOptions, Origin, open_passable};
use crate::sound::Sink;

/// A drive that is asked for, before its image is opened: with what is kept of it, and where its sound goes.
pub struct Planned<'a> {
    spec: &'a DriveSpec,
    file: Option<StateFile>,
    /// What is remembered of it, if that is what the command line asks for.
    remembered: Option<Remembered>,
    identity: Identity,
    sink: Option<Box<dyn Sink>>,
    /// Others are behind the same socket.
    beside_others: bool,
    /// The storage of what it remembers has not even said whether that is there.
    silent: bool,
}

/// Opens what the drives need besides images.
///
/// # Errors
/// When two have the same name, another daemon has the state of one, or its sound cannot be opened.
pub fn plan<'a>(
    specs: &'a [DriveSpec],
    groups: &[Group],
    state: Option<&StateFolder>,
) -> Result<Vec<Planned<'a>>, CliError> {
    let mut names = HashSet::new();
    if let Some(twice) = specs.iter().find(|spec| !names.insert(&spec.name)) {
        return Err(CliError::new(Exit::Usage, format!("two drives are named {}", twice.name)));
    }
    let plan = |(at, spec)| plan_one(spec, has_others(groups, at), state);
    specs.iter().enumerate().map(plan).collect()
}

fn plan_one<'a>(
    spec: &'a DriveSpec,
    beside_others: bool,
    state: Option<&StateFolder>,
) -> Result<Planned<'a>, CliError> {
    let (file, remembered) = state.map(|folder| folder.drive(&spec.name)).transpose()?.unzip();
    let remembered = remembered.flatten();
    let otherwise = remembered.as_ref().map_or_else(|| Identity::named(&spec.name), |was| was.identity(&spec.name));
    let before = remembered.is_some();
    let remembered = remembered.filter(|remembered| remembered.asked_for(spec.image.as_deref()));
    if before && remembered.is_none() {
        info!("drive {} is asked for with another image than before: it starts anew", spec.name);
    }
    let sink = match &spec.audio {
        Some(audio) => audio
            .open()
            .map_err(|error| CliError::new(Exit::Failure, format!("drive {}: audio {audio}: {error}", spec.name)))?,
        None => None,
    };
    Ok(Planned { spec, file, remembered, identity: spec.identity(otherwise), sink, beside_others, silent: false })
}

/// The files that are opened for the drives, and the folders whose files they may name. They are looked for side by side, and no longer
/// than storage is silent for `patience`.
///
/// # Errors
/// When that of an image of the command line is.
pub fn images(
    planned: &mut [Planned<'_>],
    state: Option<&StateFolder>,
    patience: Duration,
) -> Result<Vec<OwnedFd>, CliError> {
    let begin = |planned: &Planned<'_>| match (planned.remembered.as_ref().zip(state), planned.spec.image.clone()) {
        (Some((remembered, folder)), _) => {
            let files = remembered.files(folder);
            Begun::begin(move || files.iter().filter_map(|file| hold(file).ok()).collect()).map(Some)
        }
        (None, Some(image)) => Begun::begin(move || places_of(&image)).map(Some),
        (None, None) => Ok(None),
    };
    let begun = planned.iter().map(begin).collect::<io::Result<Vec<_>>>()?;
    let mut images = Vec::new();
    for (planned, found) in planned.iter_mut().zip(end_all(begun, patience, || false)) {
        match (found, &planned.remembered, &planned.spec.image) {
            (Some(found), ..) => images.extend(found),
            (None, Some(_), _) => planned.silent = true,
            (None, None, Some(image)) => return Err(silent(image, patience)),
            (None, None, None) => {}
        }
    }
    Ok(images)
}

fn silent(image: &Path, patience: Duration) -> CliError {
    let reason = format!("its storage has not answered for {} s (--read-deadline)", patience.as_secs());
    CliError::new(Exit::Failure, format!("{}: {reason}", image.display()))
}

/// Makes the drives with their discs in them, as they were kept in `state` if they were. Discs that were in drives before are waited for
/// until their storage has been silent for `patience`: a drive whose storage does not answer holds up no other.
///
/// # Errors
/// When two have the same serial number, an image cannot be opened, or the storage of one of the command line is silent for as long.
pub fn make(
    planned: Vec<Planned<'_>>,
    how: &How,
    spool: Option<&Path>,
    state: Option<StateFolder>,
    (read_deadline, patience): (Duration, Duration),
) -> Result<Vec<Arc<Drive>>, CliError> {
    let begin = |planned: &Planned<'_>| match planned.remembered.as_ref()? {
        remembered if planned.silent => remembered.unanswered(),
        remembered => remembered.reopen(state.as_ref()?, how),
    };
    let reopening: Vec<_> = planned.iter().map(begin).collect();
    let discs = Reopening::end_all(reopening, patience, &how.passwords);
    let make = |(planned, disc)| make_one(planned, disc, (how, spool), state.as_ref(), (read_deadline, patience));
    let drives = planned.into_iter().zip(discs).map(make).collect::<Result<Vec<_>, _>>()?;
    // A guest would take the two for two ways to one drive (SPC-4, Device Identification VPD page). One may be what was remembered.
    let mut serials = HashMap::new();
    for identity in drives.iter().map(|drive| drive.identity()) {
        if let Some(other) = serials.insert(identity.serial.trim_end(), &identity.name) {
            let twice =
                format!("drives {other} and {} have the same serial number; give one another serial=", identity.name);
            return Err(CliError::new(Exit::Usage, twice));
        }
    }
    // Not where one is missing: what is kept for it and for those after it is not for nobody.
    if let Some(state) = state {
        state.finish();
    }
    Ok(drives)
}

fn make_one(
    planned: Planned<'_>,
    disc: Option<Result<Arc<Medium>, Absent>>,
    (how, spool): (&How, Option<&Path>),
    state: Option<&StateFolder>,
    (read_deadline, patience): (Duration, Duration),
) -> Result<Arc<Drive>, CliError> {
    let Planned { spec, file, remembered, identity, sink, beside_others, silent: _ } = planned;
    let tray = if spec.tray_open { Tray::Open } else { Tray::Closed };
    let drive = Drive::new(identity.clone(), tray).behaving(spec.behaviours.unwrap_or_default());
    let mut drive = drive.with_read_deadline(read_deadline);
    if beside_others {
        drive = drive.beside_others();
    }
    if let Some(sink) = sink {
        drive = drive.heard_by(sink);
    }
    let image = spec.image.as_deref();
    drive = match (remembered, file.as_ref().zip(state)) {
        (Some(remembered), Some((file, folder))) => remembered.restore(drive, file, folder, disc),
        (_, _) => match image {
            Some(image) => put_in(drive, open(image, (how, spool), patience)?)?,
            None => drive,
        },
    };
    if let Some(file) = file {
        drive = drive.kept_by(file.keeper(&identity, image));
    }
    Ok(Arc::new(drive))
}

/// Opens an image of the command line.
fn open(image: &Path, (how, spool): (&How, Option<&Path>), patience: Duration) -> Result<Medium, CliError> {
    let (path, clone, into) = (image.to_owned(), how.clone(), spool.map(Path::to_owned));
    let begun = Begun::begin(move || {
        let How { cache, passwords, allow_outside } = clone;
        let (passwords, spool) = (&passwords, into.as_deref());
        open_now(&path, &OpenOptions { cache, passwords, allow_outside, spool })
    })?;
    let opened = begun.end(patience, || how.passwords.is_asking());
    opened.unwrap_or_else(|| Err(silent(image, patience)))
}

fn open_now(image: &Path, options: &OpenOptions<'_>) -> Result<Medium, CliError> {
    let passable = open_passable(image, options)?;
    for warning in &passable.opened.warnings {
        warn!("{}: {warning}", image.display());
    }
    let origin = Origin::by_path(image, &passable, options.spool.is_some())?;
    let locator = locator(image).unwrap_or_else(|_| image.to_string_lossy().into_owned());
    let remote = origin.is_remote();
    Ok(Medium { disc: passable.opened.disc, locator, format: passable.opened.format.id, origin, remote })
}

/// The new drive with a disc in it.
fn put_in(drive: Drive, medium: Medium) -> Result<Drive, CliError> {
    // A drive that nobody has seen yet is not locked.
    drive.change_medium(Arc::new(medium), false).map_err(|refused| CliError::new(Exit::Locked, refused.to_string()))?;
    Ok(drive)
}
