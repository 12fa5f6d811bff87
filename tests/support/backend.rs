//! The daemon's server in this process, and a guest on it.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use spindle::drive::Drive;
use spindle::vhost_user::{Endpoint, Server, Stop};
use tempfile::TempDir;

use super::guest::{Guest, Options};

/// A running server. It ends with this.
pub struct Backend {
    stop: Stop,
    thread: Option<JoinHandle<std::io::Result<()>>>,
    folder: TempDir,
}

impl Backend {
    /// Serves `drives` as LUN 0, 1, and so on.
    pub fn serve(drives: &[Arc<Drive>]) -> Self {
        Self::polling(drives, Duration::ZERO)
    }

    /// The same by workers that look at empty rings for so long.
    pub fn polling(drives: &[Arc<Drive>], poll: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let server = Server::new(drives).unwrap().polling(poll);
        let stop = server.stop_handle();
        let thread = std::thread::spawn(move || server.run(Endpoint::Listening(listener), false));
        Self { stop, thread: Some(thread), folder }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub fn guest(&self, options: Options) -> Guest {
        Guest::connect(&self.path(), options)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.stop.stop();
        // A test that failed may have left it where it does not end.
        if !std::thread::panicking() {
            self.thread.take().unwrap().join().unwrap().unwrap();
        }
    }
}
