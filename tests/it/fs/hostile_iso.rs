//! Folders of ISO 9660 that cost a reader more than they cost who made them: memory for what is listed, and time for what is not.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use spindle::disc::Disc;
use spindle::fs::{self, Namespace};
use spindle::image::{OpenOptions, open_source};

use super::{disc_of, problems};
use crate::support::hostile::{Blocks, in_time};
use crate::support::volume::{ce, entry, px, record, rock_ridge};

const DIRECTORY: u8 = 2;
const MORE: u8 = 0x80;
/// The first block of the root directory.
const ROOT: u32 = 20;

/// An image of `blocks` blocks whose root directory has `root_bytes`. It says one block more than it has: then its folders are
/// looked through while it is opened.
fn image(blocks: u32, root_bytes: u32) -> Blocks {
    let mut image = Blocks::new(blocks);
    let mut primary = vec![0; 2048];
    primary[..7].copy_from_slice(b"\x01CD001\x01");
    primary[80..84].copy_from_slice(&(blocks + 1).to_le_bytes());
    primary[84..88].copy_from_slice(&(blocks + 1).to_be_bytes());
    primary[128..132].copy_from_slice(&[0, 8, 8, 0]);
    let root = record(b"\0", ROOT, root_bytes, DIRECTORY, b"");
    primary[156..156 + root.len()].copy_from_slice(&root);
    image.put(16, &primary);
    image.put(17, b"\xFFCD001\x01");
    image.put(ROOT, &record(b"\0", ROOT, root_bytes, DIRECTORY, b""));
    image
}

/// Puts `records` from `block` on, as many into each block as it has room for.
fn put_records(image: &mut Blocks, mut block: u32, records: impl IntoIterator<Item = Vec<u8>>) {
    let mut bytes = image.own.remove(&block).unwrap_or_default();
    for record in records {
        if bytes.len() + record.len() > 2048 {
            image.put(block, &std::mem::take(&mut bytes));
            block += 1;
        }
        bytes.extend(record);
    }
    image.put(block, &bytes);
}

/// As an insert does it.
fn open(image: Blocks) -> Disc {
    open_source(Arc::new(image), &OpenOptions::default()).unwrap().disc
}

/// Opens the image and looks through all of it.
#[track_caller]
fn all(image: Blocks) -> Vec<String> {
    in_time(move || {
        let disc = open(image);
        problems(&*fs::open(&disc, None).unwrap())
    })
}

#[test]
fn large_folders_in_one_another_are_not_all_held_at_once() {
    let (folders, blocks) = (512, 4300);
    let bytes = blocks * 2048;
    let mut image = image(ROOT + folders + blocks, bytes);
    for block in ROOT..ROOT + folders + blocks {
        let next = record(b"D", block + 1, bytes, DIRECTORY, b"");
        let file = record(b"F", ROOT, 0, 0, b"");
        put_records(&mut image, block, std::iter::once(next).chain(vec![file; 57]));
    }
    let problems = all(image);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].ends_with("more than 134217728 bytes of open folders"), "{problems:?}");
}

#[test]
fn a_folder_of_long_links_ends_where_it_is_too_large() {
    let mut image = image(40_000, 0);
    let mut primary = image.own[&16].clone();
    let bytes = 30_000 * 2048;
    primary[156..190].copy_from_slice(&record(b"\0", ROOT, bytes, DIRECTORY, b""));
    image.put(16, &primary);
    image.put(ROOT, &record(b"\0", ROOT, bytes, DIRECTORY, &rock_ridge()));
    // Every other block is full of records that share one area, with a link of 1,721 bytes.
    let part = [&[0, 0, 245][..], &[b'a'; 245]].concat();
    let area = entry(b"SL", &part).repeat(7);
    image.put(18, &area);
    let link = record(b"L", 0, 0, 0, &[px(0o120_777), ce(18, 0, area.len() as u32)].concat());
    image.other = link.repeat(2048 / link.len());
    let problems = all(image);
    assert_eq!(problems, [": more than 100663296 bytes of a folder's entries"]);
}

#[test]
fn a_folder_of_zeros_ends() {
    let blocks = 2_000_000;
    let problems = all(image(blocks, (blocks - ROOT) * 2048));
    assert_eq!(problems, [": more than 65536 blocks of a folder"]);
}

#[test]
fn folders_that_overlap_end_together() {
    let mut image = image(600_000, 30_000 * 34);
    // A GiB less a little for each, of nothing.
    let folders = (0..20_000).map(|number| record(b"D", 1000 + number, 580_000 * 1800, DIRECTORY, b""));
    put_records(&mut image, ROOT, folders);
    let problems = all(image);
    assert!(problems[0].ends_with("more than 65536 blocks of a folder"), "{problems:?}");
    assert!(problems.last().unwrap().ends_with("more than 4194304 blocks of folders"), "{problems:?}");
    assert!(problems.len() < 100, "{}", problems.len());
}

#[test]
fn an_insert_does_not_look_through_a_tree_that_is_long_to_read() {
    let mut image = image(600_000, 2 * 2048);
    let folders = (0..100).map(|number| record(b"D", 1000 + number, 60_000 * 2048, DIRECTORY, b""));
    put_records(&mut image, ROOT, folders);
    let reads = Arc::clone(&image.reads);
    in_time(move || open(image));
    let reads = reads.load(Ordering::Relaxed);
    assert!(reads < 1_000_000, "{reads} reads");
}

#[test]
fn a_folder_of_many_sections_ends() {
    let mut image = image(600_000, 2000 * 2048);
    let section = record(b"D", 3000, 590_000 * 1800, DIRECTORY | MORE, b"");
    put_records(&mut image, ROOT, vec![section; 65_000]);
    let problems = all(image);
    assert_eq!(problems, ["D: more than 65536 blocks of a folder"]);
}

#[test]
fn continuation_areas_of_a_folder_are_counted() {
    let mut image = image(40_000, 0);
    let bytes = 20_000 * 2048;
    let mut primary = image.own[&16].clone();
    primary[156..190].copy_from_slice(&record(b"\0", ROOT, bytes, DIRECTORY, b""));
    image.put(16, &primary);
    image.put(ROOT, &record(b"\0", ROOT, bytes, DIRECTORY, &rock_ridge()));
    // An area that leads to itself is read 64 times for each record.
    image.put(18, &ce(18, 0, 28));
    let file = record(b"F", 0, 0, 0, &[px(0o100_644), ce(18, 0, 28)].concat());
    image.other = file.repeat(2048 / file.len());
    let disc = disc_of(image);
    let problems = in_time(move || {
        let fs = fs::open(&disc, Some(Namespace::RockRidge)).unwrap();
        problems(&*fs)
    });
    assert_eq!(problems.last().unwrap(), ": more than 524288 blocks read for a folder");
}
