//! The parts of a container that was split: their names, and their bytes one after another.

use std::io;
use std::sync::Arc;

use super::{ImageError, OpenContext};
use crate::source::{ByteSource, ConcatSource, SharedSource, SliceSource};

/// How the parts after the first are called when the first is not `.part1` or the like: `x.i01`, `x.d00`.
#[derive(Debug, Clone, Copy)]
pub struct Naming {
    pub letter: char,
    /// The number of the second part.
    pub second: u32,
}

/// The name of part `number`, counted from 0, where the first is `name`.
pub fn part_name(name: &str, number: u32, naming: Naming) -> String {
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let digits = stem.len() - stem.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    let (start, first) = stem.split_at(stem.len() - digits);
    match first.parse::<u32>() {
        Ok(first) if start.to_ascii_lowercase().ends_with(".part") => {
            format!("{start}{:0digits$}.{ending}", first.saturating_add(number))
        }
        _ => format!("{stem}.{}{:02}", naming.letter, number.saturating_sub(1).saturating_add(naming.second)),
    }
}

/// Which bytes of a part belong to the whole.
#[derive(Debug, Clone)]
pub struct Part {
    pub source: SharedSource,
    pub start: u64,
    pub len: u64,
}

/// All parts in order. What a part lacks cannot be read, and everything after it is where it belongs.
pub fn join(parts: Vec<Part>, cx: &OpenContext<'_>) -> Result<SharedSource, ImageError> {
    let mut sources: Vec<SharedSource> = Vec::new();
    let mut absent = 0_u64;
    for Part { source, start, len } in parts {
        let there = source.len().saturating_sub(start).min(len);
        if there > 0 {
            sources.push(Arc::new(SliceSource::new(source, start, there).map_err(ImageError::io)?));
        }
        if there < len {
            absent = absent.saturating_add(len - there);
            sources.push(Arc::new(Absent(len - there)));
        }
    }
    if absent > 0 {
        cx.warn(format!("the file is cut off: {absent} bytes are missing and what they hold cannot be read"));
    }
    let too_long = |_| ImageError::invalid("the parts are longer than any file can be: the file is damaged");
    Ok(Arc::new(ConcatSource::new(sources).map_err(too_long)?))
}

/// Bytes that were cut off.
#[derive(Debug)]
struct Absent(u64);

impl ByteSource for Absent {
    fn len(&self) -> u64 {
        self.0
    }

    fn read_exact_at(&self, _buf: &mut [u8], _offset: u64) -> io::Result<()> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_after_the_first() {
        let name = |name, number| part_name(name, number, Naming { letter: 'i', second: 1 });
        assert_eq!(name("x.isz", 1), "x.i01");
        assert_eq!(name("x.isz", 100), "x.i100");
        assert_eq!(name("a.b.part01.isz", 1), "a.b.part02.isz");
        assert_eq!(name("X.PART001.ISZ", 9), "X.PART010.ISZ");
        assert_eq!(name("part01.isz", 1), "part01.i01");
        assert_eq!(name("x.part.isz", 1), "x.part.i01");
        assert_eq!(part_name("x.daa", 1, Naming { letter: 'd', second: 0 }), "x.d00");
    }
}
