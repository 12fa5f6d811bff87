//! A file that holds one record, and keeps the one before while the next is written.
//!
//! A process that is killed inside a write leaves a part of it, so records take turns in two places, each with a sequence number and a
//! checksum: the newest whole one counts. Both places have blocks for a usual record from the start, so that a full disk takes neither; a
//! longer one, of an image of hundreds of files, has its blocks when it is written.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, FlockOperation, Mode, OFlags, fallocate, flock, openat};

/// Room for a record and its head: for the most files that an image may have, with the longest paths.
const SLOT: usize = 16 << 20;
/// As much of it has blocks from the start.
const ALLOCATED: usize = 256 << 10;
/// Magic with the number of the layout, sequence number, length and CRC-32 of what stands before and after it. Numbers are little-endian.
const HEAD: usize = 24;
const MAGIC: [u8; 8] = *b"SPINDLE\x02";
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
    /// Opens or makes the file called `name` in `folder`; returns the newest record, or whether there was something that is none.
    ///
    /// # Errors
    /// `WouldBlock` when another process has it open, else what the operating system says.
    pub fn open(folder: BorrowedFd<'_>, name: &str) -> io::Result<(Self, Found)> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(folder, name, flags, Mode::from_raw_mode(0o600))?);
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        for at in [0, 1] {
            // Not every file system can: the blocks then come with the writes.
            let _ = fallocate(&file, FallocateFlags::empty(), place(at), ALLOCATED as u64);
        }
        file.set_len(2 * SLOT as u64)?;
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
    use std::os::fd::AsFd;

    use super::*;

    /// A folder with one such file.
    struct Place {
        folder: tempfile::TempDir,
        held: File,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let held = File::open(folder.path()).unwrap();
            Self { folder, held }
        }

        fn open(&self) -> io::Result<(Slots, Found)> {
            Slots::open(self.held.as_fd(), "state")
        }

        fn found(&self) -> Found {
            self.open().unwrap().1
        }

        fn file(&self) -> File {
            File::options().read(true).write(true).open(self.folder.path().join("state")).unwrap()
        }
    }

    /// A write that was cut off anywhere, or of which any part never arrived, leaves the record before it.
    #[test]
    fn a_torn_record_leaves_the_one_before() {
        let here = Place::new();
        let (slots, found) = here.open().unwrap();
        assert_eq!(found, Found::Nothing);
        // Of a process that had nothing to write.
        drop(slots);
        let (mut slots, found) = here.open().unwrap();
        assert_eq!(found, Found::Nothing);
        for record in [&b"one"[..], b"two", b"the third record"] {
            slots.write(record).unwrap();
        }
        assert_eq!(here.open().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(slots);
        let start = place(3);
        let mut whole = [0; HEAD + b"the third record".len()];
        here.file().read_exact_at(&mut whole, start).unwrap();
        assert_eq!(here.found(), Found::Record(b"the third record".to_vec()));
        for byte in 0..whole.len() {
            let mut torn = whole;
            torn[byte] ^= 0x10;
            here.file().write_all_at(&torn, start).unwrap();
            assert_eq!(here.found(), Found::Record(b"two".to_vec()), "byte {byte}");
        }
        // After a torn record the next is written over it, and not over the one that counts.
        here.file().write_all_at(&[0], start).unwrap();
        let (mut slots, _) = here.open().unwrap();
        slots.write(b"again").unwrap();
        drop(slots);
        assert_eq!(here.found(), Found::Record(b"again".to_vec()));
        here.file().write_all_at(&[0], start).unwrap();
        let two = Found::Record(b"two".to_vec());
        for (len, expected) in [(start, two), (5, Found::Garbage), (0, Found::Nothing)] {
            here.file().set_len(len).unwrap();
            assert_eq!(here.found(), expected, "{len} bytes");
        }
    }

    #[test]
    fn a_record_that_is_too_long_changes_nothing() {
        let here = Place::new();
        let (mut slots, _) = here.open().unwrap();
        slots.write(&vec![7; MOST]).unwrap();
        assert_eq!(slots.write(&vec![8; MOST + 1]).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        drop(slots);
        assert_eq!(here.found(), Found::Record(vec![7; MOST]));
    }
}
