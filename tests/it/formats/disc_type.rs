//! The disc type that a lead-in tells (PSEC of point A0h) is kept by every format that stores it: a CD-i disc stays one.

use spindle::disc::DiscType;

use crate::support::image::open;
use crate::support::images::described::source_disc::{Mode, SourceDisc};
use crate::support::images::described::{b6t, ccd, mds, readcd};

const CODES: [(u8, DiscType); 3] = [(0x00, DiscType::DaOrRom), (0x10, DiscType::Interactive), (0x20, DiscType::Xa)];

type Files = Vec<(String, Vec<u8>)>;

fn disc_type(name: &str, files: &[(String, Vec<u8>)]) -> DiscType {
    let beside: Vec<_> = files[1..].iter().map(|(name, bytes)| (&name[..], &bytes[..])).collect();
    let opened = open(&files[0].0, &files[0].1, &beside).unwrap();
    assert_eq!(opened.format.id, name);
    let told = opened.disc.sessions[0].disc_type();
    assert_eq!(opened.disc.full_toc(1)[0].pointed.second, told as u8, "{name}");
    told
}

/// `patch` writes the code into the descriptor, which has one of XA sectors.
fn check(name: &str, files: impl Fn(&SourceDisc) -> Files, patch: impl Fn(&mut Vec<u8>, u8)) {
    for (code, kind) in CODES {
        let mut files = files(&SourceDisc::forms());
        patch(&mut files[0].1, code);
        assert_eq!(disc_type(name, &files), kind, "{name}");
    }
    // A reserved code is as good as none.
    let mut reserved = files(&SourceDisc::forms());
    patch(&mut reserved[0].1, 0x30);
    assert_eq!(disc_type(name, &reserved), DiscType::Xa, "{name}");
}

/// Where the code of point A0h lies, behind these bytes.
fn behind(bytes: &[u8], line: &[u8]) -> usize {
    bytes.windows(line.len()).position(|window| window == line).unwrap() + line.len()
}

#[test]
fn descriptors_that_store_the_lead_in_keep_its_disc_type() {
    check(
        "ccd",
        |disc| ccd::files(disc, ccd::Options::default()),
        |text, code| {
            let old = String::from_utf8(text.clone()).unwrap();
            let (before, after) = old.split_once("Point=0xa0").unwrap();
            let (middle, after) = after.split_once("PSec=").unwrap();
            let (_, after) = after.split_once("\r\n").unwrap();
            *text = format!("{before}Point=0xa0{middle}PSec={code}\r\n{after}").into_bytes();
        },
    );
    check(
        "mds",
        |disc| mds::files(disc, mds::Options::default()),
        |bytes, code| {
            let at = behind(bytes, &[0, 0xA0, 0, 0, 0, 0, 1]);
            bytes[at] = code;
        },
    );
    check(
        "b6t",
        |disc| b6t::files(disc, b6t::Options::default()),
        |bytes, code| {
            let at = behind(bytes, &[1, 0xA0, 0, 0, 0, 0, 0, 1]);
            bytes[at] = code;
        },
    );
    check(
        "readcd",
        |disc| readcd::files(disc, false),
        |bytes, code| {
            let at = behind(bytes, &[0, 0xA0, 0, 0, 0, 0, 1]);
            bytes[at] = code;
        },
    );
}

#[test]
fn words_of_sheets_tell_the_disc_type() {
    let data = SourceDisc::cd(&[(1, Mode::Form1, 150, 400)]);
    let data = data.sectors(0..400).as_flattened().to_vec();
    for (word, kind) in [("CD_I", DiscType::Interactive), ("CD_ROM_XA", DiscType::Xa), ("CD_ROM", DiscType::DaOrRom)] {
        let toc = format!("{word}\nTRACK MODE2_RAW\nDATAFILE \"data.bin\"\n");
        let files = [("disc.toc".to_owned(), toc.into_bytes()), ("data.bin".to_owned(), data.clone())];
        assert_eq!(disc_type("toc", &files), kind, "{word}");
    }
    for (mode, kind) in [("CDI/2352", DiscType::Interactive), ("MODE2/2352", DiscType::Xa)] {
        let sheet = format!("FILE \"data.bin\" BINARY\n  TRACK 01 {mode}\n    INDEX 01 00:00:00\n");
        let files = [("disc.cue".to_owned(), sheet.into_bytes()), ("data.bin".to_owned(), data.clone())];
        assert_eq!(disc_type("cue", &files), kind, "{mode}");
    }
}
