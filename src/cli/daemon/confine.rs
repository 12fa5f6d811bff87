//! `--sandbox`: what stays allowed, by what the daemon was told to do.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use log::warn;

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

/// Gives up the rest. There must be no other thread.
///
/// # Errors
/// When that fails, or a folder of `media_roots` is not there.
pub fn confine(
    media_roots: &[PathBuf],
    spool: Option<&Path>,
    sockets: &[&Path],
    host_sound: bool,
) -> Result<(), CliError> {
    for root in media_roots {
        let refused = |error| CliError::new(Exit::Failure, format!("--media-root {}: {error}", root.display()));
        if !fs::metadata(root).map_err(refused)?.is_dir() {
            return Err(refused(io::ErrorKind::NotADirectory.into()));
        }
    }
    let folder = |path: &&Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let allowed = Allowed {
        read: media_roots.to_vec(),
        spool: spool.map(Path::to_owned),
        sockets: sockets.iter().map(folder).collect(),
        host_sound,
    };
    let missing = sandbox::enter(&allowed)
        .map_err(|error| CliError::new(Exit::Failure, format!("the sandbox: {error} (--sandbox none goes without)")))?;
    missing.iter().for_each(|sentence| warn!("sandbox: {sentence}"));
    Ok(())
}
