//! Images in memory, with the files beside them.

use std::sync::Arc;

use spindle::disc::{Lba, TrackMode};
use spindle::image::{ImageError, ImageErrorKind, OpenOptions, Opened, Passwords, open_with};
use spindle::source::siblings::NamedSources;
use spindle::source::{BlockCache, MemorySource, SharedSource};

/// Names and contents.
pub type Files<'a> = &'a [(&'a str, &'a [u8])];

/// Opens `image`, called `name`, with `files` beside it.
pub fn open(name: &str, image: &[u8], files: Files<'_>) -> Result<Opened, ImageError> {
    open_locked(name, image, files, &[])
}

/// The same with passwords to try.
pub fn open_locked(name: &str, image: &[u8], files: Files<'_>, passwords: &[&str]) -> Result<Opened, ImageError> {
    let source = |bytes: &[u8]| -> SharedSource { Arc::new(MemorySource::new(bytes)) };
    let files = files.iter().map(|(name, bytes)| (name.as_bytes().to_vec(), source(bytes))).collect();
    let passwords = Known(passwords);
    let cache = BlockCache::with_workers(1 << 20, 0);
    let options = OpenOptions { cache, passwords: &passwords, ..OpenOptions::default() };
    open_with(source(image), name, Arc::new(NamedSources(files)), &options)
}

struct Known<'a>(&'a [&'a str]);

impl Passwords for Known<'_> {
    fn password(&self, _file: &str, attempt: u32) -> Option<Vec<u8>> {
        self.0.get(attempt as usize).map(|password| password.as_bytes().to_vec())
    }
}

/// Number, mode, first address, index 1 and end of every track.
pub fn tracks(opened: &Opened) -> Vec<(u8, TrackMode, i32, i32, i32)> {
    let tracks = opened.disc.tracks();
    tracks.map(|track| (track.number, track.mode, track.first().0, track.start.0, track.end.0)).collect()
}

/// The user data of `blocks` blocks.
pub fn blocks(opened: &Opened, first: i32, blocks: u32) -> Vec<u8> {
    let mut bytes = vec![0; blocks as usize * 2048];
    opened.disc.read_blocks(Lba(first), &mut bytes).unwrap();
    bytes
}

/// A whole sector.
pub fn sector(opened: &Opened, lba: i32) -> [u8; 2352] {
    let mut raw = [0; 2352];
    opened.disc.read_sector(Lba(lba), &mut raw).unwrap();
    raw
}

/// Opens every prefix of `image` and reads a few sectors of what opens.
pub fn every_prefix(name: &str, image: &[u8], files: Files<'_>) {
    for len in 0..image.len() {
        if let Ok(opened) = open(name, &image[..len], files) {
            probe(&opened);
        }
    }
}

/// Opens `image` with each of `files` cut off at lengths from one end to the other: every sector is as before, or an error.
pub fn every_cut(name: &str, image: &[u8], files: Files<'_>) {
    const STEP: usize = 1499;
    let whole = open(name, image, files).unwrap();
    for cut in 0..files.len() {
        for len in (0..files[cut].1.len()).step_by(STEP) {
            let mut files = files.to_vec();
            files[cut].1 = &files[cut].1[..len];
            let opened = open(name, image, &files).unwrap();
            for track in whole.disc.tracks() {
                for lba in (track.first().0..track.end.0).map(Lba) {
                    let (mut raw, mut expected) = ([0; 2352], [0; 2352]);
                    whole.disc.read_sector(lba, &mut expected).unwrap();
                    let same = opened.disc.read_sector(lba, &mut raw).is_err() || raw == expected;
                    assert!(same, "sector {lba} with {len} bytes of {}", files[cut].0);
                }
            }
        }
    }
}

/// Reads the ends of every track, which may fail and do no more.
pub fn probe(opened: &Opened) {
    for track in opened.disc.tracks() {
        for lba in [track.first(), track.start, track.end.minus(1)] {
            let mut raw = [0; 2352];
            let _ = opened.disc.read_sector(lba, &mut raw);
            let _ = opened.disc.read_subchannel(lba);
        }
    }
}

/// `image` with `bytes` at `at` is refused with `kind`.
pub fn refused(name: &str, image: &[u8], files: Files<'_>, at: usize, bytes: &[u8], kind: ImageErrorKind) {
    let mut image = image.to_vec();
    image[at..at + bytes.len()].copy_from_slice(bytes);
    let error = open(name, &image, files).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), kind, "{bytes:?} at {at}: {error}");
}
