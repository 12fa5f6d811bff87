//! DMG.

use spindle::disc::Lba;
use spindle::image::ImageErrorKind;

use super::{check_volume, open};
use crate::support::image::open_locked;
use crate::support::images::described::blocks::volume;
use crate::support::images::described::dmg::Codec::{Adc, Bzip2, Lzfse, Lzma, ReferenceLzfse, Stored, Zlib};
use crate::support::images::described::dmg::{Options, PLAIN, files};

/// What every program reads.
const KNOWN: [Options<'static>; 7] = [
    PLAIN,
    Options { codecs: &[Stored], ..PLAIN },
    Options { codecs: &[Adc], run: 32, ..PLAIN },
    Options { codecs: &[Bzip2], ..PLAIN },
    Options { codecs: &[Zlib, Adc, Bzip2, Stored], run: 12, partitions: &[64, 77], ..PLAIN },
    Options { resource_fork: true, partitions: &[68], ..PLAIN },
    Options { front: true, ..PLAIN },
];

/// What `dmg2img` does not.
const RARE: [Options<'static>; 4] = [
    Options { codecs: &[Lzma], ..PLAIN },
    Options { codecs: &[Lzfse], ..PLAIN },
    Options { codecs: &[ReferenceLzfse], ..PLAIN },
    Options { data_start: 100, partitions: &[68], ..PLAIN },
];

#[test]
fn every_run_comes_back() {
    let data = volume(83, 16);
    let encrypted = [128, 256].map(|bits| Options { encrypted: Some(bits), ..PLAIN });
    let split = [Options { split: Some(30_000), ..PLAIN }];
    for options in KNOWN.iter().chain(&RARE).chain(&encrypted).chain(&split) {
        check_volume("dmg", &format!("{options:?}"), &data, &files(&data, *options));
    }
}

#[test]
fn what_is_cut_off_is_an_error_and_the_rest_is_as_it_was() {
    // Text alone, which packs well.
    let data = volume(20, 100);
    let whole = files(&data, Options { front: true, ..PLAIN });
    for len in 0..whole[0].1.len() {
        let cut = vec![(whole[0].0.clone(), whole[0].1[..len].to_vec())];
        let Ok(opened) = open(&cut) else { continue };
        for (lba, expected) in data.chunks(2048).enumerate().filter(|_| !opened.containers.is_empty()) {
            let mut block = [0; 2048];
            let same = opened.disc.read_block(Lba(lba as i32), &mut block).is_err() || block == expected;
            assert!(same, "block {lba} with {len} bytes");
        }
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let data = volume(83, 16);
    let plain = files(&data, PLAIN);
    let trailer = plain[0].1.len() - 512;
    let rows: [(usize, &[u8], ImageErrorKind); 5] = [
        (492, &[0; 8], ImageErrorKind::Invalid),
        (492, &[0xFF; 8], ImageErrorKind::Limit),
        (216, &[0x7F; 8], ImageErrorKind::Invalid),
        (224, &[0x7F; 8], ImageErrorKind::Limit),
        (56, &[0, 0, 0, 2], ImageErrorKind::Invalid),
    ];
    for (at, bytes, kind) in rows {
        let mut bad = plain.clone();
        bad[0].1[trailer + at..][..bytes.len()].copy_from_slice(bytes);
        let error = open(&bad).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), kind, "{at}: {error}");
    }
    let mut locked = files(&data, Options { encrypted: Some(256), ..PLAIN });
    let (name, bytes) = &locked[0];
    let locked_by = |password| open_locked(name, bytes, &[], password).map(|_| ()).unwrap_err().kind();
    assert_eq!(locked_by(&[]), ImageErrorKind::NeedsPassword);
    assert_eq!(locked_by(&["wrong"]), ImageErrorKind::WrongPassword);
    locked[0].1[24..28].copy_from_slice(&[0, 0, 0, 192]);
    assert_eq!(open(&locked).map(|_| ()).unwrap_err().kind(), ImageErrorKind::Unsupported);
}

mod tools {
    //! What the builder writes is what `dmg2img` and `7z` read.

    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::support::images::described::dmg::keys;

    /// What the program `name` says and does with these arguments.
    fn run(name: &str, arguments: &[&str], folder: &Path) -> Vec<u8> {
        let output = Command::new(name).args(arguments).current_dir(folder).output();
        output.unwrap_or_else(|error| panic!("{name} is missing ({error}): apt-get install dmg2img p7zip-full")).stdout
    }

    fn written(data: &[u8], options: Options<'_>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files(data, options) {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    #[test]
    fn dmg2img_gives_the_blocks() {
        let data = volume(83, 16);
        let mut variants = super::KNOWN.to_vec();
        // Keys of 256 bits the program does not take.
        variants.push(Options { encrypted: Some(128), ..PLAIN });
        for options in variants {
            let folder = written(&data, options);
            let mut name = "disc.dmg";
            if let Some(bits) = options.encrypted {
                let key: String = keys(bits).concat().iter().map(|byte| format!("{byte:02x}")).collect();
                run("vfdecrypt", &["-k", &key, "-i", name, "-o", "plain.dmg"], folder.path());
                name = "plain.dmg";
            }
            run("dmg2img", &["-V", name, "disc.iso"], folder.path());
            assert!(std::fs::read(folder.path().join("disc.iso")).unwrap() == data, "{options:?}");
        }
    }

    #[test]
    fn seven_zip_gives_the_blocks() {
        let data = volume(83, 16);
        for options in super::KNOWN.iter().chain(&super::RARE) {
            let folder = written(&data, *options);
            assert!(run("7z", &["e", "-tdmg", "-so", "disc.dmg"], folder.path()) == data, "{options:?}");
        }
    }
}
