//! DAA and GBI.

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
