//! What lies in a tray, and how its files are closed.

use std::{mem, thread};

use crate::disc::Disc;
use crate::image::Origin;

/// A disc with what people call it. Whoever lets go of it last waits for no storage, whatever locks it holds.
#[derive(Debug)]
pub struct Medium {
    /// The disc.
    pub disc: Disc,
    /// Where it came from: the path that the user typed.
    pub locator: String,
    /// Id of its image format.
    pub format: &'static str,
    /// The files that it can be opened from again.
    pub origin: Origin,
    /// Its storage may not answer for minutes: see [`crate::source::is_remote`].
    pub remote: bool,
}

/// To close a file is to ask its file system whether all is written, also where nothing was: FUSE and NFS may not answer, and no system
/// call takes that back. So files on such storage are closed by a thread of their own, which may stay where it hangs. Where there is no
/// thread to be had they are closed here, as those on local storage are.
impl Drop for Medium {
    fn drop(&mut self) {
        if self.remote {
            // All that a disc is read from belongs to its sessions.
            let files = (mem::take(&mut self.disc.sessions), mem::take(&mut self.origin));
            // A thread that cannot be started drops what it was to have.
            let _ = thread::Builder::new().name("close".to_owned()).spawn(move || drop(files));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, mpsc};
    use std::thread::ThreadId;

    use super::*;
    use crate::image::{OpenOptions, open_source};
    use crate::source::ByteSource;

    /// Tells who closes it.
    #[derive(Debug)]
    struct Told(mpsc::Sender<ThreadId>);

    impl ByteSource for Told {
        fn len(&self) -> u64 {
            300 * 2048
        }

        fn read_exact_at(&self, buf: &mut [u8], _: u64) -> io::Result<()> {
            buf.fill(0);
            Ok(())
        }
    }

    impl Drop for Told {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).unwrap();
        }
    }

    #[test]
    fn only_files_on_storage_that_may_not_answer_are_closed_by_another_thread() {
        for remote in [true, false] {
            let (tell, told) = mpsc::channel();
            let disc = open_source(Arc::new(Told(tell)), &OpenOptions::default()).unwrap().disc;
            let (locator, origin) = ("test".to_owned(), Origin::default());
            drop(Medium { disc, locator, format: "iso", origin, remote });
            assert_eq!(told.recv().unwrap() != thread::current().id(), remote);
        }
    }
}
