//! Plain images: whole, padded, and cut off.

use std::fs;

use spindle::disc::{Lba, SectorError};

use crate::support::image::{blocks, open};
use crate::support::inputs;

/// Real images, with what they have after their last file.
fn real(name: &str) -> Vec<u8> {
    fs::read(inputs::path(&format!("libcdio/{name}"))).unwrap()
}

const REAL: [&str; 4] = ["copying.iso", "copying-rr.iso", "joliet.iso", "test-udf1.iso"];

#[test]
fn a_whole_image_is_as_long_as_its_file() {
    for name in REAL {
        let image = real(name);
        let opened = open(name, &image, &[]).unwrap();
        assert_eq!((opened.warnings.len(), opened.disc.blocks() as usize), (0, image.len() / 2048), "{name}");
        // As hybrid images have it: something behind the volume.
        let longer = [&image[..], &[1; 10 * 2048]].concat();
        let opened = open(name, &longer, &[]).unwrap();
        assert_eq!((opened.warnings.len(), opened.disc.blocks() as usize), (0, longer.len() / 2048), "{name}");
    }
}

#[test]
fn padding_that_is_cut_off_is_not_missed() {
    // 150 blocks behind the last file.
    for name in ["joliet.iso", "copying-rr.iso"] {
        let image = real(name);
        for cut in [1, 2, 149, 150] {
            let shorter = &image[..image.len() - cut * 2048];
            let opened = open(name, shorter, &[]).unwrap();
            assert!(opened.warnings.is_empty(), "{name} without {cut}: {:?}", opened.warnings);
            assert_eq!(opened.disc.blocks() as usize, shorter.len() / 2048, "{name} without {cut}");
        }
    }
}

#[test]
fn what_is_cut_off_is_an_error_at_exactly_those_sectors() {
    for name in ["copying.iso", "joliet.iso"] {
        let image = real(name);
        let all = image.len() / 2048;
        for bytes in [20 * 2048, 26 * 2048 + 1, 28 * 2048 - 1, 25 * 2048 + 100] {
            let opened = open(name, &image[..bytes], &[]).unwrap();
            let (there, missing) = (bytes / 2048, all - bytes / 2048);
            let words = format!("the volume in it has {all} blocks, the last {missing} are missing and cannot be read");
            assert!(opened.warnings.iter().any(|line| line.contains(&words)), "{name} {bytes}: {:?}", opened.warnings);
            assert_eq!(opened.disc.blocks() as usize, all, "{name} {bytes}");
            assert!(blocks(&opened, 0, there as u32) == image[..there * 2048], "{name} {bytes}");
            for lba in there as i32..all as i32 {
                let error = opened.disc.read_block(Lba(lba), &mut [0; 2048]).unwrap_err();
                assert!(matches!(error, SectorError::Storage(at, _) if at == Lba(lba)), "{name} {bytes}: {error}");
            }
            // A read over the end gives what is there and names the first that is not.
            let mut buf = vec![0xAA; 4 * 2048];
            let error = opened.disc.read_blocks(Lba(there as i32 - 2), &mut buf).unwrap_err();
            assert!(matches!(error, SectorError::Storage(at, _) if at == Lba(there as i32)), "{name} {bytes}: {error}");
            assert!(buf[..2 * 2048] == image[(there - 2) * 2048..there * 2048], "{name} {bytes}");
            assert!(opened.disc.read_block(Lba(all as i32), &mut [0; 2048]).is_err());
        }
    }
}

#[test]
fn a_volume_that_cannot_be_as_long_as_it_says_is_as_long_as_its_file() {
    let image = real("copying.iso");
    let with = |at: usize, bytes: &[u8]| {
        let mut image = image.clone();
        image[16 * 2048 + at..][..bytes.len()].copy_from_slice(bytes);
        open("x.iso", &image, &[]).unwrap()
    };
    // The two byte orders disagree; more blocks than any disc has; blocks of another size.
    let field = |blocks: u32| [blocks.to_le_bytes(), blocks.to_be_bytes()].concat();
    for opened in [with(80, &[65]), with(80, &field(u32::MAX)), with(80, &[&field(90)[..], &[0; 44]].concat())] {
        assert_eq!((opened.disc.blocks() as usize, opened.warnings.len()), (image.len() / 2048, 0));
    }
    assert_eq!(with(80, &field(64 + 151)).disc.blocks(), 64 + 151);
}

mod tools {
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;
    use crate::support::host::{run, tree};

    fn made(folder: &Path, script: &str) -> Vec<u8> {
        run("sh", &["-ec", &format!("cd '{}'; {script}", folder.display())]);
        fs::read(folder.join("disc.iso")).unwrap()
    }

    #[test]
    fn volumes_of_every_writer_are_as_long_as_their_files_until_they_are_cut_off() {
        let folder = TempDir::new().unwrap();
        tree(&folder.path().join("tree"));
        for script in [
            "genisoimage -quiet -J -R -o disc.iso tree",
            "genisoimage -quiet -no-pad -R -o disc.iso tree",
            "genisoimage -quiet -udf -J -R -o disc.iso tree",
            "xorriso -as mkisofs -quiet -R -J -o disc.iso tree",
            "xorriso -as mkisofs -quiet -R -no-pad -o disc.iso tree",
        ] {
            let image = made(folder.path(), script);
            let opened = open("disc.iso", &image, &[]).unwrap();
            assert_eq!((opened.warnings.len(), opened.disc.blocks() as usize), (0, image.len() / 2048), "{script}");
            let half = image.len() / 4096;
            let opened = open("disc.iso", &image[..half * 2048], &[]).unwrap();
            assert!(opened.warnings.iter().any(|line| line.contains("cut off")), "{script}: {:?}", opened.warnings);
            assert!(blocks(&opened, 0, half as u32) == image[..half * 2048], "{script}");
            assert!(opened.disc.read_block(Lba(half as i32), &mut [0; 2048]).is_err(), "{script}");
        }
    }

    #[test]
    fn udf_volumes_without_iso_9660_are_measured_too() {
        let folder = TempDir::new().unwrap();
        for media in ["hd", "dvdram", "dvd", "dvdr", "cdr", "bdr"] {
            let make =
                format!("rm -f disc.iso; truncate -s 20M disc.iso; mkudffs --media-type={media} -b 2048 disc.iso");
            let image = made(folder.path(), &make);
            let opened = open("disc.iso", &image, &[]).unwrap();
            assert_eq!((opened.warnings.len(), opened.disc.blocks() as usize), (0, image.len() / 2048), "{media}");
            if media == "hd" {
                let opened = open("disc.iso", &image[..image.len() / 2], &[]).unwrap();
                assert!(opened.warnings.iter().any(|line| line.contains("cut off")), "{:?}", opened.warnings);
                assert!(opened.disc.read_block(Lba((image.len() / 4096) as i32), &mut [0; 2048]).is_err());
            }
        }
    }
}
