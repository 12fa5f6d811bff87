//! How descriptors name their data files (formats.md, 0.9).

use super::text::readable;
use super::{ImageError, ImageErrorKind, OpenContext};
use crate::source::SharedSource;

/// The data file that a descriptor calls `name`: `*.ext` is the descriptor's own name with that ending. Where the name is not
/// there, the descriptor's own name with one of `endings` is looked for: people rename images.
///
/// # Errors
/// As [`OpenContext::open_data`] for `name`.
pub fn open_named(cx: &OpenContext<'_>, name: &[u8], endings: &[&str]) -> Result<SharedSource, ImageError> {
    let stem = match cx.name.rsplit_once('.') {
        Some((stem, _)) => stem,
        None => cx.name,
    };
    let name = match name {
        [b'*', ending @ ..] => [stem.as_bytes(), ending].concat(),
        name => name.to_vec(),
    };
    let named = cx.open_data(&name);
    match &named {
        Err(error) if error.kind() == ImageErrorKind::Missing && !stem.is_empty() => {
            let renamed = endings.iter().find_map(|ending| cx.open_data(format!("{stem}.{ending}").as_bytes()).ok());
            match renamed {
                Some(source) => Ok(source),
                None => named,
            }
        }
        _ => named,
    }
}

/// The data file that a sheet calls `name`. Where it is not there, the name may be in an old encoding, or the file may be
/// converted, with another of `endings`, and the sheet left as it was.
///
/// # Errors
/// As [`OpenContext::open_data`] for `name`.
pub fn open_converted(cx: &OpenContext<'_>, name: &[u8], endings: &[&str]) -> Result<SharedSource, ImageError> {
    cx.open_data(name).or_else(|error| {
        if error.kind() != ImageErrorKind::Missing {
            return Err(error);
        }
        let name = readable(name);
        let stem = name.rsplit_once('.').map_or(&*name, |(stem, _)| stem);
        let others = endings.iter().map(|ending| format!("{stem}.{ending}"));
        let mut candidates = std::iter::once(name.clone()).chain(others);
        candidates.find_map(|candidate| cx.open_data(candidate.as_bytes()).ok()).ok_or(error)
    })
}

/// A name of 16-bit characters, up to the first that is zero, as the bytes of a file name here.
#[must_use]
pub fn from_utf16(units: &[u8]) -> Vec<u8> {
    let units = units.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let characters = char::decode_utf16(units.take_while(|unit| *unit != 0));
    characters.map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>().into_bytes()
}
