//! Unix sockets that belong to this process: made with the right mode from the start, removed at the end.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, FlockOperation, Gid, Mode, OFlags, flock};
use rustix::io::Errno;

/// `sun_path` of Linux holds 108 bytes, the last a zero.
const LONGEST_PATH: usize = 107;

/// A listening socket. Its file is removed when this is dropped, if it is still the same file.
#[derive(Debug)]
pub struct BoundSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file.
    file: (u64, u64),
}

impl BoundSocket {
    /// Listens at `path`, mode 0600; with `group`, 0660 and of that group. A socket that nobody listens on any more is
    /// replaced.
    ///
    /// # Errors
    /// `AddrInUse` when somebody listens there; `PermissionDenied` when this user cannot find out; `AlreadyExists` when the file is no
    /// socket; `InvalidInput` for a path that is too long.
    pub fn bind(path: &Path, group: Option<u32>) -> io::Result<Self> {
        if path.as_os_str().as_bytes().len() > LONGEST_PATH {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the path is longer than the {LONGEST_PATH} bytes that a socket address holds"),
            ));
        }
        let socket = in_place_of_stale(path, || {
            // The file appears with its final mode: nobody can connect in between. The mask is the process', so it is only
            // changed here, before there are threads that make files.
            let old = rustix::process::umask(Mode::from_raw_mode(0o177));
            let bound = UnixListener::bind(path);
            rustix::process::umask(old);
            let listener = bound?;
            let metadata = fs::symlink_metadata(path)?;
            Ok(Self { listener, path: path.to_owned(), file: (metadata.dev(), metadata.ino()) })
        })?;
        if let Some(group) = group {
            socket.give_to(group)?;
        }
        Ok(socket)
    }

    /// One that another process made and gave to this one, with device and inode of its file.
    pub(super) fn made(listener: UnixListener, path: PathBuf, file: (u64, u64)) -> Self {
        Self { listener, path, file }
    }

    /// The socket and its file's device and inode, for the process that is to have it: the file stays.
    ///
    /// # Errors
    /// When there is no descriptor left; the file is gone then.
    pub(super) fn give_away(mut self) -> io::Result<(UnixListener, (u64, u64))> {
        let listener = self.listener.try_clone()?;
        Ok((listener, std::mem::take(&mut self.file)))
    }

    /// Lets a group connect. Where others may write in its folder, the name can lead elsewhere by now: what is changed is held by a
    /// descriptor, and is this socket.
    fn give_to(&self, group: u32) -> io::Result<()> {
        let file = rustix::fs::open(&self.path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        let now = rustix::fs::fstat(&file)?;
        let is_socket = FileType::from_raw_mode(now.st_mode) == FileType::Socket;
        if !is_socket || (now.st_dev, now.st_ino) != self.file {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "another file took its place meanwhile"));
        }
        let group_id = Gid::from_raw(group);
        rustix::fs::chownat(&file, "", None, Some(group_id), AtFlags::EMPTY_PATH).map_err(|error| {
            let error = io::Error::from(error);
            io::Error::new(
                error.kind(),
                format!("group {group} cannot have it: {error}; only its members and root give it"),
            )
        })?;
        fs::set_permissions(format!("/proc/self/fd/{}", file.as_raw_fd()), fs::Permissions::from_mode(0o660))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The socket to accept from.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }
}

impl Drop for BoundSocket {
    fn drop(&mut self) {
        let same = fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.file);
        if same {
            // Nobody is left to tell.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Has a socket made at `path`, where one of a process that has ended may be. Of two daemons that found the same one, the second would remove
/// what the first has made: they take turns.
fn in_place_of_stale<T>(path: &Path, make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let _turn = turn(path);
    remove_stale(path)?;
    make()
}

/// Removes the socket file of a process that ended without removing it.
fn remove_stale(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the file exists and is not a socket"));
    }
    // A socket of another type cannot be connected, so whoever listens there does not take this for a front-end. Where nobody has the file
    // as a socket any more, that comes first.
    match UnixDatagram::unbound()?.connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.raw_os_error() == Some(Errno::ACCESS.raw_os_error()) => {
            let whose = "the socket is not this user's, so whether it is in use cannot be found out";
            Err(io::Error::new(error.kind(), format!("{whose}: {error}")))
        }
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "the socket is in use by another process")),
    }
}

/// The turn of this process in the folder of `path`, until it is dropped.
///
/// None where there is none to be had: somebody who only wants to be in the way must not keep a daemon from starting.
fn turn(path: &Path) -> Option<OwnedFd> {
    const TRIES: u32 = 400;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty()).ok()?;
    for _ in 0..TRIES {
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => std::thread::sleep(Duration::from_millis(5)),
            locked => return locked.ok().map(|()| folder),
        }
    }
    None
}

/// A listening socket with exactly one connection waiting, and the other end of it. Its file lay in a folder that only
/// this user may enter, and is gone already.
///
/// # Errors
/// When the folder or the socket cannot be made.
pub fn private_pair() -> io::Result<(UnixListener, UnixStream)> {
    let folder = private_folder()?;
    let path = folder.join("relay");
    let pair = UnixListener::bind(&path).and_then(|listener| Ok((listener, UnixStream::connect(&path)?)));
    // Best effort: the pair works without its name.
    let _ = fs::remove_file(&path);
    let _ = fs::remove_dir(&folder);
    pair
}

/// A new folder that only this user may enter. Others may have taken a name, by accident or to be in the way.
fn private_folder() -> io::Result<PathBuf> {
    let mut attempt = 0_u32;
    loop {
        let folder = std::env::temp_dir().join(format!("spindled-{}-{attempt}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 1000 => attempt += 1,
            made => return made.map(|()| folder),
        }
    }
}

/// A socket that the parent process left open for this one.
#[derive(Debug)]
pub enum Inherited {
    /// It accepts connections.
    Listening(UnixListener),
    /// It is one.
    Connected(UnixStream),
}

/// Takes the socket that the parent process passed as descriptor `fd`.
///
/// # Errors
/// When it is not open, or not a Unix stream socket.
pub fn inherited(fd: i32) -> io::Result<Inherited> {
    use rustix::net::{AddressFamily, SocketType, sockopt};

    if fd < 3 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "descriptors 0 to 2 are standard input and output"));
    }
    // SAFETY: the descriptor is only asked for its flags; one that is not open is an error of the call.
    let open = unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0;
    if !open {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and the caller was told its number by the parent, so nothing in this process owns it yet: this
    // runs before anything else opens descriptors that live on.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    if sockopt::socket_domain(&socket)? != AddressFamily::UNIX || sockopt::socket_type(&socket)? != SocketType::STREAM {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a Unix stream socket"));
    }
    // A parent's event loop may have left it non-blocking.
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok(if sockopt::socket_acceptconn(&socket)? {
        Inherited::Listening(UnixListener::from(socket))
    } else {
        Inherited::Connected(UnixStream::from(socket))
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, IntoRawFd, RawFd};

    use rustix::fs::fcntl_getfl;
    use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

    use super::*;

    /// What a parent passes: its number alone, which nobody owns.
    fn passed(socket: impl Into<OwnedFd>) -> RawFd {
        let socket = socket.into();
        fcntl_setfd(&socket, FdFlags::empty()).unwrap();
        socket.into_raw_fd()
    }

    #[test]
    fn a_socket_that_a_parent_passed_is_known_by_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        listener.set_nonblocking(true).unwrap();
        let Inherited::Listening(taken) = inherited(passed(listener)).unwrap() else { panic!("it listens") };
        let is_ready = |socket: &dyn AsFd| {
            let waits = !fcntl_getfl(socket.as_fd()).unwrap().contains(OFlags::NONBLOCK);
            waits && fcntl_getfd(socket.as_fd()).unwrap() == FdFlags::CLOEXEC
        };
        assert!(is_ready(&taken));
        UnixStream::connect(folder.path().join("socket")).unwrap();
        taken.accept().unwrap();

        let (theirs, ours) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let Inherited::Connected(taken) = inherited(passed(theirs)).unwrap() else { panic!("it is connected") };
        assert!(is_ready(&taken));
        assert_eq!(taken.peer_addr().unwrap().as_pathname(), ours.local_addr().unwrap().as_pathname());
    }

    #[test]
    fn what_is_no_socket_for_a_front_end_is_refused() {
        let (datagrams, ours) = UnixDatagram::pair().unwrap();
        let number = passed(datagrams);
        assert_eq!(inherited(number).unwrap_err().to_string(), "is not a Unix stream socket");
        // It was this process' to close.
        assert_eq!(ours.send(b"closed").unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let file = passed(tempfile::tempfile().unwrap());
        assert_eq!(inherited(file).unwrap_err().raw_os_error(), Some(Errno::NOTSOCK.raw_os_error()));
        assert_eq!(inherited(RawFd::MAX).unwrap_err().raw_os_error(), Some(Errno::BADF.raw_os_error()));
        assert!((0..3).all(|number| inherited(number).unwrap_err().kind() == io::ErrorKind::InvalidInput));
    }

    #[test]
    fn a_link_that_took_the_place_of_the_socket_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let socket = BoundSocket::bind(&at("socket"), None).unwrap();
        let mode = |name: &str| fs::metadata(at(name)).unwrap().mode() & 0o777;
        socket.give_to(rustix::process::getegid().as_raw()).unwrap();
        assert_eq!(mode("socket"), 0o660);
        fs::write(at("secret"), "secret").unwrap();
        fs::set_permissions(at("secret"), fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(at("secret"), at("link")).unwrap();
        fs::rename(at("link"), at("socket")).unwrap();
        let error = socket.give_to(rustix::process::getegid().as_raw()).unwrap_err();
        assert_eq!((error.kind(), mode("secret")), (io::ErrorKind::AlreadyExists, 0o600));
    }

    /// Of several daemons that start where one has died, one has the socket, and front-ends reach it.
    #[test]
    fn a_stale_socket_is_replaced_by_one_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        for round in 0..200 {
            drop(UnixListener::bind(&path).unwrap());
            let start = std::sync::Barrier::new(3);
            let bind = || {
                start.wait();
                in_place_of_stale(&path, || UnixListener::bind(&path))
            };
            let bound: Vec<_> = std::thread::scope(|scope| {
                let threads = [0; 3].map(|_| scope.spawn(bind));
                threads.into_iter().filter_map(|thread| thread.join().unwrap().ok()).collect()
            });
            assert_eq!(bound.len(), 1, "round {round}");
            bound[0].set_nonblocking(true).unwrap();
            UnixStream::connect(&path).unwrap();
            assert!(bound[0].accept().is_ok(), "round {round}");
            fs::remove_file(&path).unwrap();
        }
    }
}
