//! What hostile images are tried with: files of any size that take no room, and a deadline for what may never end.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use spindle::source::ByteSource;

const BLOCK: u64 = 2048;

/// What `what` gives. It may take a minute, which is many times what it needs; what takes longer takes for ever.
#[track_caller]
pub fn in_time<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(what()));
    receiver.recv_timeout(Duration::from_secs(60)).expect("it has not ended within a minute, or panicked")
}

/// A file of blocks, all of them the same but for a few. Counts how often it is read.
#[derive(Debug, Clone)]
pub struct Blocks {
    pub own: BTreeMap<u32, Vec<u8>>,
    pub other: Vec<u8>,
    pub blocks: u32,
    pub reads: Arc<AtomicU64>,
}

impl Blocks {
    pub fn new(blocks: u32) -> Self {
        Self { own: BTreeMap::new(), other: Vec::new(), blocks, reads: Arc::default() }
    }

    /// Puts `bytes`, which may be longer than a block.
    pub fn put(&mut self, block: u32, bytes: &[u8]) {
        for (block, bytes) in (block..).zip(bytes.chunks(BLOCK as usize)) {
            self.own.insert(block, bytes.to_vec());
        }
    }
}

impl ByteSource for Blocks {
    fn len(&self) -> u64 {
        u64::from(self.blocks) * BLOCK
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.len());
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        buf.fill(0);
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            let (block, inside) = ((at / BLOCK) as u32, (at % BLOCK) as usize);
            let step = (BLOCK as usize - inside).min(buf.len() - done);
            let bytes = self.own.get(&block).unwrap_or(&self.other);
            let bytes = bytes.get(inside..).unwrap_or_default();
            let there = bytes.len().min(step);
            buf[done..done + there].copy_from_slice(&bytes[..there]);
            done += step;
        }
        Ok(())
    }
}

/// A few bytes and zeros behind them, as a sparse file has them. Counts how often it is read.
#[derive(Debug)]
pub struct Sparse {
    pub head: Vec<u8>,
    pub len: u64,
    pub reads: AtomicU64,
}

impl Sparse {
    pub fn new(head: &[u8], len: u64) -> Self {
        Self { head: head.to_vec(), len, reads: AtomicU64::new(0) }
    }
}

impl ByteSource for Sparse {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.len);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.fill(0);
        let head = usize::try_from(offset).ok().and_then(|offset| self.head.get(offset..)).unwrap_or_default();
        let there = head.len().min(buf.len());
        buf[..there].copy_from_slice(&head[..there]);
        Ok(())
    }
}
