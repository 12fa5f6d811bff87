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

/// A listening socket that one connection is waiting on: `stream`, relayed.
///
/// # Errors
/// When the socket or a thread cannot be made.
pub fn listen_for(stream: UnixStream) -> io::Result<UnixListener> {
    let (listener, near) = socket::private_pair()?;
    let (stream_in, near_out) = (stream.try_clone()?, near.try_clone()?);
    thread::Builder::new().name("relay-in".to_owned()).spawn(move || relay(&stream_in, &near_out))?;
    thread::Builder::new().name("relay-out".to_owned()).spawn(move || relay(&near, &stream))?;
    Ok(listener)
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
