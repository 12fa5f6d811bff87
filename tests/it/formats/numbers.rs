//! Numbers of descriptors that add up to more than there can be: refused, or sectors that cannot be read.

use std::io;
use std::sync::Arc;

use spindle::disc::Lba;
use spindle::image::ImageErrorKind::{self, Invalid, Limit};
use spindle::image::{ImageError, OpenOptions, Opened, open_with};
use spindle::source::siblings::NamedSources;
use spindle::source::{ByteSource, MemorySource, SharedSource};

use crate::support::image::open;
use crate::support::images::described::uif;

/// A file of zeros, as a sparse one is, or as one of sound that says so of itself.
#[derive(Debug)]
struct Zeros(u64);

impl ByteSource for Zeros {
    fn len(&self) -> u64 {
        self.0
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.0);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.fill(0);
        Ok(())
    }
}

/// Opens a text with `a.bin` and `b.bin` of so many bytes beside it.
fn beside(name: &str, text: &str, lengths: [u64; 2]) -> Result<Opened, ImageError> {
    let files = ["a.bin", "b.bin"].iter().zip(lengths);
    let files = files.map(|(name, len)| (name.as_bytes().to_vec(), Arc::new(Zeros(len)) as SharedSource)).collect();
    let text = Arc::new(MemorySource::new(text.as_bytes()));
    open_with(text, name, Arc::new(NamedSources(files)), &OpenOptions::default())
}

#[track_caller]
fn refused(opened: Result<Opened, ImageError>, kind: ImageErrorKind) {
    let error = opened.map(|opened| opened.format.id).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
}

/// The first sector of sound or data is there, and past the end of its file.
#[track_caller]
fn cannot_be_read(opened: Result<Opened, ImageError>) {
    let disc = opened.unwrap().disc;
    assert!(disc.read_sector(Lba(0), &mut [0; 2352]).is_err());
    assert!(disc.read_subchannel(Lba(0)).is_err() || disc.track_at(Lba(0)).unwrap().extents[0].subchannel.is_none());
}

const SECTORS: u64 = u32::MAX as u64;

#[test]
fn sectors_of_a_file_behind_those_of_other_tracks() {
    let two = "FILE a.bin BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\nTRACK 02 AUDIO\nINDEX 01 00:05:00\n";
    refused(beside("a.cue", two, [(SECTORS + 375) * 2352, 0]), Invalid);
}

#[test]
fn sectors_of_a_pre_gap_in_two_files() {
    let pregap = "FILE a.bin BINARY\nTRACK 01 AUDIO\nINDEX 00 00:00:00\nFILE b.bin BINARY\nINDEX 01 00:00:01\n";
    refused(beside("a.cue", pregap, [SECTORS * 2352, 300 * 2352]), Limit);
}

/// In quotes that end nowhere there are more blanks than the line has when it is trimmed.
#[test]
fn letters_of_a_type_of_file() {
    let blanks = format!("FILE a b \"{}\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n", " ".repeat(40));
    refused(beside("a.cue", &blanks, [0, 0]), Invalid);
}

#[test]
fn the_offset_of_a_file_and_where_to_begin_in_it() {
    for mode in ["AUDIO", "MODE1_RAW", "AUDIO RW_RAW", "MODE2_RAW RW"] {
        let text = format!("CD_ROM\nTRACK {mode}\nFILE \"a.bin\" #{} 00:00:01 00:10:00\n", u64::MAX);
        cannot_be_read(beside("a.toc", &text, [2352, 0]));
    }
}

/// The time is that of the last sector that a number can count.
#[test]
fn a_pre_gap_before_one_that_is_told() {
    let start = "CD_DA\nTRACK AUDIO\nSILENCE 00:10:00\nSTART 954437:10:45\n";
    refused(beside("a.toc", start, [0, 0]), Invalid);
}

#[test]
fn the_last_sector_of_a_file_of_any_length() {
    let long = "CD_ROM\nTRACK MODE1\nDATAFILE \"a.bin\" 00:10:00\n";
    assert_eq!(beside("a.toc", long, [u64::MAX, 0]).unwrap().disc.blocks(), 750);
}

#[test]
fn subchannel_behind_a_sector() {
    let entry =
        [&u64::MAX.to_be_bytes()[..], &(300 * 2448_u64).to_be_bytes(), &[0, 0, 0, 0x10], &[0; 8], &[0, 0, 1, 44]];
    let chunk = [&b"ETN2"[..], &32_u32.to_be_bytes(), &entry.concat()].concat();
    let file = [&chunk[..], b"END!", &[0; 4], b"NER5", &[0; 8]].concat();
    cannot_be_read(open("a.nrg", &file, &[]));
}

/// A block that lies in the file's last bytes that there can be.
#[test]
fn the_place_of_a_block() {
    let options = uif::Options { version: 1, packed_lists: false, ..uif::PLAIN };
    let mut file = uif::file(&[0; 2048], options);
    let list = file.windows(4).position(|id| id == b"blhr").unwrap() + 16;
    file[list..list + 8].copy_from_slice(&(u64::MAX - 15).to_le_bytes());
    refused(open("a.uif", &file, &[]), Invalid);
}

/// One sector of 4 GiB, and a block from the last on, of as many.
#[test]
fn sectors_of_a_block() {
    let options = uif::Options { version: 1, packed_lists: false, ..uif::PLAIN };
    let mut file = uif::file(&[0; 2048], options);
    let list = file.windows(4).position(|id| id == b"blhr").unwrap() + 16;
    let trailer = file.len() - 64;
    file[trailer + 16..trailer + 28].copy_from_slice(&[1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]);
    file[list + 12..list + 20].fill(0xFF);
    refused(open("a.uif", &file, &[]), Invalid);
}
