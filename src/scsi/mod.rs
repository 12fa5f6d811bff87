//! SCSI: tasks, status, sense data, and routing to logical units. Knows nothing of virtio and nothing of discs.

mod buffer;
mod delay;
mod sense;
mod target;

pub use self::buffer::{DataIn, DataOut};
pub use self::delay::{Delay, Wake};
pub use self::sense::{Sense, SenseFormat, SenseKey};
pub use self::target::{Lun, Target};

use std::fmt;

/// An initiator's relationship to the target: unit attentions, reservations and the prevent state are kept per nexus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nexus(pub u16);

/// One command, as a transport hands it over.
#[derive(Debug)]
pub struct Task<'a> {
    /// Who sent it.
    pub nexus: Nexus,
    /// The logical units of the target, for REPORT LUNS.
    pub luns: &'a [Lun],
    /// The command descriptor block, zero-padded: any index is safe.
    pub cdb: [u8; 32],
    /// The room for what the command returns.
    pub data_in: DataIn<'a>,
    /// What the initiator sent along.
    pub data_out: DataOut<'a>,
    /// Set by the unit: it has changed what outlives this process, and nobody has kept it. A transport has it
    /// [kept](LogicalUnit::keep) before it tells the initiator how the command ended.
    pub unkept: bool,
    /// Set by the unit: it has given way, and the command has not ended whatever its status says.
    pub given_up: bool,
    /// When it is to stop, if it takes long. A transport that says so carries it out again from its start, or never.
    pub gives_way: GivesWay<'a>,
}

/// Whether somebody waits for a command that takes long; `None` for nobody ever.
#[derive(Clone, Copy)]
pub struct GivesWay<'a>(pub Option<&'a dyn Fn() -> bool>);

impl fmt::Debug for GivesWay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivesWay")
    }
}

impl<'a> Task<'a> {
    /// A command that is carried out to its end, however long that takes.
    #[must_use]
    pub fn new(nexus: Nexus, luns: &'a [Lun], cdb: [u8; 32], data_in: DataIn<'a>, data_out: DataOut<'a>) -> Self {
        Self { nexus, luns, cdb, data_in, data_out, unkept: false, given_up: false, gives_way: GivesWay(None) }
    }

    /// To be called by a unit between the parts of a command that takes long and changes nothing.
    ///
    /// # Errors
    /// When it is to stop; nobody is told of the sense.
    pub fn give_way(&mut self) -> Result<(), Sense> {
        if self.gives_way.0.is_some_and(|asked| asked()) {
            self.given_up = true;
            return Err(Sense::BECOMING_READY);
        }
        Ok(())
    }
}

impl Task<'_> {
    /// Byte `at` of the CDB.
    #[must_use]
    pub fn u8(&self, at: usize) -> u8 {
        self.cdb[at]
    }

    /// Big-endian field of two bytes from `at`.
    #[must_use]
    pub fn u16(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.cdb[at], self.cdb[at + 1]])
    }

    /// Big-endian field of three bytes from `at`.
    #[must_use]
    pub fn u24(&self, at: usize) -> u32 {
        u32::from_be_bytes([0, self.cdb[at], self.cdb[at + 1], self.cdb[at + 2]])
    }

    /// Big-endian field of four bytes from `at`.
    #[must_use]
    pub fn u32(&self, at: usize) -> u32 {
        u32::from_be_bytes([self.cdb[at], self.cdb[at + 1], self.cdb[at + 2], self.cdb[at + 3]])
    }

    /// Big-endian field of eight bytes from `at`.
    #[must_use]
    pub fn u64(&self, at: usize) -> u64 {
        u64::from(self.u32(at)) << 32 | u64::from(self.u32(at + 4))
    }

    /// Returns `data`, cut to `allocation_len` (SPC-6, 4.2.5.6: truncation is no error).
    pub fn reply(&mut self, data: &[u8], allocation_len: usize) {
        self.data_in.put(&data[..data.len().min(allocation_len)]);
    }
}

/// How a command ended (SAM-6, 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 00h.
    Good,
    /// 02h, with the reason in the format that the logical unit is set to.
    CheckCondition(Sense, SenseFormat),
    /// 18h.
    ReservationConflict,
}

/// What is reset (SAM-6, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// Power on, or the transport was reset: everything returns to its start, for every nexus.
    PowerOn,
    /// LOGICAL UNIT RESET.
    LogicalUnit,
    /// The nexus is lost (I_T NEXUS RESET, or the connection ended): what belongs to it alone is dropped.
    NexusLoss(Nexus),
}

/// What a transport wants to find again after a restart, by a key of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// A later note with the same key takes its place.
    pub key: u16,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// A device server below any transport.
///
/// An implementer must not panic for any task, must answer at once what needs no storage, and must report a failure of
/// its device as a [`Status`]. Several threads call it at once.
pub trait LogicalUnit: Send + Sync {
    /// Carries out one command to its end.
    fn execute(&self, task: &mut Task<'_>) -> Status;

    /// Whether any command can have a [`delay`](Self::delay): a transport need not ask otherwise.
    fn is_slow(&self) -> bool {
        false
    }

    /// What `task` must wait for before it is carried out: asked once, before [`execute`](Self::execute), with the task's buffers
    /// empty. `wake` is called when it is over. An implementer must return at once; a transport must hold no lock while it
    /// waits, and may carry the task out early or never.
    fn delay(&self, _task: &Task<'_>, _wake: &Wake) -> Option<Delay> {
        None
    }

    /// `task` will come soon, after others: what it needs of slow storage may be fetched meanwhile. Asked with the task's buffers
    /// empty, and only of a unit whose reads wait. An implementer must return without waiting, and change nothing that a task can
    /// find out.
    fn read_ahead(&self, _task: &Task<'_>) {}

    /// Keeps what has changed so that it outlives this process, in one step with the transport's note. When it returns, all that was
    /// changed before it was called is kept.
    fn keep(&self, _note: Option<Note>) {}

    /// The notes that were kept by the process before this one, until a reset at power-on.
    fn notes(&self) -> Vec<Note> {
        Vec::new()
    }

    /// Carries out a reset, and keeps what that changes.
    fn reset(&self, kind: Reset);
}
