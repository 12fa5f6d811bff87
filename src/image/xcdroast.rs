//! TOC files of X-CD-Roast: `key = value` lines, a data or sound file for each track, and maybe an `.xinf` with its texts beside
//! each (formats.md, 3.3).

use std::collections::BTreeMap;

use super::layout::{DiscPlan, PREGAP, Piece, SessionPlan, TrackPlan};
use super::sheet::{Data, Shape};
use super::text::{self, lines, number, readable};
use super::{FormatInfo, ImageError, ImageErrorKind, ImageFormat, OpenContext, Probe, Score};
use crate::disc::cdtext::{CdText, ENGLISH, Kind, encode};
use crate::disc::{Disc, MediumType, TrackMode};
use crate::source::SharedSource;

/// X-CD-Roast.
pub struct XCdRoast;

static INFO: FormatInfo = FormatInfo { id: "xcdroast", name: "X-CD-Roast TOC", extensions: &["toc"] };

/// A track with its keys.
#[derive(Debug, Default)]
struct Track {
    number: u8,
    is_sound: bool,
    blocks: u32,
    file: Vec<u8>,
}

impl ImageFormat for XCdRoast {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        let Some(text) = text::head(probe) else { return Score::No };
        let keys: Vec<Vec<u8>> = pairs(&text).map(|(key, _)| key).take(1000).collect();
        let has = |key: &[u8]| keys.iter().any(|known| known == key);
        // Nothing stands before the first key but comments.
        let is_first =
            keys.first().is_some_and(|key| [&b"cdtitle"[..], b"cdsize", b"discid", b"track"].contains(&&**key));
        if is_first && has(b"track") && has(b"file") && has(b"size") { Score::Sure } else { Score::No }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Disc, ImageError> {
        let text = text::read(&*source)?;
        let mut tracks: Vec<Track> = Vec::new();
        let mut texts = CdText { language: ENGLISH, texts: BTreeMap::new() };
        for (key, value) in pairs(&text) {
            let wrong = || {
                ImageError::invalid(format!("{} = {}: no number that can be meant", readable(&key), readable(&value)))
            };
            let track = tracks.last_mut();
            match (key.as_slice(), track) {
                (b"cdtitle", _) => add(&mut texts, Kind::Title, 0, &value),
                (b"track", _) => {
                    let number = number(&value).and_then(|number| u8::try_from(number).ok()).ok_or_else(wrong)?;
                    tracks.push(Track { number, ..Track::default() });
                }
                (b"type", Some(track)) => {
                    track.is_sound = number(&value).filter(|kind| *kind < 2).ok_or_else(wrong)? == 1;
                }
                (b"size", Some(track)) => {
                    track.blocks = number(&value).filter(|blocks| *blocks > 0).ok_or_else(wrong)?;
                }
                (b"file", Some(track)) => track.file.clone_from(&value),
                _ => {}
            }
            if tracks.len() > 99 {
                return Err(ImageError::new(ImageErrorKind::Limit, "more than 99 tracks"));
            }
        }
        let mut session = SessionPlan::default();
        let mut empty = PREGAP;
        for track in &tracks {
            let (plan, missing) = plan(track, empty, cx, &mut texts)?;
            session.tracks.push(plan);
            empty = missing;
        }
        let numbers = || tracks.iter().map(|track| track.number);
        session.cd_text = encode(&[texts], numbers().min().unwrap_or(1), numbers().max().unwrap_or(1));
        DiscPlan { medium: Some(MediumType::CdRom), sessions: vec![session], ..DiscPlan::default() }.build()
    }
}

/// Keys in lower case, values without quotation marks.
fn pairs(text: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let pair = |(_, line): (usize, &[u8])| {
        let line = line.trim_ascii();
        let at = line.iter().position(|&byte| byte == b'=').filter(|_| !line.starts_with(b"#"))?;
        let value = line[at + 1..].trim_ascii();
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        Some((line[..at].trim_ascii().to_ascii_lowercase(), value.to_vec()))
    };
    lines(text).filter_map(pair)
}

fn add(texts: &mut CdText, kind: Kind, track: u8, text: &[u8]) {
    if !text.is_empty() {
        texts.texts.insert((kind, track), readable(text));
    }
}

/// The track behind `empty` sectors, and how many sectors its file lacks: they are before the next track.
fn plan(track: &Track, empty: u32, cx: &OpenContext<'_>, texts: &mut CdText) -> Result<(TrackPlan, u32), ImageError> {
    let data = Data::open(&track.file, cx)?;
    let (mode, main) = if track.is_sound { (TrackMode::Audio, 2352) } else { (TrackMode::Mode1, 2048) };
    let shape = Shape { mode, main, subchannel: 0 };
    // Samples without a header have the high byte first.
    let data = if track.is_sound { data.swapped() } else { data };
    let there = u32::try_from(data.bytes.len().div_ceil(u64::from(main))).unwrap_or(u32::MAX);
    let blocks = if track.blocks == 0 { there } else { track.blocks.min(there) };
    let mut plan = TrackPlan { pregap: empty, ..TrackPlan::new(track.number, mode) };
    plan.pieces = vec![Piece::empty(empty), shape.piece(mode, blocks, 0, &data)?];
    let mut name = track.file.clone();
    if let Some(dot) = name.iter().rposition(|&byte| byte == b'.') {
        name.truncate(dot);
    }
    for about in [[&name[..], b".xinf"].concat(), [&track.file[..], b".xinf"].concat()] {
        let Ok(source) = cx.open_sibling(&about) else { continue };
        for (key, value) in pairs(&text::read(&*source)?) {
            let is_set = number(&value) == Some(1);
            match key.as_slice() {
                b"title" => add(texts, Kind::Title, track.number, &value),
                b"artist" => add(texts, Kind::Performer, track.number, &value),
                b"cd_artist" => add(texts, Kind::Performer, 0, &value),
                b"preemp" if is_set && track.is_sound => plan.control.0 |= 1,
                b"copyperm" if is_set => plan.control.0 |= 2,
                _ => {}
            }
        }
        break;
    }
    Ok((plan, track.blocks.saturating_sub(blocks)))
}
