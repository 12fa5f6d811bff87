//! Files of sound in CUE sheets: what FLAC, LAME, oggenc and SoX make of known sound, against that sound and against what these
//! programs decode.

use std::f64::consts::{FRAC_1_SQRT_2 as WEAKER, TAU};
use std::fs;
use std::path::{Path, PathBuf};

use spindle::disc::Lba;
use spindle::image::{ImageErrorKind, OpenOptions, open_path};
use spindle::source::BlockCache;

use crate::support::host::run;
use crate::support::image::open;

/// Left and right.
type Stereo = Vec<[i16; 2]>;

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A WAVE file of `samples`.
    fn wave(&self, name: &str, samples: &[[i16; 2]]) -> String {
        let bytes: Vec<u8> = samples.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
        let mut out = b"RIFF".to_vec();
        out.extend((bytes.len() as u32 + 36).to_le_bytes());
        out.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0\x44\xAC\0\0\x10\xB1\x02\0\x04\0\x10\0data");
        out.extend((bytes.len() as u32).to_le_bytes());
        out.extend(bytes);
        fs::write(self.path(name), out).unwrap();
        self.name(name)
    }

    /// All that a sheet with the file `name` as its only track gives, read from the end to the start.
    fn disc(&self, name: &str) -> Stereo {
        let sheet = self.path(&format!("{name}.cue"));
        fs::write(&sheet, format!("FILE \"{name}\" WAVE\n TRACK 01 AUDIO\n INDEX 01 00:00:00\n")).unwrap();
        read(&sheet, true)
    }
}

fn read(sheet: &Path, backwards: bool) -> Stereo {
    let options = OpenOptions { cache: BlockCache::with_workers(1 << 20, 2), ..OpenOptions::default() };
    let opened = open_path(sheet, &options).unwrap();
    let end = opened.disc.lead_out().0;
    let mut bytes = vec![0; end as usize * 2352];
    let order: Vec<i32> = if backwards { (0..end).rev().collect() } else { (0..end).collect() };
    for lba in order {
        let raw = (&mut bytes[lba as usize * 2352..][..2352]).try_into().unwrap();
        opened.disc.read_sector(Lba(lba), raw).unwrap_or_else(|error| panic!("{}, {lba}: {error}", sheet.display()));
    }
    samples(&bytes)
}

fn samples(bytes: &[u8]) -> Stereo {
    let value = |at: &[u8]| i16::from_le_bytes([at[0], at[1]]);
    bytes.chunks_exact(4).map(|frame| [value(frame), value(&frame[2..])]).collect()
}

/// Tones and a little noise, `frames` samples at `rate` per second.
fn tones(rate: u32, frames: usize) -> Stereo {
    let mut noise = 1_u32;
    let sample = |index: usize| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let time = index as f64 / f64::from(rate);
        let left = 9000.0 * (TAU * 440.0 * time).sin() + 3000.0 * (TAU * 3001.0 * time).sin();
        let right = 12_000.0 * (TAU * 1234.0 * time).sin();
        [left as i16 + (noise >> 28) as i16, right as i16]
    };
    (0..frames).map(sample).collect()
}

/// `disc` begins with `wanted` and is silent up to the end of the sector.
#[track_caller]
fn is_padded(disc: &[[i16; 2]], wanted: &[[i16; 2]]) {
    assert_eq!(disc.len(), wanted.len().next_multiple_of(588));
    assert!(disc[..wanted.len()] == *wanted, "the samples differ");
    assert!(disc[wanted.len()..].iter().all(|sample| *sample == [0; 2]));
}

/// The largest difference of two signals.
fn difference(one: &[[i16; 2]], other: &[[i16; 2]]) -> u32 {
    let pairs = one.as_flattened().iter().zip(other.as_flattened());
    pairs.map(|(a, b)| i32::from(*a).abs_diff(i32::from(*b))).max().unwrap()
}

/// Samples of a raw file that SoX or a decoder wrote.
fn raw(path: &Path) -> Stereo {
    samples(&fs::read(path).unwrap())
}

/// About nine seconds, and no whole sector.
const FRAMES: usize = 400_001;

mod tools {
    use super::*;

    #[test]
    fn flac_comes_through_bit_by_bit() {
        let bench = Bench::new();
        let sound = tones(44_100, FRAMES);
        let wave = bench.wave("a.wav", &sound);
        let variants: [(&str, &[&str]); 5] = [
            ("usual.flac", &[]),
            ("fast.flac", &["-0", "--no-seektable"]),
            ("short.flac", &["--blocksize=192", "--lax", "--no-padding"]),
            ("long.flac", &["-8", "--blocksize=32768", "--lax"]),
            ("plain.flac", &["--disable-constant-subframes", "--disable-fixed-subframes", "-l", "0"]),
        ];
        for (name, options) in variants {
            let path = bench.name(name);
            run("flac", &[&["--silent", "-o", &path], options, &[&wave]].concat());
            is_padded(&bench.disc(name), &sound);
        }
        // Written into a pipe, the file does not say how long it is.
        let (piped, ogg) = (bench.name("piped.flac"), bench.name("tagged.flac"));
        run("sh", &["-c", &format!("flac --silent --stdout {wave} | cat > {piped}")]);
        is_padded(&bench.disc("piped.flac"), &sound);
        let tag = [&b"ID3\x04\0\0\0\0\x01\x05"[..], &[0; 133]].concat();
        fs::write(ogg, [tag, fs::read(&piped).unwrap()].concat()).unwrap();
        is_padded(&bench.disc("tagged.flac"), &sound);
    }

    #[test]
    fn flac_of_24_bits_is_rounded_and_one_channel_is_heard_on_both_sides() {
        let bench = Bench::new();
        let wave = bench.wave("a.wav", &tones(44_100, 100_000));
        let (deep, mono, wanted) = (bench.name("deep.flac"), bench.name("mono.flac"), bench.name("mono.raw"));
        run("sox", &["-D", &wave, "-b", "24", &deep, "gain", "-1"]);
        run("sox", &["-D", "-R", &deep, "-b", "16", "-t", "raw", &wanted]);
        assert!(difference(&bench.disc("deep.flac"), &raw(Path::new(&wanted))) <= 1);
        run("sox", &["-D", &wave, "-c", "1", &mono]);
        run("sox", &["-D", &mono, "-c", "2", "-t", "raw", &wanted]);
        is_padded(&bench.disc("mono.flac"), &raw(Path::new(&wanted)));
    }

    #[test]
    fn a_flac_file_that_is_cut_off_or_damaged_fails_where_it_is() {
        let bench = Bench::new();
        let sound = tones(44_100, FRAMES);
        let wave = bench.wave("a.wav", &sound);
        run("flac", &["--silent", "-o", &bench.name("a.flac"), &wave]);
        let whole = fs::read(bench.path("a.flac")).unwrap();
        let sheet = b"FILE a.flac WAVE\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n";
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 0x55;
        for (bytes, end) in [(&whole[..whole.len() / 2], true), (&damaged, false)] {
            let opened = open("a.cue", sheet, &[("a.flac", bytes)]).unwrap();
            let mut sector = [0; 2352];
            opened.disc.read_sector(Lba(10), &mut sector).unwrap();
            assert_eq!(samples(&sector), sound[5880..6468]);
            assert!(opened.disc.read_sector(Lba(340), &mut sector).is_err());
            assert_eq!(opened.disc.read_sector(Lba(679), &mut sector).is_err(), end);
        }
    }

    #[test]
    fn mp3_has_the_length_of_the_sound_and_what_other_decoders_hear() {
        let bench = Bench::new();
        let sound = tones(44_100, FRAMES);
        let wave = bench.wave("a.wav", &sound);
        for (name, options) in
            [("constant.mp3", &["-b", "128"][..]), ("low.mp3", &["-b", "64"]), ("variable.mp3", &["-V", "2"])]
        {
            let path = bench.name(name);
            run("lame", &[&["--quiet"], options, &["--resample", "44.1", &wave, &path]].concat());
            let disc = bench.disc(name);
            let decoded = bench.name("decoded.raw");
            run("lame", &["--quiet", "--decode", "-t", &path, &decoded]);
            let decoded = raw(Path::new(&decoded));
            assert_eq!(disc.len(), FRAMES.next_multiple_of(588), "{name}");
            assert_eq!(decoded.len(), FRAMES, "{name}: the LAME that is here");
            assert!(difference(&disc, &decoded) <= 2, "{name}: {}", difference(&disc, &decoded));
            assert!(disc == read(&bench.path(&format!("{name}.cue")), false), "{name}: depends on the order");
        }
    }

    #[test]
    fn mp3_without_a_note_of_its_delay_keeps_every_sample() {
        let bench = Bench::new();
        let wave = bench.wave("a.wav", &tones(44_100, FRAMES));
        for (name, rate, samples) in [("plain.mp3", "44.1", 1152), ("slow.mp3", "22.05", 1152)] {
            let path = bench.name(name);
            run("lame", &["--quiet", "-t", "-b", "64", "--resample", rate, &wave, &path]);
            // What the encoder puts before and after, in whole frames.
            let kept = bench.disc(name).len() - FRAMES;
            assert!((576..5 * samples).contains(&kept), "{name}: {kept}");
        }
    }

    #[test]
    fn vorbis_has_the_length_of_the_sound_and_what_other_decoders_hear() {
        let bench = Bench::new();
        let sound = tones(44_100, FRAMES);
        let wave = bench.wave("a.wav", &sound);
        for (name, quality) in [("poor.ogg", "-1"), ("good.ogg", "6")] {
            let (path, decoded) = (bench.name(name), bench.name("decoded.raw"));
            run("oggenc", &["-Q", "-q", quality, "-o", &path, &wave]);
            run("oggdec", &["-Q", "-R", "-o", &decoded, &path]);
            let decoded = raw(Path::new(&decoded));
            assert_eq!(decoded.len(), FRAMES);
            let disc = bench.disc(name);
            assert_eq!(disc.len(), FRAMES.next_multiple_of(588), "{name}");
            assert!(difference(&disc, &decoded) <= 1, "{name}: {}", difference(&disc, &decoded));
            assert!(disc == read(&bench.path(&format!("{name}.cue")), false), "{name}: depends on the order");
        }
    }

    #[test]
    fn any_rate_becomes_that_of_a_cd_as_sox_has_it() {
        let bench = Bench::new();
        let wave = bench.wave("a.wav", &tones(44_100, 100_000));
        let files = [
            ("r48000.wav", "48000", "16"),
            ("r96000.wav", "96000", "24"),
            ("r22050.wav", "22050", "16"),
            ("r32000.aiff", "32000", "24"),
            ("r88200.flac", "88200", "24"),
            ("r48000.ogg", "48000", "16"),
        ];
        for (name, rate, bits) in files {
            let (path, wanted) = (bench.name(name), bench.name("wanted.raw"));
            let depth: &[&str] = if name.ends_with("ogg") { &[] } else { &["-b", bits] };
            run("sox", &[&["-D", &wave], depth, &["-r", rate, &path]].concat());
            run("sox", &["-D", &path, "-b", "16", "-t", "raw", &wanted, "rate", "-v", "44100"]);
            let (disc, wanted) = (bench.disc(name), raw(Path::new(&wanted)));
            assert!(disc.len() >= wanted.len() && disc.len() < wanted.len() + 589, "{name}");
            // At the ends the programs differ in what they take silence to be.
            let inner = 2000..wanted.len() - 2000;
            let off = difference(&disc[inner.clone()], &wanted[inner]);
            assert!(off <= 24, "{name}: {off}");
        }
    }

    #[test]
    fn samples_of_every_kind_that_sox_writes() {
        let bench = Bench::new();
        let wave = bench.wave("a.wav", &tones(44_100, 30_000));
        let kinds: [(&str, &[&str], u32); 9] = [
            ("u8.wav", &["-b", "8"], 129),
            ("s24.wav", &["-b", "24"], 0),
            ("s32.wav", &["-b", "32"], 0),
            ("f32.wav", &["-e", "floating-point", "-b", "32"], 0),
            ("f64.wav", &["-e", "floating-point", "-b", "64"], 0),
            ("s8.aiff", &["-b", "8"], 129),
            ("s16.aiff", &["-b", "16"], 0),
            ("s32.aifc", &["-b", "32"], 0),
            ("f32.aifc", &["-e", "floating-point", "-b", "32"], 0),
        ];
        for (name, options, allowed) in kinds {
            let path = bench.name(name);
            run("sox", &[&["-D", &wave], options, &[&path]].concat());
            let off = difference(&bench.disc(name), &tones(44_100, 30_000));
            assert!(off <= allowed, "{name}: {off}");
        }
        for name in ["law.wav", "adpcm.wav"] {
            let coding = if name == "law.wav" { "a-law" } else { "ms-adpcm" };
            run("sox", &["-D", &wave, "-e", coding, &bench.name(name)]);
            let sheet = format!("FILE {name} WAVE\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n");
            fs::write(bench.path("law.cue"), sheet).unwrap();
            let error = open_path(&bench.path("law.cue"), &OpenOptions::default()).unwrap_err();
            assert_eq!(error.kind(), ImageErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("convert"), "{error}");
        }
    }

    #[test]
    fn six_channels_are_mixed_into_two() {
        let bench = Bench::new();
        let tones = tones(44_100, 20_000);
        let left: Stereo = tones.iter().map(|[left, _]| [*left, 0]).collect();
        let wave = bench.wave("a.wav", &left);
        // Left is heard in the channel that `remix` names alone.
        for (channel, wanted) in
            [(1, [1.0, 0.0]), (2, [0.0, 1.0]), (3, [WEAKER, WEAKER]), (4, [0.0, 0.0]), (5, [WEAKER, 0.0])]
        {
            let map: Vec<&str> = (1..=6).map(|number| if number == channel { "1" } else { "0" }).collect();
            run("sox", &[&["-D", &wave, &bench.name("six.wav"), "remix"], &map[..]].concat());
            let disc = bench.disc("six.wav");
            for (got, sample) in disc.iter().zip(&tones) {
                for side in 0..2 {
                    let wanted = f64::from(sample[0]) * wanted[side] / (1.0 + 2.0 * WEAKER);
                    assert!((f64::from(got[side]) - wanted).abs() < 2.0, "channel {channel}");
                }
            }
        }
    }

    #[test]
    fn damaged_sound_is_refused_or_read() {
        let bench = Bench::new();
        let wave = bench.wave("a.wav", &tones(44_100, 3000));
        for name in ["a.flac", "a.mp3", "a.ogg", "a.aiff"] {
            let path = bench.name(name);
            if name.ends_with("mp3") {
                run("lame", &["--quiet", &wave, &path]);
            } else {
                run("sox", &["-D", &wave, &path]);
            }
            let whole = fs::read(bench.path(name)).unwrap();
            let sheet = format!("FILE {name} WAVE\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n");
            for len in (0..whole.len()).step_by(whole.len() / 300 + 1) {
                let mut changed = whole.clone();
                changed[len] ^= 0x5A;
                for bytes in [&whole[..len], &changed] {
                    if let Ok(opened) = open("a.cue", sheet.as_bytes(), &[(name, bytes)]) {
                        let _ = opened.disc.read_sector(Lba(2), &mut [0; 2352]);
                    }
                }
            }
        }
    }

    #[test]
    fn the_decoded_bytes_do_not_depend_on_cache_threads_or_order() {
        let bench = Bench::new();
        let wave = bench.wave("a.wav", &tones(44_100, 150_000));
        run("flac", &["--silent", "-o", &bench.name("a.flac"), &wave]);
        run("lame", &["--quiet", "--resample", "32", &wave, &bench.name("a.mp3")]);
        run("oggenc", &["-Q", "-o", &bench.name("a.ogg"), &wave]);
        for name in ["a.flac", "a.mp3", "a.ogg"] {
            let sheet = bench.path("a.cue");
            fs::write(&sheet, format!("FILE {name} WAVE\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n")).unwrap();
            let read = |cache, workers, step: i32| {
                let options = OpenOptions { cache: BlockCache::with_workers(cache, workers), ..OpenOptions::default() };
                let disc = open_path(&sheet, &options).unwrap().disc;
                let lba = |index: i32| index * step % 257;
                let mut read = [[0; 2352]; 257];
                for lba in (0..257).map(lba).filter(|&lba| lba < disc.lead_out().0) {
                    disc.read_sector(Lba(lba), &mut read[lba as usize]).unwrap();
                }
                read
            };
            let first = read(400 << 10, 0, 1);
            assert!(first[100].iter().any(|&byte| byte != 0), "{name}");
            assert!(first == read(0, 0, 1), "{name}");
            assert!(first == read(8 << 20, 4, 256), "{name}");
            assert!(first == read(8 << 20, 2, 101), "{name}");
        }
    }
}
