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
    // Room that is rounded up would hold one more.
    if descriptors.len() > MAX_DESCRIPTORS {
        return Err(io::ErrorKind::InvalidData.into());
    }
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

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn descriptors_come_with_the_first_byte_and_as_many_as_a_message_may_carry() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        let mut buf = [0; 16];
        for count in [0, 1, MAX_DESCRIPTORS] {
            send(&ours, b"message", &vec![file.as_fd(); count]).unwrap();
            let (len, descriptors) = receive(&theirs, &mut buf).unwrap();
            assert_eq!((&buf[..len], descriptors.len()), (&b"message"[..], count));
        }
        let too_many = send(&ours, b"message", &[file.as_fd(); MAX_DESCRIPTORS + 1]).unwrap_err();
        assert_eq!(too_many.kind(), io::ErrorKind::InvalidData);
        drop(ours);
        assert_eq!(receive(&theirs, &mut buf).unwrap().0, 0);
    }
}
