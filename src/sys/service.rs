//! The service manager that started this process (sd_notify(3), sd_listen_fds(3)): it is told that the process is ready, and keeps
//! descriptors over the end of the process.

use std::env;
use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// The first descriptor that a service manager passes.
const FIRST: RawFd = 3;
/// Most that it passes.
const MOST: RawFd = 1 << 16;
/// How long it may take it to read what it is told at a time.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// The way to the service manager.
#[derive(Debug)]
pub struct Manager(UnixDatagram);

impl Manager {
    /// The one that `NOTIFY_SOCKET` names, if any.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn of_this_process() -> io::Result<Option<Self>> {
        let name = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        name.map(|name| Self::at(&name)).transpose()
    }

    /// The one that reads from the socket of this name.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn at(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes().split_first() {
            Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        Ok(Self(socket))
    }

    /// The process serves from now on.
    ///
    /// # Errors
    /// When the message cannot be sent.
    pub fn ready(&self) -> io::Result<()> {
        self.send("READY=1", None, Instant::now() + PATIENCE)
    }

    /// Has a descriptor kept under a name, which must have no colon. Whether it really is, the next process sees: another of an open file
    /// that is kept already is not.
    ///
    /// # Errors
    /// When the message cannot be sent, or not until `until`.
    pub fn store(&self, name: &str, descriptor: BorrowedFd<'_>, until: Instant) -> io::Result<()> {
        self.send(&format!("FDSTORE=1\nFDNAME={name}"), Some(descriptor), until)
    }

    /// Has every descriptor of this name closed.
    ///
    /// # Errors
    /// When the message cannot be sent, or not until `until`.
    pub fn forget(&self, name: &str, until: Instant) -> io::Result<()> {
        self.send(&format!("FDSTOREREMOVE=1\nFDNAME={name}"), None, until)
    }

    fn send(&self, message: &str, descriptor: Option<BorrowedFd<'_>>, until: Instant) -> io::Result<()> {
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
        self.0.set_write_timeout(Some(left.ok_or(io::ErrorKind::TimedOut)?))?;
        let descriptors: Vec<_> = descriptor.into_iter().collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        loop {
            match sendmsg(&self.0, &[IoSlice::new(message.as_bytes())], &mut control, SendFlags::NOSIGNAL) {
                Err(rustix::io::Errno::INTR) => {}
                sent => return Ok(sent.map(|_| ())?),
            }
        }
    }
}

/// The descriptors that the service manager kept for this process under names that begin with `prefix`. Others are left as they are:
/// they are for whoever else knows them.
///
/// Must be called before the process opens descriptors of its own, and once: nothing may own them yet.
#[must_use]
pub fn kept(prefix: &str) -> Vec<(String, OwnedFd)> {
    let number = |name: &str| env::var(name).ok()?.parse::<RawFd>().ok();
    if number("LISTEN_PID") != i32::try_from(std::process::id()).ok() {
        return Vec::new();
    }
    let count = number("LISTEN_FDS").unwrap_or(0).clamp(0, MOST);
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let named = (FIRST..FIRST + count).zip(names.split(':'));
    named
        .filter(|(_, name)| name.starts_with(prefix))
        .filter_map(|(fd, name)| Some((name.to_owned(), take(fd)?)))
        .collect()
}

fn take(fd: RawFd) -> Option<OwnedFd> {
    // SAFETY: the descriptor is only asked for its flags; one that is not open is an error of the call.
    let open = unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0;
    // SAFETY: it is open, and the environment says that the service manager passed it to this process; the caller states that nothing
    // owns it yet.
    let taken = open.then(|| unsafe { OwnedFd::from_raw_fd(fd) })?;
    rustix::io::fcntl_setfd(&taken, rustix::io::FdFlags::CLOEXEC).ok()?;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsRawFd, IntoRawFd};

    use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

    use super::*;

    #[test]
    fn a_descriptor_that_was_passed_belongs_to_whoever_takes_it_and_to_no_program_that_is_run() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        fcntl_setfd(&theirs, FdFlags::empty()).unwrap();
        // Nobody owns it from here on.
        let number = theirs.into_raw_fd();
        let taken = take(number).unwrap();
        assert_eq!((taken.as_raw_fd(), fcntl_getfd(&taken).unwrap()), (number, FdFlags::CLOEXEC));
        ours.send(b"still open").unwrap();
        drop(taken);
        assert_eq!(ours.send(b"closed").unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert!([-1, RawFd::MAX].into_iter().all(|number| take(number).is_none()));
    }
}
