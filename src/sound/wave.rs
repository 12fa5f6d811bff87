//! A WAVE file that grows as a disc plays: whole at every moment, whatever ends the process.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{SAMPLE_BYTES, Sample, Sink};
use crate::export::wave_header;

const HEADER: u64 = 44;
/// The size fields have 32 bits: six hours and three quarters.
const MOST: u64 = (u32::MAX as u64 - 36) / SAMPLE_BYTES as u64 * SAMPLE_BYTES as u64;

/// The file, open for as long as the drive is there.
#[derive(Debug)]
pub struct WaveFile {
    file: File,
    /// Bytes of samples.
    len: u64,
}

impl WaveFile {
    /// Makes the file, or goes on at the end of one that was made so before.
    ///
    /// # Errors
    /// When it cannot be written, or is anything else: nothing is overwritten.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        // Two writers would each undo what the other wrote.
        if let Err(error) = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            return Err(match error {
                rustix::io::Errno::WOULDBLOCK => io::Error::other("another drive writes its sound there"),
                error => error.into(),
            });
        }
        let size = file.metadata()?.len();
        let wave = Self { len: size.saturating_sub(HEADER) / SAMPLE_BYTES as u64 * SAMPLE_BYTES as u64, file };
        if size == 0 {
            wave.file.write_all_at(&wave_header(0), 0)?;
        } else if !wave.is_ours()? {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "is there already and is no WAVE file of a CD's sound; it was left as it is",
            ));
        }
        Ok(wave)
    }

    /// Whether the file begins as such a one does. Its sizes may be those of less than it has.
    fn is_ours(&self) -> io::Result<bool> {
        let mut found = [0; HEADER as usize];
        if self.file.read_exact_at(&mut found, 0).is_err() {
            return Ok(false);
        }
        let expected = wave_header(self.len);
        let sizes = |at: &usize| (4..8).contains(at) || (40..44).contains(at);
        Ok((0..found.len()).filter(|at| !sizes(at)).all(|at| found[at] == expected[at]))
    }
}

impl Sink for WaveFile {
    fn put(&mut self, samples: &[Sample]) -> io::Result<()> {
        let bytes: Vec<u8> = samples.iter().flatten().flat_map(|sample| sample.to_le_bytes()).collect();
        let len = self.len + bytes.len() as u64;
        if len > MOST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a WAVE file holds 4 GiB"));
        }
        self.file.write_all_at(&bytes, HEADER + self.len)?;
        self.file.write_all_at(&wave_header(len), 0)?;
        self.len = len;
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_whole_after_every_write_and_goes_on_where_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sound.wav");
        let mut wave = WaveFile::open(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), wave_header(0));
        wave.put(&[[1, -1], [0x1234, 5]]).unwrap();
        let whole = |samples: &[u8]| [&wave_header(samples.len() as u64)[..], samples].concat();
        assert_eq!(std::fs::read(&path).unwrap(), whole(&[1, 0, 0xFF, 0xFF, 0x34, 0x12, 5, 0]));
        assert!(WaveFile::open(&path).unwrap_err().to_string().contains("another drive"));
        drop(wave);
        WaveFile::open(&path).unwrap().put(&[[2, 3]]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole(&[1, 0, 0xFF, 0xFF, 0x34, 0x12, 5, 0, 2, 0, 3, 0]));
    }

    #[test]
    fn what_is_no_such_file_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut mono = wave_header(4);
        mono[22] = 1;
        for content in [&b"text"[..], &[0; 100], &mono] {
            let path = folder.path().join("other");
            std::fs::write(&path, content).unwrap();
            assert_eq!(WaveFile::open(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
    }
}
