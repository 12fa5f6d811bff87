//! DMG.

use super::check_volume;
use crate::support::images::described::blocks::volume;
use crate::support::images::described::dmg::Codec::{Adc, Bzip2, Lzfse, Lzma, Stored, Zlib};
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
const RARE: [Options<'static>; 3] = [
    Options { codecs: &[Lzma], ..PLAIN },
    Options { codecs: &[Lzfse], ..PLAIN },
    Options { data_start: 100, partitions: &[68], ..PLAIN },
];

#[test]
fn every_run_comes_back() {
    let data = volume(83, 16);
    let encrypted = [128, 256].map(|bits| Options { encrypted: Some(bits), ..PLAIN });
    let split = [Options { split: Some(3), ..PLAIN }];
    let known = KNOWN.iter().chain(&RARE).filter(|options| !options.codecs.contains(&Lzfse));
    for options in known.chain(&encrypted).chain(&split) {
        check_volume("dmg", &format!("{options:?}"), &data, &files(&data, *options));
    }
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
