//! Where a DMG keeps its tables: in an XML property list, in older files in a resource fork.

use std::io::Cursor;

use plist::Value;

use super::super::{ImageError, ImageErrorKind};
use super::{Trailer, u32_at};
use crate::source::ByteSource;

/// Bytes of the list or fork, at most: a table takes 40 for each run.
const LONGEST: u64 = 64 << 20;
/// Dictionaries and arrays in the list, at most, and tables in the fork.
const MOST: usize = 4096;
/// Tags in the list, at most: a resource has some twenty, and each value takes more memory than bytes in the file.
const MOST_TAGS: usize = MOST * 64;

/// The bytes of every `blkx` resource.
pub fn tables(source: &dyn ByteSource, trailer: &Trailer) -> Result<Vec<Vec<u8>>, ImageError> {
    let (at, tables) = if trailer.u64(224) > 0 {
        let at = trailer.u64(216);
        (at, listed(&read(source, at, trailer.u64(224))?).map_err(|error| error.at(at))?)
    } else {
        let at = trailer.u64(40);
        let fork = read(source, at, trailer.u64(48))?;
        let tables = forked(&fork).ok_or_else(|| ImageError::invalid("the resource fork is damaged").at(at))?;
        (at, tables)
    };
    if tables.is_empty() {
        return Err(ImageError::invalid("the image has no table of its blocks").at(at));
    }
    Ok(tables)
}

fn read(source: &dyn ByteSource, at: u64, len: u64) -> Result<Vec<u8>, ImageError> {
    if len > LONGEST {
        let message = format!("tables of {len} bytes: the file is damaged (at most {LONGEST} are read)");
        return Err(ImageError::new(ImageErrorKind::Limit, message).at(at));
    }
    if at.checked_add(len).is_none_or(|end| end > source.len()) {
        return Err(ImageError::invalid("the tables lie past the end of the file").at(at));
    }
    let mut bytes = vec![0; len as usize];
    source.read_exact_at(&mut bytes, at).map_err(|error| ImageError::io(error).at(at))?;
    Ok(bytes)
}

fn listed(xml: &[u8]) -> Result<Vec<Vec<u8>>, ImageError> {
    // What is nested is dropped by recursion. The parser looks at names without their prefix.
    let is_node = |bytes: &&[u8]| {
        matches!(**bytes, [b'<' | b':', b'd', b'i', b'c', b't'] | [b'<' | b':', b'a', b'r', b'r', b'a'])
    };
    let nodes = xml.windows(5).filter(is_node).count();
    let tags = xml.iter().filter(|byte| **byte == b'<').count();
    if nodes > MOST || tags > MOST_TAGS {
        return Err(ImageError::new(ImageErrorKind::Limit, "the property list has too many parts"));
    }
    let invalid = |error: &dyn std::fmt::Display| ImageError::invalid(format!("the property list is damaged: {error}"));
    let list = Value::from_reader_xml(Cursor::new(xml)).map_err(|error| invalid(&error))?;
    let resources = list.as_dictionary().and_then(|list| list.get("resource-fork")?.as_dictionary()?.get("blkx"));
    let resources = resources.and_then(Value::as_array).ok_or_else(|| invalid(&"it names no blocks"))?;
    let data = |resource: &Value| Some(resource.as_dictionary()?.get("Data")?.as_data()?.to_vec());
    resources.iter().map(|resource| data(resource).ok_or_else(|| invalid(&"a resource has no data"))).collect()
}

/// A resource fork (Inside Macintosh: More Macintosh Toolbox, 1-121).
fn forked(fork: &[u8]) -> Option<Vec<Vec<u8>>> {
    let u16_at = |at: usize| Some(usize::from(u16::from_be_bytes(*fork.get(at..)?.first_chunk()?)));
    let (data, map) = (u32_at(fork, 0) as usize, u32_at(fork, 4) as usize);
    let types = map + u16_at(map + 24)?;
    let mut tables = Vec::new();
    for number in 0..(u16_at(types)? + 1) & 0xFFFF {
        let entry = types + 2 + number * 8;
        if fork.get(entry..entry + 4)? != b"blkx" {
            continue;
        }
        let (count, references) = (u16_at(entry + 4)? + 1, types + u16_at(entry + 6)?);
        if count > MOST {
            return None;
        }
        let mut left = fork.len();
        for number in 0..count {
            let at = data + (u32_at(fork, references + number * 12 + 4) & 0xFF_FFFF) as usize;
            let len = u32_at(fork, at) as usize;
            // Resources do not share bytes.
            left = left.checked_sub(len)?;
            tables.push(fork.get(at + 4..at.checked_add(4 + len)?)?.to_vec());
        }
        break;
    }
    Some(tables)
}
