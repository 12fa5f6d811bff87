//! virtio-scsi requests (virtio 1.2, 5.6.6), written and read byte by byte: independent of the structures under test.

use super::{CONTROL, Guest, Piece};

const REQUEST: usize = 51;
const RESPONSE: usize = 108;

/// The LUN field as Linux writes it.
pub fn lun(lun: u16) -> [u8; 8] {
    let [high, low] = lun.to_be_bytes();
    [1, 0, 0x40 | high, low, 0, 0, 0, 0]
}

/// How a request is cut into buffers. Devices must take any (2.7.4.2, 5.6.6.1: message framing).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Request, data out, response, data in: one buffer each, as Linux.
    Separate,
    /// One buffer to read and one to write.
    Joined,
    /// Buffers of this many bytes.
    Cut(usize),
}

pub struct Command<'a> {
    pub lun: [u8; 8],
    pub tag: u64,
    pub cdb: &'a [u8],
    pub room: usize,
    pub out: &'a [u8],
    pub layout: Layout,
}

impl<'a> Command<'a> {
    /// To LUN 0, with `room` for what it returns.
    pub fn new(cdb: &'a [u8], room: usize) -> Self {
        Self { lun: lun(0), tag: 0, cdb, room, out: &[], layout: Layout::Separate }
    }
}

/// A command under way.
#[derive(Debug, Clone, Copy)]
pub struct Pending {
    pub queue: usize,
    pub head: u16,
    /// Which chain of its ring it is, counted as the ring's indices are.
    pub position: u16,
    response: u64,
    room: usize,
}

/// What a command came back with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Bytes written, as the used ring says.
    pub written: u32,
    pub response: u8,
    pub status: u8,
    pub residual: u32,
    pub sense: Vec<u8>,
    /// The data buffer as far as the used ring says it was written.
    pub data: Vec<u8>,
}

impl Guest {
    /// Sends a command and waits for it.
    pub fn command(&mut self, queue: usize, command: &Command<'_>) -> Reply {
        let pending = self.begin(queue, command);
        self.finish(pending)
    }

    /// Sends a command.
    pub fn begin(&mut self, queue: usize, command: &Command<'_>) -> Pending {
        let (pieces, response) = self.lay_out(command);
        let position = self.next_position(queue);
        let head = self.submit(queue, &pieces);
        Pending { queue, head, position, response, room: command.room }
    }

    /// Makes a command available without telling the device.
    pub fn begin_quietly(&mut self, queue: usize, command: &Command<'_>) -> Pending {
        let (pieces, response) = self.lay_out(command);
        let position = self.next_position(queue);
        let head = self.submit_quietly(queue, &pieces);
        Pending { queue, head, position, response, room: command.room }
    }

    /// Waits for a command, which must be the next in the order of its ring.
    pub fn finish(&mut self, pending: Pending) -> Reply {
        let (head, written) = self.wait(pending.queue);
        assert_eq!(head, pending.head, "chains come back in the order of the ring");
        self.reply(pending, written)
    }

    /// Reads what a command came back with.
    pub fn reply(&self, pending: Pending, written: u32) -> Reply {
        let head = self.read(pending.response, RESPONSE);
        let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
        let filled = (written as usize).saturating_sub(RESPONSE);
        assert!(filled <= pending.room, "more written than there was room");
        Reply {
            written,
            residual: word(4),
            status: head[10],
            response: head[11],
            sense: head[12..12 + word(0) as usize].to_vec(),
            data: self.read(pending.response + RESPONSE as u64, filled),
        }
    }

    /// The buffers of a command, and where its response goes.
    pub fn lay_out(&mut self, command: &Command<'_>) -> (Vec<Piece>, u64) {
        let mut request = vec![0; REQUEST];
        request[..8].copy_from_slice(&command.lun);
        request[8..16].copy_from_slice(&command.tag.to_le_bytes());
        request[19..19 + command.cdb.len()].copy_from_slice(command.cdb);
        request.extend(command.out);
        let read_at = self.allocate(request.len());
        self.write(read_at, &request);
        // What the device does not write keeps this pattern.
        let write_at = self.allocate(RESPONSE + command.room);
        self.write(write_at, &vec![0xA5; RESPONSE + command.room]);
        let parts = |at: u64, head: usize, body: usize, write: bool| -> Vec<Piece> {
            let lens = match command.layout {
                Layout::Separate => vec![head, body],
                Layout::Joined => vec![head + body],
                Layout::Cut(most) => (0..head + body).step_by(most).map(|at| most.min(head + body - at)).collect(),
            };
            let starts = lens.iter().scan(at, |next, &len| Some(std::mem::replace(next, *next + len as u64)));
            let pieces = starts.zip(&lens).map(|(at, &len)| Piece { at, len, write });
            pieces.filter(|piece| piece.len > 0).collect()
        };
        let mut pieces = parts(read_at, REQUEST, command.out.len(), false);
        pieces.extend(parts(write_at, RESPONSE, command.room, true));
        (pieces, write_at)
    }

    /// Sends `request` on the control queue; returns the `room` bytes of the answer's buffer and how many were written.
    pub fn control(&mut self, request: &[u8], room: usize) -> (Vec<u8>, u32) {
        let read_at = self.allocate(request.len());
        self.write(read_at, request);
        let write_at = self.allocate(room);
        self.write(write_at, &vec![0xA5; room]);
        let pieces =
            [Piece { at: read_at, len: request.len(), write: false }, Piece { at: write_at, len: room, write: true }];
        self.submit(CONTROL, &pieces);
        let (_, written) = self.wait(CONTROL);
        (self.read(write_at, room), written)
    }

    /// A task management function; returns its response code.
    pub fn task_management(&mut self, function: u32, lun: [u8; 8]) -> u8 {
        self.manage_task(function, lun, 0)
    }

    /// The same of one command.
    pub fn manage_task(&mut self, function: u32, lun: [u8; 8], tag: u64) -> u8 {
        let mut request = [0; 24];
        request[4..8].copy_from_slice(&function.to_le_bytes());
        request[8..16].copy_from_slice(&lun);
        request[16..].copy_from_slice(&tag.to_le_bytes());
        let (answer, written) = self.control(&request, 1);
        assert_eq!(written, 1);
        answer[0]
    }
}
