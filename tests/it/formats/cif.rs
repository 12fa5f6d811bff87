//! CIF, as its description has it.

use spindle::disc::Lba;
use spindle::disc::TrackMode::{Audio, Mode1, Mode2Xa};
use spindle::image::ImageErrorKind;

use crate::support::image::{blocks, every_prefix, open, sector, tracks};

fn riff(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut out = [&b"RIFF"[..], &(content.len() as u32 + 4).to_le_bytes(), kind, content].concat();
    if content.len() % 2 == 1 {
        out.push(0);
    }
    out
}

/// Type in the descriptor, bytes of a sector, sectors, first byte.
type Track = (u16, usize, u32, u8);

fn image(sessions: &[&[Track]]) -> Vec<u8> {
    let mut out = riff(b"imag", &[1; 7]);
    let (mut disc, mut places) = (vec![0; 8], vec![0; 8]);
    let all: usize = sessions.iter().map(|tracks| tracks.len()).sum();
    let words = |words: &[u16]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    disc.extend([words(&[20, sessions.len() as u16, all as u16, 0, 20, 0, 2, 0]), b"abc\0".to_vec()].concat());
    places.extend((all as u16).to_le_bytes());
    for tracks in sessions {
        disc.extend(words(&[18, tracks.len() as u16, 1, 1, 0, 1, 0, 0, 0]));
        for (kind, size, count, byte) in *tracks {
            let mut own =
                [words(&[0, 0]), count.to_le_bytes().to_vec(), words(&[0, *kind, 0, 0, 0, 4, 0, 2048])].concat();
            own.resize(24 + 205, 9);
            own.extend(if *kind == 0 { *b"DEABC1234567" } else { [0; 12] });
            own.resize(24 + 272, 0);
            let len = own.len() as u16;
            own[..2].copy_from_slice(&len.to_le_bytes());
            disc.extend(own);
            let content: Vec<u8> = (0..*count).flat_map(|n| vec![byte.wrapping_add(n as u8); *size]).collect();
            let id = if *kind == 0 { b"adio" } else { b"info" };
            let at = out.len() as u32 + 8;
            places.extend(
                [&b"RIFF"[..], &(content.len() as u32 + 4).to_le_bytes(), id, &at.to_le_bytes(), &[0; 6]].concat(),
            );
            out.extend(riff(id, &content));
        }
    }
    [out, riff(b"disc", &disc), riff(b"ofs ", &places)].concat()
}

#[test]
fn gaps_lie_where_data_and_sound_meet() {
    let file =
        image(&[&[(1, 2048, 301, 1), (0, 2352, 303, 5), (0, 2352, 305, 8)], &[(2, 2056, 300, 2), (4, 2332, 302, 3)]]);
    let opened = open("a.cif", &file, &[]).unwrap();
    let sound = 301 + 150;
    let second = sound + 303 + 305 + 11_250 + 150;
    assert_eq!(
        tracks(&opened),
        [
            (1, Mode1, -150, 0, 301),
            (2, Audio, 301, sound, sound + 303),
            (3, Audio, sound + 303, sound + 303, sound + 608),
            (4, Mode2Xa, second - 150, second, second + 300),
            (5, Mode2Xa, second + 300, second + 300, second + 602),
        ]
    );
    assert_eq!(blocks(&opened, 9, 1), [10; 2048]);
    assert_eq!(sector(&opened, sound - 1), [0; 2352]);
    assert_eq!(sector(&opened, sound + 2), [7; 2352]);
    assert_eq!(sector(&opened, second)[16..2072], [2; 2056]);
    assert_eq!(sector(&opened, second + 300)[16..2348], [3; 2332]);
    assert_eq!(opened.disc.tracks().nth(1).unwrap().isrc.as_ref(), Some(b"DEABC1234567"));
    assert!(opened.warnings.is_empty(), "{:?}", opened.warnings);
}

#[test]
fn a_track_that_is_too_short_for_a_disc_is_filled_up() {
    let opened = open("a.cif", &image(&[&[(1, 2048, 5, 1)]]), &[]).unwrap();
    assert_eq!(tracks(&opened), [(1, Mode1, -150, 0, 300)]);
    assert_eq!(blocks(&opened, 4, 2), [[5; 2048], [0; 2048]].concat());
}

#[test]
fn what_no_cif_can_be_is_refused() {
    let file = image(&[&[(1, 2048, 5, 1)]]);
    let place = |id: &[u8]| file.windows(4).rposition(|part| part == id).unwrap();
    let (disc, places) = (place(b"disc"), place(b"ofs "));
    for (at, bytes, kind) in [
        (disc, &b"dusc"[..], ImageErrorKind::Invalid),
        (places, b"ofx ", ImageErrorKind::Invalid),
        (disc - 4, &[0xFF, 0xFF, 0xFF, 0x0F], ImageErrorKind::Limit),
        (disc + 4 + 8 + 20 + 18 + 10, &[9], ImageErrorKind::Invalid),
        (disc + 4 + 8 + 2, &[2], ImageErrorKind::Invalid),
    ] {
        crate::support::image::refused("a.cif", &file, &[], at, bytes, kind);
    }
    let cut = open("a.cif", &image(&[&[(0, 2352, 400, 1)]]), &[]).unwrap();
    assert!(cut.disc.read_sector(Lba(399), &mut [0; 2352]).is_ok());
    let small = image(&[&[(0, 2352, 1, 1)]]);
    let descriptions =
        [riff(b"imag", &[1; 7]), small[small.windows(4).rposition(|part| part == b"disc").unwrap() - 8..].to_vec()]
            .concat();
    every_prefix("a.cif", &descriptions, &[]);
}
