//! CD-TEXT packs of libcdio's test data, against what its cdtext-raw prints of them.

use std::collections::BTreeMap;
use std::fs;

use spindle::disc::cdtext::{CdText, Kind, decode, encode, packs_of_file};

use crate::support::inputs;

const ENGLISH: u8 = 0x09;
const GERMAN: u8 = 0x08;

/// The blocks that `text`, printed by cdtext-raw, names.
fn printed(text: &str) -> Vec<CdText> {
    let mut blocks: Vec<CdText> = Vec::new();
    let mut track = 0;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("Language ") {
            let language = if rest.contains("'German'") { GERMAN } else { ENGLISH };
            blocks.push(CdText { language, texts: BTreeMap::new() });
        } else if line == "CD-TEXT for Disc:" {
            track = 0;
        } else if let Some(number) = line.strip_prefix("CD-TEXT for Track") {
            track = number.trim().trim_end_matches(':').parse().unwrap();
        } else if let Some((name, value)) = line.split_once(": ") {
            let kind = match name {
                "TITLE" => Kind::Title,
                "PERFORMER" => Kind::Performer,
                "SONGWRITER" => Kind::Songwriter,
                "COMPOSER" => Kind::Composer,
                "ARRANGER" => Kind::Arranger,
                "MESSAGE" => Kind::Message,
                "GENRE" => Kind::Genre,
                "DISC_ID" => Kind::DiscId,
                "UPC_EAN" | "ISRC" => Kind::Code,
                "GENRE_CODE" => continue,
                other => panic!("{other}"),
            };
            blocks.last_mut().unwrap().texts.insert((kind, track), value.to_owned());
        }
    }
    blocks
}

#[test]
fn packs_of_libcdio_say_what_libcdio_prints() {
    for name in ["cdtext", "cdtext-libburnia"] {
        let packs = fs::read(inputs::path(&format!("libcdio/{name}.cdt"))).unwrap();
        let right = fs::read_to_string(inputs::path(&format!("libcdio-expected/{name}.right"))).unwrap();
        let blocks = decode(&packs_of_file(&packs).unwrap());
        let printed = printed(&right);
        assert!(printed.len() >= 2 && printed[0].texts.len() > 20);
        assert_eq!(blocks, printed, "{name}");
    }
}

#[test]
fn texts_come_back_from_the_packs_made_of_them() {
    let packs = fs::read(inputs::path("libcdio/cdtext.cdt")).unwrap();
    let blocks = decode(&packs_of_file(&packs).unwrap());
    assert!(blocks.len() >= 2);
    assert_eq!(decode(&encode(&blocks, 1, 3)), blocks);
}

#[test]
fn packs_with_a_wrong_crc_are_left_out() {
    let packs = fs::read(inputs::path("libcdio/cdtext.cdt")).unwrap();
    let mut packs = packs_of_file(&packs).unwrap();
    let whole = decode(&packs);
    packs[0][5] ^= 1;
    assert_ne!(decode(&packs), whole);
    packs.iter_mut().for_each(|pack| pack[17] ^= 1);
    assert_eq!(decode(&packs), []);
}
