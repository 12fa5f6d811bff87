//! A file that holds one record, and keeps the one before while the next is written.
//!
//! A process that is killed inside a write leaves a part of it, so records take turns in two places, each with a sequence number and a
//! checksum: the newest whole one counts. Both places have their blocks from the start, so that a full disk takes neither.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};

/// Room for a record and its head.
const SLOT: usize = 256 << 10;
/// Magic, sequence number, length and CRC-32 of what stands before and after it. Numbers are little-endian.
const HEAD: usize = 24;
const MAGIC: [u8; 8] = *b"SPINDLE\x01";
/// The longest record.
pub const MOST: usize = SLOT - HEAD;

/// The file, which no other process uses meanwhile.
#[derive(Debug)]
pub struct Slots {
    file: File,
    /// Sequence number of the newest record.
    newest: u64,
}

impl Slots {
    /// Opens or makes the file; returns the newest record, or whether there was something that is none.
    ///
    /// # Errors
    /// `WouldBlock` when another process has it open, else what the operating system says.
    pub fn open(path: &Path) -> io::Result<(Self, Found)> {
        let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        let file = options.open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        if fallocate(&file, FallocateFlags::empty(), 0, 2 * SLOT as u64).is_err() {
            // Not every file system can: the blocks then come with the writes.
            file.set_len(2 * SLOT as u64)?;
        }
        let newest = [0, 1].into_iter().filter_map(|at| read(&file, at)).max_by_key(|(sequence, _)| *sequence);
        Ok(match newest {
            Some((newest, record)) => (Self { file, newest }, Found::Record(record)),
            // Also of a process that had nothing to write.
            None if [0, 1].into_iter().all(|at| is_unwritten(&file, at)) => (Self { file, newest: 0 }, Found::Nothing),
            None => (Self { file, newest: 0 }, Found::Garbage),
        })
    }

    /// Writes a record in place of the one before the newest.
    ///
    /// # Errors
    /// `FileTooLarge` for more than [`MOST`] bytes, else what the operating system says. The newest record is as it was then.
    pub fn write(&mut self, record: &[u8]) -> io::Result<()> {
        if record.len() > MOST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let sequence = self.newest.wrapping_add(1);
        let mut bytes = Vec::with_capacity(HEAD + record.len());
        bytes.extend(MAGIC);
        bytes.extend(sequence.to_le_bytes());
        bytes.extend((record.len() as u32).to_le_bytes());
        bytes.extend(checksum(&bytes, record).to_le_bytes());
        bytes.extend(record);
        self.file.write_all_at(&bytes, place(sequence))?;
        self.newest = sequence;
        Ok(())
    }
}

/// What was in the file.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// It is new.
    Nothing,
    /// A whole record.
    Record(Vec<u8>),
    /// Something, but no whole record.
    Garbage,
}

fn place(sequence: u64) -> u64 {
    sequence % 2 * SLOT as u64
}

fn checksum(head: &[u8], record: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(head);
    crc.update(record);
    crc.finalize()
}

/// Whether nothing was ever written to one of the two places.
fn is_unwritten(file: &File, at: u64) -> bool {
    let mut head = [1; HEAD];
    file.read_exact_at(&mut head, place(at)).is_ok() && head == [0; HEAD]
}

/// The record at one of the two places, with its sequence number.
fn read(file: &File, at: u64) -> Option<(u64, Vec<u8>)> {
    let mut head = [0; HEAD];
    file.read_exact_at(&mut head, place(at)).ok()?;
    let (before, crc) = head.split_at(HEAD - 4);
    let sequence = u64::from_le_bytes(before[8..16].try_into().ok()?);
    let len = u32::from_le_bytes(before[16..].try_into().ok()?) as usize;
    if before[..8] != MAGIC || sequence % 2 != at || len > MOST {
        return None;
    }
    let mut record = vec![0; len];
    file.read_exact_at(&mut record, place(at) + HEAD as u64).ok()?;
    (checksum(before, &record).to_le_bytes() == *crc).then_some((sequence, record))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A write that was cut off anywhere, or of which any part never arrived, leaves the record before it.
    #[test]
    fn a_torn_record_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (slots, found) = Slots::open(&path).unwrap();
        assert_eq!(found, Found::Nothing);
        // Of a process that had nothing to write.
        drop(slots);
        let (mut slots, found) = Slots::open(&path).unwrap();
        assert_eq!(found, Found::Nothing);
        for record in [&b"one"[..], b"two", b"the third record"] {
            slots.write(record).unwrap();
        }
        assert_eq!(Slots::open(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(slots);
        let whole = std::fs::read(&path).unwrap();
        let start = place(3) as usize;
        let open = || Slots::open(&path).unwrap().1;
        assert_eq!(open(), Found::Record(b"the third record".to_vec()));
        for byte in start..start + HEAD + b"the third record".len() {
            let mut torn = whole.clone();
            torn[byte] ^= 0x10;
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(open(), Found::Record(b"two".to_vec()), "byte {byte}");
        }
        let two = Found::Record(b"two".to_vec());
        for (len, expected) in [(0, Found::Nothing), (5, Found::Garbage), (start, two)] {
            std::fs::write(&path, &whole[..len]).unwrap();
            assert_eq!(open(), expected, "{len} bytes");
        }
        // After a torn record the next is written over it, and not over the one that counts.
        let mut torn = whole;
        torn[start] = 0;
        std::fs::write(&path, &torn).unwrap();
        let (mut slots, _) = Slots::open(&path).unwrap();
        slots.write(b"again").unwrap();
        drop(slots);
        assert_eq!(open(), Found::Record(b"again".to_vec()));
        assert_eq!(std::fs::read(&path).unwrap()[..place(3) as usize], torn[..place(3) as usize]);
    }

    #[test]
    fn a_record_that_is_too_long_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (mut slots, _) = Slots::open(&path).unwrap();
        slots.write(&vec![7; MOST]).unwrap();
        assert_eq!(slots.write(&vec![8; MOST + 1]).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        drop(slots);
        assert_eq!(Slots::open(&path).unwrap().1, Found::Record(vec![7; MOST]));
    }
}
