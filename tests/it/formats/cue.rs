//! CUE sheets.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use spindle::disc::cdtext::{Kind, decode};
use spindle::disc::{Control, Lba, TrackMode};
use spindle::image::{ImageErrorKind, OpenOptions, Opened, open_path, open_with};
use spindle::source::siblings::NamedSources;
use spindle::source::{FileSource, MemorySource};

use crate::support::image::{Files, blocks, every_prefix, open, sector, tracks};
use crate::support::inputs;

use TrackMode::{Audio, Mode1, Mode2Formless, Mode2Xa};

/// `sectors` sectors of `size` bytes; each is filled with its number, from `first` on.
fn numbered(first: u8, sectors: u8, size: usize) -> Vec<u8> {
    (first..first + sectors).flat_map(|number| vec![number; size]).collect()
}

/// A WAVE file of CD sound.
fn wave(samples: &[u8]) -> Vec<u8> {
    let mut out = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x44\xAC\0\0\x10\xB1\x02\0\x04\0\x10\0data".to_vec();
    out.extend((samples.len() as u32).to_le_bytes());
    out.extend(samples);
    out
}

fn opened(sheet: &str, files: Files<'_>) -> Opened {
    open("disc.cue", sheet.as_bytes(), files).unwrap_or_else(|error| panic!("{error}\n{sheet}"))
}

#[track_caller]
fn refusal(sheet: &str, files: Files<'_>, kind: ImageErrorKind, says: &str) {
    let error = open("disc.cue", sheet.as_bytes(), files).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn libcdios_sheets_have_the_tracks_that_libcdio_prints() {
    for name in ["cdda", "cdda_4_5", "isofs-m1"] {
        let right = std::fs::read_to_string(inputs::path(&format!("libcdio-expected/{name}.right"))).unwrap();
        let opened = open_path(&inputs::path(&format!("libcdio/{name}.cue")), &OpenOptions::default()).unwrap();
        let disc = &opened.disc;
        let mut ours: Vec<(String, String, String)> = Vec::new();
        for track in disc.tracks() {
            let kind = if track.mode.is_data() { "data" } else { "audio" };
            ours.push((track.number.to_string(), format!("{:06}", track.start.0), kind.to_owned()));
        }
        ours.push(("170".to_owned(), format!("{:06}", disc.sessions[0].lead_out.0), "leadout".to_owned()));
        let table: Vec<_> = right
            .lines()
            .skip_while(|line| !line.contains("#: MSF"))
            .skip(1)
            .take_while(|line| !line.starts_with("Media"))
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                (words[0].trim_end_matches(':').to_owned(), words[2].to_owned(), words[3].to_owned())
            })
            .collect();
        assert_eq!(ours, table, "{name}");
        let mcn = disc.mcn.map(|mcn| String::from_utf8(mcn.to_vec()).unwrap());
        let printed = right.lines().find_map(|line| line.strip_prefix("Media Catalog Number (MCN): ")).unwrap();
        assert_eq!(mcn.as_deref().unwrap_or("not available"), printed);
        assert!(disc.tracks().all(|track| track.control.0 & 2 == if name == "isofs-m1" { 0 } else { 2 }));
    }
}

#[test]
fn libcdios_sheets_have_their_text_and_their_bytes() {
    let opened = open_path(&inputs::path("libcdio/cdda.cue"), &OpenOptions::default()).unwrap();
    let texts = &decode(&opened.disc.sessions[0].cd_text)[0].texts;
    let text = |kind, track| texts.get(&(kind, track)).map(String::as_str);
    assert_eq!(text(Kind::Title, 0), Some("Join us now we have the software"));
    assert_eq!(text(Kind::Performer, 0), Some("Richard Stallman"));
    assert_eq!(text(Kind::Title, 1), Some("Soft"));
    assert_eq!(text(Kind::Performer, 1), Some("Richard S"));
    let bin = std::fs::read(inputs::path("libcdio/cdda.bin")).unwrap();
    assert_eq!(sector(&opened, 301)[..], bin[301 * 2352..]);
}

#[test]
fn libcdios_malformed_sheets_are_refused_with_the_line() {
    let lines = [("cat1", 4), ("cat2", 4), ("cat3", 4), ("mode1", 6), ("msf-1", 7), ("msf-2", 7), ("msf-3", 7)];
    for (name, line) in lines {
        let error = open_path(&inputs::path(&format!("libcdio/bad-{name}.cue")), &OpenOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ImageErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(&format!("line {line}:")), "{error}");
    }
}

/// The CDDB disc ID: the digits of the tracks' seconds, the seconds from the first track to the lead-out, the tracks.
fn disc_id(opened: &Opened) -> u32 {
    let seconds = |lba: Lba| (lba.0 + 150) as u32 / 75;
    let digits = |number: u32| number.to_string().bytes().map(|digit| u32::from(digit - b'0')).sum::<u32>();
    let sum: u32 = opened.disc.tracks().map(|track| digits(seconds(track.start))).sum();
    let first = opened.disc.tracks().next().unwrap();
    let length = seconds(opened.disc.sessions[0].lead_out) - seconds(first.start);
    ((sum % 255) << 24) | (length << 8) | opened.disc.tracks().count() as u32
}

/// The file of sound of a sheet of a real disc, by the length that the sheet's disc ID has; hidden sound before track 1 may be
/// outside of it.
#[test]
fn sheets_of_real_discs_give_the_disc_id_that_they_name() {
    let folder = tempfile::tempdir().unwrap();
    for (name, hidden) in [("bloc.cue", 3 * 60 + 22), ("breeders.cue", 0), ("cure.cue", 0)] {
        let sheet = std::fs::read(inputs::path(&format!("whipper/{name}"))).unwrap();
        let text = String::from_utf8(sheet.clone()).unwrap();
        let named = text.lines().find_map(|line| line.strip_prefix("REM DISCID ")).unwrap();
        let named = u32::from_str_radix(named, 16).unwrap();
        let bytes = u64::from(named >> 8 & 0xFFFF) * 75 * 2352 + 2 * 2352;
        let path = folder.path().join(name);
        let file = File::create_new(&path).unwrap();
        let mut head = wave(&[]);
        head.truncate(40);
        head.extend((bytes as u32).to_le_bytes());
        file.write_all_at(&head, 0).unwrap();
        file.set_len(44 + bytes).unwrap();
        let wave = Arc::new(FileSource::open(&path).unwrap());
        let siblings = Arc::new(NamedSources(vec![(b"data.wav".to_vec(), wave)]));
        let options = OpenOptions::default();
        let opened = open_with(Arc::new(MemorySource::new(sheet)), name, siblings, &options).unwrap();
        assert_eq!(format!("{:08X}", disc_id(&opened)), format!("{named:08X}"), "{name}");
        assert_eq!(opened.disc.tracks().next().unwrap().start.0 / 75, hidden, "{name}");
    }
}

#[test]
fn every_mode_word_has_its_bytes() {
    let cases: [(&str, usize, TrackMode, usize, usize); 12] = [
        ("AUDIO", 2352, Audio, 0, 2352),
        ("CDG", 2448, Audio, 0, 2352),
        ("MODE1/2048", 2048, Mode1, 16, 2048),
        ("MODE1/2352", 2352, Mode1, 0, 2352),
        ("MODE1/2448", 2448, Mode1, 0, 2352),
        ("MODE2/2048", 2048, Mode2Xa, 24, 2048),
        ("MODE2/2324", 2324, Mode2Xa, 24, 2324),
        ("MODE2/2332", 2332, Mode2Xa, 16, 2332),
        ("MODE2/2336", 2336, Mode2Xa, 16, 2336),
        ("MODE2/2352", 2352, Mode2Xa, 0, 2352),
        ("CDI/2336", 2336, Mode2Xa, 16, 2336),
        ("CDI/2352", 2352, Mode2Xa, 0, 2352),
    ];
    for (word, size, mode, from, stored) in cases {
        let bin = numbered(1, 6, size);
        let sheet = format!("FILE a.bin BINARY\n TRACK 01 {word}\n INDEX 01 00:00:00\n");
        let opened = opened(&sheet, &[("a.bin", &bin)]);
        assert_eq!(tracks(&opened), [(1, mode, -150, 0, 6)], "{word}");
        assert_eq!(sector(&opened, 5)[from..from + stored], vec![6; stored], "{word}");
        let control = if mode == Audio { Control::AUDIO } else { Control::DATA };
        assert_eq!(opened.disc.tracks().next().unwrap().control, control);
    }
}

#[test]
fn mode_2_without_subheaders_is_told_by_its_bytes() {
    let mut sectors = numbered(1, 4, 2336);
    sectors[..8].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let sheet = "FILE a.bin BINARY\n TRACK 01 MODE2/2336\n INDEX 01 00:00:00\n";
    assert_eq!(tracks(&opened(sheet, &[("a.bin", &sectors)]))[0].1, Mode2Formless);
}

#[test]
fn the_subchannel_of_cdg_is_given_as_stored() {
    let bin: Vec<u8> = (1..5_u8).flat_map(|n| [vec![n; 2352], vec![n | 0x40; 96]].concat()).collect();
    let opened = opened("FILE a.bin BINARY\nTRACK 1 CDG\nINDEX 1 0:0:0\n", &[("a.bin", &bin)]);
    let raw = opened.disc.read_subchannel(Lba(2)).unwrap();
    // Q is bit 6 of every byte; R to W are the low six bits.
    assert!(raw[12..24].iter().all(|&byte| byte == 0xFF), "{raw:02x?}");
    assert_eq!(raw[24..36], [0; 12], "{raw:02x?}");
    assert_eq!(raw[84..96], [0xFF; 12], "{raw:02x?}");
}

#[test]
fn sectors_of_several_sizes_share_a_file() {
    let bin = [numbered(1, 4, 2352), numbered(5, 3, 2048), numbered(8, 2, 2352)].concat();
    let sheet = "FILE a.bin BINARY\n TRACK 01 AUDIO\n INDEX 01 00:00:00\n TRACK 02 MODE1/2048\n INDEX 01 00:00:04\n \
                 TRACK 03 AUDIO\n INDEX 01 00:00:07\n";
    let opened = opened(sheet, &[("a.bin", &bin)]);
    assert_eq!(tracks(&opened), [(1, Audio, -150, 0, 4), (2, Mode1, 4, 4, 7), (3, Audio, 7, 7, 9)]);
    assert_eq!(blocks(&opened, 6, 1), [7; 2048]);
    assert_eq!(sector(&opened, 8), [9; 2352]);
}

#[test]
fn gaps_that_files_store_and_gaps_that_they_do_not() {
    let bin = numbered(1, 20, 2352);
    let sheet = "FILE a.bin BINARY\n TRACK 01 AUDIO\n INDEX 00 00:00:00\n INDEX 01 00:00:03\n INDEX 02 00:00:05\n \
                 INDEX 03 00:00:08\n POSTGAP 00:00:02\n \
                 TRACK 02 AUDIO\n PREGAP 00:00:04\n INDEX 00 00:00:10\n INDEX 01 00:00:12\n";
    let opened = opened(sheet, &[("a.bin", &bin)]);
    // Position 0 is LBA 0: the hidden sound of track 1 lies between it and index 1.
    assert_eq!(tracks(&opened), [(1, Audio, -150, 3, 12), (2, Audio, 12, 18, 26)]);
    let first = opened.disc.tracks().next().unwrap();
    assert_eq!(first.indices, [Lba(5), Lba(8)]);
    assert_eq!(sector(&opened, 0), [1; 2352]);
    assert_eq!(sector(&opened, 9), [10; 2352]);
    for silent in 10..16 {
        assert_eq!(sector(&opened, silent), [0; 2352], "{silent}");
    }
    assert_eq!(sector(&opened, 16), [11; 2352]);
    assert_eq!(sector(&opened, 25), [20; 2352]);
}

#[test]
fn sound_before_the_first_index_is_hidden_in_the_pre_gap_of_track_1() {
    let bin = numbered(1, 8, 2352);
    let opened = opened("FILE a.bin BINARY\n TRACK 01 AUDIO\n INDEX 01 00:00:05\n", &[("a.bin", &bin)]);
    assert_eq!(tracks(&opened), [(1, Audio, -150, 5, 8)]);
    assert_eq!(sector(&opened, 0), [1; 2352]);
}

#[test]
fn a_pre_gap_may_lie_in_the_file_of_the_track_before() {
    let (one, two) = (wave(&numbered(1, 5, 2352)), wave(&numbered(6, 4, 2352)));
    let sheet = "FILE \"Some Folder\\one.wav\" WAVE\r\n  TRACK 01 AUDIO\r\n    INDEX 01 00:00:00\r\n  TRACK 02 AUDIO\r\n    \
                 INDEX 00 00:00:03\r\nFILE \"Some Folder\\Two.wav\" WAVE\r\n    INDEX 01 00:00:00\r\n";
    let opened = opened(sheet, &[("one.wav", &one), ("TWO.WAV", &two)]);
    assert_eq!(tracks(&opened), [(1, Audio, -150, 0, 3), (2, Audio, 3, 5, 9)]);
    assert_eq!(sector(&opened, 4), [5; 2352]);
    assert_eq!(sector(&opened, 5), [6; 2352]);
}

#[test]
fn motorola_means_exchanged_bytes_and_a_wave_file_is_one_under_any_name() {
    let bin: Vec<u8> = [0x12, 0x34].repeat(4 * 1176);
    let sheet = "FILE a.bin MOTOROLA\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n";
    assert_eq!(sector(&opened(sheet, &[("a.bin", &bin)]), 1)[..4], [0x34, 0x12, 0x34, 0x12]);
    assert_eq!(sector(&opened(sheet, &[("a.bin", &wave(&bin))]), 1)[..4], [0x12, 0x34, 0x12, 0x34]);
}

#[test]
fn the_last_sector_of_sound_is_filled_up_with_silence() {
    let mut samples = numbered(1, 4, 2352);
    samples.extend([9; 100]);
    let opened = opened("FILE a.wav WAVE\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n", &[("a.wav", &wave(&samples))]);
    assert_eq!(tracks(&opened), [(1, Audio, -150, 0, 5)]);
    let last = sector(&opened, 4);
    assert_eq!((&last[..100], &last[100..]), (&[9; 100][..], &[0; 2252][..]));
}

#[test]
fn a_converted_file_is_found_by_its_stem() {
    let wave = wave(&numbered(1, 4, 2352));
    let opened = opened("FILE a.flac WAVE\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n", &[("A.wav", &wave)]);
    assert_eq!(opened.companions[0].name, b"A.wav");
}

#[test]
fn sessions_in_files_of_their_own_have_the_usual_gap() {
    let (one, two) = (numbered(1, 5, 2352), numbered(6, 4, 2048));
    let sheet = "REM SESSION 01\nFILE a.bin BINARY\n TRACK 01 AUDIO\n INDEX 01 00:00:00\nREM SESSION 02\n\
                 FILE b.bin BINARY\n TRACK 02 MODE1/2048\n INDEX 01 00:00:00\n";
    let files: Files<'_> = &[("a.bin", &one), ("b.bin", &two)];
    let start = 5 + 11_250 + 150;
    assert_eq!(tracks(&opened(sheet, files)), [(1, Audio, -150, 0, 5), (2, Mode1, start - 150, start, start + 4)]);
    let told = sheet.replace("REM SESSION 02\n", "REM LEAD-OUT 01:30:00\nREM SESSION 02\nREM LEAD-IN 01:00:10\n");
    assert_eq!(tracks(&opened(&told, files))[1].3, start + 10);
}

#[test]
fn what_lies_between_two_sessions_of_a_file_is_nobodys() {
    let gap = 11_250 + 150;
    let mut bin = numbered(1, 5, 2352);
    bin.resize(bin.len() + gap * 2352, 0xEE);
    bin.extend(numbered(6, 4, 2352));
    let at = (5 + gap) as u32;
    let sheet = format!(
        "FILE a.bin BINARY\nREM SESSION 01\n TRACK 01 AUDIO\n INDEX 01 00:00:00\nREM SESSION 02\n TRACK 02 AUDIO\n \
         INDEX 01 {:02}:{:02}:{:02}\n",
        at / 4500,
        at / 75 % 60,
        at % 75
    );
    let opened = opened(&sheet, &[("a.bin", &bin)]);
    assert_eq!(opened.disc.sessions.len(), 2);
    assert_eq!(opened.disc.sessions[0].lead_out, Lba(5));
    assert_eq!(opened.disc.tracks().nth(1).unwrap().start.0, at as i32);
    assert_eq!(sector(&opened, at as i32), [6; 2352]);
}

#[test]
fn the_high_density_area_of_a_gd_rom_starts_at_45000() {
    let (one, two, three) = (numbered(1, 4, 2352), numbered(5, 4, 2352), numbered(9, 4, 2048));
    let sheet = "REM SINGLE-DENSITY AREA\nFILE 1.bin BINARY\n TRACK 01 AUDIO\n INDEX 01 00:00:00\nFILE 2.bin BINARY\n \
                 TRACK 02 AUDIO\n INDEX 01 00:00:00\nREM HIGH-DENSITY AREA\nFILE 3.bin BINARY\n TRACK 03 MODE1/2048\n \
                 INDEX 01 00:00:00\n";
    let opened = opened(sheet, &[("1.bin", &one), ("2.bin", &two), ("3.bin", &three)]);
    assert_eq!(opened.disc.tracks().nth(2).unwrap().start, Lba(45_000));
    assert_eq!(blocks(&opened, 45_003, 1), [12; 2048]);
}

#[test]
fn codes_flags_and_text_are_kept() {
    let bin = numbered(1, 8, 2352);
    let sheet = "\u{FEFF}catalog 1234567890123\ntitle \"Große Fahrt\"\nfile \"ein bild.bin\" binary\n  track 01 audio\n    \
                 flags dcp 4ch pre scms\n    isrc DEABC1234567\n    title \"Eins\"\n    index 01 00:00:00\n  \
                 track 07 audio\n    isrc short\n    index 01 00:00:04\n";
    let opened = opened(sheet, &[("ein bild.bin", &bin)]);
    assert_eq!(opened.disc.mcn.as_ref(), Some(b"1234567890123"));
    let track = opened.disc.tracks().next().unwrap();
    assert_eq!((track.isrc.as_ref(), track.control.0), (Some(b"DEABC1234567"), 2 | 8 | 1));
    let texts = &decode(&opened.disc.sessions[0].cd_text)[0].texts;
    assert_eq!(texts[&(Kind::Title, 0)], "Große Fahrt");
    assert_eq!(texts[&(Kind::Title, 1)], "Eins");
    assert_eq!(tracks(&opened)[1].0, 7);
    assert!(opened.warnings[0].contains("ISRC"), "{:?}", opened.warnings);
}

#[test]
fn the_packs_of_a_cd_text_file_are_kept_as_they_are() {
    let packs = std::fs::read(inputs::path("libcdio/cdtext.cdt")).unwrap();
    let bin = numbered(1, 8, 2352);
    let sheet = "CDTEXTFILE \"my.cdt\"\nTITLE other\nFILE a.bin BINARY\nTRACK 1 AUDIO\nINDEX 1 0:0:0\n";
    let with = opened(sheet, &[("a.bin", &bin), ("my.cdt", &packs)]);
    assert_eq!(with.disc.sessions[0].cd_text.concat(), packs[..packs.len() / 18 * 18]);
    let without = opened(sheet, &[("a.bin", &bin)]);
    assert_eq!(without.missing, ["my.cdt"]);
    assert_eq!(decode(&without.disc.sessions[0].cd_text)[0].texts[&(Kind::Title, 0)], "other");
    refusal(sheet, &[("a.bin", &bin), ("my.cdt", &[1; 30])], ImageErrorKind::Invalid, "my.cdt");
}

#[test]
fn sheets_in_old_encodings_name_their_files() {
    let bin = numbered(1, 4, 2352);
    let sheet = b"FILE \"\x93\xFA\x96\x7B.bin\" BINARY\r\nTRACK 01 AUDIO\r\nINDEX 01 00:00:00\r\n";
    let source = |bytes: &[u8]| -> Arc<MemorySource> { Arc::new(MemorySource::new(bytes)) };
    // The bytes of the sheet are the bytes of the name, or the name is in UTF-8 by now.
    for name in [&b"\x93\xFA\x96\x7B.bin"[..], "日本.bin".as_bytes()] {
        let siblings = Arc::new(NamedSources(vec![(name.to_vec(), source(&bin))]));
        open_with(source(sheet), "disc.cue", siblings, &OpenOptions::default()).unwrap();
    }
    let utf16: Vec<u8> = "\u{FEFF}FILE \"日本.bin\" BINARY\r\nTRACK 01 AUDIO\r\nINDEX 01 00:00:00\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    open("disc.cue", &utf16, &[("日本.bin", &bin)]).unwrap();
}

#[test]
fn what_no_sheet_can_mean_is_refused() {
    let bin = numbered(1, 8, 2352);
    let files: Files<'_> = &[("a.bin", &bin)];
    let track = "FILE a.bin BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n";
    let cases = [
        ("FILE a.bin BINARY\nTRACK 01 AUDIO\n".to_owned(), "INDEX 01"),
        (format!("{track}TRACK 01 AUDIO\nINDEX 01 00:00:04\n"), "line 4"),
        (format!("{track}TRACK 100 AUDIO\nINDEX 01 00:00:04\n"), "line 4"),
        (format!("{track}INDEX 03 00:00:02\n"), "line 4"),
        (format!("{track}INDEX 02 00:00:02\nINDEX 03 00:00:01\n"), "line 5"),
        (format!("{track}TRACK 02 AUDIO\nINDEX 01 00:00:06\nTRACK 03 AUDIO\nINDEX 01 00:00:04\n"), "track 3"),
        (format!("{track}PREGAP x\n"), "line 4"),
        (format!("INDEX 01 00:00:00\n{track}"), "line 1"),
        (format!("TRACK 01 AUDIO\n{track}"), "line 1"),
        (format!("{track}POSTGAP 99999:00:00\n"), ""),
    ];
    for (sheet, says) in cases {
        let error = open("disc.cue", sheet.as_bytes(), files).map(|_| ()).unwrap_err();
        assert!(matches!(error.kind(), ImageErrorKind::Invalid | ImageErrorKind::Limit), "{error}\n{sheet}");
        assert!(error.to_string().contains(says), "{error}\n{sheet}");
    }
    refusal(track, &[], ImageErrorKind::Missing, "a.bin");
    refusal(&track.replace("a.bin", "../a.bin"), &[], ImageErrorKind::Outside, "../a.bin");
    refusal(&track.replace("a.bin", "/etc/passwd"), &[], ImageErrorKind::Outside, "/etc/passwd");
    let many = "FILE a.bin BINARY\n".repeat(201) + track;
    refusal(&many, files, ImageErrorKind::Invalid, "files");
}

#[test]
fn a_file_that_is_cut_off_gives_what_is_there() {
    let bin = numbered(1, 8, 2352);
    let sheet = "FILE a.bin BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\nTRACK 02 AUDIO\nINDEX 01 00:00:10\n";
    let opened = opened(sheet, &[("a.bin", &bin)]);
    assert!(opened.warnings[0].contains("a.bin"), "{:?}", opened.warnings);
    assert_eq!(sector(&opened, 7), [8; 2352]);
    assert!(opened.disc.read_sector(Lba(8), &mut [0; 2352]).is_err());
    assert_eq!(opened.disc.tracks().nth(1).unwrap().start, Lba(10));
}

#[test]
fn every_prefix_of_a_sheet_and_of_its_file() {
    let bin = numbered(1, 3, 2352);
    let sheet = "CATALOG 1234567890123\nFILE \"a.bin\" BINARY\n TRACK 01 MODE1/2048\n PREGAP 00:00:02\n INDEX 01 00:00:00\n \
                 TRACK 02 CDG\n FLAGS DCP\n INDEX 00 00:00:01\n INDEX 01 00:00:02\nFILE b.wav WAVE\nTRACK 03 AUDIO\nINDEX 01 \
                 00:00:00\n";
    let wave = wave(&numbered(1, 1, 100));
    every_prefix("disc.cue", sheet.as_bytes(), &[("a.bin", &bin), ("b.wav", &wave)]);
    for len in (0..bin.len()).step_by(97) {
        let _ = open("disc.cue", sheet.as_bytes(), &[("a.bin", &bin[..len]), ("b.wav", &wave)]);
    }
    for len in 0..wave.len() {
        let _ = open("disc.cue", sheet.as_bytes(), &[("a.bin", &bin), ("b.wav", &wave[..len])]);
    }
}

#[test]
fn one_track_of_more_blocks_than_a_cd_has_is_a_dvd() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(2_000_000 * 2048).unwrap();
    let source = Arc::new(FileSource::open(file.path()).unwrap());
    for (mode, medium, first) in
        [("MODE1/2048", spindle::disc::MediumType::DvdRom, 0), ("AUDIO", spindle::disc::MediumType::CdRom, -150)]
    {
        let sheet = format!("FILE a.bin BINARY\nTRACK 01 {mode}\nINDEX 01 00:00:00\n");
        let siblings = Arc::new(NamedSources(vec![(b"a.bin".to_vec(), source.clone())]));
        let sheet = Arc::new(MemorySource::new(sheet));
        let disc = open_with(sheet, "a.cue", siblings, &OpenOptions::default()).unwrap().disc;
        assert_eq!((disc.medium, disc.tracks().next().unwrap().first()), (medium, Lba(first)));
    }
}
