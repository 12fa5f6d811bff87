//! A process of its own that makes sockets for this one, which has given up the right to by then.
//!
//! The names of sockets appear when everything else is right, and images are looked into before: by a process that can no longer make any,
//! nor give them to a group. The other one looks into nothing; it makes the sockets that it was told of at its start, when it is asked, and
//! ends with the process that asks.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use rustix::process::{Pid, WaitOptions, waitpid};

use super::descriptors::{receive, send};
use super::socket::BoundSocket;

/// Longest answer: what went wrong, in a sentence.
const ANSWER: usize = 4096;
const MADE: u8 = 0;
const REFUSED: u8 = 1;

/// The other process.
#[derive(Debug)]
pub struct SocketMaker {
    to: UnixStream,
    process: Pid,
    sockets: std::vec::IntoIter<PathBuf>,
}

impl SocketMaker {
    /// Starts it for sockets at these paths, each with its group (see [`BoundSocket::bind`]). There must be no other thread.
    ///
    /// # Errors
    /// When there can be no further process.
    pub fn start(sockets: Vec<(PathBuf, Option<u32>)>) -> io::Result<Self> {
        let (to, from) = UnixStream::pair()?;
        // SAFETY: this is the only thread, so the child finds no lock held by another, and may go on as this process would.
        match unsafe { libc::fork() } {
            0 => {
                drop(to);
                // Whoever asked learns from the end of the connection that there is no answer.
                let _ = make_all(&from, &sockets);
                // SAFETY: it ends this process, which has nothing to clean up: all that it has is a copy of the other's.
                unsafe { libc::_exit(0) }
            }
            child => {
                let process = Pid::from_raw(child).filter(|_| child > 0).ok_or_else(io::Error::last_os_error)?;
                let sockets = sockets.into_iter().map(|(path, _)| path).collect::<Vec<_>>().into_iter();
                Ok(Self { to, process, sockets })
            }
        }
    }

    /// Has the next socket made, in the order in which they were given.
    ///
    /// # Errors
    /// What was wrong, as [`BoundSocket::bind`] says it.
    pub fn make(&mut self) -> io::Result<BoundSocket> {
        let path = self.sockets.next().ok_or_else(|| io::Error::other("no further socket was asked for"))?;
        self.to.write_all(&[0])?;
        let mut answer = [0; ANSWER];
        let (len, descriptors) = receive(&self.to, &mut answer)?;
        match (&answer[..len], descriptors.into_iter().next()) {
            ([MADE, file @ ..], Some(socket)) if file.len() == 16 => {
                // Who connects is told the process that listens, which is this one from now on.
                rustix::net::listen(&socket, 4096)?;
                let (device, inode) = file.split_at(8);
                let number = |bytes: &[u8]| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
                Ok(BoundSocket::made(UnixListener::from(socket), path, (number(device), number(inode))))
            }
            ([REFUSED, why @ ..], _) => Err(io::Error::other(String::from_utf8_lossy(why).into_owned())),
            _ => Err(io::Error::other("the process that makes sockets has ended")),
        }
    }
}

impl Drop for SocketMaker {
    fn drop(&mut self) {
        // It ends when there is nothing more to read. Who started it, and not who is left, waits for it.
        let _ = self.to.shutdown(std::net::Shutdown::Both);
        let _ = waitpid(Some(self.process), WaitOptions::empty());
    }
}

/// What the other process does: one socket for each byte that comes.
fn make_all(mut from: &UnixStream, sockets: &[(PathBuf, Option<u32>)]) -> io::Result<()> {
    for (path, group) in sockets {
        from.read_exact(&mut [0])?;
        match BoundSocket::bind(path, *group).and_then(BoundSocket::give_away) {
            Ok((listener, (device, inode))) => {
                let answer = [&[MADE][..], &device.to_be_bytes(), &inode.to_be_bytes()].concat();
                send(from, &answer, &[OwnedFd::from(listener)])?;
            }
            Err(error) => {
                let mut answer = [&[REFUSED], error.to_string().as_bytes()].concat();
                answer.truncate(ANSWER);
                send(from, &answer, &[] as &[OwnedFd])?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By a thread in place of the process: this one has other threads.
    #[test]
    fn sockets_are_made_when_they_are_asked_for_and_refusals_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        let sockets = ["one", "file", "two"].map(|name| (at(name), None)).to_vec();
        let (to, from) = UnixStream::pair().unwrap();
        let made = sockets.clone();
        let child = std::thread::spawn(move || make_all(&from, &made));
        let process = rustix::process::getpid();
        let paths = sockets.into_iter().map(|(path, _)| path).collect::<Vec<_>>().into_iter();
        let mut maker = SocketMaker { to, process, sockets: paths };
        assert!(!at("one").exists());
        let one = maker.make().unwrap();
        UnixStream::connect(at("one")).unwrap();
        assert!(one.listener().unwrap().accept().is_ok());
        assert_eq!(maker.make().unwrap_err().to_string(), "the file exists and is not a socket");
        let two = maker.make().unwrap();
        child.join().unwrap().unwrap();
        drop((one, two));
        assert!(!at("one").exists() && !at("two").exists());
    }
}
