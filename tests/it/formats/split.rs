//! Files in pieces.

use std::fs;

use spindle::image::ImageErrorKind::{Invalid, Missing};

use crate::support::image::{open, sector, tracks};
use crate::support::inputs;
use spindle::disc::TrackMode::Mode1;

fn disc() -> Vec<u8> {
    fs::read(inputs::path("libcdio/isofs-m1.bin")).unwrap()
}

/// Pieces that end within sectors.
const PIECE: usize = 100_001;

/// The number of the first piece, and what a piece is called.
type Naming = (usize, fn(usize) -> String);

#[test]
fn pieces_are_one_disc_however_they_are_numbered() {
    let disc = disc();
    let pieces: Vec<&[u8]> = disc.chunks(PIECE).collect();
    assert!(pieces.len() > 3);
    let names: [Naming; 6] = [
        (1, |number| format!("x.bin.{number:03}")),
        (0, |number| format!("x.{number:03}")),
        (0, |number| format!("x.i{number:02}")),
        (1, |number| format!("X.I{number:02}")),
        (1, |number| format!("x.part{number:02}")),
        (1, |number| format!("x.Part{number}")),
    ];
    for (first, name) in names {
        let names: Vec<_> = (first..first + pieces.len()).map(name).collect();
        let files: Vec<_> = names.iter().map(String::as_str).zip(pieces.iter().copied()).collect();
        let opened = open(&names[0], pieces[0], &files).unwrap();
        assert_eq!(opened.containers[0].id, "split");
        assert_eq!(opened.warnings, [""; 0]);
        assert_eq!(opened.companions.len(), pieces.len() - 1);
        assert_eq!(tracks(&opened), [(1, Mode1, -150, 0, 302)], "{}", names[0]);
        for lba in (0..302).rev() {
            assert_eq!(sector(&opened, lba)[..], disc[lba as usize * 2352..][..2352], "{}", names[0]);
        }
    }
}

#[test]
fn a_piece_that_is_missing_is_named() {
    let disc = disc();
    let piece = |number: usize| &disc[number * PIECE..(number + 1) * PIECE];
    let fails = |name: &str, files: &[(&str, &[u8])]| open(name, piece(0), files).map(|_| ()).unwrap_err();
    let error = fails("x.001", &[("x.001", piece(0)), ("x.002", piece(1)), ("x.004", piece(3))]);
    assert!(error.kind() == Missing && error.to_string().contains("x.003"), "{error}");
    let error = fails("x.i01", &[("x.i00", piece(0)), ("x.i01", piece(1))]);
    assert!(error.kind() == Invalid && error.to_string().contains("x.i00"), "{error}");
    let error = fails("x.part01", &[("x.part01", piece(0)), ("x.part03", piece(2))]);
    assert!(error.kind() == Missing && error.to_string().contains("x.part02"), "{error}");
}

#[test]
fn odd_lengths_are_remarked_and_other_names_left_alone() {
    let disc = disc();
    let (first, rest) = disc.split_at(235_200);
    let (second, third) = rest.split_at(2352);
    let opened =
        open("x.001", first, &[("x.002", second), ("x.003", third), ("y.004", first), ("x.0005", first)]).unwrap();
    assert!(opened.warnings[0].contains("x.002"), "{:?}", opened.warnings);
    assert_eq!(tracks(&opened)[0].4, 302);
    assert_eq!(tracks(&open("x.001", first, &[]).unwrap())[0].4, 100);
    let opened = open("x.bin", first, &[("x.002", rest)]).unwrap();
    assert!(opened.containers.is_empty() && tracks(&opened)[0].4 == 100);
}

#[test]
fn pieces_that_a_sheet_names_are_not_joined() {
    let disc = disc();
    let (first, rest) = disc.split_at(235_200);
    let sheet =
        b"FILE x.001 BINARY\nTRACK 1 MODE1/2352\nINDEX 1 0:0:0\nFILE x.002 BINARY\nTRACK 2 MODE1/2352\nINDEX 1 0:0:0\n";
    let opened = open("x.cue", sheet, &[("x.001", first), ("x.002", rest)]).unwrap();
    assert_eq!(tracks(&opened), [(1, Mode1, -150, 0, 100), (2, Mode1, 100, 100, 302)]);
}
