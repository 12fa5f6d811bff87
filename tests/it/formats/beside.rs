//! A data file that is opened by the descriptor beside it.

use crate::support::image::{Files, open, tracks};

use spindle::disc::TrackMode::{Audio, Mode1};
use spindle::image::Opened;

/// Ten sectors of Mode 1.
fn data() -> Vec<u8> {
    let sector = |lba: u8| {
        let mut sector = vec![lba; 2352];
        sector[..12].copy_from_slice(&[0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0]);
        sector[12..16].copy_from_slice(&[0, 2, lba, 1]);
        sector
    };
    (0..10).flat_map(sector).collect()
}

const SHEET: &str =
    "FILE \"game.bin\" BINARY\n TRACK 01 MODE1/2352\n INDEX 01 00:00:00\n TRACK 02 AUDIO\n INDEX 01 00:00:04\n";

fn opened(name: &str, files: Files<'_>) -> Opened {
    let image = files.iter().find(|(known, _)| *known == name).unwrap().1;
    open(name, image, files).unwrap()
}

#[test]
fn sectors_are_opened_by_the_sheet_that_names_them() {
    let data = data();
    for sheet in ["game.cue", "game.CUE"] {
        let opened = opened("game.bin", &[("game.bin", &data), (sheet, SHEET.as_bytes())]);
        assert_eq!(opened.format.id, "cue");
        assert_eq!(tracks(&opened), [(1, Mode1, -150, 0, 4), (2, Audio, 4, 4, 10)]);
        let names: Vec<_> = opened.companions.iter().map(|companion| companion.name.clone()).collect();
        assert_eq!(names, [sheet.as_bytes(), b"game.bin"]);
        assert_eq!(opened.bytes, 23_520);
    }
}

#[test]
fn a_sheet_of_another_file_or_a_damaged_one_leaves_the_sectors_alone() {
    let data = data();
    let other = SHEET.replace("game", "other");
    let files: Files<'_> = &[("game.bin", &data), ("other.bin", &data), ("game.cue", other.as_bytes())];
    let opened_alone = opened("game.bin", files);
    assert_eq!((opened_alone.format.id, opened_alone.warnings.len()), ("raw", 0));
    let wrong = SHEET.replace("TRACK 02", "TRACK 00");
    let opened = opened("game.bin", &[("game.bin", &data), ("game.cue", wrong.as_bytes())]);
    assert_eq!(opened.format.id, "raw");
    assert!(opened.warnings.iter().any(|line| line.contains("game.cue")), "{:?}", opened.warnings);
}

#[test]
fn what_is_no_image_of_its_own_is_found_too() {
    let noise: Vec<u8> = (0..4 * 2352_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let files: Files<'_> =
        &[("game.bin", &noise), ("game.cue", b"FILE game.bin BINARY\nTRACK 1 AUDIO\nINDEX 1 0:0:0\n")];
    assert_eq!(tracks(&opened("game.bin", files)), [(1, Audio, -150, 0, 4)]);
    assert_eq!(open("game.bin", &noise, &[]).unwrap().format.id, "iso");
}
