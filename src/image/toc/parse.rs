//! The text of a TOC file as tracks and the pieces that they are made of.

use std::collections::BTreeMap;

use super::super::ImageError;
use super::super::sheet::Shape;
use super::super::text::{catalogue_number, isrc, number, readable, time};
use super::lexer::{Lexer, Token};
use crate::disc::cdtext::{CdText, ENGLISH, Kind};
use crate::disc::{Control, DiscType, TrackMode};

/// A TOC file.
#[derive(Debug, Default)]
pub struct Toc {
    pub mcn: Option<[u8; 13]>,
    pub disc_type: Option<DiscType>,
    pub tracks: Vec<Track>,
    /// Texts by language number.
    pub texts: BTreeMap<u8, CdText>,
}

/// A `TRACK` and what follows it.
#[derive(Debug)]
pub struct Track {
    pub shape: Shape,
    /// The subchannel is the packs of R to W, de-interleaved.
    pub is_packs: bool,
    pub control: Control,
    pub isrc: Option<[u8; 12]>,
    pub parts: Vec<Part>,
    /// How much of the track lies before index 1.
    pub start: Option<Length>,
    /// Sectors from index 1 to index 2 and so on.
    pub indices: Vec<u32>,
}

/// How long something is, or where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    Sectors(u32),
    /// Samples of sound; sectors of data.
    Units(u32),
    /// The parts so far: where `START` stands without a time.
    Parts(usize),
}

/// A piece of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Silence, or zeros.
    Empty(Length),
    /// A piece of a file.
    File { name: Vec<u8>, offset: u64, start: Length, length: Option<Length>, is_swapped: bool },
}

/// Tracks, and parts of a track, at most.
const MOST_TRACKS: usize = 99;
const MOST_PARTS: usize = 1000;

/// True when the first words are those of a TOC file.
pub fn looks_like_one(text: &[u8]) -> bool {
    let mut tokens = Lexer::new(text);
    match tokens.next() {
        Some(Token::Word(word)) => match word.as_slice() {
            b"CD_DA" | b"CD_ROM" | b"CD_ROM_XA" | b"CD_I" => true,
            b"CATALOG" | b"CD_TEXT" => tokens.take(2000).any(|token| token == Token::Word(b"TRACK".to_vec())),
            // The word of a CUE sheet has a number first.
            b"TRACK" => matches!(tokens.next(), Some(Token::Word(word)) if number(&word).is_none()),
            _ => false,
        },
        _ => false,
    }
}

/// The whole file.
///
/// # Errors
/// For the first word that cannot be meant.
pub fn parse(text: &[u8]) -> Result<Toc, ImageError> {
    let mut parser = Parser { tokens: Lexer::new(text), ahead: None, toc: Toc::default() };
    match parser.all() {
        Ok(()) => Ok(parser.toc),
        Err(what) => Err(ImageError::invalid(format!("line {}: {what}", parser.tokens.line()))),
    }
}

struct Parser<'a> {
    tokens: Lexer<'a>,
    ahead: Option<Token>,
    toc: Toc,
}

type Parsed<T> = Result<T, String>;

impl Parser<'_> {
    fn next(&mut self) -> Option<Token> {
        self.ahead.take().or_else(|| self.tokens.next())
    }

    fn peek(&mut self) -> Option<&Token> {
        if self.ahead.is_none() {
            self.ahead = self.tokens.next();
        }
        self.ahead.as_ref()
    }

    /// The next token, if it is a word.
    fn word(&mut self) -> Option<Vec<u8>> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.ahead = None;
                Some(word)
            }
            _ => None,
        }
    }

    fn quoted(&mut self, of: &str) -> Parsed<Vec<u8>> {
        match self.next() {
            Some(Token::Quoted(text)) => Ok(text),
            _ => Err(format!("{of} takes a text in quotation marks")),
        }
    }

    fn all(&mut self) -> Parsed<()> {
        while let Some(token) = self.next() {
            let Token::Word(word) = token else { return Err("a command should be here".to_owned()) };
            self.command(&word)?;
        }
        Ok(())
    }

    fn command(&mut self, word: &[u8]) -> Parsed<()> {
        match word {
            b"CD_DA" | b"CD_ROM" => self.toc.disc_type = Some(DiscType::DaOrRom),
            b"CD_ROM_XA" => self.toc.disc_type = Some(DiscType::Xa),
            b"CD_I" => self.toc.disc_type = Some(DiscType::Interactive),
            b"CATALOG" => {
                let digits = self.quoted("CATALOG")?;
                self.toc.mcn = Some(catalogue_number(&digits).ok_or("CATALOG takes 13 digits")?);
            }
            b"CD_TEXT" => self.cd_text()?,
            b"TRACK" => self.track()?,
            b"NO" => match self.word().as_deref() {
                Some(b"COPY") => self.flag(2, false)?,
                Some(b"PRE_EMPHASIS") => self.flag(1, false)?,
                _ => return Err("NO takes COPY or PRE_EMPHASIS".to_owned()),
            },
            b"COPY" => self.flag(2, true)?,
            b"PRE_EMPHASIS" => self.flag(1, true)?,
            b"TWO_CHANNEL_AUDIO" => self.flag(8, false)?,
            b"FOUR_CHANNEL_AUDIO" => self.flag(8, true)?,
            b"ISRC" => {
                let code = self.quoted("ISRC")?;
                self.current()?.isrc = Some(isrc(&code).ok_or("ISRC takes twelve letters and digits")?);
            }
            b"FILE" | b"AUDIOFILE" => self.audio_file()?,
            b"DATAFILE" | b"FIFO" => self.data_file()?,
            b"SILENCE" | b"ZERO" => {
                // The mode of what is empty is the track's.
                while self.peek_is(|word| !word.first().is_some_and(u8::is_ascii_digit)) {
                    self.ahead = None;
                }
                let length = self.length()?.ok_or("a length should be here")?;
                self.part(Part::Empty(length))?;
            }
            b"PREGAP" => {
                let length = self.time("PREGAP")?;
                let parts = self.current()?.parts.len();
                self.part(Part::Empty(Length::Sectors(length)))?;
                self.current()?.start = Some(Length::Parts(parts + 1));
            }
            b"START" => {
                let length = self.length()?;
                let track = self.current()?;
                track.start = Some(length.unwrap_or(Length::Parts(track.parts.len())));
            }
            b"END" => drop(self.length()?),
            b"INDEX" => {
                let at = self.time("INDEX")?;
                self.current()?.indices.push(at);
            }
            other => return Err(format!("{} is no command", readable(other))),
        }
        Ok(())
    }

    fn current(&mut self) -> Parsed<&mut Track> {
        self.toc.tracks.last_mut().ok_or_else(|| "before the first TRACK".to_owned())
    }

    fn flag(&mut self, bit: u8, on: bool) -> Parsed<()> {
        let control = &mut self.current()?.control.0;
        *control = if on { *control | bit } else { *control & !bit };
        Ok(())
    }

    fn part(&mut self, part: Part) -> Parsed<()> {
        let parts = &mut self.current()?.parts;
        if parts.len() >= MOST_PARTS {
            return Err(format!("more than {MOST_PARTS} pieces of a track"));
        }
        parts.push(part);
        Ok(())
    }

    fn track(&mut self) -> Parsed<()> {
        let word = self.word().unwrap_or_default();
        let (mode, main) = match word.as_slice() {
            b"AUDIO" => (TrackMode::Audio, 2352),
            b"MODE1" => (TrackMode::Mode1, 2048),
            b"MODE1_RAW" => (TrackMode::Mode1, 2352),
            b"MODE2" | b"MODE2_FORM_MIX" => (TrackMode::Mode2Xa, 2336),
            b"MODE2_RAW" => (TrackMode::Mode2Xa, 2352),
            b"MODE2_FORM1" => (TrackMode::Mode2Xa, 2048),
            b"MODE2_FORM2" => (TrackMode::Mode2Xa, 2324),
            other => return Err(format!("{} is no track mode", readable(other))),
        };
        if self.toc.tracks.len() >= MOST_TRACKS {
            return Err(format!("more than {MOST_TRACKS} tracks"));
        }
        let is_packs = self.peek_is(|word| word == b"RW");
        let has_subchannel = is_packs || self.peek_is(|word| word == b"RW_RAW");
        if has_subchannel {
            self.ahead = None;
        }
        self.toc.tracks.push(Track {
            shape: Shape { mode, main, subchannel: if has_subchannel { 96 } else { 0 } },
            is_packs,
            control: if mode.is_data() { Control::DATA } else { Control::AUDIO },
            isrc: None,
            parts: Vec::new(),
            start: None,
            indices: Vec::new(),
        });
        Ok(())
    }

    fn peek_is(&mut self, is: impl Fn(&[u8]) -> bool) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if is(word))
    }

    fn audio_file(&mut self) -> Parsed<()> {
        let name = self.quoted("FILE")?;
        let is_swapped = self.peek_is(|word| word == b"SWAP");
        if is_swapped {
            self.ahead = None;
        }
        let offset = self.offset()?;
        let start = self.length()?.ok_or("FILE takes a name and where to begin")?;
        let length = self.length()?.filter(|length| !matches!(length, Length::Sectors(0) | Length::Units(0)));
        self.part(Part::File { name, offset, start, length, is_swapped })
    }

    fn data_file(&mut self) -> Parsed<()> {
        let name = self.quoted("DATAFILE")?;
        let offset = self.offset()?;
        let length = self.length()?.filter(|length| !matches!(length, Length::Sectors(0) | Length::Units(0)));
        self.part(Part::File { name, offset, start: Length::Units(0), length, is_swapped: false })
    }

    /// `#` and a number of bytes.
    fn offset(&mut self) -> Parsed<u64> {
        if !self.peek_is(|word| word.starts_with(b"#")) {
            return Ok(0);
        }
        let word = self.word().unwrap_or_default();
        let digits = std::str::from_utf8(&word[1..]).ok();
        digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| format!("{} is no offset", readable(&word)))
    }

    /// A time or a number, if there is one.
    fn length(&mut self) -> Parsed<Option<Length>> {
        if !self.peek_is(|word| word.contains(&b':') || word.first().is_some_and(u8::is_ascii_digit)) {
            return Ok(None);
        }
        let word = self.word().unwrap_or_default();
        let length = time(&word).map(Length::Sectors).or_else(|| number(&word).map(Length::Units));
        length.map(Some).ok_or_else(|| format!("{} is no length", readable(&word)))
    }

    fn time(&mut self, of: &str) -> Parsed<u32> {
        let word = self.word().unwrap_or_default();
        time(&word).ok_or_else(|| format!("{of} takes a time as mm:ss:ff"))
    }

    /// `CD_TEXT { LANGUAGE_MAP { 0 : EN } LANGUAGE 0 { TITLE "..." } }`, for the disc or the track that was begun last.
    fn cd_text(&mut self) -> Parsed<()> {
        self.open()?;
        loop {
            match self.next() {
                Some(Token::Close) => return Ok(()),
                Some(Token::Word(word)) if word == b"LANGUAGE_MAP" => self.language_map()?,
                Some(Token::Word(word)) if word == b"LANGUAGE" => {
                    let language = self.language()?;
                    self.texts(language)?;
                }
                _ => return Err("CD_TEXT takes LANGUAGE_MAP and LANGUAGE in braces".to_owned()),
            }
        }
    }

    fn open(&mut self) -> Parsed<()> {
        if self.next() == Some(Token::Open) { Ok(()) } else { Err("a brace should be here".to_owned()) }
    }

    /// The number of a language, 0 to 7.
    fn language(&mut self) -> Parsed<u8> {
        let word = self.word().unwrap_or_default();
        let language = number(&word).and_then(|number| u8::try_from(number).ok()).filter(|language| *language < 8);
        language.ok_or_else(|| "languages are numbered 0 to 7".to_owned())
    }

    fn language_map(&mut self) -> Parsed<()> {
        self.open()?;
        // Numbers and codes in turn; the colon between them may stand with either, or alone.
        let mut sides: Vec<Vec<u8>> = Vec::new();
        loop {
            match self.next() {
                Some(Token::Close) => break,
                Some(Token::Comma | Token::Colon) => {}
                Some(Token::Word(word)) if sides.len() < 16 => {
                    sides.extend(word.split(|&byte| byte == b':').filter(|side| !side.is_empty()).map(<[u8]>::to_vec));
                }
                _ => return Err("LANGUAGE_MAP takes up to eight pairs such as 0 : EN".to_owned()),
            }
        }
        for pair in sides.chunks(2) {
            let [language, code] = pair else { return Err("a language has no code".to_owned()) };
            let code = if code == b"EN" { Some(u32::from(ENGLISH)) } else { number(code) };
            let numbers =
                number(language).zip(code).map(|(language, code)| (u8::try_from(language), u8::try_from(code)));
            let Some((Ok(language @ 0..8), Ok(code))) = numbers else {
                return Err("languages are numbered 0 to 7 and have codes up to 255".to_owned());
            };
            self.texts_of(language).language = code;
        }
        Ok(())
    }

    fn texts_of(&mut self, language: u8) -> &mut CdText {
        self.toc.texts.entry(language).or_insert_with(|| CdText { language: ENGLISH, texts: BTreeMap::new() })
    }

    fn texts(&mut self, language: u8) -> Parsed<()> {
        self.open()?;
        let track = self.toc.tracks.len() as u8;
        loop {
            match self.next() {
                Some(Token::Close) => return Ok(()),
                Some(Token::Word(word)) => {
                    let text = match self.peek() {
                        Some(Token::Quoted(text)) => {
                            let text = readable(text);
                            self.ahead = None;
                            text
                        }
                        Some(Token::Open) => self.bytes()?,
                        // Words such as ENCODING_ISO_8859_1 stand alone.
                        _ => continue,
                    };
                    if let Some(kind) = kind(&word).filter(|_| !text.is_empty()) {
                        self.texts_of(language).texts.insert((kind, track), text);
                    }
                }
                _ => return Err("LANGUAGE takes names and texts in braces".to_owned()),
            }
        }
    }

    /// `{ 0, 5, 65, 66 }`: a text as bytes, the genre with its code before it.
    fn bytes(&mut self) -> Parsed<String> {
        self.open()?;
        let mut bytes = Vec::new();
        loop {
            match self.next() {
                Some(Token::Close) => break,
                Some(Token::Comma) => {}
                Some(Token::Word(word)) => {
                    let byte = number(&word).and_then(|number| u8::try_from(number).ok());
                    bytes.push(byte.ok_or_else(|| format!("{} is no byte", readable(&word)))?);
                }
                _ => return Err("bytes should be here".to_owned()),
            }
        }
        let text = bytes.get(2..).unwrap_or_default();
        Ok(readable(text.split(|&byte| byte == 0).next().unwrap_or_default()))
    }
}

fn kind(word: &[u8]) -> Option<Kind> {
    Some(match word {
        b"TITLE" => Kind::Title,
        b"PERFORMER" => Kind::Performer,
        b"SONGWRITER" => Kind::Songwriter,
        b"COMPOSER" => Kind::Composer,
        b"ARRANGER" => Kind::Arranger,
        b"MESSAGE" => Kind::Message,
        b"DISC_ID" => Kind::DiscId,
        b"GENRE" => Kind::Genre,
        b"UPC_EAN" | b"ISRC" => Kind::Code,
        _ => return None,
    })
}
