//! `--sandbox`: what stays allowed, by what the daemon was told to do.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use log::warn;
use rustix::fs::{Mode, OFlags, open};

use crate::cli::error::{CliError, Exit};
use crate::sandbox::{self, Allowed};

/// Whether the daemon gives up what it does not need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sandbox {
    /// It does.
    On,
    /// For debugging: it keeps all that its user may do.
    None,
}

/// The folder for what is decoded into temporary files: a private one of this user's in the host's folder for such, which stays.
/// Without a sandbox the host's own.
///
/// # Errors
/// When it cannot be made.
pub fn spool_folder(sandbox: Sandbox) -> io::Result<PathBuf> {
    let temporary = env::temp_dir();
    if sandbox == Sandbox::None {
        return Ok(temporary);
    }
    let user = rustix::process::geteuid().as_raw();
    // Somebody else may have taken a name, by accident or to be in the way.
    let names = (0..100).map(|number| match number {
        0 => temporary.join(format!("spindled-{user}")),
        number => temporary.join(format!("spindled-{user}-{number}")),
    });
    for folder in names {
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = fs::symlink_metadata(&folder)?;
                if found.is_dir() && found.uid() == user && found.mode() & 0o077 == 0 {
                    return Ok(folder);
                }
            }
            Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", folder.display()))),
            Ok(()) => return Ok(folder),
        }
    }
    Err(io::Error::other(format!(
        "there is none that only this user may enter, and no name for one, in {}",
        temporary.display()
    )))
}

/// What the daemon was told to use, as far as the sandbox has to leave it.
///
/// # Errors
/// When a folder of `media_roots` is not there.
pub fn allowed(
    media_roots: &[PathBuf],
    spool: &Path,
    sockets: &[PathBuf],
    host_sound: bool,
) -> Result<Allowed, CliError> {
    for root in media_roots {
        let refused = |error| CliError::new(Exit::Failure, format!("--media-root {}: {error}", root.display()));
        if !fs::metadata(root).map_err(refused)?.is_dir() {
            return Err(refused(io::ErrorKind::NotADirectory.into()));
        }
    }
    let folders = sockets.iter().filter_map(|path| folder_of(path).canonicalize().ok());
    Ok(Allowed { read: media_roots.to_vec(), spool: Some(spool.to_owned()), sockets: folders.collect(), host_sound })
}

/// Gives up what opening these images does not need. A thread that still looks for one, where storage does not answer, keeps its rights to
/// files; it reads none.
///
/// # Errors
/// When that fails.
pub fn before_images(allowed: &Allowed, images: &[OwnedFd]) -> Result<(), CliError> {
    let missing = sandbox::begin(allowed, images).map_err(|error| refused(&error))?;
    missing.iter().for_each(|sentence| warn!("sandbox: {sentence}"));
    Ok(())
}

/// Gives up the rest. A thread that still opens an image, where storage does not answer, has what the step before left it.
///
/// # Errors
/// When that fails.
pub fn before_guests(allowed: &Allowed) -> Result<(), CliError> {
    sandbox::enter(allowed).map_err(|error| refused(&error))
}

/// The image, the folder whose files it may name, and where links lead to from it; as far as they are there.
pub fn places_of(image: &Path) -> Vec<OwnedFd> {
    let mut places = vec![image.to_owned()];
    // A device is not alone in its folder.
    if let Ok(real) = image.canonicalize()
        && real.is_file()
    {
        places.extend([folder_of(image), folder_of(&real)]);
    }
    places.iter().filter_map(|place| hold(place).ok()).collect()
}

/// A file or folder as it is now, whatever its path leads to later, without a right to read it.
///
/// # Errors
/// When it is not there.
pub fn hold(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn refused(error: &io::Error) -> CliError {
    CliError::new(Exit::Failure, format!("the sandbox: {error} (--sandbox none goes without)"))
}
