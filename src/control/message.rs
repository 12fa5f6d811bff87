//! Cutting a stream of bytes into JSON objects, as QMP has it: one after another, with or without white space between. And the other way.

use std::sync::Arc;

use serde_json::Value;

/// Longest message: far beyond any verb's, and what one client can make the daemon hold.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// Deepest nesting of braces and brackets.
const MAX_DEPTH: u32 = 32;

/// What [`Framer::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// One complete JSON object or array.
    Message(Vec<u8>),
    /// Bytes that cannot be a message; they are gone.
    Garbage(&'static str),
}

/// Bytes that have arrived and are not a complete message yet; at most [`MAX_MESSAGE`] of them are held.
#[derive(Debug, Default)]
pub struct Framer {
    partial: Vec<u8>,
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// Throwing away until the line ends.
    skipping: bool,
}

impl Framer {
    /// Takes the next bytes and calls `found` for each message or fault in them, in order.
    pub fn push(&mut self, bytes: &[u8], mut found: impl FnMut(Frame)) {
        for &byte in bytes {
            if let Some(frame) = self.step(byte) {
                found(frame);
            }
        }
    }

    /// Whether a message has begun and is not complete.
    #[must_use]
    pub fn is_within_a_message(&self) -> bool {
        !self.partial.is_empty()
    }

    fn step(&mut self, byte: u8) -> Option<Frame> {
        if self.skipping {
            self.skipping = byte != b'\n';
            return None;
        }
        // A control character resets the parser, as in QEMU: a client may clear the line with one before it begins.
        if byte == 0xFF || byte < 0x20 && !matches!(byte, b'\t' | b'\r' | b'\n') {
            let quiet = self.partial.is_empty();
            *self = Self::default();
            return (!quiet).then_some(Frame::Garbage("JSON parse error: control character"));
        }
        if self.partial.is_empty() {
            return match byte {
                b'{' | b'[' => {
                    self.partial.push(byte);
                    self.depth = 1;
                    None
                }
                b' ' | b'\t' | b'\r' | b'\n' => None,
                _ => self.refuse(byte, "JSON parse error: expecting an object"),
            };
        }
        self.partial.push(byte);
        if self.partial.len() > MAX_MESSAGE {
            return self.refuse(byte, "JSON parse error: message too long");
        }
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return None;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        if self.depth > MAX_DEPTH {
            return self.refuse(byte, "JSON parse error: nesting too deep");
        }
        (self.depth == 0).then(|| Frame::Message(std::mem::take(self).partial))
    }

    /// Forgets the message and the rest of its line.
    fn refuse(&mut self, byte: u8, why: &'static str) -> Option<Frame> {
        *self = Self { skipping: byte != b'\n', ..Self::default() };
        Some(Frame::Garbage(why))
    }
}

/// One message on the wire.
pub fn line(message: &Value) -> Arc<str> {
    format!("{message}\r\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8]) -> Vec<Frame> {
        let (mut whole, mut single) = (Vec::new(), Vec::new());
        Framer::default().push(bytes, |frame| whole.push(frame));
        let mut framer = Framer::default();
        bytes.iter().for_each(|byte| framer.push(&[*byte], |frame| single.push(frame)));
        assert_eq!(whole, single, "how the bytes arrive changes nothing");
        whole
    }

    fn message(text: &str) -> Frame {
        Frame::Message(text.as_bytes().to_vec())
    }

    #[test]
    fn objects_come_back_to_back_or_in_lines() {
        assert_eq!(
            frames(b"{\"a\":1}{\"b\":\"}\\\"{\"}\r\n [2]"),
            [message("{\"a\":1}"), message("{\"b\":\"}\\\"{\"}"), message("[2]")]
        );
        assert_eq!(frames(b"{\"half\": "), []);
    }

    #[test]
    fn nonsense_costs_one_error_and_its_line() {
        assert!(matches!(frames(b"hello {\n{}")[..], [Frame::Garbage(_), Frame::Message(_)]));
        assert!(matches!(frames(b"{\"a\": \x01{}")[..], [Frame::Garbage(_), Frame::Message(_)]));
        assert_eq!(frames(b"\xFF{}"), [message("{}")]);
    }

    #[test]
    fn size_and_depth_have_limits() {
        let long = [b"{\"", &vec![b'x'; 10 << 20][..], b"\"}\n{}"].concat();
        assert!(matches!(frames(&long)[..], [Frame::Garbage(_), Frame::Message(_)]));
        assert!(matches!(
            frames(&[&vec![b'['; 100_000][..], b"\n{}"].concat())[..],
            [Frame::Garbage(_), Frame::Message(_)]
        ));
    }
}
