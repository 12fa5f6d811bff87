//! Passing open files between processes over Unix sockets (SCM_RIGHTS).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// Descriptors that one message may carry: the limit of vhost-user (`MAX_ATTACHED_FD_ENTRIES` of the crate).
pub const MAX_DESCRIPTORS: usize = 32;

/// Reads what has arrived, with the descriptors that came along; zero bytes mean that the peer is done. Descriptors
/// beyond [`MAX_DESCRIPTORS`] are closed by the kernel.
///
/// # Errors
/// What the socket reports.
pub fn receive(from: &UnixStream, buf: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
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

/// Sends all of `bytes`; the descriptors go with the first of them.
///
/// # Errors
/// What the socket reports; `InvalidData` for more than [`MAX_DESCRIPTORS`].
pub fn send(to: &UnixStream, mut bytes: &[u8], descriptors: &[impl AsFd]) -> io::Result<()> {
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
