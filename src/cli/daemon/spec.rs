//! What one `--drive` says.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::drive::{Behaviours, Identity};
use crate::sound;

/// What one `--drive` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveSpec {
    /// Name on the control socket.
    pub name: String,
    /// The disc that is in it from the start.
    pub image: Option<PathBuf>,
    vendor: Option<String>,
    product: Option<String>,
    revision: Option<String>,
    serial: Option<String>,
    /// The tray is open from the start.
    pub tray_open: bool,
    /// `None` when it does not say.
    pub behaviours: Option<Behaviours>,
    /// The same.
    pub audio: Option<sound::Choice>,
    /// The vhost-user socket of its own.
    pub socket: Option<PathBuf>,
}

impl DriveSpec {
    /// An empty drive with everything else as by default.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            image: None,
            vendor: None,
            product: None,
            revision: None,
            serial: None,
            tray_open: false,
            behaviours: None,
            audio: None,
            socket: None,
        }
    }

    /// The names that it gives, and for the rest those of `otherwise`.
    pub fn identity(&self, otherwise: Identity) -> Identity {
        let mut identity = otherwise;
        for (given, field) in [
            (&self.vendor, &mut identity.vendor),
            (&self.product, &mut identity.product),
            (&self.revision, &mut identity.revision),
            (&self.serial, &mut identity.serial),
        ] {
            if let Some(given) = given {
                field.clone_from(given);
            }
        }
        identity
    }
}

impl DriveSpec {
    /// `key=value` pairs between commas; two commas are one that belongs to the value, as in QEMU's options. Names of files are any bytes.
    ///
    /// # Errors
    /// What is wrong, for who wrote it.
    pub fn parse(text: &OsStr) -> Result<Self, String> {
        let mut spec = Self::named("");
        let mut seen = HashSet::new();
        for part in split(text.as_bytes()) {
            let (key, bytes) = part.split_at(part.iter().position(|byte| *byte == b'=').unwrap_or(part.len()));
            let key = String::from_utf8_lossy(key).into_owned();
            let Some(bytes) = bytes.strip_prefix(b"=") else {
                return Err(format!("\"{key}\" is not key=value; a comma that belongs to a value is written twice"));
            };
            if !seen.insert(key.clone()) {
                return Err(format!("{key} is given twice"));
            }
            let path = || PathBuf::from(OsStr::from_bytes(bytes));
            let value = || str::from_utf8(bytes).map_err(|_| format!("{key} is not UTF-8"));
            match &*key {
                "name" => spec.name = name(value()?)?,
                "image" if bytes.is_empty() => return Err("image is empty; leave it out for an empty drive".to_owned()),
                "image" => spec.image = Some(path()),
                "vendor" => spec.vendor = Some(field(&key, value()?, 8)?),
                "product" => spec.product = Some(field(&key, value()?, 16)?),
                "revision" => spec.revision = Some(field(&key, value()?, 4)?),
                "serial" => spec.serial = Some(field(&key, value()?, 20)?),
                "tray" => {
                    spec.tray_open = match value()? {
                        "open" => true,
                        "closed" => false,
                        other => return Err(format!("tray is open or closed, not \"{other}\"")),
                    }
                }
                "behaviour" => spec.behaviours = Some(value()?.parse()?),
                "audio" => spec.audio = Some(value()?.parse()?),
                "socket" if bytes.is_empty() => return Err("socket is empty".to_owned()),
                "socket" => spec.socket = Some(path()),
                _ => {
                    let known = "name, image, vendor, product, revision, serial, tray, behaviour, audio, socket";
                    return Err(format!("unknown key \"{key}\": {known}"));
                }
            }
        }
        if spec.name.is_empty() {
            return Err("name is missing".to_owned());
        }
        if spec.tray_open && spec.image.is_some() {
            return Err("an open tray cannot hold an image from the start".to_owned());
        }
        Ok(spec)
    }
}

fn split(text: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b',' && bytes.next_if_eq(&b',').is_none() {
            parts.push(Vec::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(byte);
        }
    }
    parts
}

fn name(value: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if value.is_empty() || value.len() > 32 || !value.chars().all(legal) {
        return Err(format!("name \"{value}\" must be 1 to 32 letters, digits, '-', '_' or '.'"));
    }
    Ok(value.to_owned())
}

fn field(key: &str, value: &str, most: usize) -> Result<String, String> {
    if value.is_empty() || value.len() > most || !value.bytes().all(|byte| (0x20..0x7F).contains(&byte)) {
        return Err(format!("{key} must be 1 to {most} printable ASCII characters"));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DriveSpec, String> {
        DriveSpec::parse(text.as_ref())
    }

    #[test]
    fn a_spec_says_what_qemu_users_expect() {
        let spec =
            DriveSpec::parse(OsStr::from_bytes(b"name=cd1,image=/a,,b=c\xE9.iso,serial=X-1,vendor=ACME")).unwrap();
        assert_eq!(spec.name, "cd1");
        assert_eq!(spec.image, Some(OsStr::from_bytes(b"/a,b=c\xE9.iso").into()));
        assert_eq!(spec.identity(Identity::named(&spec.name)).serial, "X-1");
        assert_eq!(spec.identity(Identity::named(&spec.name)).vendor, "ACME");
        let whole = parse("name=cd2,product=X,revision=1.02,behaviour=seek-delay+edc-errors").unwrap();
        assert_eq!(
            (whole.identity(Identity::named("")).product, whole.identity(Identity::named("")).revision),
            ("X".to_owned(), "1.02".to_owned())
        );
        assert_eq!(whole.behaviours, Some("edc-errors+seek-delay".parse().unwrap()));
        assert_eq!((spec.behaviours, spec.audio), (None, None));
        let heard = parse("name=cd3,audio=wav:/a,,b.wav").unwrap();
        assert_eq!(heard.audio, Some(sound::Choice::Wave("/a,b.wav".into())));
        assert!(parse("name=a,tray=open").unwrap().tray_open);
    }

    #[test]
    fn a_bad_spec_is_refused_with_the_reason() {
        for (text, reason) in [
            ("image=x", "name is missing"),
            ("name=a,name=b", "given twice"),
            ("name=a b", "must be 1 to 32"),
            ("name=a,color=red", "unknown key"),
            ("name=a,tray=ajar", "open or closed"),
            ("name=a,vendor=TOOLONGNAME", "at most 8|1 to 8"),
            ("name=a,serial=\u{e9}", "printable"),
            ("name=a,revision=12345", "1 to 4"),
            ("name=a,behaviour=fast", "real-speed, seek-delay, edc-errors"),
            ("name=a,audio=speaker", "wav:FILE"),
            ("name", "not key=value"),
            ("name=a,image=a,b.iso", "a comma that belongs to a value is written twice"),
            ("name=a,tray=open,image=x", "cannot hold"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(reason.split('|').any(|part| error.contains(part)), "{text}: {error}");
        }
        let latin = DriveSpec::parse(OsStr::from_bytes(b"name=a,behaviour=\xE9"));
        assert_eq!(latin, Err("behaviour is not UTF-8".to_owned()));
    }
}
