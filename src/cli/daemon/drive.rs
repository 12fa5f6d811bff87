//! `--drive`: what it says, and making the drives.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};

use super::state::StateFolder;
use crate::cli::error::{CliError, Exit};
use crate::cli::open::locator;
use crate::drive::{Behaviours, Drive, Identity, Medium, Tray};
use crate::image::{OpenOptions, Origin, open_passable};
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
    tray_open: bool,
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
    fn identity(&self, otherwise: Identity) -> Identity {
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

impl FromStr for DriveSpec {
    type Err = String;

    /// `key=value` pairs between commas; two commas are one that belongs to the value, as in QEMU's options.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut spec = Self::named("");
        let mut seen = HashSet::new();
        for part in split(text) {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("\"{part}\" is not key=value"))?;
            if !seen.insert(key.to_owned()) {
                return Err(format!("{key} is given twice"));
            }
            match key {
                "name" => spec.name = name(value)?,
                "image" if value.is_empty() => return Err("image is empty; leave it out for an empty drive".to_owned()),
                "image" => spec.image = Some(value.into()),
                "vendor" => spec.vendor = Some(field(key, value, 8)?),
                "product" => spec.product = Some(field(key, value, 16)?),
                "revision" => spec.revision = Some(field(key, value, 4)?),
                "serial" => spec.serial = Some(field(key, value, 20)?),
                "tray" => {
                    spec.tray_open = match value {
                        "open" => true,
                        "closed" => false,
                        _ => return Err(format!("tray is open or closed, not \"{value}\"")),
                    }
                }
                "behaviour" => spec.behaviours = Some(value.parse()?),
                "audio" => spec.audio = Some(value.parse()?),
                "socket" if value.is_empty() => return Err("socket is empty".to_owned()),
                "socket" => spec.socket = Some(value.into()),
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

fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == ',' && chars.next_if_eq(&',').is_none() {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
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

/// Makes the drives with their discs in them, as they were kept in `state` if they were.
///
/// # Errors
/// When two have the same name or serial number, or an image cannot be opened.
pub fn make(
    specs: &[DriveSpec],
    options: &OpenOptions<'_>,
    mut state: Option<StateFolder>,
    read_deadline: Duration,
) -> Result<Vec<Arc<Drive>>, CliError> {
    let mut names = HashSet::new();
    if let Some(twice) = specs.iter().find(|spec| !names.insert(&spec.name)) {
        return Err(CliError::new(Exit::Usage, format!("two drives are named {}", twice.name)));
    }
    // A guest would take the two for two ways to one drive (SPC-4, Device Identification VPD page).
    let mut serials = HashMap::new();
    for spec in specs {
        let identity = spec.identity(Identity::named(&spec.name));
        if let Some(other) = serials.insert(identity.serial.trim_end().to_owned(), &spec.name) {
            let twice =
                format!("drives {other} and {} have the same serial number; give one another serial=", spec.name);
            return Err(CliError::new(Exit::Usage, twice));
        }
    }
    let drives = specs.iter().map(|spec| make_one(spec, options, state.as_mut(), read_deadline)).collect();
    if let Some(state) = state {
        state.finish();
    }
    drives
}

fn make_one(
    spec: &DriveSpec,
    options: &OpenOptions<'_>,
    mut state: Option<&mut StateFolder>,
    read_deadline: Duration,
) -> Result<Arc<Drive>, CliError> {
    let (file, remembered) = state.as_mut().map(|folder| folder.drive(&spec.name)).transpose()?.unzip();
    let remembered = remembered.flatten();
    let otherwise = remembered.as_ref().map_or_else(|| Identity::named(&spec.name), |was| was.identity(&spec.name));
    let identity = spec.identity(otherwise);
    let tray = if spec.tray_open { Tray::Open } else { Tray::Closed };
    let drive = Drive::new(identity.clone(), tray).behaving(spec.behaviours.unwrap_or_default());
    let mut drive = drive.with_read_deadline(read_deadline);
    if let Some(audio) = &spec.audio {
        let refused = |error| CliError::new(Exit::Failure, format!("drive {}: audio {audio}: {error}", spec.name));
        if let Some(sink) = audio.open().map_err(refused)? {
            drive = drive.heard_by(sink);
        }
    }
    let image = spec.image.as_deref();
    drive = match (remembered, file.as_ref().zip(state)) {
        (Some(remembered), Some((file, folder))) if remembered.asked_for(image) => {
            remembered.restore(drive, file, folder, options)
        }
        (remembered, _) => {
            if remembered.is_some() {
                info!("drive {} is asked for with another image than before: it starts anew", spec.name);
            }
            with_image(drive, image, options)?
        }
    };
    if let Some(file) = file {
        drive = drive.kept_by(file.keeper(&identity, image));
    }
    Ok(Arc::new(drive))
}

/// The new drive with an image in it.
fn with_image(drive: Drive, image: Option<&Path>, options: &OpenOptions<'_>) -> Result<Drive, CliError> {
    let Some(image) = image else { return Ok(drive) };
    let passable = open_passable(image, options)?;
    for warning in &passable.opened.warnings {
        warn!("{}: {warning}", image.display());
    }
    let origin = Origin::by_path(image, &passable, options.spool.is_some())?;
    let locator = locator(image).unwrap_or_else(|_| image.to_string_lossy().into_owned());
    let remote = origin.is_remote();
    let medium = Medium { disc: passable.opened.disc, locator, format: passable.opened.format.id, origin, remote };
    // A drive that nobody has seen yet is not locked.
    drive.change_medium(Arc::new(medium), false).map_err(|refused| CliError::new(Exit::Locked, refused.to_string()))?;
    Ok(drive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_says_what_qemu_users_expect() {
        let spec: DriveSpec = "name=cd1,image=/a,,b=c.iso,serial=X-1,vendor=ACME".parse().unwrap();
        assert_eq!(spec.name, "cd1");
        assert_eq!(spec.image, Some("/a,b=c.iso".into()));
        assert_eq!(spec.identity(Identity::named(&spec.name)).serial, "X-1");
        assert_eq!(spec.identity(Identity::named(&spec.name)).vendor, "ACME");
        let whole: DriveSpec = "name=cd2,product=X,revision=1.02,behaviour=seek-delay+edc-errors".parse().unwrap();
        assert_eq!(
            (whole.identity(Identity::named("")).product, whole.identity(Identity::named("")).revision),
            ("X".to_owned(), "1.02".to_owned())
        );
        assert_eq!(whole.behaviours, Some("edc-errors+seek-delay".parse().unwrap()));
        assert_eq!((spec.behaviours, spec.audio), (None, None));
        let heard: DriveSpec = "name=cd3,audio=wav:/a,,b.wav".parse().unwrap();
        assert_eq!(heard.audio, Some(sound::Choice::Wave("/a,b.wav".into())));
        assert!("name=a,tray=open".parse::<DriveSpec>().unwrap().tray_open);
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
            ("name=a,tray=open,image=x", "cannot hold"),
        ] {
            let error = text.parse::<DriveSpec>().unwrap_err();
            assert!(reason.split('|').any(|part| error.contains(part)), "{text}: {error}");
        }
    }
}
