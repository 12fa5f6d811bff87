//! What the daemon gives up, in two steps: capabilities, files, system calls. [`begin`] comes before it looks into an image, [`enter`]
//! before it talks to anybody.
//!
//! All that it needs later is open by then, or is passed to it. What is taken away holds for threads that start afterwards, so both come
//! before the first that serves. One that waits for an image's storage meanwhile keeps capabilities and rights to files, and loses system
//! calls. Not responsible for who may connect (see the sockets' modes).

mod files;
mod privileges;
mod system_calls;

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// What stays allowed.
#[derive(Debug, Default)]
pub struct Allowed {
    /// Folders of images that control clients may name by path.
    pub read: Vec<PathBuf>,
    /// The folder for temporary files.
    pub spool: Option<PathBuf>,
    /// Folders in which this process makes sockets, which it removes when it ends.
    pub sockets: Vec<PathBuf>,
    /// The sound of the host, whose library needs more than the drive.
    pub host_sound: bool,
}

/// Gives up what is not needed to open these images, files or folders of them. Of capabilities those stay that open the files of other users.
/// A parser that a file has taken over finds no other files, no programs and no connections.
///
/// Returns what is not taken away, a sentence each: older kernels have no Landlock, and it does not hold threads that run already.
///
/// # Errors
/// When something cannot be given up that this kernel could take away, or a folder of what is allowed is not there.
pub fn begin(allowed: &Allowed, images: &[OwnedFd]) -> io::Result<Vec<String>> {
    let threads = threads();
    let early = (threads > 1).then(|| {
        let early = threads - 1;
        format!("{early} thread(s) that ran before keep their rights to files and their capabilities")
    });
    privileges::drop_most()?;
    let missing = files::restrict(allowed, Some(images))?;
    system_calls::restrict(allowed.host_sound, true)?;
    Ok(missing.into_iter().chain(early).collect())
}

/// Threads of this process. One that has just ended is among them for a moment.
fn threads() -> usize {
    let count = || fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    for _ in 0..20 {
        if count() == 1 {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    count()
}

/// Gives up everything else, for this process until its end.
///
/// # Errors
/// As for [`begin`].
pub fn enter(allowed: &Allowed) -> io::Result<()> {
    privileges::drop_all()?;
    // What cannot be taken away was told.
    files::restrict(allowed, None)?;
    system_calls::restrict(allowed.host_sound, false)
}
