//! UDF volumes that cost a reader more than they cost who made them.

use std::sync::Arc;

use spindle::disc::Lba;
use spindle::fs::{self, FsError, Namespace, udf};
use spindle::image::{OpenOptions, open_source};

use super::{disc_of, problems};
use crate::support::hostile::{Blocks, in_time};
use crate::support::volume::{allocation_extent, file_entry, identifier, long, tagged};

/// Kinds of allocation: recorded, not recorded, more descriptors.
const ZEROS: u32 = 2 << 30;
const NEXT: u32 = 3 << 30;
/// Kinds of files.
const DIRECTORY: u8 = 4;
const FILE: u8 = 5;
const SYMLINK: u8 = 12;
const METADATA: u8 = 250;
const DELETED: u8 = 4;

/// The file set, the root's entry, and the root's contents.
const FILE_SET: u32 = 40;
const ROOT: u32 = 41;
const CONTENTS: u32 = 42;

fn physical() -> Vec<u8> {
    vec![1, 6, 1, 0, 0, 0]
}

fn second(kind: &[u8]) -> Vec<u8> {
    let mut map = vec![0; 28];
    map[..2].copy_from_slice(&[2, 28]);
    map[5..5 + kind.len()].copy_from_slice(kind);
    map
}

/// A volume of `blocks` blocks with `maps`, all of them on one partition, whose blocks are those of the disc.
fn volume(blocks: u32, maps: &[Vec<u8>]) -> Blocks {
    let mut image = Blocks::new(blocks);
    let mut anchor = vec![0; 512];
    for at in [16, 24] {
        anchor[at..at + 8].copy_from_slice(&short(16 * 2048, 32));
    }
    image.put(256, &tagged(2, 256, anchor));
    let joined = maps.concat();
    let mut logical = vec![0; 440];
    logical[212..216].copy_from_slice(&2048_u32.to_le_bytes());
    logical[248..264].copy_from_slice(&long(2048, FILE_SET, 0));
    logical[264..268].copy_from_slice(&(joined.len() as u32).to_le_bytes());
    logical[268] = maps.len() as u8;
    logical.extend(joined);
    image.put(32, &tagged(6, 32, logical));
    let mut partition = vec![0; 512];
    partition[192..196].copy_from_slice(&blocks.to_le_bytes());
    image.put(33, &tagged(5, 33, partition));
    image.put(34, &tagged(8, 34, vec![0; 512]));
    let mut set = vec![0; 512];
    set[400..416].copy_from_slice(&long(2048, ROOT, 0));
    image.put(FILE_SET, &tagged(256, FILE_SET, set));
    image
}

/// A volume whose root directory holds `identifiers`.
fn tree(blocks: u32, identifiers: &[u8]) -> Blocks {
    let mut image = volume(blocks, &[physical()]);
    let bytes = identifiers.len() as u32;
    image.put(ROOT, &file_entry(ROOT, DIRECTORY, bytes.into(), 0, &short(bytes, CONTENTS)));
    image.put(CONTENTS, identifiers);
    image
}

fn short(length: u32, block: u32) -> [u8; 8] {
    let mut short = [0; 8];
    short[..4].copy_from_slice(&length.to_le_bytes());
    short[4..].copy_from_slice(&block.to_le_bytes());
    short
}

/// An entry whose descriptors lie in the allocation extent in `first`.
fn chained(block: u32, kind: u8, size: u64, first: u32) -> Vec<u8> {
    file_entry(block, kind, size, 0, &short(NEXT | 2048, first))
}

/// An allocation extent with one byte, which leads to itself.
fn bites_its_tail(block: u32) -> Vec<u8> {
    allocation_extent(block, &[short(ZEROS | 1, 0), short(NEXT | 2048, block)].concat())
}

#[track_caller]
fn refused(image: Blocks) -> String {
    let open = move || {
        // A format may take the image for what it is not: the file system alone is meant.
        let opened = open_source(Arc::new(image), &OpenOptions::default()).unwrap();
        let opened: Result<_, FsError> = udf::Volume::open(&opened.disc, Lba(0)).map(|_| ());
        opened.unwrap_err().to_string()
    };
    in_time(open)
}

#[test]
fn an_allocation_extent_that_leads_to_itself_is_refused() {
    let mut image = volume(400, &[physical(), second(b"*UDF Metadata Partition")]);
    image.put(0, &chained(0, METADATA, 16_000, 1));
    image.put(1, &bites_its_tail(1));
    assert_eq!(refused(image), "the UDF allocation extent in block 1 is damaged");
}

#[test]
fn runs_of_all_partitions_are_counted_together() {
    let maps = [vec![physical()], vec![second(b"*UDF Metadata Partition"); 8]].concat();
    let mut image = volume(1000, &maps);
    image.put(0, &chained(0, METADATA, 1 << 40, 300));
    for block in 300..500 {
        let next = if block == 499 { short(0, 0) } else { short(NEXT | 2048, block + 1) };
        image.put(block, &allocation_extent(block, &[short(ZEROS | 1, 0).repeat(250), next.to_vec()].concat()));
    }
    assert_eq!(refused(image), "more than 262144 runs of UDF partitions");
}

#[test]
fn what_is_no_virtual_allocation_table_is_not_followed() {
    let mut image = volume(700, &[physical(), second(b"*UDF Virtual Partition")]);
    for block in 430..700 {
        image.put(block, &chained(block, FILE, 16_000, 300));
    }
    // The last one's chain leads nowhere.
    image.put(699, &chained(699, FILE, 16_000, 20));
    image.put(300, &bites_its_tail(300));
    assert_eq!(refused(image), "the virtual allocation table in block 699 is damaged");
}

#[test]
fn links_that_lead_into_one_chain_end() {
    let names: Vec<u8> = (0..4000).flat_map(|_| identifier(CONTENTS, "l", 0, 300, 0)).collect();
    let mut image = tree(700, &names);
    image.put(300, &chained(300, SYMLINK, 16_000, 301));
    image.put(301, &bites_its_tail(301));
    let found = in_time(move || problems(&*fs::open(&disc_of(image), Some(Namespace::Udf)).unwrap()));
    assert!(found.iter().all(|problem| problem == ": the UDF allocation extent in block 301 is damaged"), "{found:?}");
}

#[test]
fn what_a_volume_makes_a_reader_read_is_counted() {
    // 64 allocation extents for each of the links: no chain is longer than a real one.
    let names: Vec<u8> = (0..4200).flat_map(|_| identifier(CONTENTS, "l", 0, 300, 0)).collect();
    let mut image = tree(700, &names);
    image.put(300, &chained(300, SYMLINK, 16_000, 301));
    for block in 301..365 {
        let next = if block == 364 { short(0, 0) } else { short(NEXT | 2048, block + 1) };
        image.put(block, &allocation_extent(block, &[short(ZEROS | 1, 0), next].concat()));
    }
    let found = in_time(move || problems(&*fs::open(&disc_of(image), Some(Namespace::Udf)).unwrap()));
    assert_eq!(found.last().unwrap(), ": more than 262144 blocks of allocation descriptors");
}

#[test]
fn identifiers_of_deleted_files_are_counted() {
    let mut image = volume(600_000, &[physical()]);
    // 32 of them to a block, and half a million blocks 200 times.
    let name = "n".repeat(25);
    image.other = identifier(CONTENTS, &name, DELETED, 300, 0).repeat(32);
    let run = short((1 << 30) - 2048, 1000);
    image.put(ROOT, &file_entry(ROOT, DIRECTORY, 1 << 40, 0, &run.repeat(200)));
    let found = in_time(move || problems(&*fs::open(&disc_of(image), Some(Namespace::Udf)).unwrap()));
    assert_eq!(found, [": more than 262144 entries in a folder"]);
}

#[test]
fn a_folder_in_runs_of_a_byte_ends() {
    let mut image = volume(5000, &[physical()]);
    image.put(ROOT, &chained(ROOT, DIRECTORY, 1 << 40, 300));
    // Each byte of the one identifier in a block of its own.
    let deleted = identifier(CONTENTS, "n", DELETED, 300, 0);
    let runs: Vec<u8> = (4500..).zip(&deleted).flat_map(|(block, _)| short(1, block)).collect();
    for (block, byte) in (4500..).zip(&deleted) {
        image.put(block, &[*byte]);
    }
    for block in 300..4300 {
        let next = if block == 4299 { short(0, 0) } else { short(NEXT | 2048, block + 1) };
        image.put(block, &allocation_extent(block, &[runs.repeat(6), next.to_vec()].concat()));
    }
    let found = in_time(move || problems(&*fs::open(&disc_of(image), Some(Namespace::Udf)).unwrap()));
    assert_eq!(found, [": more than 65536 blocks of a folder"]);
}
