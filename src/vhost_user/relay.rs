//! Serving a stream that is connected already.
//!
//! The back-end crate takes a listening socket only. So one is made in a private folder, the crate accepts from it, and
//! two threads pass every message on between the given stream and this connection, descriptors included. Only the
//! protocol's few messages go this way; requests go through rings (docs/adr/0004).

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use crate::sys::descriptors::{receive, send};
use crate::sys::socket;

/// A stream, and a listening socket that a connection waits on.
#[derive(Debug)]
pub struct Relay {
    stream: UnixStream,
    listener: UnixListener,
    near: UnixStream,
}

impl Relay {
    /// Makes the socket, which needs files; no thread yet.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        let (listener, near) = socket::private_pair()?;
        Ok(Self { stream, listener, near })
    }

    /// Starts to pass messages on; the one connection that waits on the returned socket is the stream.
    ///
    /// # Errors
    /// When the threads cannot be made.
    pub fn start(self) -> io::Result<UnixListener> {
        let Self { stream, listener, near } = self;
        let (stream_in, near_out) = (stream.try_clone()?, near.try_clone()?);
        thread::Builder::new().name("relay-in".to_owned()).spawn(move || relay(&stream_in, &near_out))?;
        thread::Builder::new().name("relay-out".to_owned()).spawn(move || relay(&near, &stream))?;
        Ok(listener)
    }
}

/// Passes everything on until either side ends, then ends both.
fn relay(from: &UnixStream, to: &UnixStream) {
    let mut buf = vec![0; 8192];
    while let Ok((len, descriptors)) = receive(from, &mut buf) {
        if len == 0 || send(to, &buf[..len], &descriptors).is_err() {
            break;
        }
    }
    // Either may be gone already; that is all the same now.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
