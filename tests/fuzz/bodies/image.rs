//! Whatever a file and the files beside it say, opening it as a disc and reading from it ends.
//!
//! The input is the image file, then the files that it may name, with [`NEXT_FILE`] between: the first name that the image
//! asks for gets the first of them, and so on. It can begin with a line [`NAME`] and the image's name. Shared by the fuzz targets of all formats and by `tests/it/fuzz.rs`.

use std::io;
use std::sync::{Arc, Mutex};

use spindle::disc::{Disc, Lba};
use spindle::image::{ImageError, OpenOptions, Opened, Passwords, open_with};
use spindle::source::{BlockCache, MemorySource, SharedSource, Siblings};

/// What stands between the files of an input.
pub const NEXT_FILE: &[u8] = b"=== next file ===";
/// What the name of the image stands after, where that matters.
const NAME: &[u8] = b"name: ";
/// Sectors that are read, at most.
const MOST_SECTORS: u32 = 64;

/// Opens the image and reads from the start and the end of every track.
pub fn run(input: &[u8]) {
    if let Ok(opened) = open(input) {
        read(&opened.disc);
    }
}

/// Reads from the start and the end of every track.
pub fn read(disc: &Disc) {
    let mut left = MOST_SECTORS;
    for track in disc.tracks() {
        for lba in [track.first(), track.start, track.start.plus(1), track.end.minus(1)] {
            let mut raw = [0; 2352];
            let mut block = [0; 2048];
            let _ = disc.read_sector(lba, &mut raw);
            let _ = disc.read_block(lba, &mut block);
            let _ = disc.read_subchannel(lba);
            left = left.saturating_sub(1);
        }
        if left == 0 {
            break;
        }
    }
    let _ = disc.q(Lba(-150));
    let _ = disc.q(disc.lead_out());
}

/// Opens the image of an input.
pub fn open(input: &[u8]) -> Result<Opened, ImageError> {
    let (name, input) = named(input);
    let mut files = split(input).map(|file| -> SharedSource { Arc::new(MemorySource::new(file)) });
    let image = files.next().unwrap_or_else(|| Arc::new(MemorySource::new([])));
    let siblings = Files { files: files.collect(), names: Mutex::default() };
    // A long stream can decode to more than there is room for, which says nothing about its reader.
    let folder = std::env::temp_dir();
    let spool = (input.len() <= 4096).then_some(&*folder);
    let options =
        OpenOptions { cache: BlockCache::with_workers(4 << 20, 0), passwords: &Known, spool, ..OpenOptions::default() };
    open_with(image, name, Arc::new(siblings), &options)
}

/// The name of the image, and the rest of the input.
fn named(input: &[u8]) -> (&str, &[u8]) {
    let line = input.strip_prefix(NAME).and_then(|rest| {
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        Some((&rest[..end], &rest[end + 1..]))
    });
    line.and_then(|(name, rest)| Some((std::str::from_utf8(name).ok()?, rest))).unwrap_or(("image", input))
}

/// The files of an input.
pub fn split(mut input: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut more = true;
    std::iter::from_fn(move || {
        if !more {
            return None;
        }
        match input.windows(NEXT_FILE.len()).position(|window| window == NEXT_FILE) {
            Some(at) => {
                let file = &input[..at];
                input = &input[at + NEXT_FILE.len()..];
                Some(file)
            }
            None => {
                more = false;
                Some(input)
            }
        }
    })
}

#[derive(Debug)]
struct Files {
    files: Vec<SharedSource>,
    names: Mutex<Vec<Vec<u8>>>,
}

impl Siblings for Files {
    fn open(&self, name: &[u8]) -> io::Result<SharedSource> {
        let mut names = self.names.lock().unwrap();
        let at = names.iter().position(|known| known == name).unwrap_or(names.len());
        let file = self.files.get(at).cloned().ok_or(io::ErrorKind::NotFound)?;
        if at == names.len() {
            names.push(name.to_vec());
        }
        Ok(file)
    }

    fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut names = self.names.lock().unwrap().clone();
        // Some formats look for a file by its content.
        if names.len() < self.files.len() {
            names.push(b"next.chd".to_vec());
        }
        Ok(names)
    }
}

/// The password of every image here.
pub struct Known;

impl Passwords for Known {
    fn password(&self, _file: &str, attempt: u32) -> Option<Vec<u8>> {
        (attempt == 0).then(|| b"secret".to_vec())
    }
}
