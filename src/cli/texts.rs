//! CD-TEXT as `spindle info` tells it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::output::printable;
use crate::disc::cdtext::{self, CdText, Kind, PACK};
use crate::disc::language;

/// What is told of the disc or a track, by the name of its kind.
type Facts = BTreeMap<&'static str, String>;

/// The texts of one language.
#[derive(Debug, Serialize)]
pub struct Texts {
    pub language: u8,
    pub language_name: Option<&'static str>,
    pub disc: Facts,
    pub tracks: Vec<TrackTexts>,
}

#[derive(Debug, Serialize)]
pub struct TrackTexts {
    pub number: u8,
    #[serde(flatten)]
    pub texts: Facts,
}

/// The texts in the packs of a session.
pub fn of_packs(packs: &[[u8; PACK]]) -> Vec<Texts> {
    cdtext::decode(packs).into_iter().map(Texts::new).collect()
}

impl Texts {
    fn new(block: CdText) -> Self {
        let mut tracks: BTreeMap<u8, Facts> = BTreeMap::new();
        for ((kind, track), text) in block.texts {
            tracks.entry(track).or_default().insert(kind.name(), text);
        }
        Self {
            language: block.language,
            language_name: language::name(block.language),
            disc: tracks.remove(&0).unwrap_or_default(),
            tracks: tracks.into_iter().map(|(number, texts)| TrackTexts { number, texts }).collect(),
        }
    }

    /// Titles and performers, for people.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let language = match self.language_name {
            Some(name) => name.to_owned(),
            None => format!("language {:02x}h", self.language),
        };
        writeln!(out, "  CD-TEXT, {language}:{}", in_short(&self.disc))?;
        for TrackTexts { number, texts } in &self.tracks {
            let texts = in_short(texts);
            if !texts.is_empty() {
                writeln!(out, "    track {number:2}:{texts}")?;
            }
        }
        Ok(())
    }
}

fn in_short(facts: &Facts) -> String {
    let told = [Kind::Title, Kind::Performer].map(Kind::name).into_iter().filter_map(|kind| {
        let text = facts.get(kind)?;
        Some(format!(" {kind} \"{}\"", printable(text.as_bytes())))
    });
    told.collect::<Vec<_>>().join(",")
}
