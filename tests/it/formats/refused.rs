//! Files that must be refused, made from the formats' description by breaking what a builder wrote.

use spindle::image::ImageErrorKind::{self, Invalid, Limit, Missing, Unsupported};

use super::described::{Files, open};
use crate::support::images::described::source_disc::SourceDisc;
use crate::support::images::described::{b6t, chd_old, mds};

/// What contradicts itself or knows no limit.
const BAD: &[ImageErrorKind] = &[Invalid, Limit];

/// Opens every row and holds the error against the kinds that it may have.
#[track_caller]
fn refused(format: &str, rows: &[(&str, &[ImageErrorKind], Files)]) {
    for (what, kinds, files) in rows {
        match open(files) {
            Ok(opened) => panic!("{format}, {what}: was opened as {}", opened.format.id),
            Err(error) => assert!(kinds.contains(&error.kind()), "{format}, {what}: {:?}: {error}", error.kind()),
        }
    }
}

/// `files` with other bytes in the descriptor, `at` bytes from the start of the first `mark`.
fn patched(mut files: Files, mark: &[u8], at: isize, bytes: &[u8]) -> Files {
    let descriptor = &mut files[0].1;
    let found = descriptor.windows(mark.len()).position(|window| window == mark).unwrap();
    let at = found.checked_add_signed(at).unwrap();
    descriptor[at..at + bytes.len()].copy_from_slice(bytes);
    files
}

/// The descriptor alone.
fn alone(mut files: Files) -> Files {
    files.truncate(1);
    files
}

#[test]
fn b6t() {
    let files = || b6t::files(&SourceDisc::mixed(), b6t::Options::default());
    let drive = b"\\\\.\\D:";
    let rows: &[(&str, &[ImageErrorKind], Files)] = &[
        ("no data file", &[Missing], alone(files())),
        ("more data blocks than bytes", BAD, patched(files(), drive, -8, &[0xFF, 0xFF, 0xFF, 0x7F])),
        ("a path of a drive past the end", BAD, patched(files(), drive, -4, &[0xFF, 0xFF, 0xFF, 0x7F])),
        ("no session", BAD, patched(files(), b"BWT5", 16 + 34, &[0, 0])),
        ("no bytes in a block", BAD, patched(files(), drive, 6 + 4, &[0; 4])),
    ];
    refused("b6t", rows);
}

#[test]
fn chd() {
    let metadata = chd_old::Metadata::Cht2;
    let packing = chd_old::Packing::Zlib;
    let options = chd_old::Options { version: 4, packing, metadata, user_data: false, parent: false };
    let files = || chd_old::files(&SourceDisc::mixed(), options);
    let magic = b"MComprHD";
    let with_parent = chd_old::files(&SourceDisc::mixed(), chd_old::Options { parent: true, ..options });
    let rows: &[(&str, &[ImageErrorKind], Files)] = &[
        ("no parent", &[Missing], alone(with_parent)),
        ("hunks of no bytes", BAD, patched(files(), magic, 44, &[0; 4])),
        ("more hunks than bytes", BAD, patched(files(), magic, 24, &[0xFF; 4])),
        ("compressed as sound and pictures", &[Unsupported], patched(files(), magic, 20, &[0, 0, 0, 3])),
        ("a list of metadata that ends in itself", BAD, looped(files())),
    ];
    refused("chd", rows);
}

/// The second track's metadata names itself as the next.
fn looped(files: Files) -> Files {
    let at = files[0].1.windows(4).rposition(|window| window == b"CHT2").unwrap() as u64;
    patched(files, b"TRACK:2", -8, &at.to_be_bytes())
}

#[test]
fn mds() {
    let files = || mds::files(&SourceDisc::mixed(), mds::Options::default());
    let magic = b"MEDIA DESCRIPTOR";
    let rows: &[(&str, &[ImageErrorKind], Files)] = &[
        ("no data file", &[Missing], alone(files())),
        ("no session", BAD, patched(files(), magic, 20, &[0, 0])),
        ("sessions past the end", BAD, patched(files(), magic, 80, &[0xFF; 4])),
        ("tracks past the end", BAD, patched(files(), magic, 88 + 20, &[0xFF; 4])),
    ];
    refused("mds", rows);
}
