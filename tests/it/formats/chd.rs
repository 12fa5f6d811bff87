//! CHD.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use spindle::disc::{Disc, Lba, MediumType, TrackMode};
use spindle::export;
use spindle::image::{ImageError, ImageErrorKind, OpenOptions, Opened, open_source};
use spindle::source::{BlockCache, MemorySource};

use crate::support::disc::cd;

/// A file that chdman wrote.
fn seed(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/chd").join(name)).unwrap()
}

fn open(bytes: Vec<u8>) -> Result<Opened, ImageError> {
    let options = OpenOptions { cache: BlockCache::with_workers(1 << 20, 0), ..OpenOptions::default() };
    open_source(Arc::new(MemorySource::new(bytes)), &options)
}

fn is_sound(opened: &Opened) -> bool {
    !opened.checks.is_empty() && opened.checks.iter().all(|check| check.run(&|_| {}).unwrap_or(false))
}

#[test]
fn tracks_pregaps_and_addresses_are_those_of_the_metadata() {
    for name in ["cd-cdzl", "cd-cdlz"] {
        let opened = open(seed(name)).unwrap();
        assert_eq!((opened.format.id, opened.disc.medium), ("chd", MediumType::CdRom));
        let tracks: Vec<_> = opened
            .disc
            .tracks()
            .map(|track| (track.number, track.mode, track.start, track.pregap, track.end))
            .collect();
        let expected = [(1, TrackMode::Mode1, Lba(0), 150, Lba(20)), (2, TrackMode::Audio, Lba(22), 2, Lba(38))];
        assert_eq!(tracks, expected, "{name}");
        assert!(is_sound(&opened), "{name}");
        let mut raw = [0; 2352];
        for lba in 0..20 {
            let form = opened.disc.read_sector(Lba(lba), &mut raw).unwrap();
            assert_eq!(spindle::disc::sector::damage(&raw, form), None, "{name} {lba}");
        }
    }
}

#[test]
fn every_codec_gives_what_its_checksums_say() {
    for name in ["cd-cdfl", "raw-mixed", "raw-huff"] {
        assert!(is_sound(&open(seed(name)).unwrap()), "{name}");
    }
}

#[test]
fn a_damaged_hunk_is_unreadable_and_the_others_are_not() {
    let mut image = seed("raw-huff");
    image[1000] ^= 1;
    let opened = open(image).unwrap();
    assert!(!is_sound(&opened));
    let mut block = [0; 2048];
    let bad = (0..24).filter(|&lba| opened.disc.read_block(Lba(lba), &mut block).is_err()).count();
    assert_eq!(bad, 2, "one hunk");
}

#[test]
fn what_cannot_be_a_disc_is_refused() {
    let changes: &[(&str, usize, &[u8], ImageErrorKind)] = &[
        ("raw-huff", 15, &[6], ImageErrorKind::Unsupported),
        ("raw-huff", 11, &[125], ImageErrorKind::Invalid),
        ("raw-huff", 16, b"avhu", ImageErrorKind::Unsupported),
        ("raw-huff", 16, b"what", ImageErrorKind::Unsupported),
        ("raw-huff", 56, &[1], ImageErrorKind::Limit),
        ("raw-huff", 62, &[0, 0], ImageErrorKind::Invalid),
        ("raw-huff", 32, &[1], ImageErrorKind::Limit),
        ("raw-huff", 38, &[0, 0], ImageErrorKind::Invalid),
        // The map: its CRC, its length, its place.
        ("raw-huff", 3400, &[0xFF; 8], ImageErrorKind::Invalid),
        ("raw-huff", 40, &[1], ImageErrorKind::Invalid),
        // The metadata: past the end, in a circle.
        ("cd-cdzl", 48, &[1], ImageErrorKind::Invalid),
        // A parent that is not there.
        ("child", 0, b"M", ImageErrorKind::Missing),
        // Units of 512 bytes and no volume in the content.
        ("raw-none", 62, &[2, 0], ImageErrorKind::Unsupported),
    ];
    for (name, at, bytes, kind) in changes {
        let mut image = seed(name);
        image[*at..at + bytes.len()].copy_from_slice(bytes);
        let error = open(image).expect_err(&format!("{name} with {bytes:?} at {at}"));
        assert_eq!(error.kind(), *kind, "{name} with {bytes:?} at {at}: {error}");
    }
}

#[test]
fn more_hunks_than_any_disc_needs_are_not_looked_at() {
    let mut image = seed("raw-huff");
    // 128 GiB in hunks of 32 bytes: 2^32 of them.
    image[32..40].copy_from_slice(&(1_u64 << 37).to_be_bytes());
    image[56..60].copy_from_slice(&32_u32.to_be_bytes());
    image[60..64].copy_from_slice(&32_u32.to_be_bytes());
    assert_eq!(open(image).unwrap_err().kind(), ImageErrorKind::Limit);
}

#[test]
fn metadata_that_lead_in_a_circle_end() {
    let mut image = seed("cd-cdzl");
    let at = u64::from_be_bytes(image[48..56].try_into().unwrap());
    image[at as usize + 8..][..8].copy_from_slice(&at.to_be_bytes());
    assert_eq!(open(image).unwrap_err().kind(), ImageErrorKind::Limit);
}

#[test]
fn metadata_that_overlap_are_refused() {
    let mut image = seed("cd-cdzl");
    let first = u64::from_be_bytes(image[48..56].try_into().unwrap());
    let half = image.len() as u32 / 2;
    // Three, each of half the file, before those that there are.
    for next in [first, image.len() as u64, image.len() as u64 + 16] {
        let at = image.len() as u64;
        image[48..56].copy_from_slice(&at.to_be_bytes());
        image.extend(*b"JUNK");
        image.extend((half | 1 << 24).to_be_bytes());
        image.extend(next.to_be_bytes());
    }
    let error = open(image).unwrap_err();
    assert_eq!(error.kind(), ImageErrorKind::Limit, "{error}");
}

/// `image` with every `from` replaced by `to`, which is as long.
fn replaced(mut image: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let places: Vec<_> =
        image.windows(from.len()).enumerate().filter(|(_, window)| *window == from).map(|pair| pair.0).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| image[at..at + to.len()].copy_from_slice(to));
    image
}

#[test]
fn of_a_gd_rom_the_distance_between_tracks_is_silence_and_old_ones_have_the_low_byte_first() {
    let sector = |image: Vec<u8>, lba| {
        let mut raw = [0; 2352];
        open(image).unwrap().disc.read_sector(Lba(lba), &mut raw).unwrap();
        raw
    };
    let padded = replaced(replaced(seed("cd-cdzl"), b"CHT2", b"CHGD"), b"POSTGAP:0", b"PAD:2    ");
    assert!(sector(padded.clone(), 23) == sector(seed("cd-cdzl"), 23));
    assert!(sector(seed("cd-cdzl"), 37) != [0; 2352]);
    assert!(sector(padded.clone(), 37) == [0; 2352]);
    assert_eq!(open(padded).unwrap().disc.lead_out(), Lba(38));

    let mut swapped = sector(replaced(seed("cd-cdzl"), b"CHT2", b"CHGT"), 23);
    swapped.as_chunks_mut::<2>().0.iter_mut().for_each(|sample| sample.reverse());
    assert!(swapped == sector(seed("cd-cdzl"), 23));
}

#[test]
fn every_prefix_is_opened_or_refused() {
    for name in ["cd-cdzl", "cd-cdlz", "raw-mixed", "raw-huff", "raw-none"] {
        let whole = seed(name);
        for len in 0..whole.len() {
            let Ok(opened) = open(whole[..len].to_vec()) else { continue };
            let mut raw = [0; 2352];
            for lba in 0..opened.disc.blocks().min(32) {
                let _ = opened.disc.read_sector(Lba(lba as i32), &mut raw);
            }
        }
    }
}

#[test]
fn of_a_file_without_packing_all_that_is_left_can_be_read() {
    let mut image = seed("raw-none");
    image.truncate(image.len() - 1);
    let opened = open(image).unwrap();
    let mut block = [0; 2048];
    assert!(opened.disc.read_block(Lba(0), &mut block).is_ok());
    assert!(opened.disc.read_block(Lba(1), &mut block).is_err());
}

#[test]
fn what_is_written_keeps_addresses_over_sessions_and_stored_pre_gaps() {
    let (mode1, audio, xa) = (TrackMode::Mode1, TrackMode::Audio, TrackMode::Mode2Xa);
    let mut discs =
        vec![cd(1, &[&[(mode1, 30), (audio, 9), (xa, 13)], &[(mode1, 20)]]), cd(2, &[&[(audio, 50), (audio, 31)]])];
    // The first pre-gap stored whole; another pre-gap stored; sound hidden before track 1, stored from address 0 on.
    let mut whole = cd(3, &[&[(audio, 50), (audio, 31)]]);
    let tracks = &mut whole.sessions[0].tracks;
    tracks[0].extents[0].first = Lba(-150);
    tracks[0].extents[0].blocks = 200;
    (tracks[1].start, tracks[1].pregap) = (Lba(57), 7);
    discs.push(whole);
    let mut hidden = cd(4, &[&[(audio, 50)]]);
    let track = &mut hidden.sessions[0].tracks[0];
    (track.start, track.pregap) = (Lba(20), 170);
    discs.push(hidden);

    for disc in discs {
        let mut file = Cursor::new(Vec::new());
        export::chd::write(&disc, &mut file, &|_| {}).unwrap();
        let again = open(file.into_inner()).unwrap();
        assert!(is_sound(&again));
        let tracks = |disc: &Disc| -> Vec<_> {
            disc.tracks().map(|track| (track.number, track.mode, track.start, track.end)).collect()
        };
        assert_eq!(tracks(&again.disc), tracks(&disc));
        let (mut one, mut other) = ([0; 2352], [0; 2352]);
        for lba in disc.tracks().flat_map(|track| track.first().0..track.end.0).map(Lba) {
            disc.read_sector(lba, &mut one).unwrap();
            again.disc.read_sector(lba, &mut other).unwrap();
            assert!(one == other, "{lba}");
        }
    }
}

mod tools {
    use std::ffi::OsStr;
    use std::path::PathBuf;
    use std::process::Command;

    use spindle::image::open_path;
    use tempfile::TempDir;

    use super::*;
    use crate::support::inputs;

    fn chdman<S: AsRef<OsStr>>(args: &[S]) {
        let run = Command::new("chdman").args(args).output().expect("chdman, of the package mame-tools, is missing");
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{:?}: {said}", args.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    }

    fn arg(path: &Path) -> &str {
        path.to_str().unwrap()
    }

    /// A CD of 302 blocks of Mode 1, a stored pre-gap of a second and 151 of sound, a pre-gap of 30 that is not stored and 76 of sound.
    fn mixed_disc(folder: &TempDir) -> (PathBuf, Vec<u8>) {
        let mut bin = fs::read(inputs::path("libcdio/isofs-m1.bin")).unwrap();
        bin.extend(fs::read(inputs::path("libcdio/cdda.bin")).unwrap());
        // That repeats itself; the last track is what only FLAC makes shorter: two tones and noise.
        let last = bin.len() - 76 * 2352;
        for (at, sample) in (0_u32..).zip(bin[last..].chunks_exact_mut(2)) {
            let tone = 6000.0 * (f64::from(at / 2) / 31.0).sin() + 4000.0 * (f64::from(at) / 7.0).cos();
            let noise = at.wrapping_mul(2_654_435_761) >> 27;
            sample.copy_from_slice(&(tone as i16 + noise as i16).to_le_bytes());
        }
        let cue = "FILE \"mix.bin\" BINARY\n  TRACK 01 MODE1/2352\n    INDEX 01 00:00:00\n  TRACK 02 AUDIO\n    INDEX 00 00:04:02\n    \
                   INDEX 01 00:05:02\n  TRACK 03 AUDIO\n    PREGAP 00:00:30\n    INDEX 01 00:07:03\n";
        let path = folder.path().join("mix.cue");
        fs::write(&path, cue).unwrap();
        fs::write(folder.path().join("mix.bin"), &bin).unwrap();
        (path, bin)
    }

    #[test]
    fn a_cd_by_every_codec_of_chdman_is_the_bin_it_was_made_of() {
        let folder = TempDir::new().unwrap();
        let (cue, bin) = mixed_disc(&folder);
        let chd = folder.path().join("mix.chd");
        for codec in ["none", "cdzl", "cdlz", "cdfl", "cdlz,cdzl,cdfl", "zlib", "lzma,flac"] {
            chdman(&["createcd", "-f", "-i", arg(&cue), "-o", arg(&chd), "-c", codec]);
            let opened = open_path(&chd, &OpenOptions::default()).unwrap();
            let tracks: Vec<_> =
                opened.disc.tracks().map(|track| (track.mode, track.start.0, track.pregap, track.end.0)).collect();
            let audio = TrackMode::Audio;
            let expected = [(TrackMode::Mode1, 0, 150, 302), (audio, 377, 75, 528), (audio, 558, 30, 634)];
            assert_eq!(tracks, expected, "{codec}");
            let stored = (0..528).chain(558..634);
            let mut raw = [0; 2352];
            for (lba, sector) in stored.zip(bin.chunks_exact(2352)) {
                opened.disc.read_sector(Lba(lba), &mut raw).unwrap();
                assert!(raw == sector, "{codec}: sector {lba}");
            }
            assert!(is_sound(&opened), "{codec}");
        }
    }

    #[test]
    fn a_dvd_by_every_codec_of_chdman_is_the_iso_it_was_made_of() {
        let folder = TempDir::new().unwrap();
        let iso = inputs::path("libcdio/joliet.iso");
        let content = fs::read(&iso).unwrap();
        let chd = folder.path().join("dvd.chd");
        for codec in ["none", "zlib", "lzma", "huff", "flac", "zlib,lzma,huff,flac"] {
            chdman(&["createraw", "-f", "-i", arg(&iso), "-o", arg(&chd), "-us", "2048", "-hs", "4096", "-c", codec]);
            let opened = open_path(&chd, &OpenOptions::default()).unwrap();
            let mut read = vec![0; opened.disc.blocks() as usize * 2048];
            opened.disc.read_blocks(Lba(0), &mut read).unwrap();
            assert!(read == content, "{codec}");
            assert!(is_sound(&opened), "{codec}");
        }
    }

    #[test]
    fn what_a_child_does_not_hold_comes_from_its_parent() {
        let folder = TempDir::new().unwrap();
        let [parent, child] = ["a", "b"].map(|name| folder.path().join(name).with_extension("chd"));
        let iso = inputs::path("libcdio/joliet.iso");
        let mut content = fs::read(&iso).unwrap();
        chdman(&["createraw", "-i", arg(&iso), "-o", arg(&parent), "-us", "2048", "-hs", "4096", "-c", "zlib"]);
        let iso = folder.path().join("changed.iso");
        content[7000..11_000].fill(1);
        content[100_000] ^= 0xFF;
        fs::write(&iso, &content).unwrap();
        for codec in ["none", "zlib", "lzma,huff"] {
            let units = ["-us", "2048", "-hs", "4096", "-c", codec, "-op", arg(&parent)];
            chdman(&[&["createraw", "-f", "-i", arg(&iso), "-o", arg(&child)], &units[..]].concat());
            let opened = open_path(&child, &OpenOptions::default()).unwrap();
            assert_eq!(opened.companions.len(), 1, "{codec}");
            let mut read = vec![0; opened.disc.blocks() as usize * 2048];
            opened.disc.read_blocks(Lba(0), &mut read).unwrap();
            assert!(read == content, "{codec}");
        }
        fs::remove_file(&parent).unwrap();
        let error = open_path(&child, &OpenOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ImageErrorKind::Missing, "{error}");
    }

    #[test]
    fn a_hard_disk_is_refused_by_its_name() {
        let folder = TempDir::new().unwrap();
        let chd = folder.path().join("disk.chd");
        chdman(&["createhd", "-s", "1048576", "-o", arg(&chd), "-c", "none"]);
        let error = open_path(&chd, &OpenOptions::default()).unwrap_err();
        assert!(error.to_string().contains("hard disk"), "{error}");
    }

    /// Writes `disc` as a CHD, which chdman and Spindle must find sound.
    fn written(disc: &Disc, chd: &Path) -> Opened {
        let told = std::sync::atomic::AtomicU64::new(0);
        let progress = |bytes| {
            told.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        };
        export::chd::write(disc, &mut fs::File::create(chd).unwrap(), &progress).unwrap();
        assert_eq!(told.into_inner(), export::chd::bytes(disc));
        chdman(&["verify", "-i", arg(chd)]);
        let opened = open_path(chd, &OpenOptions::default()).unwrap();
        assert!(is_sound(&opened));
        opened
    }

    #[test]
    fn a_cd_that_spindle_writes_is_the_same_disc_to_chdman() {
        let folder = TempDir::new().unwrap();
        let (cue, bin) = mixed_disc(&folder);
        let [theirs, ours] = ["theirs.chd", "ours.chd"].map(|name| folder.path().join(name));
        chdman(&["createcd", "-i", arg(&cue), "-o", arg(&theirs)]);
        let disc = open_path(&theirs, &OpenOptions::default()).unwrap().disc;
        let again = written(&disc, &ours).disc;
        let tracks = |disc: &Disc| -> Vec<_> {
            disc.tracks().map(|track| (track.mode, track.start, track.pregap, track.end)).collect()
        };
        assert_eq!(tracks(&again), tracks(&disc));

        let said = |chd: &Path| {
            let run = Command::new("chdman").args(["info", "-v", "-i", arg(chd)]).output().unwrap();
            String::from_utf8(run.stdout).unwrap()
        };
        let info = |chd: &Path| {
            let said = said(chd);
            let same = ["Logical", "Hunk Size", "Unit Size", "SHA1", "Data SHA1", "Metadata", " TRACK", "File Version"];
            said.lines()
                .filter(|line| same.iter().any(|start| line.trim_start().starts_with(start.trim())))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(info(&ours), info(&theirs));
        assert!(info(&ours).len() >= 9, "{:?}", info(&ours));
        assert!(said(&ours).contains("CD FLAC"), "{}", said(&ours));
        let (length, theirs) = (fs::metadata(&ours).unwrap().len(), fs::metadata(&theirs).unwrap().len());
        assert!(length < theirs + theirs / 10, "{length} bytes, chdman needs {theirs}");

        let [back, sheet] = ["back.bin", "back.cue"].map(|name| folder.path().join(name));
        chdman(&["extractcd", "-i", arg(&ours), "-o", arg(&sheet), "-ob", arg(&back)]);
        assert!(fs::read(&back).unwrap() == bin);
    }

    #[test]
    fn a_dvd_that_spindle_writes_is_the_same_bytes_to_chdman() {
        let folder = TempDir::new().unwrap();
        let iso = inputs::path("libcdio/joliet.iso");
        let content = fs::read(&iso).unwrap();
        let mut disc = open_path(&iso, &OpenOptions::default()).unwrap().disc;
        disc.medium = MediumType::DvdRom;
        let [chd, back] = ["dvd.chd", "back.iso"].map(|name| folder.path().join(name));
        let opened = written(&disc, &chd);
        assert_eq!(opened.disc.blocks(), disc.blocks());
        chdman(&["extractraw", "-i", arg(&chd), "-o", arg(&back)]);
        assert!(fs::read(&back).unwrap() == content);
    }

    #[test]
    fn what_spindle_writes_has_the_sectors_and_the_subchannel_of_the_image() {
        let folder = TempDir::new().unwrap();
        let [chd, back, sheet] = ["cd.chd", "back.bin", "back.cue"].map(|name| folder.path().join(name));
        // 2,048 bytes a sector stay that; 2,352 with subchannel keep it.
        let iso = inputs::path("libcdio/joliet.iso");
        written(&open_path(&iso, &OpenOptions::default()).unwrap().disc, &chd);
        chdman(&["extractcd", "-i", arg(&chd), "-o", arg(&sheet), "-ob", arg(&back)]);
        assert!(fs::read(&back).unwrap() == fs::read(&iso).unwrap());

        let disc = open_path(&inputs::path("iat/TEST2.mds"), &OpenOptions::default()).unwrap().disc;
        let again = written(&disc, &chd).disc;
        assert_eq!(again.lead_out(), disc.lead_out());
        let (mut one, mut other) = ([0; 2352], [0; 2352]);
        for lba in (0..disc.lead_out().0).map(Lba) {
            disc.read_sector(lba, &mut one).unwrap();
            again.read_sector(lba, &mut other).unwrap();
            assert!(one == other, "{lba}");
            assert_eq!(again.read_subchannel(lba).unwrap(), disc.read_subchannel(lba).unwrap(), "{lba}");
        }
    }
}
