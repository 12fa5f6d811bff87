//! What the daemon gives up before it talks to anybody: capabilities, files, system calls.
//!
//! All that it needs later is open by then, or is passed to it. What is taken away holds for threads that start afterwards, so
//! [`enter`] comes before the first thread. Not responsible for who may connect (see the sockets' modes).

mod files;
mod privileges;
mod system_calls;

use std::fs;
use std::io;
use std::path::PathBuf;

/// What stays allowed.
#[derive(Debug, Default)]
pub struct Allowed {
    /// Folders of images that control clients may name by path.
    pub read: Vec<PathBuf>,
    /// The folder for temporary files.
    pub spool: Option<PathBuf>,
    /// Folders in which this process has made sockets, which it removes when it ends.
    pub sockets: Vec<PathBuf>,
    /// The sound of the host, whose library needs more than the drive.
    pub host_sound: bool,
}

/// Gives up everything else, for this process until its end.
///
/// Returns what is not taken away, a sentence each: older kernels have no Landlock, and it does not hold threads that run already.
///
/// # Errors
/// When something cannot be given up that this kernel could take away, or a folder is not there.
pub fn enter(allowed: &Allowed) -> io::Result<Vec<String>> {
    privileges::drop_all()?;
    // Before /proc is taken away.
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    let early =
        (threads > 1).then(|| format!("{} thread(s) that a library has started before keep their rights", threads - 1));
    let missing = files::restrict(allowed)?;
    system_calls::restrict(allowed.host_sound)?;
    Ok(missing.into_iter().chain(early).collect())
}
