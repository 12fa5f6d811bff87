//! vhost-user messages byte by byte, for what a well-behaved front-end never sends.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

pub const GET_FEATURES: u32 = 1;
pub const SET_MEM_TABLE: u32 = 5;
pub const SET_VRING_NUM: u32 = 8;
pub const SET_VRING_KICK: u32 = 12;
pub const SET_VRING_CALL: u32 = 13;
pub const ADD_MEM_REG: u32 = 37;

/// A message of protocol version 1 with the numbers as its payload.
pub fn message(request: u32, payload: &[u32]) -> Vec<u8> {
    with_payload(request, &payload.iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<_>>())
}

/// The same with any bytes.
pub fn with_payload(request: u32, payload: &[u8]) -> Vec<u8> {
    let header = [request, 1, payload.len() as u32];
    header.iter().flat_map(|number| number.to_ne_bytes()).chain(payload.iter().copied()).collect()
}

/// Sends the bytes and nothing after them, and waits until the back-end has hung up.
pub fn send_to_the_end(mut stream: UnixStream, bytes: &[u8]) {
    // The other side may hang up before all is written.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut sink = [0; 4096];
    while stream.read(&mut sink).is_ok_and(|len| len > 0) {}
}
