//! TOC files of cdrdao.

use std::fs;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use spindle::disc::TrackMode::{Audio, Mode1, Mode2Xa};
use spindle::disc::cdtext::{Kind, decode};
use spindle::disc::{Control, Lba};
use spindle::image::{ImageErrorKind, OpenOptions, Opened, open_path, open_with};
use spindle::source::siblings::NamedSources;
use spindle::source::{FileSource, MemorySource};

use crate::support::image::{Files, blocks, every_prefix, open, sector, tracks};
use crate::support::inputs;

fn numbered(first: u8, sectors: u8, size: usize) -> Vec<u8> {
    (first..first + sectors).flat_map(|number| vec![number; size]).collect()
}

fn opened(toc: &str, files: Files<'_>) -> Opened {
    open("disc.toc", toc.as_bytes(), files).unwrap_or_else(|error| panic!("{error}\n{toc}"))
}

fn libcdio(name: &str) -> Opened {
    open_path(&inputs::path(&format!("libcdio/{name}.toc")), &OpenOptions::default())
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn libcdios_good_files_open() {
    let opened = libcdio("isofs-m1");
    assert_eq!(opened.format.id, "toc");
    // isofs-m1-test2.right: track 1 at 000000, lead-out at 000302.
    assert_eq!(tracks(&opened), [(1, Mode1, -150, 0, 302)]);
    let bin = fs::read(inputs::path("libcdio/isofs-m1.bin")).unwrap();
    assert_eq!(blocks(&opened, 301, 1), bin[301 * 2352 + 16..][..2048]);
    let counts =
        [("t1", 1), ("t2", 1), ("t3", 2), ("t4", 1), ("t5", 1), ("t6", 1), ("t7", 2), ("t8", 2), ("t9", 5), ("t10", 1)];
    for (name, count) in
        counts.into_iter().chain([("data1", 1), ("data2", 2), ("data5", 2), ("data6", 1), ("data7", 2), ("vcd2", 3)])
    {
        assert_eq!(libcdio(name).disc.tracks().count(), count, "{name}");
    }
    assert_eq!(tracks(&libcdio("t1")), [(1, Audio, -150, 0, 74)]);
    assert_eq!(libcdio("t2").disc.tracks().next().unwrap().start, Lba(750));
    assert_eq!(libcdio("t5").disc.mcn.as_ref(), Some(b"1234567890123"));
    assert_eq!(libcdio("t6").disc.tracks().next().unwrap().isrc.as_ref(), Some(b"DEMUA9800001"));
    assert_eq!(libcdio("t10").disc.tracks().next().unwrap().control, Control(2 | 8));
    assert_eq!(libcdio("t4").disc.tracks().next().unwrap().control, Control(1 | 2 | 8));
    let two = libcdio("data2");
    assert_eq!(tracks(&two)[1].3, tracks(&two)[0].4 + 150);
    let texts = &decode(&libcdio("cdtext").disc.sessions[0].cd_text)[0].texts;
    assert_eq!(texts[&(Kind::Title, 0)], "CD Title");
    assert_eq!(texts[&(Kind::DiscId, 0)], "XY12345");
    assert_eq!(texts[&(Kind::Code, 1)], "US-XX1-98-01234");
}

#[test]
fn libcdios_malformed_files_are_refused_with_the_line() {
    let lines = [("cat1", 6), ("cat2", 4), ("cat3", 4), ("mode1", 4), ("msf-1", 6), ("msf-2", 6), ("msf-3", 6)];
    for (name, line) in lines {
        let path = inputs::path(&format!("libcdio/bad-{name}.toc"));
        let error = open_path(&path, &OpenOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ImageErrorKind::Invalid, "{error}");
        let told: usize = error.to_string().split("line ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!((line - 2..=line + 2).contains(&told) && told <= text.lines().count(), "{error}");
    }
    let error = open_path(&inputs::path("libcdio/bad-file.toc"), &OpenOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ImageErrorKind::Missing, "{error}");
}

/// Opens a file of whipper's test data with ninety minutes of silence for its `data.wav`.
fn whipper(name: &str, wave: &Arc<FileSource>) -> Opened {
    let text = fs::read(inputs::path(&format!("whipper/{name}"))).unwrap();
    let data: Arc<MemorySource> = Arc::new(MemorySource::new(vec![0; 7_659_744]));
    let files = vec![(b"data.wav".to_vec(), Arc::clone(wave) as _), (b"data_13".to_vec(), data as _)];
    let siblings = Arc::new(NamedSources(files));
    open_with(Arc::new(MemorySource::new(text)), name, siblings, &OpenOptions::default())
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// whipper made both of one disc: where tracks and indices are must not depend on the kind of file.
#[test]
fn tocs_of_real_discs_say_what_the_cue_sheets_of_the_same_discs_say() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut head = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x44\xAC\0\0\x10\xB1\x02\0\x04\0\x10\0data".to_vec();
    let bytes = 90 * 60 * 75 * 2352_u32;
    head.extend(bytes.to_le_bytes());
    file.as_file().write_all_at(&head, 0).unwrap();
    file.as_file().set_len(44 + u64::from(bytes)).unwrap();
    let wave = Arc::new(FileSource::open(file.path()).unwrap());
    for name in ["breeders", "cure", "bloc"] {
        let (toc, cue) = (whipper(&format!("{name}.toc"), &wave), whipper(&format!("{name}.cue"), &wave));
        let places = |opened: &Opened| -> Vec<_> {
            let tracks = opened.disc.tracks();
            tracks.map(|track| (track.number, track.first(), track.start, track.isrc)).collect()
        };
        assert_eq!(places(&toc), places(&cue), "{name}");
        assert_eq!(toc.disc.mcn, cue.disc.mcn, "{name}");
        assert!(toc.warnings.is_empty(), "{name}: {:?}", toc.warnings);
    }
    // Absolute places of `cure` as whipper's own test has them.
    let cure = whipper("cure.toc", &wave);
    let places: Vec<_> = cure.disc.tracks().map(|track| (track.first().0.max(0), track.start.0)).collect();
    assert_eq!(places[..2], [(0, 0), (28_245, 28_324)]);
    assert_eq!((places[2].1, places[3].1), (46_110, 66_767));
    for name in ["capital.1", "jose", "ladyhawke", "strokes-someday", "surferrosa", "totbl.fast", "gentlemen.fast"] {
        let opened = whipper(&format!("{name}.toc"), &wave);
        assert!(opened.disc.tracks().count() > 0, "{name}");
    }
}

#[test]
fn samples_without_a_header_are_read_in_the_order_that_they_show() {
    let wave: Vec<i16> = (0..588 * 8).map(|at| ((f64::from(at) / 40.0).sin() * 9000.0) as i16).collect();
    let big: Vec<u8> = wave.iter().flat_map(|value| value.to_be_bytes()).collect();
    let little: Vec<u8> = wave.iter().flat_map(|value| value.to_le_bytes()).collect();
    for bin in [&big, &little] {
        let toc = "CD_DA\nTRACK AUDIO\nFILE \"a.bin\" 0\n";
        assert_eq!(sector(&opened(toc, &[("a.bin", bin)]), 2)[..], little[2 * 2352..3 * 2352]);
    }
}

#[test]
fn parts_are_joined_sample_by_sample() {
    let wave: Vec<u8> = (0..588 * 4 * 2_u32).flat_map(|at| ((at % 20_000) as u16).to_le_bytes()).collect();
    let toc =
        "CD_DA\nTRACK AUDIO\nSILENCE 100\nFILE \"a.bin\" 10 600\nAUDIOFILE \"a.bin\" #40 0:0:1 0:0:1\nSTART 0:0:1\n";
    let opened = opened(toc, &[("a.bin", &wave)]);
    assert_eq!(tracks(&opened), [(1, Audio, -150, 1, 3)]);
    let stream = [&[0; 400][..], &wave[40..40 + 2400], &wave[40 + 2352..40 + 2 * 2352]].concat();
    assert_eq!(sector(&opened, 0)[..], stream[..2352]);
    assert_eq!(sector(&opened, 1)[..], stream[2352..4704]);
    let last = sector(&opened, 2);
    assert_eq!((&last[..448], &last[448..]), (&stream[4704..], &[0; 1904][..]));
}

#[test]
fn every_mode_word_has_its_bytes() {
    let cases = [
        ("MODE1", 2048, Mode1, 16),
        ("MODE1_RAW", 2352, Mode1, 0),
        ("MODE2", 2336, Mode2Xa, 16),
        ("MODE2_RAW", 2352, Mode2Xa, 0),
        ("MODE2_FORM1", 2048, Mode2Xa, 24),
        ("MODE2_FORM2", 2324, Mode2Xa, 24),
        ("MODE2_FORM_MIX", 2336, Mode2Xa, 16),
    ];
    for (word, size, mode, from) in cases {
        let bin = [vec![0xEE; 7], numbered(1, 6, size)].concat();
        let toc = format!("CD_ROM_XA\nTRACK {word} // mode\nDATAFILE \"a.bin\" #7 0:0:4\nZERO 0:0:2\n");
        let opened = opened(&toc, &[("a.bin", &bin)]);
        assert_eq!(tracks(&opened), [(1, mode, -150, 0, 6)], "{word}");
        assert_eq!(sector(&opened, 3)[from..from + size], vec![4; size], "{word}");
        let rest = opened_with_rest(word, &bin);
        assert_eq!(tracks(&rest)[0].4, 6, "{word}");
    }
}

fn opened_with_rest(word: &str, bin: &[u8]) -> Opened {
    opened(&format!("CD_ROM\nTRACK {word}\nDATAFILE \"a.bin\" #7\n"), &[("a.bin", bin)])
}

#[test]
fn subchannel_of_r_to_w_lies_behind_each_sector() {
    let bin: Vec<u8> = (1..5_u8).flat_map(|n| [vec![n; 2352], vec![0x3F; 96]].concat()).collect();
    let toc = "CD_DA\nTRACK AUDIO RW_RAW\nFILE \"a.bin\" 0\n";
    let opened_raw = opened(toc, &[("a.bin", &bin)]);
    assert_eq!(tracks(&opened_raw), [(1, Audio, -150, 0, 4)]);
    assert_eq!(sector(&opened_raw, 3), [4; 2352]);
    let stored = opened_raw.disc.read_subchannel(Lba(1)).unwrap();
    assert_eq!(stored[24..], [0xFF; 72]);
    // De-interleaved packs: the same symbols everywhere stay where they are, but of the packs before the first there are none.
    let packs = opened(&toc.replace("RW_RAW", "RW"), &[("a.bin", &bin)]);
    assert_eq!(sector(&packs, 3), [4; 2352]);
    assert_eq!(packs.disc.read_subchannel(Lba(3)).unwrap()[24..], [0xFF; 72]);
    let first = packs.disc.read_subchannel(Lba(0)).unwrap();
    assert_ne!(first[24..], [0xFF; 72]);
    assert_eq!(packs.disc.read_packs(Lba(1)).unwrap(), [0x3F; 96]);
}

#[test]
fn text_in_several_languages_is_kept() {
    let toc = r#"CD_DA
CATALOG "1234567890123"
CD_TEXT { LANGUAGE_MAP { 0 : EN 1:8 } LANGUAGE 0 { TITLE "Night \"Cats\" \304" GENRE { 0, 5, 80, 111, 112, 0 } SIZE_INFO { 1, 2 } }
  LANGUAGE 1 { TITLE "Nacht" } }
TRACK AUDIO
CD_TEXT { LANGUAGE 0 { TITLE "One" } LANGUAGE 1 { TITLE "Eins" } }
SILENCE 0:4:0
INDEX 0:1:0
INDEX 0:2:0
"#;
    let opened = opened(toc, &[]);
    let blocks = decode(&opened.disc.sessions[0].cd_text);
    assert_eq!((blocks.len(), blocks[0].language, blocks[1].language), (2, 9, 8));
    assert_eq!(blocks[0].texts[&(Kind::Title, 0)], "Night \"Cats\" Ä");
    assert_eq!(blocks[0].texts[&(Kind::Genre, 0)], "Pop");
    assert_eq!(blocks[1].texts[&(Kind::Title, 1)], "Eins");
    assert_eq!(opened.disc.tracks().next().unwrap().indices, [Lba(75), Lba(150)]);
}

#[test]
fn what_no_toc_can_mean_is_refused() {
    let bin = numbered(1, 8, 2352);
    let cases = [
        "CD_DA\nNO COPY\n",
        "CD_DA\nTRACK AUDIO\nNO WAY\n",
        "CD_DA\nTRACK AUDIO\nFILE a.bin 0\n",
        "CD_DA\nTRACK AUDIO\nFILE \"a.bin\"\n",
        "CD_DA\nTRACK AUDIO\nSILENCE\n",
        "CD_DA\nTRACK AUDIO\nSILENCE 0:1:0\nINDEX 0:0:9\nINDEX 0:0:5\n",
        "CD_DA\nTRACK AUDIO\n",
        "CD_DA\nTRACK AUDIO\nISRC \"12\"\nSILENCE 1:0:0\n",
        "CD_DA\nCD_TEXT { LANGUAGE 8 { } }\n",
        "CD_DA\nCD_TEXT { LANGUAGE_MAP { 0 } }\n",
        "CD_DA\nCD_TEXT { LANGUAGE 0 {",
        "CD_DA\nTRACK AUDIO\nPREGAP 5\n",
        "CD_DA\nNONSENSE\n",
        "CD_DA\n",
    ];
    for toc in cases {
        let error = open("a.toc", toc.as_bytes(), &[("a.bin", &bin)]).map(|_| ()).unwrap_err();
        assert!(matches!(error.kind(), ImageErrorKind::Invalid | ImageErrorKind::Limit), "{error}\n{toc}");
    }
    for name in ["../a.bin", "/etc/passwd"] {
        let toc = format!("CD_DA\nTRACK AUDIO\nFILE \"{name}\" 0\n");
        let error = open("a.toc", toc.as_bytes(), &[]).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ImageErrorKind::Outside, "{error}");
    }
}

#[test]
fn every_prefix_is_read_or_refused() {
    let bin = numbered(1, 3, 2352);
    let toc = "CD_DA\nCATALOG \"1234567890123\"\nCD_TEXT { LANGUAGE_MAP { 0 : 9 } LANGUAGE 0 { TITLE \"a\\\"b\" } }\nTRACK AUDIO RW\nNO COPY\n\
               ISRC \"DEABC1234567\"\nSILENCE 5\nSTART\nFILE \"a.bin\" SWAP #4 3 0:0:1\nINDEX 0:0:1\nTRACK MODE1\nPREGAP 0:2:0\n\
               DATAFILE \"a.bin\"\n";
    every_prefix("disc.toc", toc.as_bytes(), &[("a.bin", &bin)]);
    for len in (0..bin.len()).step_by(53) {
        let _ = open("disc.toc", toc.as_bytes(), &[("a.bin", &bin[..len])]);
    }
}
