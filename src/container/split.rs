//! A file that was cut into numbered pieces: `x.001, x.002, ...`, `x.i00, x.i01, ...`, `x.part01, x.part02, ...`.
//!
//! Pieces have no header, so that only the name of the first can tell: this is the one container that is told by its name.
//! Not here: files that say themselves where they go on (ISZ, DAA, RAR).

use std::sync::Arc;

use super::{Container, Content, FormatInfo, ImageError, ImageErrorKind, OpenContext, Probe, Score};
use crate::source::{ConcatSource, SharedSource};

/// Files in pieces.
pub struct Split;

static INFO: FormatInfo = FormatInfo {
    id: "split",
    name: "file in pieces",
    extensions: &["000", "001", "i00", "i01", "part0", "part1", "part00", "part01", "part000", "part001"],
};

/// Starts of files that have parts of their own kind.
const OWN_PARTS: [&[u8]; 4] = [b"IsZ!", b"DAA", b"GBI", b"Rar!"];

impl Container for Split {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn probe(&self, probe: &Probe<'_>) -> Score {
        let own_parts = OWN_PARTS.iter().any(|magic| probe.has(0, magic));
        match Numbered::first(probe.name) {
            // Before what the first piece begins with.
            Some(_) if !own_parts => Score::Sure,
            _ => Score::No,
        }
    }

    fn open(&self, source: SharedSource, cx: &OpenContext<'_>) -> Result<Content, ImageError> {
        // A descriptor that names its data in pieces names all of them.
        let Some(name) = Numbered::first(cx.name).filter(|_| cx.depth <= 1) else { return Ok(Content::new(source)) };
        let known = cx.siblings.names().unwrap_or_default();
        let numbers = || known.iter().filter_map(|known| name.number_of(std::str::from_utf8(known).ok()?));
        if numbers().any(|number| number < name.number) {
            let message = format!("this is the second piece of a file; open {} instead", name.with(0));
            return Err(ImageError::invalid(message));
        }
        let mut pieces = vec![source];
        for number in name.number + 1.. {
            match cx.open_sibling(name.with(number).as_bytes()) {
                Ok(piece) => pieces.push(piece),
                Err(error) if error.kind() == ImageErrorKind::Missing => {
                    if let Some(later) = numbers().find(|&known| known > number) {
                        let message = format!("this piece is not there, but {} is", name.with(later));
                        return Err(ImageError::new(ImageErrorKind::Missing, message).in_file(name.with(number)));
                    }
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if let Some([first, middle @ ..]) = pieces.split_last().map(|(_, before)| before)
            && let Some(other) = middle.iter().position(|piece| piece.len() != first.len())
        {
            let piece = name.with(name.number + 1 + other as u32);
            cx.warn(format!("{piece} is not as long as the first piece: something may be missing"));
        }
        Ok(Content::new(Arc::new(ConcatSource::new(pieces).map_err(ImageError::io)?)))
    }
}

/// A name that ends in a number.
struct Numbered<'a> {
    /// What is before the number.
    before: &'a str,
    number: u32,
    digits: usize,
}

impl<'a> Numbered<'a> {
    /// `name` when it is that of a first piece.
    fn first(name: &'a str) -> Option<Self> {
        let (stem, ending) = name.rsplit_once('.')?;
        INFO.extensions.iter().find(|known| known.eq_ignore_ascii_case(ending)).filter(|_| !stem.is_empty())?;
        let before = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let digits = name.len() - before.len();
        Some(Self { before, number: name.get(before.len()..)?.parse().ok()?, digits })
    }

    fn with(&self, number: u32) -> String {
        format!("{}{number:0digits$}", self.before, digits = self.digits)
    }

    /// Which piece `other` is.
    fn number_of(&self, other: &str) -> Option<u32> {
        let (before, number) = other.split_at_checked(self.before.len())?;
        let is_number = number.len() >= self.digits && number.bytes().all(|byte| byte.is_ascii_digit());
        let same = before.eq_ignore_ascii_case(self.before) && is_number;
        let parsed = number.parse().ok().filter(|_| same)?;
        (self.with(parsed).len() == other.len()).then_some(parsed)
    }
}
