//! Discs whose every block tells its own address.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use spindle::disc::sector::Form;
use spindle::disc::{Control, Disc, Extent, Lba, MediumType, Session, Track, TrackMode};
use spindle::drive::Medium;
use spindle::image::{OpenOptions, Opened, Origin, open_source};
use spindle::source::{ByteSource, Scatter};

/// Block `lba` of the disc with `seed`: every eight bytes name seed, block and position.
pub fn block(seed: u32, lba: u32) -> [u8; 2048] {
    let mut block = [0; 2048];
    for (at, word) in block.chunks_exact_mut(8).enumerate() {
        word[..4].copy_from_slice(&lba.to_le_bytes());
        word[4..6].copy_from_slice(&(seed as u16).to_le_bytes());
        word[6..].copy_from_slice(&(at as u16).to_le_bytes());
    }
    block
}

/// A source of any size that holds [`block`]s without storing them.
#[derive(Debug)]
pub struct Patterned {
    pub seed: u32,
    pub blocks: u32,
}

impl ByteSource for Patterned {
    fn len(&self) -> u64 {
        u64::from(self.blocks) * 2048
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.len()) {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let (mut buf, mut at) = (buf, offset);
        while !buf.is_empty() {
            let block = block(self.seed, (at / 2048) as u32);
            let rest = &block[(at % 2048) as usize..];
            let (now, later) = buf.split_at_mut(rest.len().min(buf.len()));
            now.copy_from_slice(&rest[..now.len()]);
            at += now.len() as u64;
            buf = later;
        }
        Ok(())
    }

    /// As of a mapped file, which is what most reads are of.
    fn copy_at(&self, out: Scatter<'_>, offset: u64) -> bool {
        self.read_scatter_at(out, offset).is_ok()
    }
}

/// A medium of `blocks` patterned blocks.
pub fn patterned(seed: u32, blocks: u32) -> Arc<Medium> {
    medium(open_source(Arc::new(Patterned { seed, blocks }), &OpenOptions::default()).unwrap())
}

/// An image that was opened.
pub fn medium(opened: Opened) -> Arc<Medium> {
    Arc::new(Medium {
        disc: opened.disc,
        locator: "test".to_owned(),
        format: opened.format.id,
        origin: Origin::default(),
        remote: false,
    })
}

/// Any disc, built by hand.
pub fn of(disc: Disc) -> Arc<Medium> {
    Arc::new(Medium { disc, locator: "test".to_owned(), format: "test", origin: Origin::default(), remote: false })
}

/// The same on storage that may not answer.
pub fn remote(medium: Arc<Medium>) -> Arc<Medium> {
    let mut medium = Arc::into_inner(medium).unwrap();
    medium.remote = true;
    Arc::new(medium)
}

/// A patterned medium whose block `bad` cannot be read.
pub fn with_bad_block(seed: u32, blocks: u32, bad: u32) -> Arc<Medium> {
    with_failing_block(seed, blocks, bad, std::io::ErrorKind::Other)
}

/// The same, where that is an error of this kind.
pub fn with_failing_block(seed: u32, blocks: u32, bad: u32, kind: std::io::ErrorKind) -> Arc<Medium> {
    let source = Faulty { good: Patterned { seed, blocks }, bad, kind };
    medium(open_source(Arc::new(source), &OpenOptions::default()).unwrap())
}

#[derive(Debug)]
struct Faulty {
    good: Patterned,
    bad: u32,
    kind: std::io::ErrorKind,
}

impl ByteSource for Faulty {
    fn len(&self) -> u64 {
        self.good.len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        let at = u64::from(self.bad) * 2048;
        if offset < at + 2048 && offset + buf.len() as u64 > at {
            return Err(std::io::Error::new(self.kind, "scratched"));
        }
        self.good.read_exact_at(buf, offset)
    }

    fn copy_at(&self, out: Scatter<'_>, offset: u64) -> bool {
        self.read_scatter_at(out, offset).is_ok()
    }
}

/// A CD of sessions, each a list of tracks by mode and length; patterned by block address. Every session but the first
/// begins after the lead-out and lead-in that CD-R recorders leave between sessions.
pub fn cd(seed: u32, sessions: &[&[(TrackMode, u32)]]) -> Disc {
    let source = Arc::new(Patterned { seed, blocks: 449_000 });
    let mut at = Lba(0);
    let mut number = 0;
    let sessions = (1..).zip(sessions).map(|(session, tracks)| {
        if session > 1 {
            at = at.plus(if session == 2 { 11_400 } else { 6_900 });
        }
        let first_of_session = number + 1;
        let tracks = tracks.iter().map(|&(mode, blocks)| {
            number += 1;
            let (start, end) = (at, at.plus(blocks));
            at = end;
            let offset = u64::from(start.0.cast_unsigned()) * 2048;
            Track {
                number,
                mode,
                control: if mode == TrackMode::Audio { Control::AUDIO } else { Control::DATA },
                start,
                end,
                pregap: if number == first_of_session { 150 } else { 0 },
                indices: Vec::new(),
                isrc: (mode == TrackMode::Audio).then_some(*b"DEABC2400001"),
                extents: vec![Extent {
                    first: start,
                    blocks,
                    source: source.clone(),
                    offset,
                    stride: 2048,
                    stored: match mode {
                        TrackMode::Audio => 0..2048,
                        TrackMode::Mode1 => Form::Mode1.user_data(),
                        TrackMode::Mode2Formless => 16..2064,
                        TrackMode::Mode2Xa => Form::Form1.user_data(),
                    },
                    subchannel: None,
                }],
            }
        });
        let tracks = tracks.collect();
        Session { number: session, tracks, lead_out: at, cd_text: Vec::new(), mode_5: Vec::new(), stored_type: None }
    });
    let sessions = sessions.collect();
    Disc { medium: MediumType::CdRom, sessions, mcn: Some(*b"0123456789012"), structures: Vec::new(), dpm: None }
}

/// A source whose blocks from `first` on do not come while the gate is closed.
#[derive(Debug)]
pub struct Gated {
    good: Patterned,
    /// The first block that does not come.
    closed: Mutex<u32>,
    opened: Condvar,
    waiting: AtomicUsize,
    furthest: AtomicU64,
}

impl Gated {
    pub fn open(&self) {
        self.open_up_to(u32::MAX);
    }

    /// The blocks before this one come.
    pub fn open_up_to(&self, block: u32) {
        *self.closed.lock().unwrap() = block;
        self.opened.notify_all();
    }

    /// Up to which byte it has been read.
    pub fn furthest(&self) -> u64 {
        self.furthest.load(Ordering::SeqCst)
    }

    /// What was read before, as the end of a new disc is looked at, does not count.
    pub fn forget_how_far(&self) {
        self.furthest.store(0, Ordering::SeqCst);
    }

    /// How many reads hang.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}

impl ByteSource for Gated {
    fn len(&self) -> u64 {
        self.good.len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.furthest.fetch_max(offset + buf.len() as u64, Ordering::SeqCst);
        let is_closed = |first: &mut u32| offset + buf.len() as u64 > u64::from(*first) * 2048;
        let mut closed = self.closed.lock().unwrap();
        if is_closed(&mut closed) {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            closed = self.opened.wait_while(closed, is_closed).unwrap();
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        drop(closed);
        self.good.read_exact_at(buf, offset)
    }

    fn copy_at(&self, out: Scatter<'_>, offset: u64) -> bool {
        self.read_scatter_at(out, offset).is_ok()
    }
}

/// A patterned medium on storage that may not answer: its blocks from `first` on do not come until the gate is opened.
pub fn gated(seed: u32, blocks: u32, first: u32) -> (Arc<Gated>, Arc<Medium>) {
    let (good, closed) = (Patterned { seed, blocks }, Mutex::new(u32::MAX));
    let (opened, waiting) = (Condvar::new(), AtomicUsize::new(0));
    let gate = Arc::new(Gated { good, closed, opened, waiting, furthest: AtomicU64::new(0) });
    let opened = open_source(Arc::clone(&gate) as _, &OpenOptions::default()).unwrap();
    *gate.closed.lock().unwrap() = first;
    (gate, remote(medium(opened)))
}

/// A CD built by hand on storage that may not answer: none of what `part` names comes until the gate is opened.
pub fn gated_cd(mut disc: Disc, part: impl Fn(&mut Extent, Arc<Gated>)) -> (Arc<Gated>, Arc<Medium>) {
    let (good, closed) = (Patterned { seed: 1, blocks: 449_000 }, Mutex::new(0));
    let (opened, waiting, furthest) = (Condvar::new(), AtomicUsize::new(0), AtomicU64::new(0));
    let gate = Arc::new(Gated { good, closed, opened, waiting, furthest });
    let tracks = disc.sessions.iter_mut().flat_map(|session| &mut session.tracks);
    tracks.flat_map(|track| &mut track.extents).for_each(|extent| part(extent, Arc::clone(&gate)));
    (gate, remote(of(disc)))
}
