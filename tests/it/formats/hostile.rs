//! Descriptors that cost a reader more than they cost who made them.

use std::fs;
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spindle::disc::cdtext::{KINDS, Kind, decode};
use spindle::image::{ImageError, OpenOptions, Opened, open_with};
use spindle::source::siblings::{NamedSources, Siblings};
use spindle::source::{MemorySource, SharedSource};

use super::described::open;
use crate::support::hostile::{Sparse, in_time};
use crate::support::images::described::chd_old::{self, Metadata, Packing};
use crate::support::images::described::source_disc::SourceDisc;
use crate::support::images::described::{bwt, mds};

/// Bytes that so many numbers take.
const MANY: u32 = u32::MAX;
const MANY_BYTES: u64 = 4 * MANY as u64;

fn open_beside(name: &str, source: SharedSource, siblings: Vec<(&str, SharedSource)>) -> Result<Opened, ImageError> {
    let siblings = siblings.into_iter().map(|(name, source)| (name.as_bytes().to_vec(), source)).collect();
    open_with(source, name, Arc::new(NamedSources(siblings)), &OpenOptions::default())
}

fn in_memory(bytes: &[u8]) -> SharedSource {
    Arc::new(MemorySource::new(bytes))
}

/// Opened without a measurement, with a remark why.
#[track_caller]
fn is_not_measured(opened: &Opened) {
    assert_eq!(opened.disc.dpm, None);
    let why = "4294967295 measurements: more than 1048576 are not read";
    assert!(opened.warnings.iter().any(|warning| warning.contains(why)), "{:?}", opened.warnings);
}

#[test]
fn a_measurement_of_17_gb_beside_an_image_is_not_read() {
    let files = bwt::files(&SourceDisc::mixed(), bwt::Options::default());
    let head: Vec<u8> = [1, 8, 0, 0, 256, MANY].map(u32::to_le_bytes).concat();
    let mut beside: Vec<(&str, SharedSource)> = files
        .iter()
        .filter(|(name, _)| name != "disc.bwa")
        .map(|(name, bytes)| (name.as_str(), in_memory(bytes)))
        .collect();
    beside.push(("disc.bwa", Arc::new(Sparse::new(&head, 24 + MANY_BYTES))));
    is_not_measured(&open_beside("disc.bwt", in_memory(&files[0].1), beside).unwrap());
}

#[test]
fn a_measurement_of_17_gb_in_a_descriptor_is_not_read() {
    let files = mds::files(&SourceDisc::mixed(), mds::Options::default());
    let (name, descriptor) = files.iter().find(|(name, _)| name == "disc.mds").unwrap();
    let mut descriptor = descriptor.clone();
    let number = |at: usize| u32::from_le_bytes(descriptor[at..at + 4].try_into().unwrap()) as usize;
    let block = number(number(84) + 4);
    descriptor[block + 12..block + 16].copy_from_slice(&MANY.to_le_bytes());
    let descriptor = Arc::new(Sparse::new(&descriptor, descriptor.len() as u64 + MANY_BYTES));
    let beside = files.iter().map(|(name, bytes)| (name.as_str(), in_memory(bytes))).collect();
    is_not_measured(&open_beside(name, descriptor, beside).unwrap());
}

#[test]
fn texts_of_more_packs_than_a_disc_has_are_cut_off() {
    // One title as long as all packs but a few, and tabs: each stands for the text before.
    let title = vec![b'a'; 12 * 30_000];
    let tabs = b"\0\t".repeat(98);
    let text = [&title[..], &tabs, &[0]].concat();
    let packs: Vec<[u8; 18]> = text
        .chunks(12)
        .map(|chunk| {
            let mut pack = [0; 18];
            pack[0] = Kind::Title as u8;
            pack[4..4 + chunk.len()].copy_from_slice(chunk);
            pack
        })
        .collect();
    let blocks = decode(&packs);
    let bytes: usize = blocks.iter().flat_map(|block| block.texts.values()).map(String::len).sum();
    // Eight blocks of 256 packs, and a text for each track.
    let most = 99 * KINDS.len() * 8 * 256 * 12;
    assert!(bytes <= most, "{bytes} bytes of text");
}

#[test]
fn the_form_of_a_subchannel_is_found_out_once() {
    let track = format!("TRACK MODE1_RAW RW_RAW\n{}", "DATAFILE \"a\" 1\n".repeat(1000));
    let text = format!("CD_ROM\n{}", track.repeat(99));
    let data = Arc::new(Sparse::new(&[], 1000 * 2448));
    let shared: SharedSource = Arc::clone(&data) as _;
    let _ = in_time(move || open_beside("disc.toc", in_memory(text.as_bytes()), vec![("a", shared)]).map(|_| ()));
    let reads = data.reads.load(Ordering::Relaxed);
    assert!(reads > 0 && reads < 10_000, "{reads} reads");
}

#[test]
fn cues_are_looked_up_and_not_searched() {
    let cue = |track: u8, index: u8, lba: i32| {
        let bcd = |number: u8| ((number / 10) << 4) | (number % 10);
        [&[0x01, bcd(track), bcd(index), 0][..], &lba.to_be_bytes()].concat()
    };
    let behind: Vec<u8> =
        (1..=99).flat_map(|track| (0..=99).flat_map(move |index| cue(track, index, i32::from(index)))).collect();
    let before = cue(0, 0, 0).repeat(((1 << 20) - behind.len()) / 8);
    let cues = [before, behind].concat();
    let mut tracks = [&[0; 20][..], &[1, 99]].concat();
    for _ in 0..99 {
        tracks.extend([0; 12]);
        tracks.extend([0x09, 0x30, 7, 0, 0, 1]);
        tracks.extend([0_u64, 0, 2352 * 400].map(u64::to_be_bytes).concat());
    }
    let mut file = vec![0; 2352 * 400];
    for _ in 0..60 {
        for (id, content) in [(b"CUEX", &cues), (b"DAOX", &tracks)] {
            file.extend(id);
            file.extend((content.len() as u32).to_be_bytes());
            file.extend(content);
        }
    }
    file.extend(b"END!\0\0\0\0NER5");
    file.extend((2352_u64 * 400).to_be_bytes());
    let error = in_time(move || open_beside("disc.nrg", in_memory(&file), Vec::new()).map(|_| ()).unwrap_err());
    assert!(error.to_string().contains("session 2"), "{error}");
}

/// One file under every name, opened so often.
#[derive(Debug, Default)]
struct Counted(AtomicU64);

impl Siblings for Counted {
    fn open(&self, name: &[u8]) -> io::Result<SharedSource> {
        if name != b"a.bin" {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Sparse::new(&[], 1000 * 2352)))
    }

    fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        Ok(vec![b"a.bin".to_vec()])
    }
}

#[test]
fn a_file_that_a_sheet_names_again_is_not_opened_again() {
    let track = |number: u32| format!("FILE \"a.bin\" BINARY\n TRACK {number:02} AUDIO\n INDEX 01 00:00:00\n");
    let text: String = (1..=99).map(track).collect();
    let siblings = Arc::new(Counted::default());
    let counted: Arc<dyn Siblings> = Arc::clone(&siblings) as _;
    let opened = open_with(in_memory(text.as_bytes()), "disc.cue", counted, &OpenOptions::default()).unwrap();
    assert_eq!(opened.disc.tracks().count(), 99);
    assert!(siblings.0.load(Ordering::Relaxed) < 5, "{siblings:?}");
}

#[test]
fn what_is_measured_as_usual_is_there() {
    assert!(open(&bwt::files(&SourceDisc::mixed(), bwt::Options::default())).unwrap().disc.dpm.is_some());
}

#[test]
fn a_parent_is_found_among_more_files_than_there_may_be_descriptors() {
    let folder = tempfile::tempdir().unwrap();
    let options = chd_old::Options {
        version: 4,
        packing: Packing::Zlib,
        metadata: Metadata::Cht2,
        user_data: false,
        parent: true,
    };
    for (name, bytes) in chd_old::files(&SourceDisc::mixed(), options) {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    for number in 0..200 {
        fs::write(folder.path().join(format!("other{number}.chd")), "none").unwrap();
    }
    let nobody = folder.path().join("socket");
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" insert \"$1\" --control \"$2\"", env!("CARGO_BIN_EXE_spindle")])
        .args([folder.path().join("disc.chd"), nobody])
        .output()
        .unwrap();
    // It was opened, and nobody takes it.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("/socket") && !said.contains("parent"), "{said}");
}
