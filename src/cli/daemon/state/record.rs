//! The record of one drive, as it is written down: JSON. Bytes that are no text are written as `%XX`.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::control::{decode_name, encode_name};
use crate::drive::{Identity, Kept};
use crate::image::{Origin, OriginFile};
use crate::source::FileIdentity;

/// Everything about one drive.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    pub identity: Names,
    /// The image that the command line put into it.
    pub asked: Option<String>,
    pub drive: Kept,
    pub medium: Option<MediumRecord>,
    /// Bytes in hexadecimal.
    pub notes: BTreeMap<u16, String>,
}

/// [`Identity`] without the name, which is the file's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    pub vendor: String,
    pub product: String,
    pub revision: String,
    pub serial: String,
}

/// The medium, and what it takes to open it again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MediumRecord {
    pub locator: String,
    pub format: String,
    pub spool: bool,
    pub files: Vec<FileRecord>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FileRecord {
    name: String,
    path: Option<String>,
    identity: FileIdentity,
    /// The name under which the service manager keeps it open.
    pub stored: Option<String>,
}

impl Names {
    pub fn of(identity: &Identity) -> Self {
        let Identity { vendor, product, revision, serial, .. } = identity.clone();
        Self { vendor, product, revision, serial }
    }
}

impl FileRecord {
    pub fn of(file: &OriginFile, stored: Option<String>) -> Self {
        let path = file.path.as_ref().map(|path| encode_name(path.as_os_str().as_bytes()));
        Self { name: encode_name(&file.name), path, identity: file.identity, stored }
    }

    fn path(&self) -> Option<PathBuf> {
        self.path.as_deref().map(|path| PathBuf::from(OsStr::from_bytes(&decode_name(path))))
    }
}

impl MediumRecord {
    /// The names under which its files are kept open.
    pub fn stored(&self) -> impl Iterator<Item = &str> {
        self.files.iter().filter_map(|file| file.stored.as_deref())
    }

    /// Where those of its files were that are not among the ones that were kept open.
    pub fn paths(&self, kept: &HashMap<String, Arc<File>>) -> impl Iterator<Item = PathBuf> {
        let is_kept = |file: &&FileRecord| file.stored.as_ref().is_some_and(|name| kept.contains_key(name));
        self.files.iter().filter(move |file| !is_kept(file)).filter_map(FileRecord::path)
    }

    /// Forgets names under which nothing was kept open.
    pub fn forget_lost(&mut self, kept: &HashMap<String, Arc<File>>) {
        for file in &mut self.files {
            file.stored.take_if(|name| !kept.contains_key(name));
        }
    }

    /// Where it was, with those of its files that were kept open.
    pub fn origin(&self, kept: &HashMap<String, Arc<File>>) -> Origin {
        let file = |record: &FileRecord| OriginFile {
            name: decode_name(&record.name),
            path: record.path(),
            identity: record.identity,
            file: record.stored.as_ref().and_then(|name| kept.get(name)).cloned(),
        };
        Origin { files: self.files.iter().map(file).collect(), spool: self.spool }
    }
}

/// An image of the command line.
pub fn asked(image: &Path) -> String {
    let path = std::path::absolute(image).unwrap_or_else(|_| image.to_owned());
    encode_name(path.as_os_str().as_bytes())
}

/// Bytes in hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The inverse of [`hexadecimal`]; nothing for what is not hexadecimal.
pub fn bytes(hexadecimal: &str) -> Option<Vec<u8>> {
    let pairs = hexadecimal.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}
