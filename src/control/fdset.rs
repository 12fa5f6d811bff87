//! Descriptors that clients passed: QEMU's fd sets, `/dev/fdset/N`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use serde_json::{Value, json};

use super::error::VerbError;

/// Most descriptors in all sets: far below what a process may open.
const MOST: usize = 256;

/// All sets of the daemon; clients share them, as in QEMU.
#[derive(Debug, Default)]
pub struct FdSets {
    sets: BTreeMap<i64, Vec<Entry>>,
    /// Descriptors are numbered over all sets.
    next: i64,
}

#[derive(Debug)]
struct Entry {
    number: i64,
    descriptor: OwnedFd,
    opaque: Option<String>,
}

impl FdSets {
    /// Adds a descriptor to `set`, or to a new one; returns set and number.
    ///
    /// # Errors
    /// When there are too many, or the set's number is negative.
    pub fn add(
        &mut self,
        set: Option<i64>,
        descriptor: OwnedFd,
        opaque: Option<String>,
    ) -> Result<(i64, i64), VerbError> {
        if self.sets.values().map(Vec::len).sum::<usize>() >= MOST {
            return Err(VerbError::generic(format!(
                "There are {MOST} file descriptors in fd sets already; remove some"
            )));
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
        self.sets.entry(set).or_default().push(Entry { number, descriptor, opaque });
        Ok((set, number))
    }

    /// Closes one descriptor of a set, or all.
    ///
    /// # Errors
    /// When there is no such set or descriptor.
    pub fn remove(&mut self, set: i64, number: Option<i64>) -> Result<(), VerbError> {
        let missing = || {
            let name = number.map_or(format!("fdset-id:{set}"), |number| format!("fdset-id:{set}, fd:{number}"));
            VerbError::generic(format!("File descriptor named '{name}' not found"))
        };
        let entries = self.sets.get_mut(&set).ok_or_else(missing)?;
        let before = entries.len();
        entries.retain(|entry| number.is_some_and(|number| entry.number != number));
        if entries.len() == before {
            return Err(missing());
        }
        if entries.is_empty() {
            self.sets.remove(&set);
        }
        Ok(())
    }

    /// Opens `/dev/fdset/N`: a duplicate of the set's first descriptor.
    ///
    /// # Errors
    /// When there is no such set, or no descriptor left.
    pub fn open(&self, set: i64) -> io::Result<File> {
        let entry = self.sets.get(&set).and_then(|entries| entries.first());
        let entry =
            entry.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no fd set {set}")))?;
        entry.descriptor.try_clone().map(File::from)
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
