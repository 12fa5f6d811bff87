//! Descriptors that clients passed: QEMU's fd sets, `/dev/fdset/N`.
//!
//! To close one can wait for storage, and the sets are behind a lock: so nothing here closes one. Who adds, takes or opens one holds it, too.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;

use serde_json::{Value, json};

use super::error::VerbError;

/// Most descriptors in all sets: far below what a process may open.
const MOST: usize = 256;
/// Bytes of an `opaque` or a `locator`, at most: the longest path, each byte of it as three characters.
pub const LONGEST_NAME: usize = 3 * 4096;

/// All sets of the daemon; clients share them, as in QEMU.
#[derive(Debug, Default)]
pub struct FdSets {
    sets: BTreeMap<i64, Vec<Entry>>,
    /// Descriptors are numbered over all sets.
    next: i64,
}

/// Files with their names.
pub type Companions = Vec<(Vec<u8>, Arc<File>)>;

/// A file's name as `opaque` says it: UTF-8, with other bytes and `%` as `%XX`.
#[must_use]
pub fn encode_name(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '%' { text.push_str("%25") } else { text.push(c) }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The inverse of [`encode_name`]; `%` before what is no number stands for itself.
#[must_use]
pub fn decode_name(text: &str) -> Vec<u8> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let number = others.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match number.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                name.push(byte);
                rest = &others[2..];
            }
            None => {
                name.push(*first);
                rest = others;
            }
        }
    }
    name
}

#[derive(Debug)]
struct Entry {
    number: i64,
    file: Arc<File>,
    opaque: Option<String>,
}

impl FdSets {
    /// Adds a descriptor to `set`, or to a new one; returns set and number.
    ///
    /// # Errors
    /// When there are too many, or the set's number is negative.
    pub fn add(&mut self, set: Option<i64>, file: &Arc<File>, opaque: Option<String>) -> Result<(i64, i64), VerbError> {
        if self.sets.values().map(Vec::len).sum::<usize>() >= MOST {
            return Err(VerbError::generic(format!(
                "There are {MOST} file descriptors in fd sets already; remove some"
            )));
        }
        if opaque.as_ref().is_some_and(|opaque| opaque.len() > LONGEST_NAME) {
            return Err(VerbError::generic(format!("Parameter 'opaque' expects at most {LONGEST_NAME} bytes")));
        }
        let set = match set {
            Some(set) if set < 0 => {
                return Err(VerbError::generic("Parameter 'fdset-id' expects a non-negative value"));
            }
            Some(set) => set,
            None => (0..).find(|number| !self.sets.contains_key(number)).unwrap_or(0),
        };
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.sets.entry(set).or_default().push(Entry { number, file: Arc::clone(file), opaque });
        Ok((set, number))
    }

    /// Takes one descriptor out of a set, or all.
    ///
    /// # Errors
    /// When there is no such set or descriptor.
    pub fn remove(&mut self, set: i64, number: Option<i64>) -> Result<Vec<Arc<File>>, VerbError> {
        let missing = || {
            let name = number.map_or(format!("fdset-id:{set}"), |number| format!("fdset-id:{set}, fd:{number}"));
            VerbError::generic(format!("File descriptor named '{name}' not found"))
        };
        let entries = self.sets.get_mut(&set).ok_or_else(missing)?;
        let removed: Vec<_> =
            entries.extract_if(.., |entry| number.is_none_or(|number| entry.number == number)).collect();
        if removed.is_empty() {
            return Err(missing());
        }
        if entries.is_empty() {
            self.sets.remove(&set);
        }
        Ok(removed.into_iter().map(|entry| entry.file).collect())
    }

    /// Opens `/dev/fdset/N`: the set's first descriptor, which is the image, and the others, which are the files that it names, each with
    /// the name that its `opaque` says.
    ///
    /// # Errors
    /// When there is no such set.
    pub fn open(&self, set: i64) -> io::Result<(Arc<File>, Companions)> {
        let entries = self.sets.get(&set).and_then(|entries| entries.split_first());
        let (image, others) =
            entries.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no fd set {set}")))?;
        let named = |entry: &Entry| Some((decode_name(entry.opaque.as_deref()?), Arc::clone(&entry.file)));
        Ok((Arc::clone(&image.file), others.iter().filter_map(named).collect()))
    }

    /// As `query-fdsets` returns them.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let entry = |entry: &Entry| {
            let mut value = json!({ "fd": entry.number });
            if let Some(opaque) = &entry.opaque {
                value["opaque"] = opaque.as_str().into();
            }
            value
        };
        self.sets
            .iter()
            .map(|(set, entries)| json!({ "fdset-id": set, "fds": entries.iter().map(entry).collect::<Value>() }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_comes_back() {
        for name in [&b"track 01.bin"[..], b"100%.bin", b"\xFF\x00%zz", "\u{e9}.bin".as_bytes(), b"%41", b"%"] {
            assert_eq!(decode_name(&encode_name(name)), name);
        }
        assert_eq!(encode_name(b"a\xE9%"), "a%E9%25");
    }
}
