//! The server: one thread accepts, two serve each client (see `session`). All of them block; none has a timer.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use log::{debug, warn};
use serde_json::Value;

use super::events::Announcer;
use super::fdset::FdSets;
use super::image::Policy;
use super::message::line;
use super::outlet::Outlet;
use super::session;
use crate::drive::{Drive, Medium};
use crate::sys::join::join_within;

/// How long the server's end waits for one client.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait for descriptors to become free before the next try to accept.
const WITHOUT_DESCRIPTORS: Duration = Duration::from_millis(200);

/// A drive, and where guests find it.
#[derive(Debug, Clone)]
pub struct Attached {
    /// The drive.
    pub drive: Arc<Drive>,
    /// Its logical unit number in its target.
    pub lun: u16,
    /// The vhost-user socket of its target, where that is not the daemon's own.
    pub socket: Option<String>,
}

impl Attached {
    /// The drives of one target at the daemon's own socket, in the order of their LUNs.
    #[must_use]
    pub fn to_one_target(drives: &[Arc<Drive>]) -> Vec<Self> {
        (0..).zip(drives).map(|(lun, drive)| Self { drive: Arc::clone(drive), lun, socket: None }).collect()
    }
}

/// What verbs and clients share.
pub struct Shared {
    /// The drives, in the order in which they were asked for.
    pub drives: Vec<Attached>,
    /// Descriptors that clients passed.
    pub sets: Mutex<FdSets>,
    /// How images are opened.
    pub policy: Policy,
    /// Ends the daemon; must return at once.
    pub quit: Box<dyn Fn() + Send + Sync>,
    nodes: Mutex<BTreeMap<String, Arc<Medium>>>,
    clients: Mutex<HashMap<u64, Connected>>,
    stopped: AtomicBool,
}

/// A client, as others see it.
pub(super) struct Connected {
    pub outlet: Arc<Outlet>,
    pub stream: UnixStream,
    /// Set once `qmp_capabilities` has been answered: no event comes before that answer.
    pub events: bool,
}

impl Shared {
    /// Media that are open under a name.
    pub fn nodes(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Medium>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an event to every client that has negotiated. Never waits.
    pub fn broadcast(&self, event: &Value) {
        let line = line(event);
        for client in self.clients().values().filter(|client| client.events) {
            if !client.outlet.offer(Arc::clone(&line)) {
                warn!("a control client does not read what it is sent; closing its connection");
                // It may be gone already.
                let _ = client.stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// True once the server is ending.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Those that are connected, by number.
    pub(super) fn clients(&self) -> MutexGuard<'_, HashMap<u64, Connected>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running control server. Dropping it ends every connection and thread.
pub struct Server {
    shared: Arc<Shared>,
    listener: UnixListener,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves clients of `listener` until this is dropped. Images are opened as `policy` says. `quit` ends the daemon and must return at once.
    ///
    /// # Errors
    /// When there is no descriptor or thread left.
    pub fn start(
        listener: UnixListener,
        drives: Vec<Attached>,
        policy: Policy,
        quit: Box<dyn Fn() + Send + Sync>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            drives,
            sets: Mutex::default(),
            policy,
            quit,
            nodes: Mutex::default(),
            clients: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let announcer = Arc::new(Announcer::new(&shared));
        for attached in &shared.drives {
            attached.drive.listen(Arc::clone(&announcer) as _);
        }
        let accepting = {
            let (shared, listener) = (Arc::clone(&shared), listener.try_clone()?);
            thread::Builder::new().name("control".to_owned()).spawn(move || accept(&shared, &listener))?
        };
        Ok(Self { shared, listener, accepting: Some(accepting) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread; Linux ends accept(2) on a listening socket that is shut down.
        let _ = rustix::net::shutdown(self.listener.as_fd(), rustix::net::Shutdown::Both);
        if let Some(accepting) = self.accepting.take() {
            // A panic there was logged when it happened.
            let _ = accepting.join();
        }
    }
}

/// Accepts until the server stops, then ends every client and waits for its threads.
fn accept(shared: &Arc<Shared>, listener: &UnixListener) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for number in 0_u64.. {
        let accepted = listener.accept();
        if shared.is_stopped() {
            break;
        }
        threads.retain(|thread| !thread.is_finished());
        match accepted {
            Ok((stream, _)) => match session::start(shared, stream, number) {
                Ok(started) => threads.extend(started),
                Err(error) => warn!("a control client could not be served: {error}"),
            },
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {}
            // There are none left, or no memory. Clients that leave give some back.
            Err(error) => {
                debug!("no control client can be accepted now: {error}");
                thread::sleep(WITHOUT_DESCRIPTORS);
            }
        }
    }
    // Only the reading side: the answer to `quit` is still on its way out.
    for client in shared.clients().values() {
        let _ = client.stream.shutdown(Shutdown::Read);
    }
    let deadline = Instant::now() + PATIENCE;
    for thread in threads {
        // Those that open images on storage that does not answer are left behind, all at the same time.
        let _ = join_within(thread, deadline.saturating_duration_since(Instant::now()));
    }
}
