//! An initiator: sends CDBs to a drive and collects everything that comes back.

use std::sync::{Arc, Mutex};

use super::backend::Backend;
use super::guest::{Command, Guest, Options, REQUESTS, lun};
use spindle::drive::{Drive, Identity, Tray};
use spindle::scsi::{DataIn, DataOut, LogicalUnit, Lun, Nexus, Sense, SenseFormat, SenseKey, Status, Target, Task};
use spindle::source::Scatter;
use spindle::sys::memory::anonymous;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

/// Responses of virtio-scsi (virtio 1.2, 5.6.6.1.1).
const OK: u8 = 0;
const OVERRUN: u8 = 1;

/// What came back for one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// SCSI status byte: 00h, 02h, 18h.
    pub status: u8,
    /// Sense data as bytes; empty unless the status is CHECK CONDITION.
    pub sense: Vec<u8>,
    /// What arrived in the Data-In Buffer.
    pub data: Vec<u8>,
    /// Room of the Data-In Buffer that was not filled, plus Data-Out that was not taken.
    pub residual: usize,
    /// The command had more to move than there was room or data.
    pub overrun: bool,
}

impl Answer {
    /// Sense key, ASC, ASCQ of fixed or descriptor format.
    pub fn kaq(&self) -> (u8, u8, u8) {
        match self.sense.first() {
            Some(0x70 | 0xF0) => (self.sense[2] & 0xF, self.sense[12], self.sense[13]),
            Some(0x72) => (self.sense[1] & 0xF, self.sense[2], self.sense[3]),
            _ => (0, 0, 0),
        }
    }

    /// The data, for a command that must succeed.
    #[track_caller]
    pub fn good(self) -> Vec<u8> {
        assert_eq!(self.status, 0, "status of {self:02x?}");
        self.data
    }
}

/// One nexus to one target: the first over the real stack, a fake guest's rings and a connection; others on the target
/// itself, because a connection is one nexus.
pub struct Initiator {
    drives: Vec<Arc<Drive>>,
    transport: Transport,
    pub nexus: Nexus,
    pub lun: Lun,
}

enum Transport {
    // The guest is dropped first: it leaves, then the server ends.
    Rings(Mutex<Guest>, #[expect(dead_code, reason = "it serves until it is dropped")] Backend),
    Direct(Target),
}

impl Initiator {
    /// A fresh drive named `cd0` with a closed tray, and its initiator. The power-on unit attention is still pending.
    pub fn fresh() -> (Arc<Drive>, Self) {
        let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
        (Arc::clone(&drive), Self::of(drive))
    }

    /// The guest of a drive that is there already.
    pub fn of(drive: Arc<Drive>) -> Self {
        let drives = vec![drive];
        let backend = Backend::serve(&drives);
        let guest = Mutex::new(backend.guest(Options::default()));
        Self { drives, transport: Transport::Rings(guest, backend), nexus: Nexus(0), lun: Lun(0) }
    }

    /// One that hands its commands to the drive itself, which no ring has looked at before.
    pub fn direct(drive: Arc<Drive>) -> Self {
        let transport = Transport::Direct(Target::new(vec![Arc::clone(&drive) as _]));
        Self { drives: vec![drive], transport, nexus: Nexus(7), lun: Lun(0) }
    }

    /// As [`fresh`](Self::fresh), with `medium` in the drive and every unit attention and media event consumed.
    pub fn with(medium: Arc<spindle::drive::Medium>) -> (Arc<Drive>, Self) {
        let (drive, initiator) = Self::fresh();
        drive.change_medium(medium, false).unwrap();
        initiator.settle();
        (drive, initiator)
    }

    /// Another nexus to the same drives.
    pub fn other(&self, nexus: u16) -> Self {
        let units = self.drives.iter().map(|drive| Arc::clone(drive) as Arc<dyn LogicalUnit>).collect();
        let transport = Transport::Direct(Target::new(units));
        Self { drives: self.drives.clone(), transport, nexus: Nexus(nexus), lun: self.lun }
    }

    /// Consumes every pending unit attention and media event.
    pub fn settle(&self) {
        while self.run(&[0x00, 0, 0, 0, 0, 0], 0).kaq().0 == SenseKey::UnitAttention as u8 {}
        while self.run(&[0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0], 8).good()[4] & 0xF != 0 {}
    }

    /// A command without data to the drive, with `room` bytes for what it returns.
    pub fn run(&self, cdb: &[u8], room: usize) -> Answer {
        self.send(cdb, room, &[])
    }

    /// A command with data to the drive and room for what it returns.
    pub fn send(&self, cdb: &[u8], room: usize, out: &[u8]) -> Answer {
        match &self.transport {
            Transport::Rings(guest, _) => self.send_over_rings(&mut guest.lock().unwrap(), cdb, room, out),
            Transport::Direct(target) => self.send_directly(target, cdb, room, out),
        }
    }

    fn send_over_rings(&self, guest: &mut Guest, cdb: &[u8], room: usize, out: &[u8]) -> Answer {
        guest.free_all();
        let reply = guest.command(REQUESTS, &Command { lun: lun(self.lun.0), out, ..Command::new(cdb, room) });
        assert!(matches!(reply.response, OK | OVERRUN), "virtio-scsi response of {reply:02x?}");
        Answer {
            status: reply.status,
            sense: reply.sense,
            data: reply.data,
            residual: reply.residual as usize,
            overrun: reply.response == OVERRUN,
        }
    }

    fn send_directly(&self, target: &Target, cdb: &[u8], room: usize, out: &[u8]) -> Answer {
        const IN: u64 = 0x1_0000;
        let memory = anonymous(0x1_0000 + room.max(1).next_multiple_of(4096) + out.len().max(1)).unwrap();
        let out_at = IN + room.max(1).next_multiple_of(4096) as u64;
        memory.write_slice(out, GuestAddress(out_at)).unwrap();
        memory.write_slice(&vec![0xA5; room], GuestAddress(IN)).unwrap();
        // Two uneven pieces, so that every answer crosses a boundary.
        let first = room.min(5);
        let pieces = [(IN, first), (IN + first as u64, room - first)]
            .map(|(at, len)| memory.get_slice(GuestAddress(at), len).unwrap());
        let sent = [memory.get_slice(GuestAddress(out_at), out.len()).unwrap()];
        let mut padded = [0; 32];
        padded[..cdb.len()].copy_from_slice(cdb);
        let (data_in, data_out) = (DataIn::new(Scatter::new(&pieces)), DataOut::new(Scatter::new(&sent)));
        let mut task = Task::new(self.nexus, target.luns(), padded, data_in, data_out);
        let status = target.execute(self.lun, &mut task);
        let (status, sense) = match status {
            Status::Good => (0x00, Vec::new()),
            Status::CheckCondition(sense, format) => (0x02, encode(&sense, format)),
            Status::ReservationConflict => (0x18, Vec::new()),
        };
        let mut data = vec![0; task.data_in.filled()];
        memory.read_slice(&mut data, GuestAddress(IN)).unwrap();
        Answer {
            status,
            sense,
            data,
            residual: task.data_in.left() + task.data_out.left(),
            overrun: task.data_in.overrun() || task.data_out.overrun(),
        }
    }
}

fn encode(sense: &Sense, format: SenseFormat) -> Vec<u8> {
    let (bytes, len) = sense.encode(format);
    bytes[..len].to_vec()
}
