//! UDF, on images made byte by byte: what the writers at hand do not make.

use spindle::fs::{self, Kind, Namespace, udf};

use super::{contents, disc, names, tree};
use crate::support::volume::{
    Layout, MAIN, PARTITION, RESERVE, UdfFile, allocation_extent, long, put, sequence, tagged, udf as image,
};

fn file(name: &'static str, size: u64, form: u8, allocation: Vec<u8>) -> UdfFile {
    UdfFile { name, kind: 5, size, form, allocation, is_root: false, deleted: false }
}

fn inline(name: &'static str, kind: u8, contents: &[u8]) -> UdfFile {
    UdfFile { kind, ..file(name, contents.len() as u64, 3, contents.to_vec()) }
}

#[test]
fn descriptors_are_found_in_every_kind_of_partition() {
    for (layout, partitions) in [
        (Layout::Physical, &["physical"][..]),
        (Layout::Sparable, &["sparable"]),
        (Layout::Metadata, &["physical", "metadata"]),
        (Layout::Mirror, &["physical", "metadata"]),
    ] {
        let files = [file("a", 5, 1, long(5, 100, 0).to_vec()), inline("b", 5, b"inside")];
        let disc = disc(image(layout, &files, &[(100, b"hello".to_vec())]));
        let volume = udf::Volume::open(&disc, spindle::disc::Lba(0)).unwrap();
        assert_eq!(volume.info().partitions, partitions);
        assert_eq!((volume.info().revision, volume.info().label.as_str()), (0x250, "TEST"));
        assert_eq!(names(&disc, Namespace::Udf), ["a", "b"], "{layout:?}");
        assert_eq!(contents(&disc, Namespace::Udf, "a").unwrap(), b"hello", "{layout:?}");
        assert_eq!(contents(&disc, Namespace::Udf, "b").unwrap(), b"inside", "{layout:?}");
    }
}

#[test]
fn every_form_of_allocation_descriptor_is_read() {
    let short = |length: u32, block: u32| [length.to_le_bytes(), block.to_le_bytes()].concat();
    let mut extended = [0; 20];
    extended[..4].copy_from_slice(&5_u32.to_le_bytes());
    extended[12] = 100;
    let files = [file("short", 5, 0, short(5, 100)), file("extended", 5, 2, extended.to_vec())];
    let disc = disc(image(Layout::Physical, &files, &[(100, b"hello".to_vec())]));
    for name in ["short", "extended"] {
        assert_eq!(contents(&disc, Namespace::Udf, name).unwrap(), b"hello", "{name}");
    }
}

#[test]
fn what_was_not_recorded_reads_as_zeros() {
    let allocation = [long(1 << 30 | 2048, 0, 0), long(2 << 30 | 2048, 0, 0), long(2, 100, 0)].concat();
    let disc = disc(image(Layout::Physical, &[file("a", 4100, 1, allocation)], &[(100, b"xy".to_vec())]));
    let expected = [vec![0; 4096], b"xy".to_vec(), vec![0; 2]].concat();
    assert_eq!(contents(&disc, Namespace::Udf, "a").unwrap(), expected);
}

#[test]
fn descriptors_continue_in_allocation_extents() {
    let allocation = [long(2048, 100, 0), long(3 << 30 | 2048, 101, 0)].concat();
    let extent = allocation_extent(101, &long(3, 102, 0));
    let blocks = [(100, vec![1; 2048]), (101, extent), (102, vec![2; 3])];
    let disc = disc(image(Layout::Physical, &[file("a", 2051, 1, allocation)], &blocks));
    assert_eq!(contents(&disc, Namespace::Udf, "a").unwrap(), [vec![1; 2048], vec![2; 3]].concat());
}

#[test]
fn an_allocation_extent_that_leads_to_itself_ends() {
    let next = long(3 << 30 | 2048, 101, 0);
    let extent = allocation_extent(101, &next);
    let disc = disc(image(Layout::Physical, &[file("a", 9000, 1, next.to_vec())], &[(101, extent)]));
    assert_eq!(contents(&disc, Namespace::Udf, "a").unwrap_err(), "the UDF allocation extent in block 361 is damaged");
}

#[test]
fn a_symbolic_link_is_a_path_of_components() {
    let disc = disc(image(Layout::Physical, &[inline("l", 12, b"\x03\0\0\0\x05\x04\0\0\x08usr")], &[]));
    let fs = fs::open(&disc, None).unwrap();
    let (nodes, _) = tree(&*fs);
    assert_eq!(nodes[0].1.kind, Kind::Symlink(b"../usr".to_vec()));
    assert_eq!(nodes[0].1.mode, Some(0o777));
}

#[test]
fn a_directory_that_holds_itself_is_entered_once() {
    let files = [UdfFile { is_root: true, kind: 4, ..inline("again", 4, b"") }, inline("b", 5, b"x")];
    let disc = disc(image(Layout::Physical, &files, &[]));
    let fs = fs::open(&disc, None).unwrap();
    let (nodes, problems) = tree(&*fs);
    assert_eq!(nodes.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["again", "b"]);
    assert_eq!(problems, ["again: the folder was met before: the tree is damaged"]);
}

#[test]
fn a_deleted_file_is_not_listed() {
    let files = [UdfFile { deleted: true, ..inline("gone", 5, b"x") }, inline("b", 5, b"x")];
    assert_eq!(names(&disc(image(Layout::Physical, &files, &[])), Namespace::Udf), ["b"]);
}

#[test]
fn the_reserve_sequence_is_read_when_the_main_one_is_damaged() {
    let mut bytes = image(Layout::Physical, &[inline("b", 5, b"x")], &[]);
    put(&mut bytes, MAIN, &[0xAA; 2048]);
    assert_eq!(names(&disc(bytes.clone()), Namespace::Udf), ["b"]);
    put(&mut bytes, RESERVE, &[0xAA; 2048]);
    let error = udf::Volume::open(&disc(bytes), spindle::disc::Lba(0)).unwrap_err();
    assert_eq!(error.to_string(), "the UDF volume descriptor sequence in block 32 is damaged");
}

#[test]
fn a_sequence_continues_where_its_pointer_says_and_a_loop_ends() {
    let mut bytes = image(Layout::Physical, &[inline("b", 5, b"x")], &[]);
    put(&mut bytes, RESERVE, &[0xAA; 2048]);
    let pointer = |to: u32| {
        let mut pointer = vec![0; 512];
        pointer[20..24].copy_from_slice(&(16 * 2048_u32).to_le_bytes());
        pointer[24..28].copy_from_slice(&to.to_le_bytes());
        tagged(3, MAIN, pointer)
    };
    sequence(&mut bytes, 80, Layout::Physical);
    put(&mut bytes, MAIN, &pointer(80));
    assert_eq!(names(&disc(bytes.clone()), Namespace::Udf), ["b"]);
    put(&mut bytes, MAIN, &pointer(MAIN));
    assert!(udf::Volume::open(&disc(bytes), spindle::disc::Lba(0)).is_err());
}

#[test]
fn a_descriptor_with_a_wrong_crc_is_not_believed() {
    let mut bytes = image(Layout::Physical, &[inline("a", 5, b"x"), inline("b", 5, b"x")], &[]);
    let block = PARTITION + 32 + 3;
    bytes[block as usize * 2048 + 56] ^= 1;
    let disc = disc(bytes);
    let fs = fs::open(&disc, None).unwrap();
    let (nodes, problems) = tree(&*fs);
    assert_eq!(nodes.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(problems, [format!(": the UDF file entry in block {block} is damaged")]);
}
