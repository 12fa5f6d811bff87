//! gzip, xz, zstd and bzip2, as these programs write them.

use std::fs;
use std::path::{Path, PathBuf};

use spindle::disc::Lba;
use spindle::image::{ImageError, ImageErrorKind, OpenOptions, Opened, open_path};
use spindle::source::BlockCache;

use crate::support::disc::block;
use crate::support::host::run;
use crate::support::image::{blocks, open};

struct Bench {
    folder: tempfile::TempDir,
    image: Vec<u8>,
}

/// Blocks of the image: about 6 MiB that pack well.
const BLOCKS: u32 = 3000;

impl Bench {
    fn new() -> Self {
        let image: Vec<u8> = (0..BLOCKS).flat_map(|lba| block(3, lba)).collect();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("disc.iso"), &image).unwrap();
        Self { folder, image }
    }

    /// Runs `script` in the folder.
    fn make(&self, script: &str) {
        run("sh", &["-ec", &format!("cd '{}'; {script}", self.folder.path().display())]);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, name: &str, spool: bool) -> Result<Opened, ImageError> {
        open_at(&self.path(name), spool.then_some(self.folder.path()))
    }

    /// Opens `name`, holds its bytes from the end to the start against the image, and runs its checks.
    fn check(&self, name: &str, format: &str, spool: bool) -> Opened {
        let opened = self.open(name, spool).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(opened.containers.iter().map(|info| info.id).collect::<Vec<_>>(), [format], "{name}");
        assert_eq!(opened.disc.blocks(), BLOCKS, "{name}");
        for first in (0..BLOCKS as usize).step_by(30).rev() {
            let got = blocks(&opened, first as i32, 30);
            assert!(got == self.image[first * 2048..][..30 * 2048], "{name}: block {first}");
        }
        assert!(!opened.checks.is_empty(), "{name}");
        for check in &opened.checks {
            assert!(check.run(&|_| {}).unwrap(), "{name}: {}", check.name());
        }
        opened
    }

    #[track_caller]
    fn needs_spool(&self, name: &str) {
        let error = self.open(name, false).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ImageErrorKind::NeedsSpool, "{error}");
        assert!(error.to_string().contains("--spool"), "{error}");
    }
}

fn open_at(path: &Path, spool: Option<&Path>) -> Result<Opened, ImageError> {
    open_path(path, &OpenOptions { cache: BlockCache::with_workers(32 << 20, 2), spool, ..OpenOptions::default() })
}

mod tools {
    use super::*;

    #[test]
    fn streams_of_pieces_are_read_at_random() {
        let bench = Bench::new();
        for (name, format, script) in [
            ("b.gz", "gzip", "bgzip -c disc.iso > b.gz"),
            ("t.xz", "xz", "xz -k -c --block-size=1MiB -T2 disc.iso > t.xz"),
            ("one.xz", "xz", "xz -k -c -9 --check=sha256 disc.iso > one.xz"),
            ("x86.xz", "xz", "xz -k -c --x86 --lzma2=preset=1 --check=crc32 --block-size=700000 disc.iso > x86.xz"),
            (
                "two.xz",
                "xz",
                "{ head -c 1000000 disc.iso | xz -c --check=none; head -c 400 /dev/zero; tail -c +1000001 disc.iso | xz -c; } > two.xz",
            ),
            ("p.xz", "xz", "pixz -t disc.iso p.xz"),
            ("s.zst", "zstd", "zstd -q -c disc.iso > s.zst"),
            ("m.zst", "zstd", "split -b 400000 disc.iso part. && zstd -q --rm part.* && cat part.*.zst > m.zst"),
        ] {
            bench.make(script);
            bench.check(name, format, false);
        }
    }

    #[test]
    fn streams_without_random_access_say_so_and_are_spooled_when_that_is_allowed() {
        let bench = Bench::new();
        for (name, format, script) in [
            ("a.gz", "gzip", "gzip -k -c disc.iso > a.gz"),
            (
                "two.gz",
                "gzip",
                "{ head -c 1000000 disc.iso | gzip -c; tail -c +1000001 disc.iso | gzip -c1; } > two.gz",
            ),
            ("a.bz2", "bzip2", "bzip2 -k -c disc.iso > a.bz2"),
            (
                "two.bz2",
                "bzip2",
                "{ head -c 1000000 disc.iso | bzip2 -c; tail -c +1000001 disc.iso | bzip2 -c; } > two.bz2",
            ),
            ("p.zst", "zstd", "pzstd -q -p 4 disc.iso -o p.zst"),
            ("pipe.zst", "zstd", "cat disc.iso | zstd -q -c > pipe.zst"),
            (
                "two.zst",
                "zstd",
                "{ head -c 1000000 disc.iso | zstd -c -q; tail -c +1000001 disc.iso | zstd -c -q; } > two.zst",
            ),
        ] {
            bench.make(script);
            bench.needs_spool(name);
            let before = fs::read_dir(bench.folder.path()).unwrap().count();
            bench.check(name, format, true);
            assert_eq!(fs::read_dir(bench.folder.path()).unwrap().count(), before, "{name}: a file is left");
        }
    }

    #[test]
    fn a_block_that_is_too_long_to_be_decoded_alone_is_spooled() {
        let bench = Bench::new();
        bench.make(
            "head -c 70000000 /dev/zero | xz -c -1 > long.xz; head -c 70000000 /dev/zero > z; zstd -q z -o long.zst",
        );
        for name in ["long.xz", "long.zst"] {
            bench.needs_spool(name);
            assert_eq!(bench.open(name, true).unwrap().disc.blocks(), 70_000_000_u32.div_ceil(2048));
        }
    }

    #[test]
    fn a_container_in_a_container_opens() {
        let bench = Bench::new();
        bench.make("xz -k -c --block-size=1MiB disc.iso > disc.iso.xz; zstd -q disc.iso.xz");
        let opened = bench.open("disc.iso.xz.zst", false).unwrap();
        assert_eq!(opened.containers.iter().map(|info| info.id).collect::<Vec<_>>(), ["zstd", "xz"]);
        assert!(blocks(&opened, 2000, 9) == bench.image[2000 * 2048..2009 * 2048]);
        bench.make("printf 'FILE disc.iso BINARY\\nTRACK 1 MODE1/2048\\nINDEX 1 0:0:0\\n' > my.cue; bgzip disc.iso");
        let opened = bench.open("my.cue", false).unwrap();
        assert_eq!(opened.companions[0].name, b"disc.iso.gz");
        assert!(blocks(&opened, 2999, 1) == bench.image[2999 * 2048..]);
    }

    #[test]
    fn damage_is_found_where_it_is() {
        let bench = Bench::new();
        bench.make("bgzip -c disc.iso > a.gz; xz -k -c --block-size=1MiB disc.iso > a.xz; split -b 400000 disc.iso p. && zstd -q p.* && cat p.*.zst > a.zst");
        for name in ["a.gz", "a.xz", "a.zst"] {
            let mut bytes = fs::read(bench.path(name)).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
            fs::write(bench.path(name), bytes).unwrap();
            let opened = bench.open(name, false).unwrap();
            assert!(!opened.checks[0].run(&|_| {}).unwrap(), "{name}");
            let bad =
                (0..BLOCKS as i32).filter(|&lba| opened.disc.read_block(Lba(lba), &mut [0; 2048]).is_err()).count();
            assert!((1..=600).contains(&bad), "{name}: {bad}");
            assert!(
                blocks(&opened, 0, 2) == bench.image[..4096] && blocks(&opened, 2999, 1) == bench.image[2999 * 2048..]
            );
        }
    }

    #[test]
    fn what_is_left_of_a_stream_that_is_cut_off_is_read() {
        let bench = Bench::new();
        bench.make("gzip -k -c disc.iso > a.gz; bzip2 -k -c -1 disc.iso > a.bz2; xz -k -c --block-size=1MiB disc.iso > a.xz; cat disc.iso | zstd -q -c > a.zst");
        for name in ["a.gz", "a.bz2", "a.xz", "a.zst"] {
            let bytes = fs::read(bench.path(name)).unwrap();
            fs::write(bench.path(name), &bytes[..bytes.len() / 2]).unwrap();
            bench.needs_spool(name);
            let opened = bench.open(name, true).unwrap();
            assert!(opened.warnings.iter().any(|line| line.contains("cut off")), "{name}: {:?}", opened.warnings);
            let there = opened.disc.blocks() as usize - 1;
            assert!((100..BLOCKS as usize).contains(&there), "{name}: {there}");
            assert!(blocks(&opened, 0, there as u32) == bench.image[..there * 2048], "{name}");
            assert!(!opened.checks[0].run(&|_| {}).unwrap(), "{name}");
        }
    }

    #[test]
    fn where_a_stream_is_cut_off_is_told() {
        let bench = Bench::new();
        bench.make("bgzip -c disc.iso > a.gz; bzip2 -k -c disc.iso > a.bz2; xz -k -c --block-size=1MiB disc.iso > a.xz; zstd -q -k disc.iso -o a.zst");
        for (name, len, reason) in [
            ("a.gz", 40_000, "ends within a member"),
            ("a.xz", 40_000, "without a sound index at its end (damaged, or cut off)"),
            ("a.zst", 40_000, "ends within a frame"),
        ] {
            let bytes = fs::read(bench.path(name)).unwrap();
            fs::write(bench.path(name), &bytes[..len]).unwrap();
            bench.needs_spool(name);
            let error = bench.open(name, false).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        // Nothing at all is left of these.
        for (name, len) in [("a.gz", 20), ("a.bz2", 30), ("a.xz", 30), ("a.zst", 12)] {
            let bytes = fs::read(bench.path(name)).unwrap();
            fs::write(bench.path(name), &bytes[..len]).unwrap();
            let error = bench.open(name, true).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), ImageErrorKind::Invalid, "{name}: {error}");
            assert!(error.to_string().contains("nothing of it decodes"), "{name}: {error}");
        }
    }

    #[test]
    fn every_prefix_is_read_or_refused() {
        let bench = Bench::new();
        bench.make("head -c 8192 disc.iso > s; bgzip -c s > s.gz; xz -k -c --block-size=4KiB s > s.xz; zstd -q -c s > s.zst; bzip2 -k -c s > s.bz2");
        for name in ["s.gz", "s.xz", "s.zst", "s.bz2"] {
            let bytes = fs::read(bench.path(name)).unwrap();
            for len in 0..bytes.len() {
                if let Ok(opened) = open(name, &bytes[..len], &[]) {
                    crate::support::image::probe(&opened);
                }
                let mut changed = bytes.clone();
                changed[len] ^= 0x41;
                if let Ok(opened) = open(name, &changed, &[]) {
                    crate::support::image::probe(&opened);
                }
            }
        }
    }
}
