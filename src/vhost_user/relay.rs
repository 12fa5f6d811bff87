//! Serving a stream that is connected already.
//!
//! The back-end crate takes a listening socket only. So one is made in a private folder, the crate accepts from it, and
//! two threads pass every message on between the given stream and this connection, descriptors included. Only the
//! protocol's few messages go this way; requests go through rings (docs/adr/0004).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

use crate::sys::socket;

/// Descriptors that one message may carry: the crate's own limit (`MAX_ATTACHED_FD_ENTRIES`).
const MAX_DESCRIPTORS: usize = 32;

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

fn receive(from: &UnixStream, buf: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = loop {
        match recvmsg(from, &mut [IoSliceMut::new(buf)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    Ok((got.bytes, descriptors))
}

fn send(to: &UnixStream, mut bytes: &[u8], descriptors: &[OwnedFd]) -> io::Result<()> {
    let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&borrowed)) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // The descriptors travel with the first byte, so only with the first part of a message that is sent in parts.
    while !bytes.is_empty() {
        match sendmsg(to, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
            Err(rustix::io::Errno::INTR) => {}
            sent => {
                bytes = &bytes[sent?..];
                control.clear();
            }
        }
    }
    Ok(())
}
