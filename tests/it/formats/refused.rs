//! Files that must be refused, made from the formats' description by breaking what a builder wrote.

use spindle::disc::{Lba, SectorError};
use spindle::image::ImageErrorKind::{self, Invalid, Limit, Missing, Unsupported, WrongPassword};

use super::described::{Files, open};
use crate::support::images::described::source_disc::{Mode, SourceDisc};
use crate::support::images::described::{b6t, bwt, c2d, ccd, cdi, chd_old, cif, mds, mdx, nrg, readcd, xcdroast};

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

/// `files` with the text `new` for every `old` of the descriptor.
fn reworded(mut files: Files, old: &str, new: &str) -> Files {
    let text = String::from_utf8(files[0].1.clone()).unwrap();
    assert!(text.contains(old), "{text}");
    files[0].1 = text.replace(old, new).into_bytes();
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
fn bwt() {
    let files = || bwt::files(&SourceDisc::mixed(), bwt::Options::default());
    let rows: &[(&str, &[ImageErrorKind], Files)] = &[
        ("no data file", &[Missing], alone(files())),
        ("more tracks than bytes", BAD, patched(files(), b"disc.bwi", -8, &[0xFF; 4])),
        ("a name past the end", BAD, patched(files(), b"disc.bwi", -4, &[0xFF, 0xFF, 0xFF, 0x7F])),
        ("no track", BAD, patched(files(), b"disc.bwi", -8, &[0; 4])),
    ];
    refused("bwt", rows);
}

#[test]
fn c2d() {
    let signature = "Roxio Image File Format 3.0";
    let files = || c2d::files(&SourceDisc::mixed(), signature, c2d::Stored::Raw);
    let block = [&44_u32.to_le_bytes()[..], &[0; 4]].concat();
    let rows: &[(&str, &[ImageErrorKind], Files)] = &[
        ("no track", BAD, patched(files(), signature.as_bytes(), 50, &[0, 0])),
        ("tracks past the end", BAD, patched(files(), signature.as_bytes(), 56, &[0xFF; 4])),
        ("compressed", &[Unsupported], patched(files(), &block, 41, &[1])),
        ("sectors of 1000 bytes", &[Invalid, Unsupported], patched(files(), &block, 20, &[0xE8, 3, 0, 0])),
    ];
    refused("c2d", rows);
}

#[test]
fn cdi() {
    let files = || cdi::files(&SourceDisc::mixed(), cdi::Version::V35, cdi::Stored::Raw);
    // Length in sectors, sixteen zeros, read mode, CONTROL.
    let length = [&170_u32.to_le_bytes()[..], &[0; 16], &[2, 0, 0, 0, 4]].concat();
    let name = b"\x12C:\\Images";
    let rows: &[(&str, &[ImageErrorKind], Files)] = &[
        ("an unknown read mode", &[Invalid, Unsupported], patched(files(), &length, 20, &[9])),
        ("a length that its indices do not have", BAD, patched(files(), &length, 0, &[0xFF; 4])),
        ("more indices than bytes", BAD, patched(files(), name, 49, &[0xFF; 2])),
    ];
    refused("cdi", rows);
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
fn cif() {
    let tracks = [(1, Mode::Mode1, 150, 300)];
    let files = || cif::files(&SourceDisc::cd(&tracks), false);
    let rows: &[(&str, &[ImageErrorKind], Files)] = &[
        ("no directory", BAD, patched(files(), b"ofs ", 0, b"none")),
        ("no description", BAD, patched(files(), b"disc", 0, b"none")),
        ("a directory of many tracks", BAD, patched(files(), b"ofs ", 12, &[0xFF; 2])),
    ];
    refused("cif", rows);
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

#[test]
fn mdx() {
    let options = mdx::Options { minor: 1, ..mdx::Options::default() };
    let files = || mdx::files(&SourceDisc::mixed(), options);
    let magic = b"MEDIA DESCRIPTOR";
    let other_password = mdx::Options { password: Some("other"), ..options };
    let rows: &[(&str, &[ImageErrorKind], Files)] = &[
        ("a password that is not ours", &[WrongPassword], mdx::files(&SourceDisc::mixed(), other_password)),
        ("a descriptor past the end", BAD, patched(files(), magic, 48, &[0xFF; 8])),
        ("a descriptor of another size", BAD, patched(files(), magic, 56, &[0x41, 0, 0, 0])),
        (
            "no data file",
            &[Missing],
            alone(mdx::files(&SourceDisc::mixed(), mdx::Options { two_files: true, ..options })),
        ),
    ];
    refused("mdx", rows);
}

#[test]
fn nrg() {
    let files = || nrg::files(&SourceDisc::mixed(), nrg::Options::default());
    let rows: &[(&str, &[ImageErrorKind], Files)] = &[
        ("chunks past the end", BAD, patched(files(), b"NER5", 4, &[0xFF; 8])),
        ("a chunk past the end", BAD, patched(files(), b"CUEX", 4, &[0x7F; 4])),
        ("a track that ends before it starts", BAD, patched(files(), b"DAOX", 8 + 22 + 34, &[0; 8])),
        ("sectors of no bytes", &[Invalid, Unsupported], patched(files(), b"DAOX", 8 + 22 + 12, &[0; 2])),
    ];
    refused("nrg", rows);
}

#[test]
fn ccd() {
    let files = || ccd::files(&SourceDisc::mixed(), ccd::Options::default());
    let rows: &[(&str, &[ImageErrorKind], Files)] = &[
        ("no image", &[Missing], alone(files())),
        ("no track", BAD, reworded(reworded(files(), "Point=0x01", "Point=0xb0"), "Point=0x02", "Point=0xb0")),
        ("a track after the lead-out", BAD, reworded(files(), "PLBA=28", "PLBA=99999")),
    ];
    refused("ccd", rows);
}

#[test]
fn readcd() {
    let files = || readcd::files(&SourceDisc::mixed(), false);
    let rows: &[(&str, &[ImageErrorKind], Files)] = &[
        ("no data", &[Missing], alone(files())),
        ("no lead-out", BAD, patched(files(), &[0xA2, 0], 0, &[0xB0])),
        ("a lead-out before the tracks", BAD, patched(files(), &[0xA2, 0], 5, &[0, 0, 0])),
    ];
    refused("readcd", rows);
}

#[test]
fn xcdroast() {
    let files = || xcdroast::files(&SourceDisc::mixed(), xcdroast::Options::default());
    let rows: &[(&str, &[ImageErrorKind], Files)] = &[
        ("no file of a track", &[Missing], alone(files())),
        ("a track without length", BAD, reworded(files(), "size = 24", "size = 0")),
        ("a type that is none", &[Invalid, Unsupported], reworded(files(), "type = 1", "type = 7")),
    ];
    refused("xcdroast", rows);
}

/// A file that was cut off opens, since its description is whole; what is missing is an error where it is missing.
#[test]
fn data_past_the_end_is_an_error_at_its_sectors() {
    let disc = SourceDisc::cd(&[(1, Mode::Mode1, 150, 300), (1, Mode::Mode1, 0, 300)]);
    // Where the second of the directory's entries says that its track lies.
    let opened = open(&patched(cif::files(&disc, false), b"ofs ", 14 + 22 + 12, &[0xFF; 4])).unwrap();
    assert_eq!(opened.warnings.len(), 1, "{:?}", opened.warnings);
    let mut block = [0; 2048];
    opened.disc.read_block(Lba(299), &mut block).unwrap();
    assert!(block == disc.tracks[0].sectors[449][16..2064]);
    for lba in [300, 599] {
        let error = opened.disc.read_block(Lba(lba), &mut block).unwrap_err();
        assert!(matches!(error, SectorError::Storage(at, _) if at == Lba(lba)), "{error}");
    }
}

/// The description of CCD takes the end of the last track from the lead-out (section 4); without one it is that of the image.
#[test]
fn a_lead_out_that_no_entry_tells_is_at_the_end_of_the_image() {
    let disc = SourceDisc::mixed();
    let files = reworded(ccd::files(&disc, ccd::Options::default()), "Point=0xa2", "Point=0xb0");
    let opened = open(&files).unwrap();
    assert_eq!(opened.disc.lead_out(), Lba(disc.tracks[1].end()));
    assert_eq!(opened.warnings.len(), 1, "{:?}", opened.warnings);
}

/// What is in such a file could be blocks of any kind, but then its owner would not name it so.
#[test]
fn a_name_that_promises_more_than_the_content_holds() {
    let text = || b"this is no description of a disc".to_vec();
    for name in ["disc.cue", "disc.CCD", "disc.nrg", "disc.toc", "disc.mds", "disc.chd"] {
        let error = open(&vec![(name.to_owned(), text())]).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ImageErrorKind::NotRecognised, "{name}");
        assert!(error.to_string().contains("named like"), "{error}");
    }
    for name in ["disc.iso", "disc.bin", "disc", "disc.unknown"] {
        assert_eq!(open(&vec![(name.to_owned(), text())]).unwrap().format.id, "iso", "{name}");
    }
}
