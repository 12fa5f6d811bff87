//! Serving front-ends, one connection after the other.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use log::{info, warn};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use vhost::vhost_user::{Error as ProtocolError, Listener};
use vhost_user_backend::{Error as DaemonError, VhostUserDaemon};
use vm_memory::GuestMemoryAtomic;
use vmm_sys_util::epoll::EventSet;

use super::backend::{Backend, EVENT_READY, LOOK_AGAIN, MEMORY_GONE, QUEUES};
use super::events::{EventQueue, UnitEvents};
use super::relay::Relay;
use crate::drive::Drive;
use crate::scsi::{LogicalUnit, Lun, Nexus, Reset, Target};
use crate::sys;
use crate::sys::memory::GuestMemory;

/// How long to wait for descriptors, threads or memory to become free before the next try to serve a front-end.
const WITHOUT_DESCRIPTORS: Duration = Duration::from_millis(500);

/// Where front-ends come from.
#[derive(Debug)]
pub enum Endpoint {
    /// They connect, one after the other.
    Listening(UnixListener),
    /// There is one, and no other will come.
    Connected(Relay),
}

/// Ends a [`Server`] from another thread, whatever it waits for.
#[derive(Debug, Clone)]
pub struct Stop(Arc<StopState>);

#[derive(Debug)]
struct StopState {
    stopped: AtomicBool,
    wake: rustix::fd::OwnedFd,
    connection: Mutex<Option<Connection>>,
}

/// One that is being served.
struct Connection(Arc<Backend>);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(StopState {
            stopped: AtomicBool::new(false),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            connection: Mutex::new(None),
        })))
    }

    /// The server's `run` returns soon after; a connection is closed.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        // Fails only when the counter is full: then it is readable already.
        let _ = rustix::io::write(&self.0.wake, &1_u64.to_ne_bytes());
        if let Some(connection) = &*self.connection() {
            connection.0.end_connection();
        }
    }

    fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::SeqCst)
    }

    fn wake(&self) -> BorrowedFd<'_> {
        self.0.wake.as_fd()
    }

    fn connection(&self) -> std::sync::MutexGuard<'_, Option<Connection>> {
        self.0.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The drives as a target that front-ends reach over vhost-user. It outlives connections.
pub struct Server {
    target: Arc<Target>,
    events: Arc<EventQueue>,
    stop: Stop,
    poll: Duration,
}

impl Server {
    /// A server whose logical units are `drives`, in order.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn new(drives: &[Arc<Drive>]) -> io::Result<Self> {
        let units = drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn LogicalUnit>).collect();
        let target = Arc::new(Target::new(units));
        let events = Arc::new(EventQueue::new()?);
        for (drive, &lun) in drives.iter().zip(target.luns()) {
            drive.listen(Arc::new(UnitEvents { queue: Arc::clone(&events), lun: Lun(lun.0) }));
        }
        Ok(Self { target, events, stop: Stop::new()?, poll: Duration::ZERO })
    }

    /// The same server, which looks at empty rings for so long before it waits for the guest's kick: a processor's time for
    /// less latency.
    #[must_use]
    pub fn polling(self, poll: Duration) -> Self {
        Self { poll, ..self }
    }

    /// What ends [`run`](Self::run).
    #[must_use]
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// Serves front-ends until there can be no other, or until it is stopped. With `once`, only the first.
    ///
    /// # Errors
    /// When the only connection that there will be cannot be served.
    pub fn run(&self, endpoint: Endpoint, once: bool) -> io::Result<()> {
        let (listener, once) = match endpoint {
            Endpoint::Listening(listener) => (listener, once),
            Endpoint::Connected(relay) => (relay.start()?, true),
        };
        while self.wait_for_connection(&listener)? {
            match self.serve(&listener) {
                Ok(()) if once => break,
                Ok(()) => {}
                Err(error) if once => return Err(error),
                // Other machines of this daemon keep their drives; this front-end is served when there are some again.
                Err(error) => {
                    warn!("a front-end cannot be served now: {error}");
                    if self.is_stopped_within(WITHOUT_DESCRIPTORS)? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Waits; true when the server is stopped meanwhile.
    fn is_stopped_within(&self, time: Duration) -> io::Result<bool> {
        let time = Timespec::try_from(time).map_err(io::Error::other)?;
        let mut ready = [PollFd::from_borrowed_fd(self.stop.wake(), PollFlags::IN)];
        match poll(&mut ready, Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(self.stop.is_stopped()),
            Err(error) => Err(error.into()),
        }
    }

    /// True when a connection waits, false when the server was stopped.
    fn wait_for_connection(&self, listener: &UnixListener) -> io::Result<bool> {
        loop {
            let mut ready = [
                PollFd::from_borrowed_fd(self.stop.wake(), PollFlags::IN),
                PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN),
            ];
            match poll(&mut ready, None) {
                Err(rustix::io::Errno::INTR) => continue,
                result => result?,
            };
            if self.stop.is_stopped() {
                return Ok(false);
            }
            if !ready[1].revents().is_empty() {
                return Ok(true);
            }
        }
    }

    /// One connection, from its first message to its end.
    ///
    /// # Errors
    /// When it cannot begin: it still waits then.
    fn serve(&self, listener: &UnixListener) -> io::Result<()> {
        has_descriptors()?;
        let nexus = Nexus(0);
        let memory = GuestMemoryAtomic::new(GuestMemory::new());
        let events = Arc::clone(&self.events);
        let backend = Backend::new(Arc::clone(&self.target), nexus, events, self.poll)?;
        // What the process before this one left for the first driver.
        let backend = Arc::new(backend.resuming(self.target.notes()));
        let daemon = VhostUserDaemon::new("vhost-user".to_owned(), Arc::clone(&backend), memory);
        let mut daemon = daemon.map_err(|error| {
            end_workers(&backend);
            io::Error::other(error.to_string())
        })?;
        let served = self.begin(&mut daemon, &backend, listener).map(|()| daemon.wait());
        *self.stop.connection() = None;
        backend.is_over();
        drop(daemon);
        drop(backend.take_exit_descriptors());
        sys::heap::give_back();
        let result = served?;
        // The machine is gone, and its lock with it; the next one finds a drive that was just switched on. So does one that this end
        // has hung up on for a fault. Unless this process ends: then the machine goes on with the next one.
        if backend.is_driven() && !self.stop.is_stopped() {
            self.target.reset_all(Reset::PowerOn);
            self.events.clear();
        }
        match result {
            Ok(()) | Err(DaemonError::HandleRequest(ProtocolError::Disconnected | ProtocolError::PartialMessage)) => {
                info!("the front-end disconnected");
            }
            Err(DaemonError::HandleRequest(ProtocolError::InvalidParam)) => warn!(
                "the connection ended: the front-end asked for something that is not there; if the machine has more \
                 than {most} processors, add num_queues={most} to its vhost-user-scsi device",
                most = QUEUES - 2
            ),
            Err(DaemonError::WaitDaemon(_)) => warn!("the connection ended: its thread panicked (see above)"),
            Err(error) => warn!("the connection ended: {error}"),
        }
        Ok(())
    }
    /// Accepts the connection that waits.
    fn begin(
        &self,
        daemon: &mut VhostUserDaemon<Arc<Backend>>,
        backend: &Arc<Backend>,
        listener: &UnixListener,
    ) -> io::Result<()> {
        let workers = daemon.get_epoll_handlers();
        if let Some(worker) = workers.first() {
            worker.register_listener(self.events.descriptor(), EventSet::IN, EVENT_READY)?;
            worker.register_listener(backend.memory_descriptor(), EventSet::IN, MEMORY_GONE)?;
        }
        for (worker, descriptor) in workers.iter().zip(backend.wake_descriptors()) {
            worker.register_listener(descriptor, EventSet::IN, LOOK_AGAIN)?;
        }
        backend.waits_on(workers.iter().map(|worker| worker.as_raw_fd()).collect());
        daemon
            .start(&mut Listener::from(listener.try_clone()?))
            .map_err(|error| io::Error::other(error.to_string()))?;
        info!("a front-end connected");
        if let Some(connection) = daemon.shutdown_handle() {
            backend.ends_by(connection);
        }
        *self.stop.connection() = Some(Connection(Arc::clone(backend)));
        if self.stop.is_stopped() {
            backend.end_connection();
        }
        Ok(())
    }
}

/// Ends the workers that the crate had started when it could not start the next, which it leaves alone.
fn end_workers(backend: &Arc<Backend>) {
    let exits = backend.take_exit_descriptors();
    for exit in &exits {
        // Fails only when the counter is full: then it is readable already.
        let _ = rustix::io::write(exit, &1_u64.to_ne_bytes());
    }
    // They have no ring to serve yet, and each holds the back-end.
    while Arc::strong_count(backend) > 1 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether there are as many descriptors as a small machine's connection needs: one that lacks them later ends amid its messages.
fn has_descriptors() -> io::Result<()> {
    const SOME: usize = 64;
    let tried = (0..SOME).map(|_| eventfd(0, EventfdFlags::CLOEXEC));
    tried.collect::<Result<Vec<_>, _>>().map(drop).map_err(io::Error::from)
}
