//! Whatever a disc says, reading it ends, with a result or an error.

use std::sync::Arc;

use spindle::disc::Lba;
use spindle::fs::{self, Namespace, eltorito, hybrid, iso9660, udf};
use spindle::image::{OpenOptions, open_source};
use spindle::source::MemorySource;

use super::{disc, names, tree};
use crate::support::volume::{
    Layout, UdfFile, ce, directory, entry, iso, long, nm, px, record, rock_ridge, sl, udf as image,
};

/// Reads all there is to read but file contents, which are only located.
fn read_all(bytes: Vec<u8>) {
    let Ok(opened) = open_source(Arc::new(MemorySource::new(bytes)), &OpenOptions::default()) else { return };
    let disc = &opened.disc;
    let _ = iso9660::descriptors(disc, Lba(0));
    let _ = eltorito::read(disc, Lba(0));
    let _ = hybrid::read(disc);
    let _ = udf::Volume::open(disc, Lba(0));
    for namespace in Namespace::PREFERENCE {
        let Ok(fs) = fs::open(disc, Some(namespace)) else { continue };
        let Ok(root) = fs.root() else { continue };
        fs::walk(&*fs, &root, &mut |_, step| {
            if let fs::Step::Node(node) = step {
                let _ = fs.pieces(node);
            }
            fs::Flow::Into
        });
    }
}

fn samples() -> Vec<Vec<u8>> {
    let inner = directory(30, b"", &[record(b"F.;1", 40, 2, 0, &[px(0o100_600), nm(b"file")].concat())]);
    let more = nm(b"continued");
    let records = [
        record(b"D", 30, 2048, 2, &[px(0o040_755), nm(b"dir")].concat()),
        record(b"L.;1", 0, 0, 0, &[px(0o120_777), nm(b"link"), sl(b"etc")].concat()),
        record(b"C.;1", 40, 9, 0, &[px(0o100_644), ce(31, 0, more.len() as u32)].concat()),
        record(b"X.;1", 0, 0, 0, &[px(0o040_755), nm(b"cl"), entry(b"CL", &[30, 0, 0, 0, 0, 0, 0, 30])].concat()),
    ];
    let mut boot = b"\0CD001\x01EL TORITO SPECIFICATION".to_vec();
    boot.resize(0x47, 0);
    boot.push(50);
    let mut catalog = vec![0; 160];
    catalog[..1].copy_from_slice(&[1]);
    catalog[28..32].copy_from_slice(&[0xAA, 0x55, 0x55, 0xAA]);
    catalog[32] = 0x88;
    catalog[64..67].copy_from_slice(&[0x91, 0xEF, 2]);
    catalog[96] = 0x88;
    catalog[97] = 0x20;
    catalog[128] = 0x44;
    let blocks = [(17, boot), (18, b"\xFFCD001\x01".to_vec()), (30, inner), (31, more), (50, catalog)];
    let mut samples = vec![iso(&rock_ridge(), &records, &blocks)];
    for layout in [Layout::Physical, Layout::Sparable, Layout::Metadata] {
        let file = |name, kind, form, allocation: Vec<u8>| UdfFile {
            name,
            kind,
            size: if form == 3 { allocation.len() as u64 } else { 3000 },
            form,
            allocation,
            is_root: false,
            deleted: false,
        };
        let files = [
            file("a", 5, 1, [long(2048, 100, 0), long(952, 110, 0)].concat()),
            file("l", 12, 3, b"\x05\x04\0\0\x08usr".to_vec()),
            file("d", 4, 3, Vec::new()),
        ];
        samples.push(image(layout, &files, &[]));
    }
    samples
}

#[test]
fn every_truncation_is_survived() {
    for sample in samples() {
        // Block by block over all, byte by byte over what is parsed first.
        for end in (0..sample.len()).step_by(2048 * 3).chain((32768..45000).step_by(37)) {
            read_all(sample[..end.min(sample.len())].to_vec());
        }
    }
}

#[test]
fn flipped_bytes_are_survived() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    for sample in samples() {
        let used: Vec<usize> = (0..sample.len()).filter(|at| sample[*at] != 0).collect();
        for _ in 0..400 {
            let mut broken = sample.clone();
            for _ in 0..1 + next(4) {
                broken[used[next(used.len())]] = next(256) as u8;
            }
            read_all(broken);
        }
    }
}

#[test]
fn directories_that_hold_each_other_are_entered_once() {
    let up = |name: &[u8], block| record(name, block, 2048, 2, b"");
    let blocks =
        [(30, directory(30, b"", &[up(b"B", 31)])), (31, directory(31, b"", &[up(b"A", 30), up(b"ROOT", 20)]))];
    let disc = disc(iso(b"", &[up(b"A", 30)], &blocks));
    let fs = fs::open(&disc, None).unwrap();
    let (nodes, problems) = tree(&*fs);
    let paths: Vec<_> = nodes.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["A", "A/B", "A/B/A", "A/B/ROOT"]);
    assert_eq!(problems.len(), 2);
}

#[test]
fn continuation_areas_that_lead_to_themselves_end() {
    let next = ce(30, 0, 28);
    let file = record(b"A.;1", 40, 1, 0, &[px(0o100_644), nm(b"a"), next.clone()].concat());
    let disc = disc(iso(&rock_ridge(), &[file], &[(30, next)]));
    let fs = fs::open(&disc, Some(Namespace::RockRidge)).unwrap();
    let (nodes, problems) = tree(&*fs);
    assert_eq!(nodes[0].0, "a");
    assert_eq!(problems, [": more than 64 continuation areas of one record"]);
}

#[test]
fn a_continuation_area_stays_in_its_block() {
    let file = record(b"A.;1", 40, 1, 0, &[px(0o100_644), nm(b"a"), ce(30, 2040, u32::MAX)].concat());
    let disc = disc(iso(&rock_ridge(), &[file], &[]));
    let fs = fs::open(&disc, Some(Namespace::RockRidge)).unwrap();
    assert_eq!(tree(&*fs).1, [": the continuation area in block 30 is damaged"]);
}

#[test]
fn a_huge_directory_costs_no_more_than_the_disc_has() {
    let disc = disc(iso(b"", &[record(b"D", 30, u32::MAX, 2, b"")], &[]));
    assert_eq!(names(&disc, Namespace::Iso), ["D"]);
    let fs = fs::open(&disc, None).unwrap();
    assert_eq!(tree(&*fs).1, ["D: block 64 is past the end of the disc"]);
}

#[test]
fn a_huge_file_is_located_without_being_believed() {
    let allocation = long(0x3FFF_FFFF, 100, 0).to_vec();
    let file = UdfFile { name: "a", kind: 5, size: u64::MAX, form: 1, allocation, is_root: false, deleted: false };
    let disc = disc(image(Layout::Physical, &[file], &[]));
    let fs = fs::open(&disc, None).unwrap();
    let node = fs::find(&*fs, b"a").unwrap();
    assert!(fs.pieces(&node).unwrap_err().to_string().starts_with("an address outside its UDF partition"));
}
