//! What to measure.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Which command reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Command {
    /// READ (10).
    Read10,
    /// READ (12).
    Read12,
    /// READ CD, the whole main channel: sectors of 2,352 bytes.
    ReadCd,
}

impl Command {
    /// Bytes of one sector, where a block of the unit has `block`.
    pub fn sector(self, block: usize) -> usize {
        if self == Self::ReadCd { 2352 } else { block }
    }
}

/// What the floor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Access {
    /// Copies from a mapping.
    Map,
    /// One `preadv` for each request.
    Pread,
    /// Copies from a mapping for requests in a ring: as the simplest device would that there could be.
    Ring,
    /// Names what requests in a ring will read (POSIX_FADV_WILLNEED), and reads it in order: the same for a file that is not in memory.
    Named,
}

/// Loads a vhost-user-scsi back-end as a guest does, and says what it gave.
#[derive(Debug, Parser)]
pub struct Options {
    /// The back-end's socket.
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// No back-end: copies the same ranges of FILE into the same memory.
    #[arg(long, value_name = "FILE", conflicts_with = "socket")]
    pub floor: Option<PathBuf>,
    /// What the floor does.
    #[arg(long, value_enum, default_value = "map")]
    pub access: Access,
    /// Compares every byte with FILE, whose first byte is that of sector 0. Costs the driver time.
    #[arg(long, value_name = "FILE")]
    pub verify: Option<PathBuf>,
    /// The command that reads.
    #[arg(long, value_enum, default_value = "read10")]
    pub command: Command,
    /// Bytes of a request, whole sectors; K and M are allowed.
    #[arg(long, value_name = "BYTES", value_parser = bytes, default_value = "4K")]
    pub block: usize,
    /// Any place, instead of one after another.
    #[arg(long)]
    pub random: bool,
    /// Requests in flight on each queue.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub depth: u16,
    /// Request queues in use; one thread serves them all.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub queues: usize,
    /// How long to measure.
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    pub seconds: f64,
    /// How many requests to measure, instead of a time.
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// Reads the range once, from its start to its end, and no more.
    #[arg(long, conflicts_with_all = ["random", "count"])]
    pub once: bool,
    /// How long to run before measuring.
    #[arg(long, value_name = "S", default_value_t = 0.5)]
    pub warmup: f64,
    /// First sector of the range.
    #[arg(long, value_name = "LBA", default_value_t = 0)]
    pub start: u32,
    /// Sectors of the range; to the end of the disc unless given.
    #[arg(long, value_name = "N")]
    pub sectors: Option<u32>,
    /// Cuts a request's data buffer into pieces of so many bytes, as a guest without contiguous memory does.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub segment: Option<usize>,
    /// Logical unit; target 0, in the addressing that Linux uses.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub lun: u16,
    /// Sleeps on a call descriptor instead of polling the used rings.
    #[arg(long)]
    pub call: bool,
    /// Tells the back-end once more of what it has, when it has said nothing for so long, and counts that as a stall: some lose a kick.
    /// With more than any request takes on a busy machine a stall is a kick or a call that was lost.
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    pub nudge: f64,
    /// Does without event idx, also where it is offered.
    #[arg(long)]
    pub no_event_idx: bool,
    /// Does without indirect descriptors, also where they are offered.
    #[arg(long)]
    pub no_indirect: bool,
    /// The back-end's process, where the socket's peer is another.
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// After the work stays connected for so long and counts how often the back-end's threads were woken.
    #[arg(long, value_name = "S")]
    pub idle: Option<f64>,
    /// Start of the sequence of random places.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Prints one JSON object.
    #[arg(long)]
    pub json: bool,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn bytes(text: &str) -> Result<usize, String> {
    let (number, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    let number: usize = number.parse().map_err(|_| format!("{text} is no number of bytes"))?;
    number.checked_mul(unit).filter(|&bytes| bytes > 0).ok_or_else(|| format!("{text} is no number of bytes"))
}
