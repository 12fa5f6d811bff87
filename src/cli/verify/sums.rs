//! Checksums that came with an image: on the command line, or in a file of them.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use crate::cli::hash::file;
use crate::cli::progress::Progress;
use crate::cli::{CliError, Exit};

/// A kind of checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

/// A checksum that the file must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    kind: Kind,
    /// In hexadecimal, lower case.
    value: String,
}

/// A file of checksums, at most: those of a whole distribution are a few hundred KiB.
const LONGEST: u64 = 16 << 20;

/// `--sha256`.
///
/// # Errors
/// When it is not 64 hexadecimal digits.
pub fn sha256(text: &str) -> Result<Expected, String> {
    match Expected::new(text) {
        Some(expected) if expected.kind == Kind::Sha256 => Ok(expected),
        _ => Err("a SHA-256 has 64 hexadecimal digits".to_owned()),
    }
}

/// The checksums that the file at `path` lists for the image, by its name.
///
/// # Errors
/// When it cannot be read, or does not list the image.
pub fn listed(path: &Path, image: &Path) -> Result<Vec<Expected>, CliError> {
    let failed = |error: io::Error| CliError::new(Exit::Failure, format!("{}: {error}", path.display()));
    if fs::metadata(path).map_err(failed)?.len() > LONGEST {
        return Err(CliError::new(Exit::Failure, format!("{}: too long for a list of checksums", path.display())));
    }
    let text = fs::read(path).map_err(failed)?;
    let name = image.file_name().unwrap_or_default().as_bytes();
    let lines: Vec<_> = text.split(|byte| *byte == b'\n').filter_map(line).collect();
    let found: Vec<_> = lines.iter().filter(|(known, _)| base(known) == name).map(|(_, sum)| sum.clone()).collect();
    match (&found[..], &lines[..]) {
        // A file of one checksum without a name: `disc.iso.sha256`.
        ([], [(nothing, only)]) if nothing.is_empty() => Ok(vec![only.clone()]),
        ([], _) => {
            let image = String::from_utf8_lossy(name);
            Err(CliError::new(Exit::Failure, format!("{}: does not list {image}", path.display())))
        }
        _ => Ok(found),
    }
}

fn base(name: &[u8]) -> &[u8] {
    name.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// One line: `HEX  NAME`, `HEX *NAME`, `HEX`, or BSD's `SHA256 (NAME) = HEX`; anything else is not a checksum. With a backslash
/// before it, as GNU's programs write it, the name has escapes.
fn line(line: &[u8]) -> Option<(Vec<u8>, Expected)> {
    let line = line.trim_ascii();
    if let Some(escaped) = line.strip_prefix(b"\\") {
        let (name, sum) = plain_line(escaped)?;
        return Some((unescaped(&name)?, sum));
    }
    plain_line(line)
}

/// `\\`, `\n` and `\r` are a backslash, the end of a line, and a carriage return; nothing for others.
fn unescaped(name: &[u8]) -> Option<Vec<u8>> {
    let (mut plain, mut bytes) = (Vec::new(), name.iter());
    while let Some(&byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

fn plain_line(line: &[u8]) -> Option<(Vec<u8>, Expected)> {
    if let Some(open) = line.windows(2).position(|two| two == b" (")
        && let Some(close) = line.windows(4).rposition(|four| four == b") = ")
        && open + 2 <= close
    {
        let sum = Expected::new(std::str::from_utf8(&line[close + 4..]).ok()?)?;
        let tag = line[..open].to_ascii_uppercase();
        return (tag == sum.kind.name().replace('-', "").as_bytes() || tag == sum.kind.name().as_bytes())
            .then(|| (line[open + 2..close].to_vec(), sum));
    }
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let sum = Expected::new(std::str::from_utf8(&line[..end]).ok()?)?;
    let name = line[end..].trim_ascii_start();
    Some((name.strip_prefix(b"*").unwrap_or(name).to_vec(), sum))
}

impl Expected {
    /// The kind follows from the length.
    fn new(hex: &str) -> Option<Self> {
        let kind = match hex.len() {
            32 => Kind::Md5,
            40 => Kind::Sha1,
            64 => Kind::Sha256,
            128 => Kind::Sha512,
            _ => return None,
        };
        hex.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| Self { kind, value: hex.to_ascii_lowercase() })
    }

    /// What is checked.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} of the file", self.kind.name())
    }

    /// Whether the file at `path` has it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is_of(&self, path: &Path, progress: &Progress) -> io::Result<bool> {
        let found = match self.kind {
            Kind::Md5 => file::<Md5>(path, progress),
            Kind::Sha1 => file::<Sha1>(path, progress),
            Kind::Sha256 => file::<Sha256>(path, progress),
            Kind::Sha512 => file::<Sha512>(path, progress),
        }?;
        Ok(found == self.value)
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_styles_of_lists_are_read() {
        let sha1 = "a".repeat(40);
        let sha256 = "0123456789abcdef".repeat(4);
        for (text, name, kind) in [
            (format!("{sha256}  a b.iso\r"), "a b.iso", Kind::Sha256),
            (format!("{sha256} *./x/disc.iso"), "./x/disc.iso", Kind::Sha256),
            (format!("SHA256 (a (1).iso) = {}", sha256.to_uppercase()), "a (1).iso", Kind::Sha256),
            (format!("SHA1 (d) = {sha1}"), "d", Kind::Sha1),
            (sha1.clone(), "", Kind::Sha1),
            (format!("\\{sha256}  a\\\\b\\n\\r.iso"), "a\\b\n\r.iso", Kind::Sha256),
            (format!("\\SHA1 (a\\\\) = {sha1}"), "a\\", Kind::Sha1),
            (format!("{sha1}  a\\n"), "a\\n", Kind::Sha1),
            (format!("{}  d", "f".repeat(128)), "d", Kind::Sha512),
            (format!("{}  d", "f".repeat(32)), "d", Kind::Md5),
        ] {
            let (found, sum) = line(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((found.as_slice(), sum.kind), (name.as_bytes(), kind), "{text}");
        }
        for other in ["", "# comment", "-----BEGIN PGP SIGNED MESSAGE-----", "Hash: SHA256", "zz  disc.iso"] {
            assert_eq!(line(other.as_bytes()), None, "{other}");
        }
        // No escape of those programs, and one that is cut off.
        assert_eq!(line(format!("\\{sha1}  a\\x").as_bytes()), None);
        assert_eq!(line(format!("\\{sha1}  a\\").as_bytes()), None);
        // A tag that contradicts the length.
        assert_eq!(line(format!("MD5 (d) = {sha256}").as_bytes()), None);
    }
}
