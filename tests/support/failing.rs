//! Storage that fails at one place until it is healed, and counts how often it is asked for it.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use spindle::disc::subchannel::{Q, StoredSubchannel, SubchannelForm};
use spindle::disc::{Control, Extent, Lba, TrackMode};
use spindle::drive::Medium;
use spindle::image::{OpenOptions, open_source};
use spindle::source::{ByteSource, MemorySource, Scatter, SharedSource};

use super::disc::{Patterned, cd, medium, of};

/// A source some bytes of which cannot be read.
#[derive(Debug)]
pub struct Failing {
    good: SharedSource,
    bad: Range<u64>,
    healed: AtomicBool,
    asked: AtomicUsize,
    failed: AtomicUsize,
}

impl Failing {
    pub fn new(good: SharedSource, bad: Range<u64>) -> Arc<Self> {
        Arc::new(Self {
            good,
            bad,
            healed: AtomicBool::default(),
            asked: AtomicUsize::default(),
            failed: AtomicUsize::default(),
        })
    }

    /// Everything can be read from now on.
    pub fn heal(&self) {
        self.healed.store(true, Ordering::SeqCst);
    }

    /// How many reads there were since this was asked last, and how many of them failed.
    pub fn take_reads(&self) -> (usize, usize) {
        (self.asked.swap(0, Ordering::SeqCst), self.failed.swap(0, Ordering::SeqCst))
    }

    /// Counts a read; fails where it cannot be done.
    fn ask(&self, len: usize, offset: u64) -> io::Result<()> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let touches = offset < self.bad.end && self.bad.start < offset + len as u64;
        if touches && !self.healed.load(Ordering::SeqCst) {
            self.failed.fetch_add(1, Ordering::SeqCst);
            return Err(io::Error::other("scratched"));
        }
        Ok(())
    }
}

impl ByteSource for Failing {
    fn len(&self) -> u64 {
        self.good.len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.ask(buf.len(), offset)?;
        self.good.read_exact_at(buf, offset)
    }

    /// One read, as of a file.
    fn read_scatter_at(&self, out: Scatter<'_>, offset: u64) -> io::Result<()> {
        self.ask(out.len(), offset)?;
        self.good.read_scatter_at(out, offset)
    }
}

/// A medium of blocks, one of which cannot be read.
pub fn failing_blocks(blocks: u32, bad: u32) -> (Arc<Failing>, Arc<Medium>) {
    let good = Arc::new(Patterned { seed: 1, blocks });
    let source = Failing::new(good, u64::from(bad) * 2048..u64::from(bad + 1) * 2048);
    let opened = open_source(Arc::clone(&source) as _, &OpenOptions::default()).unwrap();
    source.take_reads();
    (source, medium(opened))
}

/// A CD of sectors that are stored whole, one of which cannot be read.
pub fn failing_sectors(sectors: u32, bad: u32) -> (Arc<Failing>, Arc<Medium>) {
    let good = Arc::new(Patterned { seed: 1, blocks: 2 * sectors });
    let source = Failing::new(good, u64::from(bad) * 2352..u64::from(bad + 1) * 2352);
    let mut disc = cd(1, &[&[(TrackMode::Audio, sectors)]]);
    disc.sessions[0].tracks[0].extents = vec![Extent {
        first: Lba(0),
        blocks: sectors,
        source: Arc::clone(&source) as _,
        offset: 0,
        stride: 2352,
        stored: 0..2352,
        subchannel: None,
    }];
    (source, of(disc))
}

/// A CD whose sub-channel alone has these codes, in sectors 30 and 40; that of one sector cannot be read.
pub fn failing_sub_channel(mcn: &[u8; 13], isrc: &[u8; 12], bad: u32) -> (Arc<Failing>, Arc<Medium>) {
    let mut disc = cd(1, &[&[(TrackMode::Audio, 300)]]);
    let mut linear = vec![0; 300 * 96];
    let told = [(30, Q::mcn(Control::AUDIO, mcn, Lba(30))), (40, Q::isrc(Control::AUDIO, isrc, Lba(40)))];
    for (sector, q) in told {
        linear[sector * 96 + 12..][..12].copy_from_slice(&q.0);
    }
    let source = Failing::new(Arc::new(MemorySource::new(linear)), u64::from(bad) * 96..u64::from(bad + 1) * 96);
    (disc.mcn, disc.sessions[0].tracks[0].isrc) = (None, None);
    disc.sessions[0].tracks[0].extents[0].subchannel = Some(StoredSubchannel {
        source: Arc::clone(&source) as _,
        offset: 0,
        stride: 96,
        form: SubchannelForm::Linear,
    });
    (source, of(disc))
}
