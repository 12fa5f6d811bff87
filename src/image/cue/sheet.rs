//! The text of a CUE sheet, line by line, as commands and what they apply to.

use std::collections::BTreeMap;

use super::super::sheet::Shape;
use super::super::text::{catalogue_number, isrc, lines, number, readable, time, words};
use super::super::{ImageError, OpenContext};
use crate::disc::cdtext::Kind;
use crate::disc::{Control, TrackMode};

/// A sheet.
#[derive(Debug, Default)]
pub struct Sheet {
    pub mcn: Option<[u8; 13]>,
    /// The file that holds CD-TEXT packs.
    pub cd_text_file: Option<Vec<u8>>,
    /// Texts by kind and track; track 0 is the disc.
    pub texts: BTreeMap<(Kind, u8), String>,
    pub files: Vec<File>,
    pub tracks: Vec<Track>,
    /// `REM ORIGINAL MEDIA-TYPE` says DVD.
    pub is_dvd: bool,
    /// The mode of a track says CD-i.
    pub is_cd_i: bool,
}

/// A `FILE` command.
#[derive(Debug)]
pub struct File {
    pub name: Vec<u8>,
    /// 16-bit samples with their bytes exchanged.
    pub is_motorola: bool,
}

/// A `TRACK` command and those that follow.
#[derive(Debug)]
pub struct Track {
    pub number: u8,
    pub mode: Shape,
    /// Sessions are numbered from 1; this one begins here when the track before has another.
    pub session: u32,
    /// Blocks between the session before and this, where `REM` lines say so.
    pub gap: Option<u32>,
    /// The high-density area of a GD-ROM.
    pub high_density: bool,
    pub control: Control,
    pub isrc: Option<[u8; 12]>,
    pub pregap: u32,
    pub postgap: u32,
    pub indices: Vec<Index>,
}

/// An `INDEX` command.
#[derive(Debug, Clone, Copy)]
pub struct Index {
    pub number: u8,
    /// Which file.
    pub file: usize,
    /// Sectors from its start.
    pub at: u32,
}

/// What the mode word of a track says.
fn shape(word: &[u8]) -> Option<Shape> {
    let (mode, main, subchannel) = match word.to_ascii_uppercase().as_slice() {
        b"AUDIO" => (TrackMode::Audio, 2352, 0),
        b"CDG" => (TrackMode::Audio, 2352, 96),
        b"MODE1/2048" => (TrackMode::Mode1, 2048, 0),
        b"MODE1/2352" => (TrackMode::Mode1, 2352, 0),
        b"MODE1/2448" => (TrackMode::Mode1, 2352, 96),
        b"MODE2/2048" => (TrackMode::Mode2Xa, 2048, 0),
        b"MODE2/2324" => (TrackMode::Mode2Xa, 2324, 0),
        b"MODE2/2332" => (TrackMode::Mode2Xa, 2332, 0),
        b"MODE2/2336" | b"CDI/2336" => (TrackMode::Mode2Xa, 2336, 0),
        b"MODE2/2352" | b"CDI/2352" => (TrackMode::Mode2Xa, 2352, 0),
        b"MODE2/2448" | b"CDI/2448" => (TrackMode::Mode2Xa, 2352, 96),
        _ => return None,
    };
    Some(Shape { mode, main, subchannel })
}

/// True when the text has a `FILE` and a `TRACK` command, as every sheet does.
pub fn looks_like_one(text: &[u8]) -> bool {
    let mut file = false;
    let mut track = false;
    for (_, line) in lines(text) {
        match words(line).as_slice() {
            [command, _, .., kind] if command.eq_ignore_ascii_case(b"FILE") => file |= number(kind).is_none(),
            [command, digits, mode] if command.eq_ignore_ascii_case(b"TRACK") => {
                track |= number(digits).is_some() && !mode.is_empty();
            }
            _ => {}
        }
    }
    file && track
}

/// The whole sheet.
///
/// # Errors
/// For the first line that cannot be meant.
pub fn parse(text: &[u8], cx: &OpenContext<'_>) -> Result<Sheet, ImageError> {
    let mut parser = Parser { sheet: Sheet::default(), session: 1, gap: None, high_density: false };
    for (number, line) in lines(text) {
        parser.line(line, cx, number).map_err(|what| ImageError::invalid(format!("line {number}: {what}")))?;
    }
    Ok(parser.sheet)
}

struct Parser {
    sheet: Sheet,
    session: u32,
    gap: Option<u32>,
    high_density: bool,
}

/// Files of a sheet, at most: a track and its pre-gap may be in one each.
const MOST_FILES: usize = 200;

impl Parser {
    fn line(&mut self, line: &[u8], cx: &OpenContext<'_>, line_number: usize) -> Result<(), String> {
        let words = words(line);
        let Some((command, arguments)) = words.split_first() else { return Ok(()) };
        let first = arguments.first().copied().unwrap_or_default();
        match command.to_ascii_uppercase().as_slice() {
            b"CATALOG" => {
                let mcn = catalogue_number(first).ok_or("CATALOG takes 13 digits")?;
                self.sheet.mcn = Some(mcn);
            }
            b"CDTEXTFILE" => self.sheet.cd_text_file = Some(first.to_vec()),
            b"FILE" => self.file(line, arguments)?,
            b"TRACK" => self.track(arguments)?,
            b"INDEX" => self.index(arguments)?,
            b"FLAGS" => {
                for flag in arguments {
                    let bit = match flag.to_ascii_uppercase().as_slice() {
                        b"DCP" => 2,
                        b"4CH" => 8,
                        b"PRE" => 1,
                        // SCMS and DATA say nothing that CONTROL has.
                        _ => 0,
                    };
                    let track = self.current()?;
                    track.control.0 |= bit;
                }
            }
            b"PREGAP" => self.current()?.pregap = time(first).ok_or("PREGAP takes a time as mm:ss:ff")?,
            b"POSTGAP" => self.current()?.postgap = time(first).ok_or("POSTGAP takes a time as mm:ss:ff")?,
            b"ISRC" => {
                let code = isrc(first);
                if code.is_none() {
                    cx.warn(format!("line {line_number}: {} is no ISRC: it is left out", readable(first)));
                }
                self.current()?.isrc = code;
            }
            b"REM" => self.remark(arguments),
            word => self.text(word, first),
        }
        Ok(())
    }

    /// `FILE name kind`: the name may have blanks and no quotation marks.
    fn file(&mut self, line: &[u8], arguments: &[&[u8]]) -> Result<(), String> {
        let (name, kind) = match arguments {
            [name] => (name.to_vec(), &b"BINARY"[..]),
            [name, kind] => (name.to_vec(), *kind),
            [_, _, .., kind] => {
                let rest = line.trim_ascii()[4..].trim_ascii();
                let name = rest.strip_suffix(*kind).ok_or("FILE takes a name and a type")?;
                (name.trim_ascii().to_vec(), *kind)
            }
            [] => return Err("FILE takes the name of a file".to_owned()),
        };
        if self.sheet.files.len() >= MOST_FILES {
            return Err(format!("more than {MOST_FILES} files"));
        }
        self.sheet.files.push(File { name, is_motorola: kind.eq_ignore_ascii_case(b"MOTOROLA") });
        Ok(())
    }

    fn track(&mut self, arguments: &[&[u8]]) -> Result<(), String> {
        let [digits, word, ..] = arguments else { return Err("TRACK takes a number and a mode".to_owned()) };
        let number =
            number(digits).and_then(|number| u8::try_from(number).ok()).filter(|number| (1..=99).contains(number));
        let number = number.ok_or("track numbers are 1 to 99")?;
        let mode = shape(word).ok_or_else(|| format!("{} is no track mode", readable(word)))?;
        self.sheet.is_cd_i |= word.to_ascii_uppercase().starts_with(b"CDI/");
        if self.sheet.files.is_empty() {
            return Err("TRACK before FILE".to_owned());
        }
        if self.sheet.tracks.last().is_some_and(|last| last.number >= number) {
            return Err("track numbers must go up".to_owned());
        }
        self.sheet.tracks.push(Track {
            number,
            mode,
            session: self.session,
            gap: self.gap.take(),
            high_density: self.high_density,
            control: if mode.mode.is_data() { Control::DATA } else { Control::AUDIO },
            isrc: None,
            pregap: 0,
            postgap: 0,
            indices: Vec::new(),
        });
        Ok(())
    }

    fn index(&mut self, arguments: &[&[u8]]) -> Result<(), String> {
        let [digits, at, ..] = arguments else { return Err("INDEX takes a number and a time".to_owned()) };
        let number = number(digits).and_then(|number| u8::try_from(number).ok()).filter(|number| *number <= 99);
        let number = number.ok_or("index numbers are 0 to 99")?;
        let at = time(at).ok_or("INDEX takes a time as mm:ss:ff")?;
        let file = self.sheet.files.len().checked_sub(1).ok_or("INDEX before FILE")?;
        let track = self.current()?;
        let follows = track
            .indices
            .last()
            .map_or(number <= 1, |last| last.number + 1 == number && (last.file != file || last.at <= at));
        if !follows {
            return Err("the indices of a track must follow one another, from 00 or 01".to_owned());
        }
        track.indices.push(Index { number, file, at });
        Ok(())
    }

    fn current(&mut self) -> Result<&mut Track, String> {
        self.sheet.tracks.last_mut().ok_or_else(|| "before the first TRACK".to_owned())
    }

    /// What other programs say in remarks: sessions and their gaps, areas of a GD-ROM, the medium.
    fn remark(&mut self, arguments: &[&[u8]]) {
        let upper: Vec<Vec<u8>> = arguments.iter().map(|word| word.to_ascii_uppercase()).collect();
        let upper: Vec<&[u8]> = upper.iter().map(Vec::as_slice).collect();
        match upper.as_slice() {
            [b"SESSION", number_word, ..] => {
                if let Some(session) = number(number_word).filter(|session| (1..=99).contains(session)) {
                    self.session = session;
                }
            }
            [b"LEAD-OUT" | b"LEAD-IN", length, ..] => {
                if let Some(length) = time(length) {
                    self.gap = Some(self.gap.unwrap_or(0).saturating_add(length));
                }
            }
            [b"HIGH-DENSITY", b"AREA", ..] => {
                self.high_density = true;
                self.session = 2;
            }
            [b"ORIGINAL", b"MEDIA-TYPE:", medium, ..] => self.sheet.is_dvd = medium.starts_with(b"DVD"),
            _ => {}
        }
    }

    /// A text of the disc, or of the track that was begun last. Unknown commands are left alone.
    fn text(&mut self, command: &[u8], text: &[u8]) {
        let kind = match command {
            b"TITLE" => Kind::Title,
            b"PERFORMER" => Kind::Performer,
            b"SONGWRITER" => Kind::Songwriter,
            b"COMPOSER" => Kind::Composer,
            b"ARRANGER" => Kind::Arranger,
            b"MESSAGE" => Kind::Message,
            b"GENRE" => Kind::Genre,
            b"DISC_ID" => Kind::DiscId,
            b"UPC_EAN" => Kind::Code,
            _ => return,
        };
        let track = self.sheet.tracks.last().map_or(0, |track| track.number);
        if !text.is_empty() {
            self.sheet.texts.insert((kind, track), readable(text));
        }
    }
}
