//! The checksums of a CHD, for who wants to verify it.

use std::io;

use md5::Md5;
use sha1::{Digest, Sha1};

use super::header::Sum;
use super::metadata::{Entry, overall_sha1, protected};
use crate::container::Check;
use crate::source::SharedSource;

/// Bytes that are read at a time.
const STEP: u64 = 1 << 20;

/// The content against its checksum; on the way every hunk is held against its own.
#[derive(Debug)]
pub struct ContentCheck {
    pub content: SharedSource,
    pub logical: u64,
    /// Nothing for a file that has none (a child that is still written to): then hunks are checked only.
    pub sum: Option<Sum>,
}

impl Check for ContentCheck {
    fn name(&self) -> String {
        match self.sum {
            Some(Sum::Sha1(_)) => "SHA-1 of the CHD's content, and the CRC of each hunk".to_owned(),
            Some(Sum::Md5(_)) => "MD5 of the CHD's content".to_owned(),
            None => "CRC of each hunk of the CHD".to_owned(),
        }
    }

    fn bytes(&self) -> u64 {
        self.logical
    }

    fn run(&self, progress: &dyn Fn(u64)) -> io::Result<bool> {
        Ok(match self.sum {
            Some(Sum::Sha1(sum)) => self.hash::<Sha1>(progress)?[..] == sum,
            Some(Sum::Md5(sum)) => self.hash::<Md5>(progress)?[..] == sum,
            None => {
                self.each(progress, |_| {})?;
                true
            }
        })
    }
}

impl ContentCheck {
    fn hash<D: Digest>(&self, progress: &dyn Fn(u64)) -> io::Result<Vec<u8>> {
        let mut hash = D::new();
        self.each(progress, |bytes| hash.update(bytes))?;
        Ok(hash.finalize().to_vec())
    }

    fn each(&self, progress: &dyn Fn(u64), mut use_bytes: impl FnMut(&[u8])) -> io::Result<()> {
        let mut buf = vec![0; STEP.min(self.logical) as usize];
        let mut at = 0;
        while at < self.logical {
            let step = STEP.min(self.logical - at);
            let bytes = &mut buf[..step as usize];
            self.content.read_exact_at(bytes, at)?;
            use_bytes(bytes);
            progress(step);
            at += step;
        }
        Ok(())
    }
}

/// The metadata, and the content's checksum, against the checksum of both.
#[derive(Debug)]
pub struct MetadataCheck {
    pub file: SharedSource,
    pub entries: Vec<Entry>,
    pub raw: [u8; 20],
    pub overall: [u8; 20],
}

impl Check for MetadataCheck {
    fn name(&self) -> String {
        "SHA-1 of the CHD's metadata".to_owned()
    }

    fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| u64::from(entry.len)).sum()
    }

    fn run(&self, progress: &dyn Fn(u64)) -> io::Result<bool> {
        let mut sums = protected(&*self.file, &self.entries)?;
        progress(self.bytes());
        Ok(overall_sha1(self.raw, &mut sums) == self.overall)
    }
}
