//! ISO 9660 and Rock Ridge, on images made byte by byte.

use spindle::disc::Lba;
use spindle::fs::{self, Kind, Namespace};

use super::{contents, disc, names, tree};
use crate::support::volume::{ce, directory, entry, iso, nm, px, record, rock_ridge, sl};

#[test]
fn sections_of_one_file_are_read_as_one() {
    let records = [
        record(b"A.;1", 30, 2048, 0x80, b""),
        record(b"A.;1", 40, 2048, 0x80, b""),
        record(b"A.;1", 35, 5, 0, b""),
        record(b"B.;1", 36, 3, 0, b""),
    ];
    let blocks = [(30, vec![1; 2048]), (40, vec![2; 2048]), (35, vec![3; 9]), (36, vec![4; 9])];
    let disc = disc(iso(b"", &records, &blocks));
    assert_eq!(names(&disc, Namespace::Iso), ["A", "B"]);
    let expected = [vec![1; 2048], vec![2; 2048], vec![3; 5]].concat();
    assert_eq!(contents(&disc, Namespace::Iso, "A").unwrap(), expected);
    assert_eq!(contents(&disc, Namespace::Iso, "/B").unwrap(), [4; 3]);
}

#[test]
fn data_begin_behind_the_extended_attribute_record() {
    let mut file = record(b"A.;1", 30, 4, 0, b"");
    file[1] = 2;
    let disc = disc(iso(b"", &[file], &[(30, vec![9; 4096]), (32, b"data".to_vec())]));
    assert_eq!(contents(&disc, Namespace::Iso, "A").unwrap(), b"data");
}

#[test]
fn interleaved_and_compressed_files_are_refused_by_name() {
    let mut file = record(b"A.;1", 30, 4, 0, b"");
    file[26] = 1;
    let image = disc(iso(b"", &[file], &[]));
    assert_eq!(contents(&image, Namespace::Iso, "A").unwrap_err(), "interleaved recording is not supported");
    let zf = entry(b"ZF", &[b'p', b'z', 4, 15, 0, 4, 0, 0, 0, 0, 4, 0]);
    let file = record(b"Z.;1", 30, 4, 0, &[px(0o100_644), nm(b"z"), zf].concat());
    let image = disc(iso(&rock_ridge(), &[file], &[]));
    assert_eq!(contents(&image, Namespace::RockRidge, "z").unwrap_err(), "zisofs compression is not supported");
}

#[test]
fn associated_files_are_not_listed() {
    let records = [record(b"A.;1", 30, 4, 4, b""), record(b"A.;1", 31, 4, 0, b"")];
    assert_eq!(names(&disc(iso(b"", &records, &[])), Namespace::Iso), ["A"]);
}

#[test]
fn a_relocated_directory_appears_where_it_belongs() {
    let child = entry(b"CL", &[30, 0, 0, 0, 0, 0, 0, 30]);
    let records = [
        record(b"X.;1", 0, 0, 0, &[px(0o040_755), nm(b"deep"), child].concat()),
        record(b"MOVED", 31, 2048, 2, &[px(0o040_755), nm(b"moved"), entry(b"RE", b"")].concat()),
    ];
    let inner = directory(30, b"", &[record(b"F.;1", 40, 2, 0, &[px(0o100_600), nm(b"file")].concat())]);
    let disc = disc(iso(&rock_ridge(), &records, &[(30, inner), (31, directory(31, b"", &[])), (40, b"ok".to_vec())]));
    assert_eq!(names(&disc, Namespace::RockRidge), ["deep", "deep/file"]);
    assert_eq!(contents(&disc, Namespace::RockRidge, "deep/file").unwrap(), b"ok");
}

#[test]
fn attributes_and_continuations_are_read() {
    let more = [nm(b"long name"), sl(b"target")].concat();
    let link = record(b"L.;1", 0, 0, 0, &[px(0o120_777), ce(30, 100, more.len() as u32)].concat());
    let pipe = record(b"P.;1", 0, 0, 0, &[px(0o010_600), nm(b"pipe")].concat());
    let block = [vec![0; 100], more].concat();
    let disc = disc(iso(&rock_ridge(), &[link, pipe], &[(30, block)]));
    let fs = fs::open(&disc, None).unwrap();
    assert_eq!(fs.namespace(), Namespace::RockRidge);
    let (nodes, problems) = tree(&*fs);
    assert_eq!(problems, [""; 0]);
    assert_eq!(nodes[0].0, "long name");
    assert_eq!(nodes[0].1.kind, Kind::Symlink(b"/target".to_vec()));
    assert_eq!(nodes[1].1.kind, Kind::Fifo);
    assert_eq!(nodes[1].1.mode, Some(0o600));
    assert_eq!(nodes[1].1.modified.unwrap().to_string(), "2026-11-23T07:31:06+00:00");
}

#[test]
fn logical_blocks_of_512_bytes_are_counted_as_such() {
    let mut image = iso(b"", &[record(b"A.;1", 121, 3, 0, b"")], &[]);
    image[16 * 2048 + 128..][..2].copy_from_slice(&512_u16.to_le_bytes());
    image[16 * 2048 + 156 + 2] = 80;
    image[121 * 512..][..3].copy_from_slice(b"abc");
    let disc = disc(image);
    assert_eq!(contents(&disc, Namespace::Iso, "A").unwrap(), b"abc");
}

#[test]
fn the_last_session_supersedes_those_before_it() {
    let later = directory(56, b"", &[record(b"NEW.;1", 30, 3, 0, b"")]);
    let mut image = iso(b"", &[record(b"OLD.;1", 30, 3, 0, b"")], &[(30, b"abc".to_vec()), (56, later)]);
    // The second session begins in block 44, so its descriptors in block 60.
    image.copy_within(16 * 2048..18 * 2048, 60 * 2048);
    image[60 * 2048 + 156 + 2] = 56;
    let mut disc = disc(image);
    assert_eq!(names(&disc, Namespace::Iso), ["OLD"]);
    let mut second = disc.sessions[0].clone();
    disc.sessions[0].lead_out = Lba(44);
    disc.sessions[0].tracks[0].end = Lba(44);
    second.number = 2;
    second.tracks[0].number = 2;
    second.tracks[0].start = Lba(44);
    second.tracks[0].pregap = 0;
    disc.sessions.push(second);
    assert_eq!(names(&disc, Namespace::Iso), ["NEW"]);
    assert_eq!(contents(&disc, Namespace::Iso, "NEW").unwrap(), b"abc");
}
