//! DAA and GBI.

use spindle::disc::Lba;
use spindle::image::ImageErrorKind;

use super::{Files, check_locked_volume, open};
use crate::support::image::open_locked;
use crate::support::images::described::blocks::volume;
use crate::support::images::described::daa::Packing::{Lzma, Permuted};
use crate::support::images::described::daa::{Kind, Names, Options, files};

/// Every option by itself and some together.
fn variants() -> Vec<Options<'static>> {
    let mut all = Vec::new();
    for kind in [Kind::Daa, Kind::Gbi] {
        let plain = Options { kind, ..Options::default() };
        all.extend([
            plain,
            Options { new: false, chunk: 0x1_0000, ..plain },
            Options { new: false, chunk: 0x1000, split: Some((50_000, Names::Suffix)), ..plain },
            Options { bits: (17, 2), chunk: 0xC000, ..plain },
            Options { packing: Lzma(false), ..plain },
            Options { packing: Lzma(true), bits: (18, 1), ..plain },
            Options { bits_hidden: true, ..plain },
            Options { bytes_hidden: true, ..plain },
            Options { bits_hidden: true, bytes_hidden: true, packing: Lzma(true), ..plain },
            Options { split: Some((60_000, Names::Part2)), ..plain },
            Options { split: Some((30_000, Names::Part3)), packing: Lzma(false), ..plain },
            Options { split: Some((25_000, Names::Suffix)), bits_hidden: true, ..plain },
            Options { table_packed: true, ..plain },
            Options { table_packed: true, bytes_hidden: true, bits_hidden: true, packing: Permuted(1), ..plain },
            Options { password: Some(PASSWORDS[0]), split: Some((50_000, Names::Part2)), ..plain },
        ]);
        all.extend((1..=3).map(|permutation| Options { packing: Permuted(permutation), ..plain }));
        all.extend(PASSWORDS.map(|password| Options { password: Some(password), ..plain }));
    }
    all
}

/// Short and long; the first byte decides how tables are made.
const PASSWORDS: [&str; 6] =
    ["secret", "a", "`@", "xyz", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-+", "\u{f6}ffne"];

#[test]
fn every_option() {
    for options in variants() {
        let data = volume(83, 16);
        let id = if options.kind == Kind::Daa { "daa" } else { "gbi" };
        let password = options.password.unwrap_or_default();
        check_locked_volume(id, &format!("{options:?}"), &data, &files(&data, options), password);
    }
}

/// A small image of each brand, in two files.
fn small(kind: Kind, password: Option<&str>) -> (Vec<u8>, Files) {
    // Text alone, which packs well: sweeps go over every length.
    let data = volume(20, 100);
    let options = Options { kind, password, split: Some((1000, Names::Part2)), ..Options::default() };
    let files = files(&data, options);
    (data, files)
}

#[test]
fn every_prefix_is_read_or_refused_and_what_is_read_is_right() {
    // A password takes its time for each opening: with one, the headers alone.
    let sweeps = [(Kind::Daa, None, usize::MAX), (Kind::Gbi, None, usize::MAX), (Kind::Daa, Some("secret"), 200)];
    for (kind, password, longest) in sweeps {
        let (data, whole) = small(kind, password);
        for file in 0..whole.len() {
            for len in 0..whole[file].1.len().min(longest) {
                let mut cut = whole.clone();
                cut[file].1.truncate(len);
                let Ok(opened) = open(&cut) else { continue };
                for (lba, expected) in data.chunks(2048).enumerate().filter(|_| !opened.containers.is_empty()) {
                    let mut block = [0; 2048];
                    let same = opened.disc.read_block(Lba(lba as i32), &mut block).is_err() || block == expected;
                    assert!(same, "block {lba} of {kind:?} with {len} bytes of file {file}");
                }
            }
        }
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for kind in [Kind::Daa, Kind::Gbi] {
        let (_, whole) = small(kind, Some("secret"));
        let rows: [(usize, &[u8], ImageErrorKind); 7] = [
            (16, &[0xFF; 4], ImageErrorKind::Invalid),
            (20, &[9, 9], ImageErrorKind::Unsupported),
            (24, &[80, 0, 0], ImageErrorKind::Invalid),
            (36, &[0, 0], ImageErrorKind::Limit),
            (40, &[0; 8], ImageErrorKind::Limit),
            (40, &[0xFF; 8], ImageErrorKind::Limit),
            (80, &[1, 0, 0, 0], ImageErrorKind::Invalid),
        ];
        for (at, bytes, expected) in rows {
            let mut bad = whole.clone();
            bad[0].1[at..at + bytes.len()].copy_from_slice(bytes);
            let error = open(&bad).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), expected, "{kind:?}, {at}: {error}");
        }
        let mut missing = whole.clone();
        missing.truncate(1);
        assert_eq!(open(&missing).map(|_| ()).unwrap_err().kind(), ImageErrorKind::Missing);
        let mut other = whole.clone();
        other[1].1[..3].copy_from_slice(b"XXX");
        assert_eq!(open(&other).map(|_| ()).unwrap_err().kind(), ImageErrorKind::Invalid);
        let (name, bytes) = &whole[0];
        let beside: Vec<_> = whole[1..].iter().map(|(name, bytes)| (&name[..], &bytes[..])).collect();
        let locked_by = |password| open_locked(name, bytes, &beside, password).map(|_| ()).unwrap_err().kind();
        assert_eq!(locked_by(&[]), ImageErrorKind::NeedsPassword);
        assert_eq!(locked_by(&["wrong"]), ImageErrorKind::WrongPassword);
    }
}

mod tools {
    //! What the builder writes is what `daa2iso` reads.

    use std::process::Command;

    use super::*;

    #[test]
    fn daa2iso_gives_the_blocks() {
        for options in variants() {
            let folder = tempfile::tempdir().unwrap();
            let data = volume(83, 16);
            // The program looks for the second file of either kind as if it were of DAA.
            let as_daa = |name: &str| name.replace(".gbi", ".daa").replace(".g", ".d");
            let files: Vec<_> = files(&data, options).into_iter().map(|(name, bytes)| (as_daa(&name), bytes)).collect();
            files.iter().for_each(|(name, bytes)| std::fs::write(folder.path().join(name), bytes).unwrap());
            let mut daa2iso = Command::new("daa2iso");
            daa2iso.arg(folder.path().join(&files[0].0)).arg(folder.path().join("disc.iso"));
            std::fs::write(folder.path().join("password"), [options.password.unwrap_or_default(), "\n"].concat())
                .unwrap();
            daa2iso.stdin(std::fs::File::open(folder.path().join("password")).unwrap());
            let output = daa2iso.output().expect("daa2iso is missing: apt-get install daa2iso");
            let iso = std::fs::read(folder.path().join("disc.iso")).unwrap_or_default();
            assert!(iso == data, "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
