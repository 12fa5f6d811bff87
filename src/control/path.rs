//! Where control sockets are when nobody says where.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The folder that daemons put their control sockets in: `spindled` in the user's runtime folder, else in `/run`.
#[must_use]
pub fn runtime_dir() -> Option<PathBuf> {
    let base = match env::var_os("XDG_RUNTIME_DIR") {
        Some(folder) if Path::new(&folder).is_absolute() => PathBuf::from(folder),
        _ => PathBuf::from("/run"),
    };
    base.is_dir().then(|| base.join("spindled"))
}

/// The control sockets in the runtime folder that somebody listens on, in order of name.
pub(super) fn running() -> Vec<PathBuf> {
    let Some(entries) = runtime_dir().and_then(|folder| fs::read_dir(folder).ok()) else { return Vec::new() };
    let mut sockets: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "sock"))
        .filter(|path| std::os::unix::net::UnixStream::connect(path).is_ok())
        .collect();
    sockets.sort();
    sockets
}
