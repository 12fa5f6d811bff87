//! One data track as 2,048-byte blocks.

use std::io::Write;
use std::sync::mpsc::channel;
use std::thread;

use super::ordered::fault;
use super::{ExportError, Job, Output, Target, losses_of_one_track};
use crate::disc::{BLOCK_SIZE, Lba, SectorError, Track};
use crate::image::FormatInfo;
use crate::source::PageBuffer;

/// Plain blocks.
pub struct Iso;

static INFO: FormatInfo =
    FormatInfo { id: "iso", name: "one data track, 2048-byte blocks", extensions: &["iso", "img", "udf"] };

/// Blocks that are read at once: as many as [`Output`] writes without a copy.
const CHUNK: u32 = 64;
/// So many are on their way from who reads to who writes.
const BUFFERS: usize = 4;

impl Target for Iso {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn losses(&self, job: &Job<'_>) -> Result<Vec<String>, ExportError> {
        losses_of_one_track(job)
    }

    fn bytes(&self, job: &Job<'_>) -> u64 {
        job.data_track().map_or(0, |track| u64::from(track.blocks()) * u64::from(BLOCK_SIZE))
    }

    fn write(&self, job: &Job<'_>, out: &mut Output) -> Result<(), ExportError> {
        let mut file = out.main()?;
        write_blocks(job, &mut file)?;
        Ok(file.flush()?)
    }
}

/// Writes the blocks of the data track. One thread reads and another writes: each takes about as long, also where all is in memory.
///
/// # Errors
/// When there is no data track, a block cannot be read, or the file cannot be written.
pub fn write_blocks(job: &Job<'_>, file: &mut (impl Write + Send)) -> Result<(), ExportError> {
    let mut chunks = Chunks::new(job)?;
    let (give, written) = channel();
    for _ in 0..BUFFERS {
        // Nobody has ended yet.
        let _ = give.send(PageBuffer::new((CHUNK * BLOCK_SIZE) as usize));
    }
    let (fill, filled) = channel::<(PageBuffer, usize)>();
    thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for (mut buffer, len) in filled {
                file.write_all(&buffer.bytes()[..len])?;
                // Who reads may be at the end.
                let _ = give.send(buffer);
            }
            Ok(())
        });
        let read = move || {
            // No more buffers come when the file cannot be written.
            for mut buffer in written {
                let len = chunks.fill(buffer.bytes())?.len();
                if len == 0 || fill.send((buffer, len)).is_err() {
                    break;
                }
                job.tick(len as u64)?;
            }
            Ok(())
        };
        let read = read();
        let written = writer.join().unwrap_or_else(|_| Err(fault()));
        read.and(written.map_err(ExportError::from))
    })
}

/// The blocks of the data track, [`CHUNK`] at a time.
pub struct Chunks<'a> {
    job: &'a Job<'a>,
    track: &'a Track,
    next: Lba,
}

impl<'a> Chunks<'a> {
    /// From index 1 on.
    ///
    /// # Errors
    /// When there is no data track.
    pub fn new(job: &'a Job<'a>) -> Result<Self, ExportError> {
        job.data_track().map(|track| Self { job, track, next: track.start })
    }

    /// Fills `bytes`, whatever its length was, with the next ones; false at the end.
    ///
    /// # Errors
    /// For the first block that cannot be read. A sector that has none (Form 2, Mode 2) is zeros where the job may lose
    /// something.
    pub fn read(&mut self, bytes: &mut Vec<u8>) -> Result<bool, ExportError> {
        bytes.resize((CHUNK * BLOCK_SIZE) as usize, 0);
        let len = self.fill(bytes)?.len();
        bytes.truncate(len);
        Ok(len > 0)
    }

    /// The same at the start of `room`, which is for [`CHUNK`] blocks; returns what was filled.
    fn fill<'r>(&mut self, room: &'r mut [u8]) -> Result<&'r mut [u8], ExportError> {
        let blocks = CHUNK.min(self.track.end.since(self.next));
        let bytes = &mut room[..(blocks * BLOCK_SIZE) as usize];
        match self.job.disc.read_blocks(self.next, bytes) {
            Ok(()) => {}
            Err(SectorError::WrongMode(_)) if self.job.lossy => one_by_one(self.job, self.next, bytes)?,
            Err(SectorError::WrongMode(at)) => return Err(no_block(self.track, at)),
            Err(error) => return Err(error.into()),
        }
        self.next = self.next.plus(blocks);
        Ok(bytes)
    }
}

fn one_by_one(job: &Job<'_>, first: Lba, bytes: &mut [u8]) -> Result<(), ExportError> {
    for (index, block) in (0..).zip(bytes.chunks_exact_mut(BLOCK_SIZE as usize)) {
        match job.disc.read_blocks(first.plus(index), block) {
            Err(SectorError::WrongMode(_)) => block.fill(0),
            result => result?,
        }
    }
    Ok(())
}

fn no_block(track: &Track, at: Lba) -> ExportError {
    ExportError::Refused(format!(
        "sector {at} of track {} has no 2048 bytes of user data (Mode 2 Form 2); convert to CUE, which keeps it, or use \
         --lossy, which writes zeros in its place",
        track.number
    ))
}
